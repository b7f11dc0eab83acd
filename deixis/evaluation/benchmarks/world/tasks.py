"""The tasks of the world, one line per task: its questions, its metrics, their constant-answer baselines and floors.

A task may have several metrics, each a row of the report's table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from deixis.evaluation.benchmarks.world import baselines
from deixis.evaluation.benchmarks.world import world_metrics as metrics
from deixis.evaluation.benchmarks.world.sampling import (
    QuestionSource,
    as_mask_requests,
    ends_with_mask,
    ends_with_region,
    ends_with_word,
    every,
    has_a_region,
    has_one_region,
    is_implicit,
    is_unseen,
    pointed_by,
    present_or_absent,
    sample_questions,
    yes_or_no,
)
from deixis.inference import Answer
from deixis.samples.sample import Sample
from deixis.world.fmri import AREA_NAMES
from deixis.world.motion import PLACES
from deixis.world.objects import COLOUR_NAMES, PART_NAMES
from deixis.world.questions.normal import FACINGS
from deixis.world.questions.video import DOINGS
from deixis.world.questions.wording import ORDINALS
from deixis.world.video_facts import DIRECTIONS

ANSWER_TOKENS, CAPTION_TOKENS = 48, 160  # six objects with boxes take about 130
TRAIN_SAMPLES = 150
"""Samples of the train split on which a constant region is fitted."""
ExampleValue = Callable[[Sample, Answer], metrics.WeightedValue]
Baseline = Callable[[QuestionSource, Sequence[Sample]], float]


@dataclass(frozen=True)
class TaskMetric:
    """One metric of a task. baseline: the score of the best constant answer. floor: the minimum score that was set
    before training. Both None if there is none.
    """

    name: str
    example_value: ExampleValue
    baseline: Baseline | None = None
    floor: float | None = None


@dataclass(frozen=True)
class Task:
    """One task: its questions, the metrics of its answers, and the number of tokens at which answers are cut."""

    questions: QuestionSource
    metrics: tuple[TaskMetric, ...]
    max_new_tokens: int = ANSWER_TOKENS


def _from_answers(baseline: Callable[[Sequence[Sample]], float]) -> Baseline:
    """A baseline from the ground truth of the evaluated samples themselves."""
    return lambda questions, samples: baseline(samples)


@lru_cache(maxsize=1)  # the metrics of a task share them
def _train_samples(questions: QuestionSource) -> tuple[Sample, ...]:
    train, _ = sample_questions({"": questions}, "train", TRAIN_SAMPLES, supersample=1)
    return tuple(train[""])


def _from_train(fit: Callable[..., float]) -> Baseline:
    """A baseline whose constant region is fitted on the same questions about scenes of the train split."""
    return lambda questions, samples: fit(_train_samples(questions), samples)


def _word(name: str, value: ExampleValue, floor: float | None = None) -> TaskMetric:
    return TaskMetric(name, value, _from_answers(baselines.most_frequent_word), floor)


def _name(vocabulary: Sequence[str], floor: float | None = None) -> TaskMetric:
    return _word("name", metrics.name_accuracy(vocabulary), floor)


def _last_name(vocabulary: Sequence[str]) -> TaskMetric:
    """Of answers that name first what they were asked about."""
    return _word("name", metrics.last_name_accuracy(vocabulary))


def _yes_no(floor: float | None = None) -> TaskMetric:
    return _word("yes or no", metrics.yes_no_accuracy, floor)


def _at_iou(value: ExampleValue, floor: float | None = None) -> TaskMetric:
    return TaskMetric("IoU ≥ 0.5", value, _from_train(baselines.constant_bounds), floor)


def _giou(floor: float | None = None) -> TaskMetric:
    return TaskMetric("gIoU", metrics.region_iou, _from_train(baselines.constant_region), floor)


def _within(share: float) -> TaskMetric:
    """Of a number, which may be off by this share of itself."""
    best = _from_answers(partial(baselines.best_number, tolerance=share))
    return TaskMetric(f"within {share:.0%}".replace("%", " %"), metrics.number_accuracy(share), best)


COUNT = _word("number", metrics.count_accuracy)
GIOU_ALONE = TaskMetric("gIoU", metrics.region_iou)  # regions of several modalities have no common constant
PRESENCE = TaskMetric("found or none", metrics.presence_accuracy, _from_answers(baselines.presence_majority))
CIOU = TaskMetric("cIoU", metrics.region_iou_by_union, _from_train(partial(baselines.constant_region, by_union=True)))
DESCRIPTION = _word("phrase", metrics.phrase_accuracy)
REASON = TaskMetric("gIoU with reason", metrics.reason_accuracy, _from_train(baselines.constant_region))
CAPTION = TaskMetric("F1", metrics.caption_f1, _from_answers(baselines.best_caption))
CADENCE, DISTANCE = _within(0.15), _within(0.1)
PARCELS = TaskMetric("parcel F1", metrics.parcel_f1, _from_train(baselines.constant_parcels))
GROUNDED_CAPTION = TaskMetric("grounded F1", metrics.grounded_caption_f1)
TUBE = TaskMetric("tube IoU ≥ 0.5", metrics.first_tube_accuracy, _from_train(baselines.constant_bounds))
TIME = TaskMetric(
    "time IoU ≥ 0.5", metrics.first_time_accuracy, _from_train(partial(baselines.constant_bounds, times_alone=True))
)


def _map_tasks(subject: str) -> dict[str, Task]:
    """The tasks about a map without colours, which are those about an image."""
    return {
        f"{subject}_name": Task(every(subject, "name"), (_name(metrics.OBJECTS),)),
        f"{subject}_part_name": Task(every(subject, "part_name"), (_name(PART_NAMES),)),
        f"{subject}_count": Task(every(subject, "count"), (COUNT,)),
        f"{subject}_exists": Task(yes_or_no(subject), (_yes_no(),)),
        f"{subject}_absence": Task(present_or_absent(subject, ("phrase_box", "phrase_mask")), (PRESENCE,)),
        f"{subject}_phrase_box": Task(every(subject, "phrase_box"), (_at_iou(metrics.first_box_accuracy),)),
        f"{subject}_phrase_mask": Task(every(subject, "phrase_mask"), (_giou(),)),
        f"{subject}_part_mask": Task(every(subject, "part_mask"), (_giou(),)),
        f"{subject}_reasoning": Task(every(subject, "reasoning", is_implicit), (_giou(),)),
        f"{subject}_dialogue_mask": Task(every(subject, "dialogue", ends_with_mask), (_giou(),)),
        f"{subject}_caption": Task(every(subject, "caption"), (CAPTION,), CAPTION_TOKENS),
        f"{subject}_grounded_caption": Task(every(subject, "grounded_caption"), (GROUNDED_CAPTION,), CAPTION_TOKENS),
    }


TASKS: dict[str, Task] = {
    "region_name": Task(every("image", "name"), (_name(metrics.OBJECTS, floor=0.70),)),
    "part_name": Task(every("image", "part_name"), (_name(PART_NAMES),)),
    "colour": Task(every("image", "colour"), (_name(COLOUR_NAMES),)),
    "attribute": Task(every("image", "attribute"), (_name(metrics.ATTRIBUTES),)),
    "relation": Task(every("image", "relation"), (_last_name(metrics.OBJECTS),)),
    "count": Task(every("image", "count"), (COUNT,)),
    "exists": Task(yes_or_no("image"), (_yes_no(floor=0.75),)),
    "absence": Task(present_or_absent("image", ("phrase_box", "phrase_mask")), (PRESENCE,)),
    "phrase_box": Task(every("image", "phrase_box"), (_at_iou(metrics.first_box_accuracy, floor=0.40),)),
    "phrase_box_of_mask": Task(as_mask_requests(every("image", "phrase_box")), (_at_iou(metrics.mask_box_accuracy),)),
    "phrase_mask": Task(every("image", "phrase_mask"), (_giou(), CIOU)),
    "part_mask": Task(every("image", "part_mask"), (_giou(),)),
    "reasoning_mask": Task(every("image", "reasoning", is_implicit), (_giou(floor=0.40), CIOU)),
    "caption": Task(every("image", "caption"), (CAPTION,), CAPTION_TOKENS),
    "grounded_caption": Task(every("image", "grounded_caption"), (GROUNDED_CAPTION,), CAPTION_TOKENS),
    **{
        f"region_name_{form}": Task(every("image", "name", pointed_by(form)), (_name(metrics.OBJECTS),))
        for form in ("box", "point", "mask")
    },
    "region_name_unseen": Task(every("image", "name", is_unseen), (_name(metrics.OBJECTS),)),
    "several": Task(every("image", "several"), (_giou(),)),
    "same_colour": Task(yes_or_no("image", "same_colour"), (_yes_no(),)),
    "same_kind": Task(yes_or_no("image", "same_kind"), (_yes_no(),)),
    "larger": Task(every("image", "larger"), (_name(ORDINALS),)),
    "describe": Task(every("image", "describe"), (DESCRIPTION,)),
    "reason_why": Task(every("image", "reason_why"), (REASON,)),
    "long_reasoning": Task(every("image", "long_reasoning"), (_giou(), CIOU)),
    "dialogue_colour": Task(every("image", "dialogue", ends_with_word), (_name(COLOUR_NAMES),)),
    "dialogue_mask": Task(every("image", "dialogue", ends_with_mask), (_giou(),)),
    "span_name": Task(every("audio", "name"), (_name(metrics.SOUNDS, floor=0.80),)),
    "event_span": Task(
        every("audio", "event_span", has_one_region), (_at_iou(metrics.first_span_accuracy, floor=0.60),)
    ),
    "event_mask": Task(every("audio", "event_mask"), (_at_iou(metrics.first_span_accuracy), _giou())),
    "sound_reasoning": Task(every("audio", "reasoning", is_implicit), (_giou(),)),
    "sound_exists": Task(yes_or_no("audio"), (_yes_no(),)),
    "sound_absence": Task(present_or_absent("audio", ("event_span",)), (PRESENCE,)),
    "sound_count": Task(every("audio", "count"), (COUNT,)),
    "sound_order": Task(every("audio", "order"), (_last_name(metrics.SOUNDS),)),
    "sound_dialogue_mask": Task(every("audio", "dialogue", ends_with_mask), (_giou(),)),
    "sound_caption": Task(every("audio", "caption"), (CAPTION,), CAPTION_TOKENS),
    "sound_grounded_caption": Task(every("audio", "grounded_caption"), (GROUNDED_CAPTION,), CAPTION_TOKENS),
    "cloud_name": Task(every("point_cloud", "name"), (_name(metrics.OBJECTS, floor=0.60),)),
    "cloud_part_name": Task(every("point_cloud", "part_name"), (_name(PART_NAMES),)),
    "cloud_colour": Task(every("point_cloud", "colour"), (_name(COLOUR_NAMES),)),
    "cloud_attribute": Task(every("point_cloud", "attribute"), (_name(metrics.ATTRIBUTES),)),
    "cloud_relation": Task(every("point_cloud", "relation"), (_last_name(metrics.OBJECTS),)),
    "cloud_count": Task(every("point_cloud", "count"), (COUNT,)),
    "cloud_exists": Task(yes_or_no("point_cloud"), (_yes_no(),)),
    "cloud_absence": Task(present_or_absent("point_cloud", ("phrase_mask",)), (PRESENCE,)),
    "cloud_phrase_mask": Task(every("point_cloud", "phrase_mask"), (_giou(),)),
    "cloud_part_mask": Task(every("point_cloud", "part_mask"), (_giou(),)),
    "cloud_reasoning": Task(every("point_cloud", "reasoning", is_implicit), (_giou(),)),
    "cloud_caption": Task(every("point_cloud", "caption"), (CAPTION,), CAPTION_TOKENS),
    "cloud_grounded_caption": Task(every("point_cloud", "grounded_caption"), (GROUNDED_CAPTION,), CAPTION_TOKENS),
    **_map_tasks("depth"),
    "depth_nearer": Task(every("depth", "nearer"), (_name(ORDINALS),)),
    "depth_distance": Task(every("depth", "distance"), (DISTANCE,)),
    **_map_tasks("normal"),
    "normal_facing": Task(every("normal", "facing"), (_name(FACINGS),)),
    "video_name": Task(every("video", "name"), (_name(metrics.OBJECTS),)),
    "video_motion": Task(every("video", "motion", has_one_region), (_name(metrics.OBJECTS), TIME, TUBE)),
    "video_when": Task(every("video", "when"), (TIME, TUBE)),
    "video_what_happens": Task(every("video", "what_happens"), (_name(DOINGS),)),
    "video_direction": Task(every("video", "direction"), (_name(DIRECTIONS),)),
    "video_order": Task(every("video", "order"), (_last_name(metrics.OBJECTS),)),
    "video_count": Task(every("video", "count"), (COUNT,)),
    "video_exists": Task(yes_or_no("video"), (_yes_no(),)),
    "video_absence": Task(present_or_absent("video", ("when", "phrase_box")), (PRESENCE,)),
    "video_phrase_box": Task(every("video", "phrase_box"), (TUBE,)),
    "video_dialogue_when": Task(every("video", "dialogue", ends_with_region), (TIME, TUBE)),
    "video_caption": Task(every("video", "caption"), (CAPTION,), CAPTION_TOKENS),
    "video_grounded_caption": Task(every("video", "grounded_caption"), (GROUNDED_CAPTION,), CAPTION_TOKENS),
    "activity_name": Task(every("imu", "name"), (_name(metrics.ACTIVITIES),)),
    "activity_span": Task(every("imu", "event_span", has_one_region), (_at_iou(metrics.first_span_accuracy),)),
    "activity_mask": Task(every("imu", "event_mask"), (_at_iou(metrics.first_span_accuracy), _giou())),
    "motion_reasoning": Task(every("imu", "reasoning", is_implicit), (_giou(),)),
    "motion_exists": Task(yes_or_no("imu"), (_yes_no(),)),
    "motion_absence": Task(present_or_absent("imu", ("event_span",)), (PRESENCE,)),
    "motion_count": Task(every("imu", "count"), (COUNT,)),
    "motion_order": Task(every("imu", "order"), (_last_name(metrics.ACTIVITIES),)),
    "motion_worn": Task(every("imu", "worn"), (_name(PLACES),)),
    "motion_cadence": Task(every("imu", "cadence"), (CADENCE,)),
    "motion_caption": Task(every("imu", "caption"), (CAPTION,), CAPTION_TOKENS),
    "motion_grounded_caption": Task(every("imu", "grounded_caption"), (GROUNDED_CAPTION,), CAPTION_TOKENS),
    "motion_dialogue_mask": Task(every("imu", "dialogue", ends_with_mask), (_giou(),)),
    "simulated_fmri_seen": Task(every("fmri", "seen"), (_name(metrics.OBJECTS),)),
    "simulated_fmri_heard": Task(every("fmri", "heard"), (_name(metrics.SOUNDS),)),
    "simulated_fmri_responds": Task(every("fmri", "responds"), (PARCELS, _giou())),
    "simulated_fmri_kind_parcels": Task(every("fmri", "kind_parcels"), (PARCELS,)),
    "simulated_fmri_absence": Task(present_or_absent("fmri", ("kind_parcels",)), (PRESENCE,)),
    "simulated_fmri_area": Task(every("fmri", "area"), (_name(AREA_NAMES),)),
    "simulated_fmri_area_mask": Task(every("fmri", "area_mask"), (PARCELS,)),
    "simulated_fmri_is_active": Task(yes_or_no("fmri", "is_active"), (_yes_no(),)),
    "simulated_fmri_sees_or_hears": Task(every("fmri", "sees_or_hears"), (_name(("picture", "sound")),)),
    "simulated_fmri_exists": Task(yes_or_no("fmri"), (_yes_no(),)),
    "simulated_fmri_count": Task(every("fmri", "count"), (COUNT,)),
    "simulated_fmri_caption": Task(every("fmri", "caption"), (CAPTION,), CAPTION_TOKENS),
    "simulated_fmri_grounded_caption": Task(every("fmri", "grounded_caption"), (GROUNDED_CAPTION,), CAPTION_TOKENS),
    "simulated_fmri_dialogue_parcels": Task(every("fmri", "dialogue", ends_with_region), (PARCELS,)),
    "image_audio_source": Task(every("image+audio", "source"), (_name(metrics.OBJECTS),)),
    "image_audio_heard": Task(every("image+audio", "heard"), (_giou(),)),
    "image_audio_makes_sound": Task(yes_or_no("image+audio", "makes_sound"), (_yes_no(),)),
    "audio_imu_doing": Task(every("audio+imu", "doing"), (_name(metrics.ACTIVITIES),)),
    "audio_imu_heard_while": Task(every("audio+imu", "heard_while", has_a_region), (GROUNDED_CAPTION,), CAPTION_TOKENS),
    "audio_imu_is_heard": Task(yes_or_no("audio+imu", "is_heard"), (_yes_no(),)),
    "image_depth_same_thing": Task(yes_or_no("image+depth", "same_thing"), (_yes_no(),)),
    "image_depth_find_other": Task(every("image+depth", "find_other"), (_name(metrics.OBJECTS), GIOU_ALONE)),
    "image_depth_distance_of": Task(every("image+depth", "distance_of"), (DISTANCE,)),
    "video_audio_during": Task(every("video+audio", "during"), (_name(metrics.OBJECTS),)),
    "video_audio_sound_of": Task(every("video+audio", "sound_of"), (_name(metrics.SOUNDS),)),
    "video_audio_anything": Task(yes_or_no("video+audio", "anything"), (_yes_no(),)),
    "video_depth_is_mover": Task(yes_or_no("video+depth", "is_mover"), (_yes_no(),)),
    "video_depth_mark_mover": Task(every("video+depth", "mark_mover"), (_name(metrics.OBJECTS), GIOU_ALONE)),
    "image_cloud_same_thing": Task(yes_or_no("image+point_cloud", "same_thing"), (_yes_no(),)),
    "image_cloud_find_other": Task(every("image+point_cloud", "find_other"), (_name(metrics.OBJECTS), GIOU_ALONE)),
}
