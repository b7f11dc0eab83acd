"""The scored answers of a trained variant to questions about scenes of the generated world that none is trained on."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from deixis.ablations.comparison import SLICES, Comparison
from deixis.evaluation.benchmark import GENERATED, Example
from deixis.evaluation.benchmarks.world.benchmark import World
from deixis.evaluation.runner import EvaluationRun, ModelAdapter, examples, run_examples, write_json_lines
from deixis.files.json_text import parse_json, read_text
from deixis.files.state import stored
from deixis.inference import load

BATCH = 32


@dataclass(frozen=True)
class Settings:
    """Of a run. seeds: trainings per variant. steps: of the longest stage, None as declared. questions: per task."""

    seeds: int = 3
    steps: int | None = None
    questions: int = 100


@dataclass(frozen=True)
class AnsweredQuestion:
    """The scores of one answer.

    scene: of the question, shared by others. expected: the word of a right answer, or whether there is something to
    find. slices: the names of `SLICES` that it is in. scores: as `World.example_metrics` gives them.
    """

    id: str
    task: str
    scene: str
    expected: str
    slices: tuple[str, ...]
    scores: Mapping[str, float]


def answers_of(
    model: Path, comparison: Comparison, questions: int, folder: Path, device: str | None
) -> list[AnsweredQuestion]:
    """The scored answers of the model in a folder to `questions` of each task that is measured.

    folder: where they are stored block by block, so that a run that was stopped goes on.
    """
    tasks = dict.fromkeys(measure.task for measure in comparison.measures)
    options = {"tasks": ",".join(tasks), "limit": str(questions)}
    run = EvaluationRun(World(), Path(), options, GENERATED, batch=BATCH)
    rows, _ = run_examples(run, ModelAdapter(load(model, device=device)), folder)
    asked = {example.id: example for example in examples(run) if isinstance(example, Example)}
    return [
        AnsweredQuestion(row.id, row.part, row.group, _expected(asked[row.id]), _slices(asked[row.id]), row.metrics)
        for row in rows
    ]


def write_answers(path: Path, answers: Iterable[AnsweredQuestion]) -> None:
    """Writes answers into a file, whole or not at all."""
    write_json_lines(path, map(asdict, answers))


def read_answers(path: Path) -> list[AnsweredQuestion]:
    """The answers in a file. Raises DataError where it is damaged."""
    with stored(path):
        rows = [parse_json(line) for line in read_text(path).splitlines()]
        return [AnsweredQuestion(slices=tuple(row.pop("slices")), **row) for row in rows]


def _expected(example: Example) -> str:
    (*_, turn), regions = example.ground_truth.turns, example.ground_truth.regions
    return turn.references[0] if turn.references else "present" if regions else "absent"


def _slices(example: Example) -> tuple[str, ...]:
    return tuple(name for name, holds in SLICES.items() if holds(example))
