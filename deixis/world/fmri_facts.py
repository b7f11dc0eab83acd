"""The annotations of a simulated fMRI response: what is seen or heard, and the voxels of parcels and areas."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from deixis.geometry import Region
from deixis.samples.sample import MediaReference
from deixis.world.audio import EVENT_NAMES, sample_audio_clip
from deixis.world.facts import MIN_IMAGE_SHARE, SignalFacts, box_around, object_shares
from deixis.world.fmri import AFFINE, SIDE, Brain, kind_parcels, parcel_areas, simulate_fmri, voxel_parcels
from deixis.world.objects import KIND_NAMES
from deixis.world.render import surfaces_of
from deixis.world.scene import sample_scene, scene_rng

SEEING = 0.6  # share of the responses to pictures; the others are to sounds
LOOK_PX = 64  # a small rendering tells what is visible
PARCELS = range(SIDE**3)


@dataclass(frozen=True)
class FmriFacts(SignalFacts):
    """A simulated response and what it is to."""

    brain: Brain

    @property
    def pointable(self) -> range:
        return range(0)  # its questions are about the response as a whole, or choose a parcel

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is seen or heard."""
        return (*self.brain.seen, *self.brain.heard)

    @property
    def absent(self) -> list[str]:
        """Kinds of things and sounds that are not."""
        return [kind for kind in (*KIND_NAMES, *EVENT_NAMES) if kind not in self.kinds]

    @property
    def responding(self) -> list[int]:
        """The parcels that respond."""
        return np.flatnonzero(self.brain.responding).tolist()

    def parcels_of(self, kind: str) -> list[int]:
        """The parcels that respond to a kind beside those that respond to every picture."""
        return list(kind_parcels()[kind])

    def parcels_in(self, area: str) -> list[int]:
        return [parcel for parcel in PARCELS if parcel_areas()[parcel] == area]

    def voxels(self, parcels: list[int]) -> np.ndarray:
        """Indices of the voxels of some parcels."""
        return np.flatnonzero(np.isin(voxel_parcels(), parcels))

    def record(self, parcels: list[int]) -> Region:
        """The region of some parcels; of one, its box too."""
        voxels = self.voxels(parcels)
        box = box_around(voxel_places()[voxels]) if len(parcels) == 1 else None
        return Region(points=voxels, box3d=box)


def voxel_places() -> Float[np.ndarray, "voxel 3"]:
    """The centres of the voxels in mm."""
    cells = np.stack(np.unravel_index(np.arange(len(voxel_parcels())), (2 * SIDE,) * 3), axis=-1)
    return cells @ AFFINE[:3, :3].T + AFFINE[:3, 3]


def fmri_facts(split: str, seed: int) -> FmriFacts:
    """The simulated response to one or two visible kinds of the scene of `seed`, or to a sound of its clip."""
    rng = scene_rng(split, seed, 9)
    seen, heard = _seen(rng, split, seed) if rng.random() < SEEING else (), ()
    if not seen:
        heard = (str(rng.choice([event.kind for event in sample_audio_clip(split, seed).events])),)
    brain = simulate_fmri(rng, seen, heard)
    name = f"world/{split}/{seed}/simulated_fmri"
    medium = MediaReference(name, "fmri", point_count=brain.response.size, unit="mm", values=brain.image())
    return FmriFacts(medium, brain)


def _seen(rng: np.random.Generator, split: str, seed: int) -> tuple[str, ...]:
    scene = sample_scene(split, seed)
    share = object_shares(surfaces_of(scene, LOOK_PX).object_id, len(scene.objects))
    kinds = sorted(
        {own.kind for own, covered in zip(scene.objects, share, strict=True) if covered > 2 * MIN_IMAGE_SHARE}
    )
    if not kinds:
        return ()
    count = min(int(rng.integers(1, 3)), len(kinds))
    return tuple(str(kind) for kind in sorted(rng.choice(kinds, count, replace=False)))
