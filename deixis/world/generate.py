"""Samples of the world: signals made from a seed, and questions of every kind about them.

Sample ids say split, seed, medium, task and number, so that the same id is always the same sample.
"""

from collections.abc import Sequence

import numpy as np

from deixis.errors import InputError
from deixis.samples.sample import Sample
from deixis.world.audio import sample_audio_clip
from deixis.world.audio_questions import AUDIO_TASKS
from deixis.world.facts import AudioFacts, SceneFacts, audio_facts, image_facts, point_cloud_facts
from deixis.world.questions import IMAGE_ONLY, SCENE_TASKS, Draft
from deixis.world.render import build_mesh, render, sample_cloud
from deixis.world.scene import sample_scene, scene_rng

KINDS = ("image", "audio", "point_cloud")
SIZE_PX = 128
PREFIX = {"image": "region", "audio": "span", "point_cloud": "cloud"}  # of the task "name": region_name, ...
Facts = SceneFacts | AudioFacts


def world_facts(split: str, seed: int, kind: str, supersample: int = 2, size_px: int = SIZE_PX) -> Facts:
    """The picture, sound or cloud of one seed, with what can be said about it."""
    if kind == "audio":
        return audio_facts(split, seed, sample_audio_clip(split, seed))
    if kind not in KINDS:
        raise InputError(f"kind: expected one of {', '.join(KINDS)}; got {kind!r}")
    scene = sample_scene(split, seed)
    mesh = build_mesh(scene)
    if kind == "image":
        return image_facts(scene, render(scene, size_px, supersample, mesh))
    return point_cloud_facts(scene, sample_cloud(scene, mesh=mesh))


def tasks_of(kind: str) -> dict[str, tuple[float, object]]:
    """The tasks of a kind of signal: name -> (weight in training, function)."""
    if kind == "audio":
        return AUDIO_TASKS
    return {name: task for name, task in SCENE_TASKS.items() if kind == "image" or name not in IMAGE_ONLY}


def task_name(kind: str, task: str) -> str:
    """The name of a task in samples and tables: region_name, span_name, cloud_name, else medium and task."""
    if task == "name":
        return f"{PREFIX[kind]}_name"
    named = {"phrase_box", "event_span", "event_mask"}
    if task in named or (kind == "image" and task not in ("reasoning",)):
        return task
    return {"image": "reasoning_mask"}.get(kind, f"{'sound' if kind == 'audio' else 'cloud'}_{task}")


def sample_questions_about(facts: Facts, rng: np.random.Generator, number: int) -> list[Sample]:
    """`number` questions about one medium, tasks drawn by their weights."""
    tasks = tasks_of(facts.medium.modality)
    weights = np.array([weight for weight, _ in tasks.values()])
    samples: list[Sample] = []
    for task in rng.choice(list(tasks), number, p=weights / weights.sum()):
        draft = tasks[str(task)][1](facts, rng)
        if draft is not None:
            samples.append(_sample(facts, str(task), draft, len(samples)))
    return samples


def every_question(facts: Facts, rng: np.random.Generator, task: str) -> list[Sample]:
    """One question of `task` about every thing or event that allows one (about the medium, where none is named)."""
    function = tasks_of(facts.medium.modality)[task][1]
    about_all = task in ("exists", "absence", "count", "caption", "grounded_caption", "relation")
    if about_all:
        numbers = [None]
    else:
        numbers = facts.visible if isinstance(facts, SceneFacts) else range(len(facts.sound.events))
    drafts = [function(facts, rng, number) for number in numbers]
    return [_sample(facts, task, draft, i) for i, draft in enumerate(d for d in drafts if d is not None)]


def world_samples(split: str, seed: int, kinds: Sequence[str] = KINDS, number: int = 6) -> list[Sample]:
    """`number` questions about each medium of one seed; the same for the same arguments."""
    samples: list[Sample] = []
    for kind in kinds:
        facts = world_facts(split, seed, kind)
        samples += sample_questions_about(facts, scene_rng(split, seed, 10 + KINDS.index(kind)), number)
    return samples


def _sample(facts: Facts, task: str, draft: Draft, number: int) -> Sample:
    medium = facts.medium
    name = task_name(medium.modality, task)
    split = medium.id.split("/")[1]
    return Sample(f"{medium.id}/{name}/{number}", "world", name, split, draft.turns, (medium,), draft.regions)
