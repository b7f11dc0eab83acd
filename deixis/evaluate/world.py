"""The world benchmark: tasks about generated pictures, sounds and clouds, each with its floor where one was promised.

Answers are generated. Names are right where the wanted kind is named and no other (colour has its own task), over
every thing of which at least 0.5 % of the picture or 1 % of the cloud's points is shown. Boxes and spans count from
IoU 0.5; masks and point sets score gIoU, beside it cIoU. The baselines are in `baselines`, the blind run in `blind`.
"""

from collections.abc import Callable, Sequence

from rich.progress import Progress

from deixis.data.sample import Sample
from deixis.evaluate import baselines, verdicts
from deixis.evaluate.loop import BATCH, Example, Player, Task, Verdict, run_tasks
from deixis.evaluate.report import Report
from deixis.evaluate.world_questions import (
    Questions,
    alone,
    draw_samples,
    every,
    marked_instead,
    there_or_not,
    to_examples,
    unnamed,
    yes_or_no,
)

CAPTION_TOKENS = 160  # six things with boxes take about 130
TRAIN_SAMPLES = 150  # that a constant place is fitted on
NAME, NUMBER, YES_NO, FOUND, HIT = "name", "number", "yes or no", "found or none", "IoU ≥ 0.5"  # shares that are right
Majority = Callable[[Sequence[Example]], float]

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


def _samples(examples: Sequence[Example]) -> list[Sample]:
    return [example.truth for example in examples]


def _word(questions: str, vocabulary: Sequence[str], floor: float | None = None) -> Task:
    return _answer(questions, NAME, verdicts.word(vocabulary), floor)


def _answer(questions: str, metric: str, verdict: Callable[..., Verdict], floor: float | None = None) -> Task:
    majority = lambda examples: baselines.most_frequent_word(_samples(examples))  # noqa: E731
    return Task(questions=questions, metric=metric, verdict=verdict, majority=majority, floor=floor)


def _from_train(questions: str, fitted: Callable[..., float], **options: bool) -> Majority:
    """The score of the best constant place, fitted on the same questions about scenes of the train split."""

    def score(examples: Sequence[Example]) -> float:
        train, _ = draw_samples({questions: QUESTIONS[questions]}, "train", TRAIN_SAMPLES, supersample=1)
        return fitted(train[questions], _samples(examples), **options)

    return score


def _hit(questions: str, verdict: Callable[..., Verdict], floor: float | None = None) -> Task:
    majority = _from_train(questions, baselines.constant_bounds)
    return Task(questions=questions, metric=HIT, verdict=verdict, majority=majority, floor=floor)


def _mask(questions: str, floor: float | None = None) -> Task:
    majority = _from_train(questions, baselines.constant_region)
    return Task(questions=questions, metric="gIoU", verdict=verdicts.marked_iou, majority=majority, floor=floor)


def _mask_total(questions: str) -> Task:
    majority = _from_train(questions, baselines.constant_region, by_union=True)
    return Task(questions=questions, metric="cIoU", verdict=verdicts.marked_total_iou, majority=majority)


def _found(questions: str) -> Task:
    half = lambda examples: max(p := sum(bool(s.regions) for s in _samples(examples)) / len(examples), 1 - p)  # noqa: E731
    return Task(questions=questions, metric=FOUND, verdict=verdicts.points_at_something, majority=half)


def _caption(questions: str) -> Task:
    majority = lambda examples: baselines.best_caption(_samples(examples))  # noqa: E731
    return Task(
        questions=questions,
        metric="F1",
        verdict=verdicts.caption,
        majority=majority,
        max_new_tokens=CAPTION_TOKENS,
    )


def _grounded(questions: str) -> Task:
    verdict = verdicts.grounded_caption
    return Task(questions=questions, metric="grounded F1", verdict=verdict, max_new_tokens=CAPTION_TOKENS)


