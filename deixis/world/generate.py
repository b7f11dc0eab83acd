"""Samples of the world: signals generated from a seed, and questions of every task about them.

`WORLD` is the table of what can be asked about, one line each: a modality, or several signals of one scene. Sample ids
contain split, seed, subject, task and number, so that equal ids are equal samples.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from deixis.errors import InputError
from deixis.samples.sample import Sample
from deixis.world.audio import sample_audio_clip
from deixis.world.depth import depth_facts, sample_depth_map
from deixis.world.facts import (
    EventFacts,
    Facts,
    SceneFacts,
    SignalFacts,
    audio_facts,
    image_facts,
    motion_facts,
    point_cloud_facts,
)
from deixis.world.fmri_facts import fmri_facts
from deixis.world.motion import sample_motion
from deixis.world.normal import normal_facts, sample_normal_map
from deixis.world.pairs import PairFacts, scene_sounds, sound_track
from deixis.world.questions.audio import AUDIO_TASKS
from deixis.world.questions.depth import DEPTH_TASKS
from deixis.world.questions.draft import Draft, Task
from deixis.world.questions.fmri import FMRI_TASKS
from deixis.world.questions.motion import MOTION_TASKS
from deixis.world.questions.moving import VIDEO_AUDIO_TASKS, VIDEO_DEPTH_TASKS
from deixis.world.questions.normal import NORMAL_TASKS
from deixis.world.questions.pairs import IMAGE_AUDIO_TASKS, IMAGE_CLOUD_TASKS, IMAGE_DEPTH_TASKS
from deixis.world.questions.same_time import AUDIO_IMU_TASKS
from deixis.world.questions.scene import CLOUD_TASKS, IMAGE_TASKS
from deixis.world.questions.several import SEVERAL_TASKS
from deixis.world.questions.video import VIDEO_TASKS
from deixis.world.render import render, sample_cloud
from deixis.world.scene import sample_scene, scene_rng
from deixis.world.video import VIDEO_SIZE_PX, sample_clip
from deixis.world.video_facts import VideoFacts, video_facts

SIZE_PX = 128
QUESTION_STREAM = 10  # the first random stream of questions, see `scene_rng`


@dataclass(frozen=True)
class Rendering:
    """How images are rendered: pixels per side, and rays per side of a pixel."""

    size_px: int = SIZE_PX
    supersample: int = 2


@dataclass(frozen=True)
class Subject:
    """What questions can be about.

    facts: (split, seed, rendering) -> the annotations of one seed.
    tasks: its types of question, by name.
    prefix: of the names of its tasks in samples and tables, "sound_order". names: those that have a name of their own.
    """

    facts: Callable[[str, int, Rendering], Facts]
    tasks: Mapping[str, Task]
    prefix: str
    names: Mapping[str, str] = field(default_factory=dict)


def _image(split: str, seed: int, rendering: Rendering) -> SceneFacts:
    scene = sample_scene(split, seed)
    return image_facts(scene, render(scene, rendering.size_px, rendering.supersample))


def _audio(split: str, seed: int, rendering: Rendering) -> EventFacts:
    return audio_facts(split, seed, sample_audio_clip(split, seed))


def _point_cloud(split: str, seed: int, rendering: Rendering) -> SceneFacts:
    scene = sample_scene(split, seed)
    return point_cloud_facts(scene, sample_cloud(scene))


def _depth(split: str, seed: int, rendering: Rendering) -> SceneFacts:
    scene = sample_scene(split, seed)
    return depth_facts(scene, sample_depth_map(scene, rendering.size_px))


def _normal(split: str, seed: int, rendering: Rendering) -> Facts:
    scene = sample_scene(split, seed)
    return normal_facts(scene, sample_normal_map(scene, rendering.size_px))


def _video(split: str, seed: int, rendering: Rendering) -> VideoFacts:
    return video_facts(sample_clip(split, seed, min(rendering.size_px, VIDEO_SIZE_PX)))


def _motion(split: str, seed: int, rendering: Rendering) -> EventFacts:
    return motion_facts(split, seed, sample_motion(split, seed))


def _fmri(split: str, seed: int, rendering: Rendering) -> Facts:
    return fmri_facts(split, seed)


def _image_and_audio(split: str, seed: int, rendering: Rendering) -> Facts:
    image = _image(split, seed, rendering)
    return PairFacts(image, scene_sounds(split, seed, image))


def _video_and_sound(split: str, seed: int, rendering: Rendering) -> Facts:
    video = _video(split, seed, rendering)
    return PairFacts(video, sound_track(split, seed, video))


def _both(
    first: Callable[[str, int, Rendering], SignalFacts], second: Callable[[str, int, Rendering], SignalFacts]
) -> Callable[[str, int, Rendering], Facts]:
    """The annotations of two signals that are made apart."""
    return lambda split, seed, rendering: PairFacts(first(split, seed, rendering), second(split, seed, rendering))


WORLD: dict[str, Subject] = {
    "image": Subject(_image, IMAGE_TASKS | SEVERAL_TASKS, "", {"name": "region_name", "reasoning": "reasoning_mask"}),
    "audio": Subject(
        _audio,
        AUDIO_TASKS,
        "sound_",
        {"name": "span_name", "event_span": "event_span", "event_mask": "event_mask"},
    ),
    "point_cloud": Subject(_point_cloud, CLOUD_TASKS, "cloud_"),
    "depth": Subject(_depth, DEPTH_TASKS, "depth_"),
    "normal": Subject(_normal, NORMAL_TASKS, "normal_"),
    "video": Subject(_video, VIDEO_TASKS, "video_"),
    "imu": Subject(
        _motion,
        MOTION_TASKS,
        "motion_",
        {"name": "activity_name", "event_span": "activity_span", "event_mask": "activity_mask"},
    ),
    "fmri": Subject(_fmri, FMRI_TASKS, "simulated_fmri_"),
    "image+audio": Subject(_image_and_audio, IMAGE_AUDIO_TASKS, "image_audio_"),
    "audio+imu": Subject(_both(_audio, _motion), AUDIO_IMU_TASKS, "audio_imu_"),
    "image+point_cloud": Subject(_both(_image, _point_cloud), IMAGE_CLOUD_TASKS, "image_cloud_"),
    "image+depth": Subject(_both(_image, _depth), IMAGE_DEPTH_TASKS, "image_depth_"),
    "video+audio": Subject(_video_and_sound, VIDEO_AUDIO_TASKS, "video_audio_"),
    "video+depth": Subject(_both(_video, _depth), VIDEO_DEPTH_TASKS, "video_depth_"),
}
"""Two modalities are joined by a plus."""
WORLD_MODALITIES: tuple[str, ...] = tuple(subject for subject in WORLD if "+" not in subject)


def world_facts(split: str, seed: int, subject: str, supersample: int = 2, size_px: int = SIZE_PX) -> Facts:
    """The annotations of the signal, or the signals, of one seed.

    Raises InputError: a subject that the world does not generate.
    """
    if subject not in WORLD:
        raise InputError(f"modality: expected one of {', '.join(WORLD)}; got {subject!r}")
    return WORLD[subject].facts(split, seed, Rendering(size_px, supersample))


def task_name(subject: str, task: str) -> str:
    """The name of a task in samples and tables: region_name, span_name, else prefix and task, such as cloud_name."""
    return WORLD[subject].names.get(task, f"{WORLD[subject].prefix}{task}")


def modalities_of(subject: str) -> tuple[str, ...]:
    """The modalities of the signals that the questions about a subject come with."""
    return tuple(subject.split("+"))


def task_weights(subject: str, changed: Mapping[str, float] | None = None) -> dict[str, float]:
    """How often each task of a subject is asked in training, relative to the others; `changed` ones replace its own.

    Names that the subject has no task of are ignored: other subjects may have it.
    """
    own = {name: task.weight for name, task in WORLD[subject].tasks.items()}
    return own | {name: weight for name, weight in (changed or {}).items() if name in own}


def question_rng(split: str, seed: int, subject: str) -> np.random.Generator:
    """The rng of the questions about a subject of one seed, independent of the other subjects'."""
    return scene_rng(split, seed, QUESTION_STREAM + list(WORLD).index(subject))


