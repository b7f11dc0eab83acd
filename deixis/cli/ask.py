"""`deixis ask`: a question about files and regions of them; the answer as text, JSON or an image; batches."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, no_type_check

import typer

from deixis.cli.arguments import AdapterFolder, Device, Dtype, ModelChoice, ModelName, Quantization, check_model
from deixis.cli.pointing import FORMS, typed_in_order, typed_regions
from deixis.cli.terminal import say, say_json
from deixis.errors import InputError
from deixis.files.own import check_own

if TYPE_CHECKING:
    from deixis.geometry import Region
    from deixis.inference import Answer
    from deixis.signals import Signal

USAGE = 'deixis ask FILE... "QUESTION"'


def _region(form: str) -> Any:
    return typer.Option(f"--{form}", metavar="VALUE", help=FORMS[form] + ".", rich_help_panel="Regions")


OUT = typer.Option(
    help="Draw the answer into this PNG, JPEG, WebP or SVG; with --each, the answers into this folder; with --batch, "
    "write them to this JSONL."
)
AS_JSON = typer.Option("--json", help="Print the answer as one JSON object, alone on stdout.")
BATCH = typer.Option(help='Answer each line {"files": [...], "question", "regions": [...]} of a JSONL.')
DRAW_DIR = typer.Option(metavar="FOLDER", help="With --batch: draw each answer into this folder, as line-N.png.")
DRAW_FORMAT = typer.Option(
    metavar="ENDING", help="Of drawings in a folder, with --each or --draw-dir: png (default), jpg, jpeg, webp or svg."
)
EACH = typer.Option("--each", help="Ask about each file by itself; folders and patterns stand for their files.")
WANT = typer.Option(metavar="FORM", help="Form of the regions in the answer: box or mask; or text.")


@no_type_check  # the context that the parser gives is no typer.Context, though it must be declared as one
def run(
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="FILE... QUESTION", help="Files, then the question in quotes.")
    ] = None,
    point: Annotated[list[str] | None, _region("point")] = None,
    box: Annotated[list[str] | None, _region("box")] = None,
    scribble: Annotated[list[str] | None, _region("scribble")] = None,
    polygon: Annotated[list[str] | None, _region("polygon")] = None,
    mask: Annotated[list[str] | None, _region("mask")] = None,
    span: Annotated[list[str] | None, _region("span")] = None,
    points: Annotated[list[str] | None, _region("points")] = None,
    box3d: Annotated[list[str] | None, _region("box3d")] = None,
    model: ModelName = "bundled",
    device: Device = None,
    out: Annotated[Path | None, OUT] = None,
    want: Annotated[str | None, WANT] = None,
    dtype: Dtype = None,
    quantization: Quantization = None,
    adapter: AdapterFolder = None,
    stream: Annotated[bool, typer.Option("--stream", help="Print the text while it is generated.")] = False,
    as_json: Annotated[bool, AS_JSON] = False,
    batch: Annotated[Path | None, BATCH] = None,
    draw_dir: Annotated[Path | None, DRAW_DIR] = None,
    draw_format: Annotated[str | None, DRAW_FORMAT] = None,
    each: Annotated[bool, EACH] = False,
) -> None:
    """Ask a question about files.

    {0}, {1} in the question refer to the regions in the order typed, across all
    options; if it refers to none of them, they are appended. {{ is a brace. A
    region lies on the first file that it fits; @1 after its value places it on
    the second. Units are those of the file: pixels of the upright image,
    seconds, units of the point cloud.
    """
    regions = typed_in_order(context.obj or (), context.command.params)
    del point, box, scribble, polygon, mask, span, points, box3d  # their order is in `regions`
    check_model(model, device, dtype, quantization, adapter)
    load = ModelChoice(model, device, dtype, quantization, adapter)
    _check_stream(stream, {"--json": as_json, "--batch": batch is not None, "--each": each})
    if draw_format is not None and (draw_dir if batch else out if each else None) is None:
        raise InputError("--draw-format: of drawings in a folder, with --each --out or --batch --draw-dir")
    if batch is not None:
        _check_batch_alone(as_json, want, each, words or [], regions)
        from deixis.cli.batch import answer_batch

        answer_batch(batch, out, load, draw_dir, draw_format or "png")
        return
    if draw_dir is not None:
        raise InputError("--draw-dir: the drawings of --batch; otherwise --out draws")
    if each:
        from deixis.cli.each import answer_each

        answer_each(*_files_and_question(words or []), regions, load, want, out, as_json, draw_format or "png")
        return
    answer, lines = _answer(*_checked(*_files_and_question(words or []), regions, out), load, want, stream)
    _print(answer, lines, out, as_json)
    if want in ("box", "mask") and not answer.phrases:
        raise InputError(f"--want {want}: the answer points at nothing; ask for a thing, as in 'Mark the mug.'")


def _print(answer: "Answer", lines: Iterable[str], out: Path | None, as_json: bool) -> None:
    if out is not None:
        answer.draw(out)
    if as_json:
        say_json(answer.to_dict())
        return
    for line in lines:
        say(line)
    if out is not None:
        say(f"drawn in {out}", err=True)


def _check_stream(stream: bool, waits: Mapping[str, bool]) -> None:
    """Raises InputError for --stream beside an option that prints whole answers."""
    if stream and any(waits.values()):
        other = next(name for name, given in waits.items() if given)
        raise InputError(f"--stream prints text while it is generated; {other} waits for all of it")


def _check_batch_alone(
    as_json: bool, want: str | None, each: bool, words: Sequence[str], regions: Sequence[tuple]
) -> None:
    """Raises InputError for what cannot be combined with --batch, whose lines hold it themselves."""
    if as_json:
        raise InputError("--batch always answers in JSON, one object per line; omit --json")
    if want is not None:
        raise InputError(f'--batch takes the form of the answer per question; write "want": "{want}" in its lines')
    if each:
        raise InputError("--batch asks each line by itself; omit --each")
    if words or regions:
        got = f"--{regions[0][0]}" if regions else f"'{words[0]}'"
        raise InputError(f"--batch reads files, questions and regions from its lines; got {got} besides")


def _answer(
    question: str,
    signals: Sequence["Signal"],
    regions: Sequence["Region"],
    load: ModelChoice,
    want: str | None,
    stream: bool,
) -> tuple["Answer", list[str]]:
    """The answer, and the lines of it that are still to be printed."""
    from deixis.cli.answers import (
        answer_lines,
        note_ignored,
        open_model,
        open_small,
        refuse_early,
        region_lines,
        show_as_it_comes,
    )
    from deixis.cli.progress import waiting

    note_ignored(signals)
    with waiting("loading the model"):
        opened = open_small(load.model, load.adapter)
        from deixis.conversation import question_sample

        refuse_early(opened, question_sample(question, tuple(signals), tuple(regions), want=want))
        assistant = open_model(opened, *load.how)
    if stream:
        answer = show_as_it_comes(assistant.stream(question, *signals, regions=regions, want=want))
        return answer, list(region_lines(answer))
    answer = assistant.ask(question, *signals, regions=regions, want=want)
    return answer, list(answer_lines(answer))


def _checked(
    files: Sequence[str], question: str, typed: Sequence[tuple[str, str]], out: Path | None
) -> tuple[str, tuple["Signal", ...], tuple["Region", ...]]:
    """Question, signals and regions; whatever can be refused without the model is refused here."""
    from deixis.geometry import named_question
    from deixis.geometry.markup import check_question
    from deixis.signals import open_all

    check_question(question)  # before files are opened
    signals = open_all(files)
    regions = typed_regions(typed, signals)
    text = named_question(question, regions)
    if out is not None:
        check_drawing(out, files)
    return text, signals, regions


def check_drawing(out: Path, files: Sequence[str]) -> None:
    """Raises InputError unless an answer about `files` can be drawn into `out`."""
    from deixis.visualize.answer_image import drawing_format

    drawing_format(out)
    if not out.parent.is_dir():
        raise InputError(f"'{out}': there is no folder '{out.parent}' to write the drawing into")
    if out.is_dir() or any(Path(file).resolve() == out.resolve() for file in files):
        raise InputError(f"'{out}': expected a file of its own for the drawing, got a folder or a file asked about")
    check_own(out)


def _files_and_question(words: Sequence[str]) -> tuple[list[str], str]:
    """Files and question among the words. Raises InputError for what is missing or in the wrong place."""
    *files, question = words or [""]
    if not files:
        got = f"'{question}' alone" if question else "nothing"
        raise InputError(f"expected {USAGE}: a file at least, then the question; got {got}")
    # pathlib raises for a name that is too long; of modality:file and first+second the opening says what is not there
    absent = [file for file in files if not os.path.exists(file) and not {":", "+"} & set(file)]
    if absent and os.path.isfile(question):
        raise InputError(
            f"expected {USAGE}, the question last; got the file '{question}' there, and '{absent[0]}' first"
        )
    if len(absent) > 1 and len(absent) < len(files):
        raise InputError(
            f"'{absent[0]}', '{absent[1]}': no such files; a question of several words needs quotes: {USAGE}"
        )
    if os.path.isfile(question):
        raise InputError(f"expected {USAGE}, a question after the files; got files alone")
    return files, question
