"""`deixis ask --each`: one question about every file by itself; answers in order, drawings into a folder.

A file that cannot be opened or asked about gets its sentence in place of an answer, and the rest go on.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from glob import glob
from os.path import exists, isdir  # of pathlib's, a name too long raises
from pathlib import Path
from typing import TYPE_CHECKING

from deixis.cli.arguments import ModelChoice
from deixis.cli.drawings import Drawings
from deixis.cli.pointing import typed_regions
from deixis.cli.terminal import say, say_json
from deixis.errors import InputError

if TYPE_CHECKING:
    from deixis.samples.sample import Sample


def answer_each(
    files: Sequence[str],
    question: str,
    regions: Sequence[tuple[str, str]],
    load: ModelChoice,
    want: str | None,
    out: Path | None,
    as_json: bool,
    draw_format: str = "png",
) -> None:
    """Prints the answer about each file after its name, or as one JSON object a line; draws into the folder `out`,
    in the format `draw_format`.

    files: paths, folders (their files that can be opened, by name) and patterns. regions: (form, value) as typed, of
    every file. Raises InputError where there is no file or `out` is none, and after all were tried where some failed.
    """
    paths = list(_every_file(files))
    drawings = None
    if out is not None:
        drawings = Drawings(out, "--out with --each", (path.stem for path in paths), draw_format)
    from deixis.cli.answers import answer_lines, note_ignored, open_small
    from deixis.cli.batch import Assistant, answers_of, with_drawing

    assistant = Assistant(open_small(load.model, load.adapter), load.how)
    failed = 0
    for path, given in answers_of(paths, partial(_question, question, regions, want), assistant):
        drawn = with_drawing(given, drawings, path.stem)
        if isinstance(drawn, str):
            failed += 1
            say_json({"file": str(path), "error": drawn}) if as_json else say(drawn)
            continue
        answer, drawing = drawn
        note_ignored(answer.signals)
        if as_json:
            say_json({"file": str(path), **drawing, **answer.to_dict()})
        else:
            first, *rest = answer_lines(answer)
            say("\n".join([f"{path}: {first}", *rest]))
    if drawings is not None:
        say(drawings.summary, err=True)
    if failed:
        raise InputError(f"{failed} of {len(paths)} files could not be asked about: their lines say why")


def _every_file(files: Sequence[str]) -> Iterator[Path]:
    """The files of paths, folders and patterns. Raises InputError for one without a file."""
    from deixis.signals import MODALITIES

    endings = tuple(suffix for modality in MODALITIES.values() for suffix in modality.suffixes)
    for name in files:
        path = Path(name)
        found = [path]
        if isdir(path):
            found = sorted(one for one in path.iterdir() if one.name.lower().endswith(endings) and one.is_file())
        elif not exists(path):
            # A shell that expands no patterns, as on Windows, hands them on.
            found = [Path(one) for one in sorted(glob(name, recursive=True))]
        if not found:
            raise InputError(f"'{name}': expected a file, a folder with files to ask about or a pattern; found none")
        yield from found


def _question(question: str, regions: Sequence[tuple[str, str]], want: str | None, path: Path) -> "Sample":
    from deixis.conversation import question_sample
    from deixis.geometry import named_question
    from deixis.signals import open_signal

    signals = (open_signal(path),)
    places = typed_regions(regions, signals)
    return question_sample(named_question(question, places), signals, places, want=want)