def sample_questions_about(
    facts: Facts, rng: np.random.Generator, number: int, changed_weights: Mapping[str, float] | None = None
) -> list[Sample]:
    """`number` questions about the signals of `facts`, with tasks sampled by their weights (`task_weights`)."""
    tasks = WORLD[facts.subject].tasks
    weights = np.array(list(task_weights(facts.subject, changed_weights).values()))
    samples: list[Sample] = []
    for task in rng.choice(list(tasks), number, p=weights / weights.sum()):
        draft = tasks[str(task)].ask(facts, rng)
        if draft is not None:
            samples.append(_sample(facts, str(task), draft, len(samples)))
    return samples


def every_question(facts: Facts, rng: np.random.Generator, task: str) -> list[Sample]:
    """One question of `task` per object or event that permits one (one per signal for tasks about the whole signal)."""
    asked = WORLD[facts.subject].tasks[task]
    drafts = [asked.ask(facts, rng, number) for number in ((None,) if asked.whole else facts.pointable)]
    return [_sample(facts, task, draft, i) for i, draft in enumerate(d for d in drafts if d is not None)]


def world_samples(split: str, seed: int, subjects: Sequence[str] = tuple(WORLD), number: int = 6) -> list[Sample]:
    """`number` questions about each subject of one seed; deterministic."""
    samples: list[Sample] = []
    for subject in subjects:
        facts = world_facts(split, seed, subject)
        samples += sample_questions_about(facts, question_rng(split, seed, subject), number)
    return samples


def _sample(facts: Facts, task: str, draft: Draft, number: int) -> Sample:
    name = task_name(facts.subject, task)
    split = facts.id.split("/")[1]
    return Sample(f"{facts.id}/{name}/{number}", "world", name, split, draft.turns, facts.media, draft.regions)
