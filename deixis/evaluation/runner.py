"""The one loop: examples are asked in blocks, each block's rows a file, so that a stopped run goes on and several
processes share one.

    OUT/rows/00000.jsonl     the rows of examples 0 .. 31, whole or not there
    OUT/rows/00001.lock      held by the process that is at block 1; a process that dies lets go of it
    OUT/run.json             what is asked of whom

An example that the model refuses (`DeixisError`) is a row too: counted, listed, and scored as an empty answer. Any
other exception is no answer: it stops the run, whose finished blocks stay, so that it resumes there.
"""

import json
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from filelock import FileLock, Timeout

from deixis.errors import DeixisError, InputError
from deixis.evaluation.benchmark import FORCED, JUDGE, Benchmark, Example, Row
from deixis.inference import Answer, Question
from deixis.samples.media import in_its_place, open_medium
from deixis.samples.sample import RegionRecord
from deixis.samples.skipped import Skipped
from deixis.signals import Signal

BLOCK = 32
WAIT_S = 0.2
Given = tuple[str, tuple[RegionRecord, ...]]


@runtime_checkable
class Asked(Protocol):
    """Whatever answers: a model, or a script in a test."""

    name: str

    def answer(self, questions: Sequence[Question], max_new_tokens: int) -> list[Answer]:
        """One generated answer a question, in order."""
        ...

    def point(self, questions: Sequence[Question], given: Sequence[Given]) -> list[Answer]:
        """What the model points at where it is given the right answers, in markup, with their regions."""
        ...


@dataclass(frozen=True)
class Play:
    """What is asked of whom. data: the folder of the official files. limit: so many examples of each part."""

    benchmark: Benchmark
    data: Path
    options: Mapping[str, str]
    mode: str
    limit: int | None = None
    batch: int = 8

    def description(self, model: str) -> dict[str, Any]:
        return {
            "benchmark": self.benchmark.facts.name,
            "data": str(self.data),
            "options": {name: value for name, value in self.options.items() if not name.startswith(JUDGE)},
            "mode": self.mode,
            "limit": self.limit,
            "model": model,
        }


def play(
    one: Play, player: Asked, folder: Path, advance: Callable[[int], None] = lambda rows: None
) -> tuple[list[Row], list[Skipped]]:
    """The rows of all examples, in order, and what could not be read; blocks that are done are not asked again.

    Several processes may call it for one folder at a time: each does what no other is at, and all return all rows.
    Raises ValueError for a folder that holds another run.
    """
    rows = folder / "rows"
    rows.mkdir(parents=True, exist_ok=True)
    _open_run(folder, one.description(player.name))
    waiting = True
    while waiting:
        waiting, skipped, count = False, [], 0
        for number, block in enumerate(_blocks(one, skipped)):
            count = number + 1
            path = rows / f"{number:05d}.jsonl"
            if path.is_file():
                continue
            with _claim(path.with_suffix(".lock")) as mine:
                if mine and not path.is_file():
                    _write(path, ask(one, player, block))
                    advance(len(block))
                waiting = waiting or not path.is_file()
        if waiting:
            time.sleep(WAIT_S)
    for lock in rows.glob("*.lock"):
        with suppress(OSError):  # Windows keeps a file that another process has open
            lock.unlink(missing_ok=True)
    return [row for number in range(count) for row in read_rows(rows / f"{number:05d}.jsonl")], skipped


def examples(one: Play) -> Iterator[Example | Skipped]:
    """The examples of a run: at most `limit` of each part."""
    seen: dict[str, int] = {}
    for example in one.benchmark.examples(one.data, one.options):
        if isinstance(example, Example):
            seen[example.part] = seen.get(example.part, 0) + 1
            if one.limit is not None and seen[example.part] > one.limit:
                continue
        yield example


def _blocks(one: Play, skipped: list[Skipped]) -> Iterator[list[Example]]:
    def kept() -> Iterator[Example]:
        for example in examples(one):
            if isinstance(example, Skipped):
                skipped.append(example)
            else:
                yield example

    stream = kept()
    while block := list(islice(stream, BLOCK)):
        yield block


def ask(one: Play, player: Asked, block: Sequence[Example]) -> list[Row]:
    """The rows of some examples, asked `batch` at a time; a batch that is refused is asked again one by one."""
    rows: list[Row] = []
    for some in _batches(one, block):
        try:
            answers: Iterable[Answer | str] = _answers(one, player, some)
        except DeixisError:
            answers = [_answer_or_failure(one, player, example) for example in some]
        rows += [_row(one.benchmark, example, answer) for example, answer in zip(some, answers, strict=True)]
    return rows


def _batches(one: Play, block: Sequence[Example]) -> Iterator[list[Example]]:
    """Neighbours whose answers are cut at the same length, at most `batch` at a time."""
    for _, alike in groupby(block, lambda example: _tokens(one, example)):
        while some := list(islice(alike, one.batch)):
            yield some


def _tokens(one: Play, example: Example) -> int:
    return example.max_new_tokens or one.benchmark.facts.max_new_tokens


def _answer_or_failure(one: Play, player: Asked, example: Example) -> Answer | str:
    try:
        return _answers(one, player, [example])[0]
    except DeixisError as error:
        return str(error)


def _answers(one: Play, player: Asked, some: Sequence[Example]) -> list[Answer]:
    with opened_questions(some) as questions:
        if one.mode == FORCED:
            given = [(example.forced or "", example.sample.regions if example.sample else ()) for example in some]
            return player.point(questions, given)
        return player.answer(questions, _tokens(one, some[0]))


@contextmanager
def opened_questions(some: Sequence[Example]) -> Generator[list[Question]]:
    """The questions of examples with their media open, each medium once."""
    with ExitStack() as files:
        opened: dict[str, Signal] = {}
        for medium in (medium for example in some for medium in example.media):
            if medium.id not in opened:
                opened[medium.id] = files.enter_context(open_medium(medium))
        yield [Question(e.text, tuple(opened[medium.id] for medium in e.media), e.regions, want=e.want) for e in some]


def _row(benchmark: Benchmark, example: Example, answer: Answer | str) -> Row:
    failure = answer if isinstance(answer, str) else None
    given = Answer("", (), ()) if isinstance(answer, str) else answer
    return Row(
        example.id,
        example.part,
        example.group,
        example.text,
        given.to_json(),
        given.raw,
        benchmark.verdict(example, given),
        failure,
    )


def _open_run(folder: Path, description: dict[str, Any]) -> None:
    path = folder / "run.json"
    if not path.is_file():
        with in_its_place(path) as part:
            part.write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
    earlier = json.loads(path.read_text(encoding="utf-8"))
    for name, value in description.items():
        if earlier.get(name) != value:
            raise InputError(
                f"{folder}: holds another run (its {name} is {earlier.get(name)!r}, now it is {value!r}); choose "
                "another folder, or remove this one"
            )


def _write(path: Path, rows: Sequence[Row]) -> None:
    with in_its_place(path) as part, part.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in rows)


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file, in order."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield Row(**json.loads(line))


@contextmanager
def _claim(path: Path) -> Generator[bool]:
    """Whether this process alone is at a block; the system lets go of it where a process dies."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()
