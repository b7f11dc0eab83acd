"""Audio clips of the world: ten kinds of sound events, synthesised and placed in time over background noise.

Everything is synthesised from a seed; no recording is used. Sampling rate 16 kHz, mono, float32 in [-1, 1].
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from deixis.world.events import Event
from deixis.world.scene import scene_rng

RATE_HZ = 16_000
MIN_CLIP_S, MAX_CLIP_S = 4.0, 8.0
MIN_EVENT_S, MAX_EVENT_S = 0.5, 1.8
MAX_EVENTS = 5


@dataclass(frozen=True)
class Sound:
    """An audio clip (samples,) and its events in order of time."""

    samples: Float[np.ndarray, " samples"]
    events: tuple[Event, ...]

    @property
    def duration_s(self) -> float:
        return len(self.samples) / RATE_HZ


def _time(seconds: float) -> np.ndarray:
    return np.arange(int(seconds * RATE_HZ)) / RATE_HZ


def _bell(rng: np.random.Generator, seconds: float) -> np.ndarray:
    t, pitch = _time(seconds), rng.uniform(450, 1100)
    partials = [(1, 1.0), (2.0, 0.6), (2.76, 0.5), (5.4, 0.3)]
    tone = sum(a * np.sin(2 * np.pi * pitch * r * t) * np.exp(-t * (1.2 + 0.5 * r) / seconds) for r, a in partials)
    return tone * np.exp(-1.0 * t / seconds)


def _whistle(rng: np.random.Generator, seconds: float) -> np.ndarray:
    t = _time(seconds)
    pitch = rng.uniform(1700, 2900) + rng.uniform(20, 70) * np.sin(2 * np.pi * rng.uniform(5, 9) * t)
    return np.sin(2 * np.pi * np.cumsum(pitch) / RATE_HZ) + 0.08 * rng.normal(size=len(t))


def _horn(rng: np.random.Generator, seconds: float) -> np.ndarray:
    t, pitch = _time(seconds), rng.uniform(170, 340)
    return sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 9))


def _siren(rng: np.random.Generator, seconds: float) -> np.ndarray:
    t = _time(seconds)
    sweep = rng.uniform(850, 1100) + rng.uniform(250, 420) * np.sin(2 * np.pi * rng.uniform(1.2, 2.4) * t)
    phase = 2 * np.pi * np.cumsum(sweep) / RATE_HZ
    return np.sin(phase) + 0.3 * np.sin(2 * phase)


def _buzzer(rng: np.random.Generator, seconds: float) -> np.ndarray:
    t, pitch = _time(seconds), rng.uniform(85, 140)
    return np.sign(np.sin(2 * np.pi * pitch * t)) * 0.7 + 0.2 * np.sin(2 * np.pi * pitch * 21 * t)


def _strokes(rng: np.random.Generator, seconds: float, rate: float, stroke: Callable[[np.ndarray], np.ndarray]):
    """`stroke` repeated `rate` times per second over `seconds`."""
    out = np.zeros(int(seconds * RATE_HZ))
    count = max(2, round(seconds * rate))
    for start in np.linspace(0, len(out), count, endpoint=False).astype(int):
        wave = stroke(_time(min(0.35, seconds / count * 1.4)))[: len(out) - start]
        out[start : start + len(wave)] += wave * rng.uniform(0.75, 1)
    return out


def _drum(rng: np.random.Generator, seconds: float) -> np.ndarray:
    pitch = rng.uniform(65, 120)
    return _strokes(
        rng, seconds, rng.uniform(3, 5), lambda t: np.sin(2 * np.pi * pitch * t * (1 - t)) * np.exp(-t * 11)
    )


def _clap(rng: np.random.Generator, seconds: float) -> np.ndarray:
    return _strokes(rng, seconds, rng.uniform(4, 7), lambda t: rng.normal(size=len(t)) * np.exp(-t * 45) * 0.8)


def _knock(rng: np.random.Generator, seconds: float) -> np.ndarray:
    pitch = rng.uniform(420, 750)

    def stroke(t: np.ndarray) -> np.ndarray:
        return np.sin(2 * np.pi * pitch * t) * np.exp(-t * 60) + 0.2 * rng.normal(size=len(t)) * np.exp(-t * 150)

    return _strokes(rng, seconds, rng.uniform(3, 5), stroke)


def _dog(rng: np.random.Generator, seconds: float) -> np.ndarray:
    pitch = rng.uniform(280, 480)

    def bark(t: np.ndarray) -> np.ndarray:
        glide = pitch * (1.4 - 2.2 * t)
        phase = 2 * np.pi * np.cumsum(glide) / RATE_HZ
        envelope = np.minimum(t * 60, 1) * np.exp(-t * 12)
        return (
            sum(np.sin(k * phase) / k**0.6 for k in range(1, 7)) * envelope + 0.25 * rng.normal(size=len(t)) * envelope
        )

    return _strokes(rng, seconds, rng.uniform(2.0, 3.2), bark)


def _bird(rng: np.random.Generator, seconds: float) -> np.ndarray:
    low, rise = rng.uniform(3000, 4200), rng.uniform(5000, 11000)

    def chirp(t: np.ndarray) -> np.ndarray:
        phase = 2 * np.pi * np.cumsum(low + rise * t) / RATE_HZ
        return np.sin(phase) * np.exp(-(((t - 0.06) / 0.035) ** 2))

    return _strokes(rng, seconds, rng.uniform(5, 8), chirp)


EVENT_SYNTHESIZERS: dict[str, Callable[[np.random.Generator, float], np.ndarray]] = {
    "bell": _bell,
    "whistle": _whistle,
    "drum": _drum,
    "horn": _horn,
    "siren": _siren,
    "dog": _dog,
    "clap": _clap,
    "buzzer": _buzzer,
    "bird": _bird,
    "knock": _knock,
}
EVENT_NAMES: tuple[str, ...] = tuple(EVENT_SYNTHESIZERS)


def sample_audio_clip(split: str, seed: int) -> Sound:
    """The clip of `seed` in `split`: one to five events that do not overlap, 4 to 8 seconds in total."""
    return sample_events(scene_rng(split, seed, 2), EVENT_NAMES)


def sample_events(rng: np.random.Generator, kinds: Sequence[str]) -> Sound:
    """A clip of one to five events of these kinds that do not overlap, 4 to 8 seconds in total."""
    duration_s = float(rng.uniform(MIN_CLIP_S, MAX_CLIP_S))
    count = int(rng.integers(1, MAX_EVENTS + 1))
    lengths_s: list[float] = []
    for length_s in rng.uniform(MIN_EVENT_S, MAX_EVENT_S, count):
        if sum(lengths_s) + length_s + 0.15 * (len(lengths_s) + 2) < duration_s:
            lengths_s.append(float(length_s))
    free_s = duration_s - sum(lengths_s) - 0.15 * (len(lengths_s) + 1)
    gaps_s = 0.15 + free_s * rng.dirichlet(np.ones(len(lengths_s) + 1))
    samples = rng.normal(0, 10 ** rng.uniform(-3.5, -2.2), int(duration_s * RATE_HZ))
    events, now_s = [], 0.0
    for length_s, gap_s in zip(lengths_s, gaps_s, strict=False):
        now_s += gap_s
        kind = str(rng.choice(kinds))
        _add(samples, rng, kind, now_s, length_s)
        events.append(Event(kind, round(now_s, 3), round(now_s + length_s, 3)))
        now_s += length_s
    return Sound(np.clip(samples, -1, 1).astype(np.float32), tuple(events))


def sound_of(rng: np.random.Generator, events: Sequence[Event], duration_s: float) -> Sound:
    """A clip of given events, in order of their start."""
    samples = rng.normal(0, 10 ** rng.uniform(-3.5, -2.2), int(duration_s * RATE_HZ))
    for event in events:
        _add(samples, rng, event.kind, event.start_s, event.end_s - event.start_s)
    return Sound(np.clip(samples, -1, 1).astype(np.float32), tuple(events))


def _add(samples: np.ndarray, rng: np.random.Generator, kind: str, start_s: float, length_s: float) -> None:
    """Adds an event to samples, as loud as the generator has it."""
    wave = _shaped(EVENT_SYNTHESIZERS[kind](rng, length_s)) * 10 ** rng.uniform(-1.1, -0.35)
    start = int(start_s * RATE_HZ)
    samples[start : start + len(wave)] += wave[: len(samples) - start]


def _shaped(wave: np.ndarray) -> np.ndarray:
    """The wave normalised to peak 1, with 10 ms fades at both ends."""
    ramp = np.minimum(np.arange(len(wave)), np.arange(len(wave))[::-1]) / (0.01 * RATE_HZ)
    return wave / (np.abs(wave).max() + 1e-9) * np.minimum(ramp, 1)
