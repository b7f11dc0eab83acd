"""The world benchmark: tasks about generated pictures, sounds and clouds, each with its floor where one was promised.

Its examples come from seeds and not from files. Names are right where the wanted kind is named and no other (colour
has its own task), over every thing of which at least 0.5 % of the picture or 1 % of the cloud's points is shown. Boxes
and spans count from IoU 0.5; masks and point sets score gIoU, beside it cIoU. What constant answers score is in
`baselines`, which questions are asked in `world_questions`, what makes an answer right in `verdicts`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from deixis.errors import InputError
from deixis.evaluation.benchmark import Example, Facts, Row
from deixis.evaluation.benchmarks.world.questions import draw_samples
from deixis.evaluation.benchmarks.world.tasks import QUESTIONS, TASKS
from deixis.evaluation.metrics.scores import Marks, mean
from deixis.evaluation.reports.summary import Cell
from deixis.inference import Answer
from deixis.samples.regions import to_region
from deixis.samples.sample import Sample
from deixis.world.scene import SPLITS

OPTIONS = {"split": "test", "tasks": "", "seed-offset": "0", "limit": "200"}
_METRICS = (
    mean("name", "name", "the wanted name stands in the answer, and no other of its kind", scale=1),
    mean("number", "number", "the answer names the wanted number, and no other", scale=1),
    mean("yes or no", "yes_no", "the answer says yes, or no, as wanted", scale=1),
    mean("found or none", "found", "it points at something where the thing is there, at nothing if not", scale=1),
    mean("IoU ≥ 0.5", "hit", "the first box or span overlaps the true one by at least half of their union", scale=1),
    mean("gIoU", "iou", "mean over questions of the IoU of all that is marked with all that is wanted", scale=1),
    mean("cIoU", "shared", "what is rightly marked over all questions, over all unions", "union", scale=1),
    mean("F1", "f1", "F1 of the things (colour and kind) or sounds that are named", scale=1),
    mean("grounded F1", "grounded_f1", "F1 of phrases with the right thing and a region of IoU ≥ 0.5", scale=1),
)
_FACTS = Facts(
    name="world",
    title="Generated world",
    wants=(),
    metrics=_METRICS,
    means=(
        "Answers are generated; nothing of the right answer is given to the model.",
        "Scenes of the test split are in no model's training.",
        "blind: the same questions with every signal blanked. majority: the best constant answer, box, span or place.",
        "A score within 0.10 of either, or below, is called not learnt. floor: what was promised before the training.",
    ),
    options={
        "split": f"the scenes: {', '.join(SPLITS)}; test if not given",
        "tasks": f"names by commas, all if not given: {', '.join(TASKS)}",
        "seed-offset": "number of the first scene, 0 if not given",
        "limit": "questions of each task, 200 if not given",
    },
)


class World:
    """The generated world as a benchmark. What was drawn is kept for the next pass over the same examples."""

    facts = _FACTS

    def __init__(self) -> None:
        self._drawn: dict[tuple[str, ...], dict[str, list[Sample]]] = {}

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example]:
        """`limit` questions of each task, tasks in the table's order; `data` is not looked at.

        Raises ValueError for an option that is none of the world's, or a value that it cannot have.
        """
        for name, samples in self._samples(options).items():
            for sample in samples:
                yield _example(name, sample)

    def verdict(self, example: Example, answer: Answer) -> Marks:
        """The marks of the task's metrics: its value, and for cIoU the union it is weighted by."""
        marks: dict[str, float] = {}
        for way in TASKS[example.part].ways:
            value, weight = way.verdict(example.truth, answer)
            if way.metric == "cIoU":
                marks |= {"shared": value * weight, "union": weight}
            else:
                marks[_mark_of(way.metric)] = value
        return marks

    def finish(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows as they are: each is judged alone."""
        return rows

    def baselines(self, examples: Sequence[Example]) -> Mapping[str, Mapping[Cell, float]]:
        """What the best constant answer scores, and the floors that were promised."""
        by_task: dict[str, list[Sample]] = {}
        for example in examples:
            by_task.setdefault(example.part, []).append(example.truth)
        columns: dict[str, dict[Cell, float]] = {"majority": {}, "floor": {}}
        for name, samples in by_task.items():
            for way in TASKS[name].ways:
                if way.majority is not None:
                    columns["majority"][name, way.metric] = way.majority(samples)
                if way.floor is not None:
                    columns["floor"][name, way.metric] = way.floor
        return columns

    def _samples(self, options: Mapping[str, str]) -> dict[str, list[Sample]]:
        given = OPTIONS | {name: value for name, value in options.items() if name in OPTIONS}
        key = tuple(given.values())
        if key not in self._drawn:
            names, first, limit = chosen_tasks(given["tasks"]), _number(given, "seed-offset"), _number(given, "limit")
            if given["split"] not in SPLITS:
                raise InputError(f"--split: expected {', '.join(SPLITS)}, got {given['split']!r}")
            drawn, _ = draw_samples({name: QUESTIONS[name] for name in names}, given["split"], limit, first)
            self._drawn = {key: drawn}
        return self._drawn[key]


def chosen_tasks(words: str) -> list[str]:
    """The tasks of these names, by commas, in the table's order, all for no name.

    Raises ValueError for an unknown one.
    """
    names = [word.strip() for word in words.split(",") if word.strip()]
    unknown = [name for name in names if name not in TASKS]
    if unknown:
        raise InputError(f"--tasks: expected some of {', '.join(TASKS)}; got '{unknown[0]}'")
    return [name for name in TASKS if not names or name in names]


def _example(name: str, sample: Sample) -> Example:
    user = sample.turns[-1].user
    return Example(
        id=f"{name}/{sample.id}",
        part=name,
        group=sample.signals[0].id,
        text=user,
        media=sample.signals,
        truth=sample,
        # a question without a reference gets no region: the sample's are its answer
        regions=tuple(map(to_region, sample.regions)) if "{" in user else (),
        sample=sample,
        max_new_tokens=TASKS[name].max_new_tokens,
    )


def _mark_of(metric: str) -> str:
    return next(known.keys[0] for known in _METRICS if known.name == metric)


def _number(options: Mapping[str, str], name: str) -> int:
    least = 1 if name == "limit" else 0
    if not options[name].isdecimal() or int(options[name]) < least:
        raise InputError(f"--{name}: expected a number, {least} or more, got {options[name]!r}")
    return int(options[name])
