"""Scenes of the world that several files ask about, made once in a process."""

from functools import cache

from deixis.samples.sample import Sample
from deixis.world.generate import world_samples


@cache
def scene_samples(seed: int, split: str = "train") -> tuple[Sample, ...]:
    """The samples about every subject of one seed; tests must leave them as they are."""
    return tuple(world_samples(split, seed))
