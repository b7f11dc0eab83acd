"""Simulated fMRI responses of the world: what a made-up brain does while a person sees things or hears a sound.

Nothing here was measured on a person. The brain has 64 parcels of 2 x 2 x 2 voxels in named areas, the same for every
seed. What is seen makes early visual parcels respond, and in the object area those of its kind; a sound those of its
kind in the hearing area. Each voxel's time series is the stimulus convolved with a haemodynamic response (its peak 5 s
after), with drift and autocorrelated noise; the response that is given is estimated from it by least squares, in per
cent of signal change, as in an analysis of a real one. It knows no questions.
"""

from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from deixis.world.audio import EVENT_NAMES
from deixis.world.objects import KIND_NAMES

AREAS: dict[str, str] = {
    "V": "early visual",
    "O": "object",
    "H": "hearing",
    "L": "language",
    "M": "motor",
    "T": "touch",
    "A": "attention",
    "F": "frontal",
}
AREA_NAMES = tuple(AREAS.values())
LAYERS = (
    ("LFFF", "HHHH", "OOOO", "OOOO"),
    ("LFFF", "HHHH", "OOOO", "OVVO"),
    ("LFFF", "HMMH", "AAAA", "OVVO"),
    ("FFFF", "MMMM", "TTTT", "AAAA"),
)
"""The area of each parcel: layers from below upwards, in each rows from front to back, from left to right."""
SIDE, PARCEL_SIDE = 4, 2  # parcels along each axis, and voxels along a parcel's
VOXEL_MM = 16.0
KIND_PARCELS, SOUND_PARCELS = 4, 3  # how many parcels one kind of thing or of sound has
STEP_S, REPEATS, SHOWN_S = 2.0, 8, 4.0  # time between volumes; presentations of the stimulus, and how long each is
MIN_REST_S, MAX_REST_S = 8.0, 14.0
RESPONSE_PERCENT = (0.8, 1.4)
NOISE_PERCENT, MEMORY = (0.6, 1.1), 0.4  # of a volume, and how much of it stays to the next
DRIFT_PERCENT = 1.0


@dataclass(frozen=True)
class Brain:
    """A simulated response: per voxel in per cent, (8, 8, 8) as left to right, back to front, below upwards.

    seen: kinds of objects in the order of the alphabet. heard: kinds of sounds. responding: per parcel.
    """

    response: Float[np.ndarray, "x y z"]
    seen: tuple[str, ...]
    heard: tuple[str, ...]
    responding: Bool[np.ndarray, " parcel"]

    def image(self) -> Any:
        """The response as a NIfTI image of nibabel, whose header says that it is simulated."""
        import nibabel

        image = nibabel.Nifti1Image(self.response.astype(np.float32), AFFINE)
        image.header["descrip"] = b"simulated by Deixis, not measured"
        return image


AFFINE = np.diag([VOXEL_MM, VOXEL_MM, VOXEL_MM, 1.0])
AFFINE[:3, 3] = -VOXEL_MM * (SIDE * PARCEL_SIDE - 1) / 2  # the middle of the brain is the origin


@cache
def parcel_areas() -> tuple[str, ...]:
    """The area of each parcel; parcels count from below upwards fastest, then from back to front, then to the right."""
    places = np.ndindex(SIDE, SIDE, SIDE)  # to the right, to the front, upwards
    return tuple(AREAS[LAYERS[z][SIDE - 1 - y][x]] for x, y, z in places)


@cache
def voxel_parcels() -> Int[np.ndarray, " voxel"]:
    """The parcel of each voxel, in the order of the volume's voxels, the last axis fastest."""
    cells = np.indices((SIDE * PARCEL_SIDE,) * 3) // PARCEL_SIDE
    return np.ravel_multi_index(cells, (SIDE,) * 3).ravel()


@cache
def kind_parcels() -> dict[str, tuple[int, ...]]:
    """The parcels that respond to each kind of thing or sound, beside those of all images: of two kinds at most one is
    the same, so that any two can be told apart."""
    areas = np.array(parcel_areas())
    things = _spread(np.flatnonzero(areas == "object").tolist(), KIND_PARCELS, len(KIND_NAMES))
    sounds = _spread(np.flatnonzero(areas == "hearing").tolist(), SOUND_PARCELS, len(EVENT_NAMES))
    return dict(zip((*KIND_NAMES, *EVENT_NAMES), (*things, *sounds), strict=True))