TASKS: dict[str, Task] = {
    "region_name": _word("region_name", verdicts.THINGS, floor=0.70),
    "part_name": _word("part_name", verdicts.PARTS),
    "colour": _word("colour", verdicts.COLOURS),
    "attribute": _word("attribute", verdicts.ATTRIBUTES),
    "relation": _word("relation", verdicts.THINGS),
    "count": _answer("count", NUMBER, verdicts.count),
    "exists": _answer("exists", YES_NO, verdicts.yes_no, floor=0.75),
    "absence": _found("absence"),
    "phrase_box": _hit("phrase_box", verdicts.written_box, floor=0.40),
    "phrase_box_of_mask": _hit("phrase_box_of_mask", verdicts.box_of_mask),
    "phrase_mask": _mask("phrase_mask"),
    "phrase_mask_ciou": _mask_total("phrase_mask"),
    "part_mask": _mask("part_mask"),
    "reasoning_mask": _mask("reasoning_mask", floor=0.40),
    "reasoning_mask_ciou": _mask_total("reasoning_mask"),
    "caption": _caption("caption"),
    "grounded_caption": _grounded("grounded_caption"),
    "span_name": _word("span_name", verdicts.SOUNDS, floor=0.80),
    "event_span": _hit("event_span", verdicts.first_span, floor=0.60),
    "event_span_of_mask": _hit("event_mask", verdicts.first_span),
    "event_mask": _mask("event_mask"),
    "sound_reasoning": _mask("sound_reasoning"),
    "sound_exists": _answer("sound_exists", YES_NO, verdicts.yes_no),
    "sound_absence": _found("sound_absence"),
    "sound_count": _answer("sound_count", NUMBER, verdicts.count),
    "sound_order": _word("sound_order", verdicts.SOUNDS),
    "sound_caption": _caption("sound_caption"),
    "sound_grounded_caption": _grounded("sound_grounded_caption"),
    "cloud_name": _word("cloud_name", verdicts.THINGS, floor=0.60),
    "cloud_part_name": _word("cloud_part_name", verdicts.PARTS),
    "cloud_colour": _word("cloud_colour", verdicts.COLOURS),
    "cloud_attribute": _word("cloud_attribute", verdicts.ATTRIBUTES),
    "cloud_relation": _word("cloud_relation", verdicts.THINGS),
    "cloud_count": _answer("cloud_count", NUMBER, verdicts.count),
    "cloud_exists": _answer("cloud_exists", YES_NO, verdicts.yes_no),
    "cloud_absence": _found("cloud_absence"),
    "cloud_phrase_mask": _mask("cloud_phrase_mask"),
    "cloud_part_mask": _mask("cloud_part_mask"),
    "cloud_reasoning": _mask("cloud_reasoning"),
    "cloud_caption": _caption("cloud_caption"),
    "cloud_grounded_caption": _grounded("cloud_grounded_caption"),
}


def chosen_tasks(names: Sequence[str]) -> dict[str, Task]:
    """The tasks of these names in the table's order, all for no name. Raises ValueError for an unknown one."""
    unknown = [name for name in names if name not in TASKS]
    if unknown:
        raise ValueError(f"task: expected some of {', '.join(TASKS)}; got '{unknown[0]}'")
    return {name: task for name, task in TASKS.items() if not names or name in names}


def evaluate_world(
    player: Player,
    blind: Player | None = None,
    *,
    split: str = "test",
    limit: int = 200,
    tasks: Sequence[str] = (),
    first_seed: int = 0,
    batch: int = BATCH,
    model: str = "",
    progress: Progress | None = None,
) -> Report:
    """The report of `player` on `limit` questions of each task about scenes of `split`, seeds from `first_seed` on.

    `blind` is the player that sees nothing, for the column of that name. Raises ValueError for an unknown task.
    """
    chosen = chosen_tasks(tasks)
    bar = progress or Progress(disable=True)
    questions = {task.questions: QUESTIONS[task.questions] for task in chosen.values()}
    drawing = bar.add_task("drawing scenes", total=limit * len(questions))
    samples, last = draw_samples(
        questions, split, limit, first_seed, scene_done=lambda given: bar.advance(drawing, given)
    )
    asking = bar.add_task("asking", total=limit * len(questions) * (2 if blind else 1))
    results = run_tasks(chosen, to_examples(samples), player, blind, batch, lambda asked: bar.advance(asking, asked))
    return Report(results, {"split": split, "first": first_seed, "last": last}, model)
