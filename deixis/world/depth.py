"""Depth maps of the world, as a depth camera measures them, and their annotations.

One unit of a scene is a metre. Depth is measured along the optical axis, not along the ray: a wall that faces the
camera has one depth. The noise of a reading grows with the square of the depth; one reading in a hundred is missing.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from deixis.geometry import Region
from deixis.samples.sample import MediaReference
from deixis.world.facts import SceneFacts, map_facts
from deixis.world.render import Surfaces, camera_axes, pixel_rays, surfaces_of
from deixis.world.scene import Scene, scene_rng

NOISE_PER_M = 0.0015  # standard deviation in metres of a reading at 1 m
MISSING_SHARE = 0.01


@dataclass(frozen=True)
class DepthMap:
    """Metres along the optical axis (h, w), 0 without a reading, and what each pixel shows."""

    depth_m: Float32[np.ndarray, "h w"]
    surfaces: Surfaces


@dataclass(frozen=True, kw_only=True)
class DepthFacts(SceneFacts):
    """A scene as seen in one depth map, whose readings are `depth_m` (h, w), 0 where there is none."""

    depth_m: np.ndarray

    def distance_m(self, number: int, region: Region | None = None) -> float | None:
        """The median reading of an object, or of its pixels that a region means; None without a reading there."""
        inside = self.cells(number) if region is None else self.pointed_cells(region, number)
        readings = self.depth_m[inside & (self.depth_m > 0)]
        return float(np.median(readings)) if len(readings) else None


def sample_depth_map(scene: Scene, size_px: int = 128) -> DepthMap:
    """The depth map of `scene`, `size_px` square; the sky has no reading."""
    surfaces = surfaces_of(scene, size_px)
    along_axis = pixel_rays(scene, size_px) @ -camera_axes(scene)[2]
    is_sky = np.isinf(surfaces.depth)
    true_m = np.where(is_sky, 0.0, surfaces.depth) * along_axis.reshape(size_px, size_px)
    rng = scene_rng(scene.split, scene.seed, 5)
    measured_m = true_m + rng.standard_normal(true_m.shape) * NOISE_PER_M * true_m**2
    is_missing = is_sky | (rng.random(true_m.shape) < MISSING_SHARE)
    return DepthMap(np.where(is_missing, 0.0, measured_m).astype(np.float32), surfaces)


def depth_facts(scene: Scene, depth_map: DepthMap) -> DepthFacts:
    """The annotations of a depth map."""
    medium = MediaReference(f"world/{scene.split}/{scene.seed}/depth", "depth", values=depth_map.depth_m, unit="m")
    return DepthFacts(**vars(map_facts(scene, depth_map.surfaces, medium)), depth_m=depth_map.depth_m)
