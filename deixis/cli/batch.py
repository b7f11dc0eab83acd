"""`deixis ask --batch`: many questions from a JSONL file, answers as JSONL, in order, to a file or to stdout.

Each line is `{"files": [...], "question": "...", "regions": [...], "want": ..., "id": ...}`; the last three may be
missing. Files are relative to the folder of the questions. An answer is that of `--json`, after `line` (of the
question), `id` if it has one, `key`, a digest of the question, and with `--draw-dir` the path `drawing`; a question
that cannot be answered has `error`, one sentence, instead. With `--out`, questions that are answered there are not
asked again; failed ones are.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from deixis.cli.answer_file import AnswerFile, answer_file
from deixis.cli.arguments import ModelChoice
from deixis.cli.drawings import Drawings
from deixis.cli.errors import user_sentence
from deixis.cli.pointing import json_region
from deixis.cli.terminal import say, say_json
from deixis.errors import DeixisError, InputError
from deixis.options import check_choice

if TYPE_CHECKING:
    from deixis.checkpoints import Opened
    from deixis.inference import Answer, Model
    from deixis.samples.sample import Sample

T = TypeVar("T")
AT_ONCE = 8
"""Batch size: larger ones are hardly faster on a CPU, and all their files are in memory."""
KEYS = ("id", "files", "question", "regions", "want")


@dataclass(frozen=True)
class _Line:
    """One line of the file: its number, and its record or the DataError of reading it."""

    number: int
    record: Any

    @property
    def key(self) -> str:
        content = "" if isinstance(self.record, DeixisError) else json.dumps(self.record, sort_keys=True)
        return blake2b(content.encode(), digest_size=8).hexdigest()

    @property
    def drawing(self) -> str:
        """The name of the drawing of its answer."""
        return f"line-{self.number}"

    @property
    def head(self) -> dict[str, Any]:
        """The first fields of its answer."""
        own = {"id": self.record["id"]} if isinstance(self.record, Mapping) and "id" in self.record else {}
        return {"line": self.number, **own, "key": self.key}


def answer_batch(
    path: Path, out: Path | None, load: ModelChoice, draw_dir: Path | None = None, draw_format: str = "png"
) -> None:
    """Writes the answers to the questions of `path` to `out` (default: stdout), line by line.

    draw_dir: a folder for drawings, named by the lines, in the format `draw_format`. Prints to stderr how many were
    answered, failed and skipped.

    Raises:
        InputError: some failed, after all were tried.
        OSError, DataError: before anything is written, for a file that cannot be read or written.
    """
    lines = _read(path)
    drawings = None
    if draw_dir is not None:
        drawings = Drawings(draw_dir, "--draw-dir", (line.drawing for line in lines), draw_format)
    with answer_file(out) if out is not None else nullcontext() as answers:
        open_lines = list(_unanswered(lines, Counter() if answers is None else answers.done.copy()))
        failed = _answer_lines(open_lines, path.parent, answers, drawings, load) if open_lines else 0
    answered = len(open_lines) - failed
    counts = f"{answered} answered, {failed} failed, {len(lines) - len(open_lines)} answered before"
    say(counts if drawings is None else f"{counts}; {drawings.summary}", err=True)
    if failed:
        raise InputError(f'{failed} of {len(lines)} questions could not be answered: their lines say why, as "error"')


def _answer_lines(
    lines: Sequence[_Line],
    folder: Path,
    answers: AnswerFile | None,
    drawings: Drawings | None,
    load: ModelChoice,
) -> int:
    """Asks, and writes answers and failures into the file, or to stdout; how many failed."""
    from deixis.cli.answers import open_small

    opened, failed = open_small(load.model, load.adapter), 0
    if answers is not None and answers.models - {opened.title}:
        other = sorted(answers.models)[0]
        raise InputError(f"'{answers.path}': holds answers of {other}, not of {opened.title}: name another --out")
    for line, answer in answers_of(lines, lambda line: _question(line.record, folder), Assistant(opened, load.how)):
        drawn = with_drawing(answer, drawings, line.drawing)
        if isinstance(drawn, str):
            failed += 1
            result = {**line.head, "error": drawn}
        else:
            result = {**line.head, **drawn[1], **drawn[0].to_dict()}
        answers.add(result) if answers is not None else say_json(result)
    return failed


def answers_of(
    items: Sequence[T], question: "Callable[[T], Sample]", assistant: "Assistant"
) -> "Iterator[tuple[T, Answer | str]]":
    """(item, answer or sentence why there is none) per item, in order; `AT_ONCE` questions per call of the model."""
    from deixis.cli.progress import Stages

    with Stages() as progress:
        progress.stage("questions", len(items))
        for start in range(0, len(items), AT_ONCE):
            group = items[start : start + AT_ONCE]
            asked = [caught(lambda item=item: question(item)) for item in group]
            answers = iter(assistant.answers([sample for sample in asked if not isinstance(sample, str)]))
            for item, sample in zip(group, asked, strict=True):
                yield item, sample if isinstance(sample, str) else next(answers)
            progress.advance(len(group))


@dataclass
class Assistant:
    """The model; its weights are read at the first question that it accepts."""

    opened: "Opened"
    how: Sequence[str | None]  # device, dtype and quantization, as `open_model` takes them
    model: "Model | None" = None

    def answers(self, samples: Sequence["Sample"]) -> list["Answer | str"]:
        """Per question an answer, or the sentence why there is none; one by one where the batch is refused."""
        from deixis.cli.answers import open_model, refuse_early

        if self.model is None:
            refused = [caught(lambda s=sample: refuse_early(self.opened, s)) for sample in samples]
            if all(refused):
                return refused
            self.model = open_model(self.opened, *self.how)
        model = self.model
        together = caught(lambda: model.answer(samples))
        if not isinstance(together, str):
            return list(together)
        return [caught(lambda s=sample: model.answer([s])[0]) for sample in samples]


def caught(work: Any) -> Any:
    """The result of `work`, or the sentence of a user error: one bad question must not end the batch."""
    try:
        return work()
    except Exception as error:
        sentence = user_sentence(error)
        if sentence is None:  # a bug is no answer: it ends the batch, whose finished lines stay
            raise
        return sentence


def with_drawing(answer: "Answer | str", drawings: Drawings | None, name: str) -> "tuple[Answer, dict[str, str]] | str":
    """(answer, its field `drawing`, if there are drawings), or the sentence why there is no answer or no drawing."""
    if isinstance(answer, str):
        return answer
    return caught(lambda: (answer, {} if drawings is None else {"drawing": drawings.add(name, answer)}))


def _question(record: Any, folder: Path) -> "Sample":
    """The question in a record. Raises DeixisError or OSError where it is none."""
    if isinstance(record, DeixisError):
        raise record
    if not isinstance(record, Mapping):
        raise InputError(f"expected an object with files and question, got {record!r:.60}")
    unknown = [key for key in record if key not in KEYS]
    if unknown:
        raise InputError(f"expected {', '.join(KEYS)} and no more, got {unknown[0]!r}")
    files, text, regions = record.get("files"), record.get("question"), record.get("regions") or []
    if not isinstance(files, list) or not files or not all(isinstance(file, str) for file in files):
        raise InputError(f"files: expected a list of at least one path, got {files!r:.60}")
    if not isinstance(text, str):
        raise InputError(f"question: expected a text, got {text!r:.60}")
    if not isinstance(regions, list):
        raise InputError(f"regions: expected a list, got {regions!r:.60}")
    want = record.get("want")
    from deixis.conversation import question_sample
    from deixis.geometry import named_question
    from deixis.geometry.markup import check_question
    from deixis.geometry.region_json import check_region_count
    from deixis.inference.abilities import WANTS
    from deixis.signals import name_in_folder, open_all

    if want is not None:
        check_choice("want", want, tuple(WANTS))
    check_question(text)  # before files are opened
    check_region_count(len(regions))
    signals = open_all([name_in_folder(file, folder) for file in files])
    places = tuple(json_region(item, signals, f"regions[{i}]", folder) for i, item in enumerate(regions))
    return question_sample(named_question(text, places, every=False), signals, places, want=want)


def _read(path: Path) -> list[_Line]:
    from deixis.files.json_text import json_records

    lines = [_Line(number, record) for number, record in json_records(path)]
    if not lines:
        raise InputError(f"'{path}': expected questions, one JSON object per line, got no line at all")
    return lines


def _unanswered(lines: Sequence[_Line], done: Counter[str]) -> Iterator[_Line]:
    """The lines that are not answered yet; a repeated question counts as often as it was answered."""
    for line in lines:
        if done[line.key]:
            done[line.key] -= 1
        else:
            yield line
