"""Normal maps of the world: the direction that every pixel's surface faces, and their annotations.

Normals are unit vectors in the axes of the camera: x to the right, y up, z towards the camera. A surface that faces the
camera is (0, 0, 1). The sky has none, (0, 0, 0).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from deixis.samples.sample import MediaReference
from deixis.world.facts import SceneFacts, map_facts
from deixis.world.render import Surfaces, camera_axes, surfaces_of
from deixis.world.scene import Scene, scene_rng

NOISE = 0.03  # standard deviation along each axis before the vector is made of length 1 again


@dataclass(frozen=True)
class NormalMap:
    """Unit vectors in camera axes (h, w, 3), zero for the sky, and what each pixel shows."""

    normals: Float32[np.ndarray, "h w 3"]
    surfaces: Surfaces


@dataclass(frozen=True, kw_only=True)
class NormalFacts(SceneFacts):
    """A scene as seen in one normal map, whose vectors are `normals` (h, w, 3)."""

    normals: np.ndarray

    def facing_cells(self, number: int, axis: Sequence[float], least: float) -> Bool[np.ndarray, "h w"]:
        """The pixels of an object whose vectors have at least this much along an axis of the camera."""
        return self.cells(number) & (self.normals @ np.array(axis) >= least)


def sample_normal_map(scene: Scene, size_px: int = 128) -> NormalMap:
    """The normal map of `scene`, `size_px` square."""
    surfaces = surfaces_of(scene, size_px)
    noise = scene_rng(scene.split, scene.seed, 6).standard_normal(surfaces.normal.shape) * NOISE
    vectors = surfaces.normal @ camera_axes(scene).T + noise
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    is_sky = np.isinf(surfaces.depth)
    return NormalMap(np.where(is_sky[..., None], 0, vectors).astype(np.float32), surfaces)


def normal_facts(scene: Scene, normal_map: NormalMap) -> NormalFacts:
    """The annotations of a normal map."""
    medium = MediaReference(f"world/{scene.split}/{scene.seed}/normal", "normal", values=normal_map.normals)
    return NormalFacts(**vars(map_facts(scene, normal_map.surfaces, medium)), normals=normal_map.normals)
