"""Samples to begin with: signals of the generated world that no model was trained on, and what to ask about them."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from deixis.errors import InputError
from deixis.geometry import Region
from deixis.geometry.extent import Extent
from deixis.samples.conversations import with_turns
from deixis.samples.media import read_content
from deixis.samples.sample import Sample
from deixis.serving.chat.region_parts import region_to_part
from deixis.signals import MODALITIES, open_signal
from deixis.signals.npy_files import ARRAY_SUFFIX
from deixis.world.generate import every_question, question_rng, world_facts

SPLIT, IMAGE_PX = "test", 384
SHOWN: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {
    "image": ((866, 868), ("name", "reasoning", "grounded_caption")),
    "audio": ((15, 21), ("name", "event_span", "grounded_caption")),
    "point_cloud": ((577, 581), ("name", "phrase_mask", "reasoning")),
    "video": ((866, 871), ("name", "motion", "grounded_caption")),
    "depth": ((866, 868), ("distance", "phrase_mask", "nearer")),
    "normal": ((866, 868), ("facing", "phrase_mask", "name")),
    "imu": ((866, 869), ("name", "event_span", "grounded_caption")),
    "fmri": ((866, 870), ("responds", "area", "grounded_caption")),
}
"""Modality -> (seeds of scenes, tasks of the world that are suggested)."""
CACHED = 32


@dataclass(frozen=True)
class StudioSample:
    """A file to try, the number that such a file lacks, and questions about it as the API takes them."""

    id: str
    name: str
    modality: str
    content: bytes
    number: float | None
    questions: tuple[dict[str, Any], ...]


def listed(modalities: tuple[str, ...]) -> list[dict[str, str]]:
    """The samples of these modalities, by id; nothing is generated yet."""
    return [
        {"id": f"{modality}-{seed}", "modality": modality, "noun": MODALITIES[modality].noun}
        for modality, (seeds, _) in SHOWN.items()
        for seed in seeds
        if modality in modalities
    ]


@lru_cache(CACHED)
def sample_of(identity: str) -> StudioSample:
    """The sample of an id, generated. Raises InputError for an unknown id."""
    modality, _, digits = identity.rpartition("-")
    seeds, tasks = SHOWN.get(modality, ((), ()))
    if digits not in map(str, seeds):
        raise InputError(f"sample {identity!r:.60}: expected an id that /studio/api/samples lists")
    seed = int(digits)
    facts = world_facts(SPLIT, seed, modality, size_px=IMAGE_PX)
    (medium,) = facts.media
    reader = MODALITIES[modality]
    content, name = read_content(medium), f"{modality}-{seed}{reader.file_suffix}"
    number = medium.rate_hz if reader.file_suffix == ARRAY_SUFFIX else None
    says = {} if number is None else {str(reader.parameter): number}
    extent = open_signal({"bytes": content, "path": name}, modality, **says).extent
    rng = question_rng(SPLIT, seed, modality)
    asked = [own for task in tasks for own in every_question(facts, rng, task)[:1]]
    return StudioSample(identity, name, modality, content, number, tuple(_question(own, extent) for own in asked))


def _question(sample: Sample, extent: Extent) -> dict[str, Any]:
    """The first question of a sample: its text, and the regions that it refers to, counted from 0."""
    alone = with_turns(sample, [replace(sample.turns[0], assistant="")])
    return {"text": alone.turns[0].user, "regions": [_part(region, extent) for region in alone.regions]}


def _part(region: Region, extent: Extent) -> dict[str, Any]:
    """A region in its one form, for an object of the world has several."""
    part = region_to_part(region.only(region.form), extent)
    return {name: value for name, value in part.items() if value is not None and name not in ("label", "score", "unit")}
