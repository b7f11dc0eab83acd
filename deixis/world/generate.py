"""Samples of the world: signals generated from a seed, and questions of every task about them.

Sample ids contain split, seed, modality, task and number, so that equal ids are equal samples.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from deixis.errors import InputError
from deixis.samples.sample import Sample
from deixis.world.audio import sample_audio_clip
from deixis.world.audio_questions import AUDIO_TASKS
from deixis.world.facts import AudioFacts, SceneFacts, audio_facts, image_facts, point_cloud_facts
from deixis.world.questions import IMAGE_ONLY, SCENE_TASKS, Draft, SceneTask
from deixis.world.render import build_mesh, render, sample_cloud
from deixis.world.scene import sample_scene, scene_rng

WORLD_MODALITIES = ("image", "audio", "point_cloud")
SIZE_PX = 128
PREFIX = {"image": "region", "audio": "span", "point_cloud": "cloud"}  # of the task "name": region_name, ...
Facts = SceneFacts | AudioFacts


def world_facts(split: str, seed: int, modality: str, supersample: int = 2, size_px: int = SIZE_PX) -> Facts:
    """The annotations of the image, audio clip or point cloud of one seed.

    Raises InputError: a modality that the world does not generate.
    """
    if modality == "audio":
        return audio_facts(split, seed, sample_audio_clip(split, seed))
    if modality not in WORLD_MODALITIES:
        raise InputError(f"modality: expected one of {', '.join(WORLD_MODALITIES)}; got {modality!r}")
    scene = sample_scene(split, seed)
    mesh = build_mesh(scene)
    if modality == "image":
        return image_facts(scene, render(scene, size_px, supersample, mesh))
    return point_cloud_facts(scene, sample_cloud(scene, mesh=mesh))


def tasks_of(modality: str) -> dict[str, tuple[float, SceneTask]]:
    """The tasks of a modality: name -> (weight in training, function)."""
    if modality == "audio":
        return AUDIO_TASKS
    return {name: task for name, task in SCENE_TASKS.items() if modality == "image" or name not in IMAGE_ONLY}


def task_name(modality: str, task: str) -> str:
    """The name of a task in samples and tables: region_name, span_name, cloud_name, else modality and task."""
    if task == "name":
        return f"{PREFIX[modality]}_name"
    if modality == "image":
        return "reasoning_mask" if task == "reasoning" else task
    if task in ("event_span", "event_mask"):
        return task
    return f"{'sound' if modality == 'audio' else 'cloud'}_{task}"


def task_weights(modality: str, changed: Mapping[str, float] | None = None) -> dict[str, float]:
    """How often each task of a modality is asked in training, relative to the others; `changed` ones replace its own.

    Names that the modality has no task of are ignored: other modalities may have it.
    """
    own = {name: weight for name, (weight, _) in tasks_of(modality).items()}
    return own | {name: weight for name, weight in (changed or {}).items() if name in own}


def sample_questions_about(
    facts: Facts, rng: np.random.Generator, number: int, changed_weights: Mapping[str, float] | None = None
) -> list[Sample]:
    """`number` questions about one signal, with tasks sampled by their weights (`task_weights`)."""
    tasks = tasks_of(facts.medium.modality)
    weights = np.array(list(task_weights(facts.medium.modality, changed_weights).values()))
    samples: list[Sample] = []
    for task in rng.choice(list(tasks), number, p=weights / weights.sum()):
        draft = tasks[str(task)][1](facts, rng)
        if draft is not None:
            samples.append(_sample(facts, str(task), draft, len(samples)))
    return samples


def every_question(facts: Facts, rng: np.random.Generator, task: str) -> list[Sample]:
    """One question of `task` per object or event that permits one (one per signal for tasks about the whole signal)."""
    function = tasks_of(facts.medium.modality)[task][1]
    about_all = task in ("exists", "absence", "count", "caption", "grounded_caption", "relation")
    if about_all:
        numbers = [None]
    else:
        numbers = facts.visible if isinstance(facts, SceneFacts) else range(len(facts.sound.events))
    drafts = [function(facts, rng, number) for number in numbers]
    return [_sample(facts, task, draft, i) for i, draft in enumerate(d for d in drafts if d is not None)]


def world_samples(split: str, seed: int, modalities: Sequence[str] = WORLD_MODALITIES, number: int = 6) -> list[Sample]:
    """`number` questions about each signal of one seed; deterministic."""
    samples: list[Sample] = []
    for modality in modalities:
        facts = world_facts(split, seed, modality)
        samples += sample_questions_about(facts, scene_rng(split, seed, 10 + WORLD_MODALITIES.index(modality)), number)
    return samples


def _sample(facts: Facts, task: str, draft: Draft, number: int) -> Sample:
    medium = facts.medium
    name = task_name(medium.modality, task)
    split = medium.id.split("/")[1]
    return Sample(f"{medium.id}/{name}/{number}", "world", name, split, draft.turns, (medium,), draft.regions)