def _spread(parcels: list[int], size: int, count: int) -> list[tuple[int, ...]]:
    """The first `count` sets of `size` parcels of which no two share more than one."""
    chosen: list[tuple[int, ...]] = []
    for candidate in combinations(parcels, size):
        if all(len(set(candidate) & set(other)) <= 1 for other in chosen):
            chosen.append(candidate)
    assert len(chosen) >= count, "the area has parcels for every kind"
    return chosen[:count]


def responding_parcels(seen: tuple[str, ...], heard: tuple[str, ...]) -> Bool[np.ndarray, " parcel"]:
    """Which parcels respond to a picture of things (none: no picture) or to sounds."""
    responding = np.zeros(SIDE**3, dtype=bool)
    if seen:
        responding |= np.array(parcel_areas()) == "early visual"
    for kind in (*seen, *heard):
        responding[list(kind_parcels()[kind])] = True
    return responding


def simulate_fmri(rng: np.random.Generator, seen: tuple[str, ...], heard: tuple[str, ...]) -> Brain:
    """A response to these kinds of things in a picture, or to these kinds of sounds."""
    responding = responding_parcels(seen, heard)
    parcels = voxel_parcels()
    strength = np.where(responding, rng.uniform(*RESPONSE_PERCENT, len(responding)), 0.0)[parcels]
    strength = strength * rng.uniform(0.8, 1.2, len(parcels))
    expected = stimulus_course(rng)
    series = strength[:, None] * expected + _drift(rng, len(parcels), len(expected))
    series += _noise(rng, len(parcels), len(expected))
    side = SIDE * PARCEL_SIDE
    response = estimated_response(series, expected).reshape(side, side, side)
    return Brain(response, tuple(sorted(seen)), tuple(sorted(heard)), responding)


def stimulus_course(rng: np.random.Generator) -> Float[np.ndarray, " volume"]:
    """What a responding voxel does: presentations at uneven times, through the haemodynamic response; its peak is 1."""
    rests_s = rng.uniform(MIN_REST_S, MAX_REST_S, REPEATS)
    onsets_s = np.cumsum(rests_s + SHOWN_S) - SHOWN_S
    fine_s = np.arange(0, onsets_s[-1] + SHOWN_S + MAX_REST_S, 0.5)
    shown = ((fine_s[:, None] >= onsets_s) & (fine_s[:, None] < onsets_s + SHOWN_S)).any(1)
    course = np.convolve(shown, haemodynamic_response(np.arange(0, 28, 0.5)))[: len(fine_s)]
    return (course / course.max())[:: round(STEP_S / 0.5)]


def haemodynamic_response(time_s: Float[np.ndarray, " t"]) -> Float[np.ndarray, " t"]:
    """The response to a short stimulus at 0 s: a rise with its peak at 5 s, and a weak fall below rest after it."""
    from scipy.stats import gamma

    return gamma.pdf(time_s, 6) - gamma.pdf(time_s, 16) / 6


def estimated_response(
    series: Float[np.ndarray, "voxel volume"], expected: Float[np.ndarray, " volume"]
) -> Float[np.ndarray, " voxel"]:
    """The weight of the expected course in each series, by least squares beside a mean, a trend and a slow wave."""
    time = np.linspace(-1, 1, len(expected))
    design = np.stack([expected, np.ones_like(time), time, np.cos(np.pi * time)], axis=1)
    return np.linalg.lstsq(design, series.T, rcond=None)[0][0]


def _drift(rng: np.random.Generator, voxels: int, volumes: int) -> Float[np.ndarray, "voxel volume"]:
    return rng.normal(0, DRIFT_PERCENT, (voxels, 1)) * np.linspace(-1, 1, volumes)


def _noise(rng: np.random.Generator, voxels: int, volumes: int) -> Float[np.ndarray, "voxel volume"]:
    """Noise of which a part stays from volume to volume."""
    from scipy.signal import lfilter

    fresh = rng.normal(0, rng.uniform(*NOISE_PERCENT) * np.sqrt(1 - MEMORY**2), (voxels, volumes))
    return lfilter([1.0], [1.0, -MEMORY], fresh, axis=1)
