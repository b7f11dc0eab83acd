"""The world benchmark: tasks about generated signals, of the modalities that are asked for.

Its examples are sampled with a seed, not read from files. A name is correct if the answer contains the expected kind
and no other (colour is a task of its own); questions are about objects that cover at least 0.5 % of the image or 1 % of
the cloud's points. Boxes, spans and tubes (boxes with a time) count from the IoU threshold 0.5; masks and point sets
are scored by gIoU, some by cIoU too.
`tasks` is the table, `sampling` the questions, `world_metrics` the per-example metrics, `baselines` constant answers.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from deixis.errors import InputError
from deixis.evaluation.benchmark import BenchmarkInfo, Cell, Example
from deixis.evaluation.benchmarks.official_files import choice_option, integer_option
from deixis.evaluation.benchmarks.world.sampling import sample_questions
from deixis.evaluation.benchmarks.world.tasks import TASKS
from deixis.evaluation.metrics.aggregation import ExampleMetrics, mean
from deixis.geometry import named_regions
from deixis.inference import Answer
from deixis.samples.conversations import with_turns
from deixis.samples.sample import Sample
from deixis.world.generate import modalities_of
from deixis.world.scene import SPLITS

_METRICS = (
    mean("name", "name", "accuracy: the expected name is in the answer, and no other of its vocabulary", scale=1),
    mean("number", "number", "accuracy: the answer states the expected number, and no other", scale=1),
    mean("yes or no", "yes_no", "accuracy: the answer states yes or no as expected", scale=1),
    mean("found or none", "found", "accuracy: a region if the object is present, none if it is absent", scale=1),
    mean("IoU ≥ 0.5", "correct", "accuracy at IoU threshold 0.5 of the first box or span", scale=1),
    mean("time IoU ≥ 0.5", "in_time", "accuracy at IoU threshold 0.5 of the first region's time", scale=1),
    mean("tube IoU ≥ 0.5", "in_tube", "accuracy at IoU threshold 0.5 in x, y and time of the first tube", scale=1),
    mean("within 10 %", "near_distance", "accuracy: the stated metres are within 10 % of the true distance", scale=1),
    mean(
        "within 15 %",
        "near_cadence",
        "accuracy: the only number stated is within 15 % of the steps per second",
        scale=1,
    ),
    mean("parcel F1", "parcel_f1", "mean F1 of the parcels of which most voxels are marked", scale=1),
    mean("gIoU", "iou", "mean IoU of all predicted with all expected regions of a question", scale=1),
    mean("cIoU", "intersection", "all intersections over all unions, summed over the questions", "union", scale=1),
    mean(
        "phrase", "phrase", "accuracy: the words that fit the object alone, and no other size, colour or kind", scale=1
    ),
    mean("gIoU with reason", "iou_with_reason", "gIoU, 0 where the answer does not give the object's reason", scale=1),
    mean("F1", "f1", "F1 of the objects (colour and kind) or events that are named", scale=1),
    mean("grounded F1", "grounded_f1", "F1 of phrases with the expected object and a region of IoU ≥ 0.5", scale=1),
)
_KEYS = {metric.name: metric.keys[0] for metric in _METRICS}
_INFO = BenchmarkInfo(
    name="world",
    title="Generated world",
    required_files=(),
    metrics=_METRICS,
    notes=(
        "Answers are generated; no part of the expected answer is given to the model.",
        "No model is trained on scenes of the test split.",
        "95 % CI: bootstrap confidence interval over scenes. blind: the same questions with every signal blanked. "
        "majority: the best constant answer, box, span or region.",
        "A score at most 0.10 above blind or majority is reported as not learnt. floor: the minimum score set before "
        "the training.",
    ),
    options={
        "split": f"split of the scenes: {', '.join(SPLITS)} (default test)",
        "tasks": f"comma-separated names (default all): {', '.join(TASKS)}",
        "modalities": "comma-separated modalities to ask about (default those of the model)",
        "seed-offset": "seed of the first scene (default 0)",
        "limit": "questions per task (default 200)",
    },
)


class World:
    """Tasks about scenes of the generated world, and scores of constant answers."""

    info = _INFO

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example]:
        """`limit` questions per task, in the order of the task table; `data` is ignored."""
        for name, samples in _samples(options):
            for sample in samples:
                yield _example(name, sample)

    def example_metrics(self, example: Example, answer: Answer) -> ExampleMetrics:
        """The value of each metric of the task; for cIoU the intersection and the union."""
        metrics: dict[str, float] = {}
        for metric in TASKS[example.part].metrics:
            value, weight = metric.example_value(example.ground_truth, answer)
            if metric.name == "cIoU":
                metrics |= {"intersection": value * weight, "union": weight}
            else:
                metrics[_KEYS[metric.name]] = value
        return metrics

    def baselines(self, examples: Sequence[Example]) -> Mapping[str, Mapping[Cell, float]]:
        """The columns "majority" (the best constant answers) and "floor" (minimum scores set before training)."""
        by_task: dict[str, list[Sample]] = {}
        for example in examples:
            by_task.setdefault(example.part, []).append(example.ground_truth)
        columns: dict[str, dict[Cell, float]] = {"majority": {}, "floor": {}}
        for name, samples in by_task.items():
            for metric in TASKS[name].metrics:
                if metric.baseline is not None:
                    columns["majority"][name, metric.name] = metric.baseline(TASKS[name].questions, samples)
                if metric.floor is not None:
                    columns["floor"][name, metric.name] = metric.floor
        return columns


def _samples(options: Mapping[str, str]) -> tuple[tuple[str, tuple[Sample, ...]], ...]:
    """(task, its samples) for checked options, tasks in the order of the task table."""
    names = chosen_tasks(options.get("tasks", ""), options.get("modalities", ""))
    split = choice_option({"split": "test"} | dict(options), "split", *SPLITS)
    first, limit = integer_option(options, "seed-offset", 0), integer_option(options, "limit", 200, least=1)
    return _sampled(tuple(names), split, limit, first)


@lru_cache(maxsize=1)  # a run passes over its examples several times: to count, to ask, to ask blind, to show
def _sampled(names: tuple[str, ...], split: str, limit: int, first: int) -> tuple[tuple[str, tuple[Sample, ...]], ...]:
    """The samples of some tasks, which follow from the arguments alone."""
    sampled, _ = sample_questions({name: TASKS[name].questions for name in names}, split, limit, first)
    return tuple((name, tuple(samples)) for name, samples in sampled.items())


def chosen_tasks(tasks: str, modalities: str = "") -> list[str]:
    """The tasks of comma-separated names, in the order of the table, all for "", that need these modalities alone.

    Modalities that the world does not have are ignored: a model may take more. Raises InputError: an unknown task, or
    one that needs another modality.
    """
    names, known = _words(tasks), set(_words(modalities))
    unknown = [name for name in names if name not in TASKS]
    if unknown:
        raise InputError(f"tasks: expected some of {', '.join(TASKS)}; got '{unknown[0]}'")
    able = [name for name, task in TASKS.items() if not known or known >= set(modalities_of(task.questions.subject))]
    beyond = [name for name in names if name not in able]
    if beyond or not able:
        got = f"'{beyond[0]}'" if beyond else "none that it has"
        raise InputError(f"tasks: expected those of the modalities {', '.join(sorted(known))}; got {got}")
    return [name for name in able if not names or name in names]


def _words(listed: str) -> list[str]:
    return [word.strip() for word in listed.split(",") if word.strip()]


def _example(name: str, sample: Sample) -> Example:
    *earlier, last = sample.turns
    truth = with_turns(sample, (last,)) if earlier else sample
    asked = (f"{name}/{sample.id}", name, sample.signals[0].id, truth.turns[0].user, sample.signals)
    return Example(
        *asked,
        truth,
        truth.regions[: len(named_regions(last.user))],  # the others belong to the answer
        sample=truth,
        earlier=with_turns(sample, tuple(earlier)) if earlier else None,
        max_new_tokens=TASKS[name].max_new_tokens,
    )
