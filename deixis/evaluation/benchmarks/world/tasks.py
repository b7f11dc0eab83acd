"""The tasks of the world: which questions each asks, how its answers are judged, and what was promised.

One line a task. A task may be judged in several ways: each is a line of the report's table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deixis.evaluation.benchmarks.world import baselines
from deixis.evaluation.benchmarks.world import world_metrics as verdicts
from deixis.evaluation.benchmarks.world.questions import (
    Questions,
    alone,
    draw_samples,
    every,
    marked_instead,
    there_or_not,
    unnamed,
    yes_or_no,
)
from deixis.evaluation.benchmarks.world.world_metrics import Verdict
from deixis.inference import Answer
from deixis.samples.sample import Sample

ANSWER_TOKENS, CAPTION_TOKENS = 48, 160  # six things with boxes take about 130
TRAIN_SAMPLES = 150  # that a constant place is fitted on
NAME, NUMBER, YES_NO, FOUND, HIT = "name", "number", "yes or no", "found or none", "IoU ≥ 0.5"  # shares that are right
Majority = Callable[[Sequence[Sample]], float]


@dataclass(frozen=True)
class Way:
    """One way of judging a task's answers. majority: what the best constant answer scores on some samples.

    floor: the score that was promised. Both None where there is no such thing.
    """

    metric: str
    verdict: Callable[[Sample, Answer], Verdict]
    majority: Majority | None = None
    floor: float | None = None


@dataclass(frozen=True)
class Task:
    """One task: how its answers are judged, and where they are cut."""

    ways: tuple[Way, ...]
    max_new_tokens: int = ANSWER_TOKENS


QUESTIONS: dict[str, Questions] = {
    "region_name": every("image", "name"),
    "part_name": every("image", "part_name"),
    "colour": every("image", "colour"),
    "attribute": every("image", "attribute"),
    "relation": every("image", "relation"),
    "count": every("image", "count"),
    "exists": yes_or_no("image"),
    "absence": there_or_not("image", ("phrase_box", "phrase_mask")),
    "phrase_box": every("image", "phrase_box"),
    "phrase_box_of_mask": marked_instead(every("image", "phrase_box")),
    "phrase_mask": every("image", "phrase_mask"),
    "part_mask": every("image", "part_mask"),
    "reasoning_mask": every("image", "reasoning", unnamed),
    "caption": every("image", "caption"),
    "grounded_caption": every("image", "grounded_caption"),
    "span_name": every("audio", "name"),
    "event_span": every("audio", "event_span", alone),
    "event_mask": every("audio", "event_mask"),
    "sound_reasoning": every("audio", "reasoning", unnamed),
    "sound_exists": yes_or_no("audio"),
    "sound_absence": there_or_not("audio", ("event_span",)),
    "sound_count": every("audio", "count"),
    "sound_order": every("audio", "order"),
    "sound_caption": every("audio", "caption"),
    "sound_grounded_caption": every("audio", "grounded_caption"),
    "cloud_name": every("point_cloud", "name"),
    "cloud_part_name": every("point_cloud", "part_name"),
    "cloud_colour": every("point_cloud", "colour"),
    "cloud_attribute": every("point_cloud", "attribute"),
    "cloud_relation": every("point_cloud", "relation"),
    "cloud_count": every("point_cloud", "count"),
    "cloud_exists": yes_or_no("point_cloud"),
    "cloud_absence": there_or_not("point_cloud", ("phrase_mask",)),
    "cloud_phrase_mask": every("point_cloud", "phrase_mask"),
    "cloud_part_mask": every("point_cloud", "part_mask"),
    "cloud_reasoning": every("point_cloud", "reasoning", unnamed),
    "cloud_caption": every("point_cloud", "caption"),
    "cloud_grounded_caption": every("point_cloud", "grounded_caption"),
}


def _word(vocabulary: Sequence[str], floor: float | None = None) -> Task:
    return _answer(NAME, verdicts.word(vocabulary), floor)


def _answer(metric: str, verdict: Callable[..., Verdict], floor: float | None = None) -> Task:
    return Task((Way(metric, verdict, baselines.most_frequent_word, floor),))


def _from_train(questions: str, fitted: Callable[..., float], **options: bool) -> Majority:
    """The score of the best constant place, fitted on the same questions about scenes of the train split."""

    def score(samples: Sequence[Sample]) -> float:
        train, _ = draw_samples({questions: QUESTIONS[questions]}, "train", TRAIN_SAMPLES, supersample=1)
        return fitted(train[questions], samples, **options)

    return score


def _hit(questions: str, verdict: Callable[..., Verdict], floor: float | None = None) -> Way:
    return Way(HIT, verdict, _from_train(questions, baselines.constant_bounds), floor)


def _giou(questions: str, floor: float | None = None) -> Way:
    return Way("gIoU", verdicts.marked_iou, _from_train(questions, baselines.constant_region), floor)


def _ciou(questions: str) -> Way:
    majority = _from_train(questions, baselines.constant_region, by_union=True)
    return Way("cIoU", verdicts.marked_total_iou, majority)


def _found() -> Task:
    return Task((Way(FOUND, verdicts.points_at_something, _larger_side),))


def _larger_side(samples: Sequence[Sample]) -> float:
    there = sum(bool(sample.regions) for sample in samples) / len(samples)
    return max(there, 1 - there)


def _caption() -> Task:
    return Task((Way("F1", verdicts.caption, baselines.best_caption),), CAPTION_TOKENS)


def _grounded() -> Task:
    return Task((Way("grounded F1", verdicts.grounded_caption),), CAPTION_TOKENS)


TASKS: dict[str, Task] = {
    "region_name": _word(verdicts.THINGS, floor=0.70),
    "part_name": _word(verdicts.PARTS),
    "colour": _word(verdicts.COLOURS),
    "attribute": _word(verdicts.ATTRIBUTES),
    "relation": _word(verdicts.THINGS),
    "count": _answer(NUMBER, verdicts.count),
    "exists": _answer(YES_NO, verdicts.yes_no, floor=0.75),
    "absence": _found(),
    "phrase_box": Task((_hit("phrase_box", verdicts.written_box, floor=0.40),)),
    "phrase_box_of_mask": Task((_hit("phrase_box_of_mask", verdicts.box_of_mask),)),
    "phrase_mask": Task((_giou("phrase_mask"), _ciou("phrase_mask"))),
    "part_mask": Task((_giou("part_mask"),)),
    "reasoning_mask": Task((_giou("reasoning_mask", floor=0.40), _ciou("reasoning_mask"))),
    "caption": _caption(),
    "grounded_caption": _grounded(),
    "span_name": _word(verdicts.SOUNDS, floor=0.80),
    "event_span": Task((_hit("event_span", verdicts.first_span, floor=0.60),)),
    "event_mask": Task((_hit("event_mask", verdicts.first_span), _giou("event_mask"))),
    "sound_reasoning": Task((_giou("sound_reasoning"),)),
    "sound_exists": _answer(YES_NO, verdicts.yes_no),
    "sound_absence": _found(),
    "sound_count": _answer(NUMBER, verdicts.count),
    "sound_order": _word(verdicts.SOUNDS),
    "sound_caption": _caption(),
    "sound_grounded_caption": _grounded(),
    "cloud_name": _word(verdicts.THINGS, floor=0.60),
    "cloud_part_name": _word(verdicts.PARTS),
    "cloud_colour": _word(verdicts.COLOURS),
    "cloud_attribute": _word(verdicts.ATTRIBUTES),
    "cloud_relation": _word(verdicts.THINGS),
    "cloud_count": _answer(NUMBER, verdicts.count),
    "cloud_exists": _answer(YES_NO, verdicts.yes_no),
    "cloud_absence": _found(),
    "cloud_phrase_mask": Task((_giou("cloud_phrase_mask"),)),
    "cloud_part_mask": Task((_giou("cloud_part_mask"),)),
    "cloud_reasoning": Task((_giou("cloud_reasoning"),)),
    "cloud_caption": _caption(),
    "cloud_grounded_caption": _grounded(),
}
