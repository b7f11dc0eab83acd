"""A scene: objects and their poses, light and camera, all sampled with one seed.

Splits: `train` and `val` never contain a (kind, colour) pair of `held_out`; `test` samples from all pairs. The random
streams of different splits are independent. Units: the floor is z = 0, objects stand within about 2 units of the
origin.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from deixis.errors import InputError
from deixis.world.objects import COLOUR_NAMES, KIND_NAMES, MATERIALS, SIZES

SPLITS: dict[str, int] = {"train": 0, "val": 1, "test": 2}
FLOOR_HALF = 1.55  # objects stand in [-FLOOR_HALF, FLOOR_HALF]^2
MIN_OBJECTS, MAX_OBJECTS = 2, 6


@dataclass(frozen=True)
class SceneObject:
    """One object of a scene: names from `objects`, position on the floor, heading in radians."""

    kind: str
    colour: str
    size: str
    material: str
    position_xy: tuple[float, float]
    yaw: float

    @property
    def scale(self) -> float:
        return SIZES[self.size]


@dataclass(frozen=True)
class Scene:
    """Objects, camera (position and target), unit vector towards the light, RGB in [0, 1] of floor and sky."""

    seed: int
    split: str
    objects: tuple[SceneObject, ...]
    camera: Float[np.ndarray, " 3"]
    target: Float[np.ndarray, " 3"]
    light: Float[np.ndarray, " 3"]
    floor: Float[np.ndarray, " 3"]
    sky: Float[np.ndarray, " 3"]


def scene_rng(split: str, seed: int, stream: int) -> np.random.Generator:
    """The rng of one scene and stream.

    0 scene, 1 image, 2 audio, 3 point cloud, 5 depth map, 6 normal map, 7 video, 8 motion, 9 fMRI; from 10 questions.

    Raises InputError: an unknown split.
    """
    if split not in SPLITS:
        raise InputError(f"split: expected one of {', '.join(SPLITS)}; got {split!r}")
    return np.random.default_rng([SPLITS[split], seed, stream])


def held_out(kind: str, colour: str) -> bool:
    """Whether this (kind, colour) pair is excluded from training (one of eight colours per kind)."""
    return (KIND_NAMES.index(kind) * 3 + COLOUR_NAMES.index(colour)) % len(COLOUR_NAMES) == 0


def sample_scene(split: str, seed: int) -> Scene:
    """The scene of `seed` in `split`: two to six objects that do not intersect, an elevated camera, one light."""
    rng = scene_rng(split, seed, 0)
    objects: list[SceneObject] = []
    count = int(rng.integers(MIN_OBJECTS, MAX_OBJECTS + 1))
    for _ in range(40):
        if len(objects) == count:
            break
        obj = _sample_object(rng, split)
        if all(_apart(obj, other) for other in objects):
            objects.append(obj)
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(22, 48))
    distance = rng.uniform(4.8, 5.8)
    camera = distance * np.array(
        [np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)]
    )
    target = np.array([*rng.uniform(-0.25, 0.25, 2), rng.uniform(0.1, 0.4)])
    light = np.array([*rng.normal(size=2), rng.uniform(1.2, 2.2)])
    grey = rng.uniform(0.35, 0.7)
    floor = np.clip(grey + rng.uniform(-0.06, 0.06, 3), 0, 1)
    sky = np.clip(rng.uniform(0.55, 0.85) + rng.uniform(-0.08, 0.08, 3), 0, 1)
    return Scene(seed, split, tuple(objects), camera + target, target, light / np.linalg.norm(light), floor, sky)


def _sample_object(rng: np.random.Generator, split: str) -> SceneObject:
    while True:
        kind, colour = str(rng.choice(KIND_NAMES)), str(rng.choice(COLOUR_NAMES))
        if split == "test" or not held_out(kind, colour):
            break
    size, material = str(rng.choice(list(SIZES))), str(rng.choice(MATERIALS))
    x, y = rng.uniform(-FLOOR_HALF, FLOOR_HALF, 2)
    return SceneObject(kind, colour, size, material, (float(x), float(y)), float(rng.uniform(0, 2 * np.pi)))


def _apart(a: SceneObject, b: SceneObject) -> bool:
    gap = np.hypot(a.position_xy[0] - b.position_xy[0], a.position_xy[1] - b.position_xy[1])
    return bool(gap > 0.55 * (a.scale + b.scale))
