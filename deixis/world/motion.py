"""Motion traces of the world: accelerometer and gyroscope of a person who does one to five things in a row.

The sensor is worn on a wrist or at a hip, and what only an arm does is recorded on wrists alone. A body part has an
orientation, from posture and swings, and an acceleration; the sensor, mounted on it at any angle, measures the specific
force (acceleration and gravity) and the angular rate of that very orientation, with noise and bias. Axes of a body part
at rest: x forwards, y to the left, z up. 50 Hz; m/s² and rad/s. It knows no questions.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from deixis.world.events import Event
from deixis.world.scene import scene_rng

MOTION_RATE_HZ = 50
GRAVITY = 9.81
PLACES = ("wrist", "hip")
MIN_TRACE_S, MAX_TRACE_S = 8.0, 10.0
MAX_ACTIVITIES, MAX_CHANGES = 5, 2
MIN_ACTIVITY_S, MIN_CHANGE_S, MAX_CHANGE_S = 1.3, 1.5, 2.0
FADE_S, TURN_S = 0.2, 0.4  # in which a movement begins and ends, and a posture changes
LAP_DEG, LEANT_BACK_DEG = 75.0, -25.0  # forearm and pelvis of a person who sits
MAX_TILT_DEG = 25.0  # of the sensor on the body part
ACCELERATION_NOISE, ACCELERATION_BIAS = (0.02, 0.10), 0.04
GYRO_NOISE, GYRO_BIAS = (0.005, 0.03), 0.02
Rng = np.random.Generator
Seconds = Float[np.ndarray, " row"]


@dataclass(frozen=True)
class Movement:
    """What a body part does beside its posture, per row.

    body: acceleration with the whole body, axes of the room. limb: acceleration of the limb alone, its own axes.
    turn: roll, pitch and yaw in rad.
    """

    body: Float[np.ndarray, "row 3"]
    limb: Float[np.ndarray, "row 3"]
    turn: Float[np.ndarray, "row 3"]
    cadence_hz: float | None = None


@dataclass(frozen=True)
class Activity:
    """A kind of activity: its movement, and the pitch of the forearm and of the pelvis (None: no hip tells it).

    sits: whether the person sits afterwards; None: as before.
    """

    move: Callable[[Rng, Seconds, str], Movement]
    wrist_deg: float
    hip_deg: float | None = None
    sits: bool | None = None


@dataclass(frozen=True)
class Motion:
    """A recording, rows (n, 6) as acceleration x, y, z and rotation x, y, z, its activities, and where it was worn."""

    rows: Float32[np.ndarray, "row 6"]
    events: tuple[Event, ...]
    worn: str

    @property
    def duration_s(self) -> float:
        return len(self.rows) / MOTION_RATE_HZ


def _movement(time_s: Seconds, cadence_hz: float | None = None, **columns: np.ndarray) -> Movement:
    """A movement of columns such as body_z or turn_x; those that are not named are 0."""
    arrays = {name: np.zeros((len(time_s), 3)) for name in ("body", "limb", "turn")}
    for name, column in columns.items():
        part, axis = name.split("_")
        arrays[part][:, "xyz".index(axis)] = column
    return Movement(**arrays, cadence_hz=cadence_hz)


def _phase(rng: Rng, time_s: Seconds, low_hz: float, high_hz: float) -> tuple[Seconds, float]:
    """The phase in rad of something that repeats at a constant rate between the two, and that rate."""
    rate_hz = round(float(rng.uniform(low_hz, high_hz)), 2)
    return 2 * np.pi * (rate_hz * time_s + rng.random()), rate_hz


def _pulses(phase: Seconds, sharpness: float) -> Seconds:
    """One pulse in each period, of height about 1, less their mean."""
    from scipy.special import ive

    return np.exp(sharpness * (np.cos(phase) - 1)) - ive(0, sharpness)


def _stand(rng: Rng, time_s: Seconds, worn: str) -> Movement:
    return _movement(time_s)


def _stride(time_s: Seconds, phase: Seconds, up: Seconds, swing: float, cadence_hz: float) -> Movement:
    """Steps with this vertical acceleration; to and fro with each, and from side to side and a swing with every two."""
    stride, strength = phase / 2, float(up.std())
    sway = {"body_x": 0.45 * strength * np.cos(phase), "body_y": 0.4 * strength * np.sin(stride)}
    return _movement(time_s, cadence_hz, body_z=up, turn_y=swing * np.sin(stride), **sway)


def _walk(rng: Rng, time_s: Seconds, worn: str) -> Movement:
    phase, rate_hz = _phase(rng, time_s, 1.6, 2.1)
    up = rng.uniform(1.6, 2.8) * (np.sin(phase) + 0.3 * np.sin(2 * phase + 0.6) + 0.12 * np.sin(3 * phase))
    return _stride(time_s, phase, up, rng.uniform(0.3, 0.5) if worn == "wrist" else 0.06, rate_hz)


def _run(rng: Rng, time_s: Seconds, worn: str) -> Movement:
    """The feet carry the body for half of each step: half waves, whose mean is gravity."""
    phase, rate_hz = _phase(rng, time_s, 2.5, 3.1)
    up = rng.uniform(0.65, 0.95) * GRAVITY * (np.pi * np.maximum(np.sin(phase), 0) - 1)
    return _stride(time_s, phase, up, rng.uniform(0.4, 0.6) if worn == "wrist" else 0.1, rate_hz)


def _climb(rng: Rng, time_s: Seconds, worn: str) -> Movement:
    """Short strong pushes upwards between long weak times."""
    phase, rate_hz = _phase(rng, time_s, 1.2, 1.55)
    up = rng.uniform(4.0, 6.0) * _pulses(phase, 3.0)
    return _stride(time_s, phase, up, rng.uniform(0.1, 0.2) if worn == "wrist" else 0.12, rate_hz)


def _jump(rng: Rng, time_s: Seconds, worn: str) -> Movement:
    """In flight for 0.4 of each jump, where nothing but noise is measured; landing and pushing off again between."""
    phase, rate_hz = _phase(rng, time_s, 1.3, 1.9)
    share, grounded = (phase / (2 * np.pi)) % 1, 0.6
    force = np.where(share < grounded, np.pi / 2 / grounded * np.sin(np.pi * share / grounded), 0.0)
    swing = rng.uniform(0.4, 0.7) if worn == "wrist" else 0.05
    return _movement(time_s, rate_hz, body_z=GRAVITY * (force - 1), turn_y=swing * np.sin(phase))


def _lower(time_s: Seconds, sign: float) -> tuple[Seconds, Seconds]:
    """Of the body as it sits down (-1) or stands up (1): acceleration upwards, and the lean forwards in rad."""
    share = time_s / time_s[-1]
    return sign * 2.2 * np.sin(2 * np.pi * share), np.sin(np.pi * share) ** 2


def _bump(time_s: Seconds, at_s: float) -> Seconds:
    return np.exp(-(((time_s - at_s) / 0.05) ** 2))


def _sit_down(rng: Rng, time_s: Seconds, worn: str) -> Movement:
    up, lean = _lower(time_s, -1)
    up = up + rng.uniform(5, 8) * _bump(time_s, 0.72 * time_s[-1])  # the seat
    return _movement(time_s, body_z=up, turn_y=rng.uniform(0.4, 0.6) * lean * (1 if worn == "hip" else 0.3))


def _stand_up(rng: Rng, time_s: Seconds, worn: str) -> Movement:
    up, lean = _lower(time_s, 1)
    up = up + rng.uniform(1.5, 2.5) * _bump(time_s, 0.25 * time_s[-1])
    return _movement(time_s, body_z=up, turn_y=rng.uniform(0.4, 0.6) * lean * (1 if worn == "hip" else 0.3))


def _wave(rng: Rng, time_s: Seconds, worn: str) -> Movement:
    """The raised forearm rolls about the elbow."""
    phase, rate_hz = _phase(rng, time_s, 1.5, 2.5)
    angle, speed, radius_m = rng.uniform(0.35, 0.6), 2 * np.pi * rate_hz, 0.22
    across, outward = -radius_m * angle * speed**2 * np.sin(phase), radius_m * (angle * speed * np.cos(phase)) ** 2
    return _movement(time_s, rate_hz, turn_x=angle * np.sin(phase), limb_y=across, limb_z=-outward)


def _stir(rng: Rng, time_s: Seconds, worn: str) -> Movement:
    """The hand moves on a circle in the horizontal plane."""
    phase, rate_hz = _phase(rng, time_s, 1.0, 1.6)
    pull = rng.uniform(0.06, 0.10) * (2 * np.pi * rate_hz) ** 2
    turns = rng.uniform(0.1, 0.2, 2)
    turned = {"turn_z": turns[0] * np.cos(phase), "turn_y": turns[1] * np.sin(phase)}
    return _movement(time_s, rate_hz, body_x=-pull * np.cos(phase), body_y=-pull * np.sin(phase), **turned)


def _clap(rng: Rng, time_s: Seconds, worn: str) -> Movement:
    phase, rate_hz = _phase(rng, time_s, 2.6, 3.6)
    across = 3.0 * np.cos(phase) - rng.uniform(12, 18) * _pulses(phase, 9.0)
    return _movement(time_s, rate_hz, limb_y=across, turn_z=rng.uniform(0.15, 0.3) * np.cos(phase))


ACTIVITIES: dict[str, Activity] = {
    "standing still": Activity(_stand, 0.0, 0.0),
    "walking": Activity(_walk, 0.0, 3.0),
    "running": Activity(_run, 85.0, 8.0),
    "climbing stairs": Activity(_climb, 15.0, 12.0),
    "sitting down": Activity(_sit_down, LAP_DEG, LEANT_BACK_DEG, sits=True),
    "standing up": Activity(_stand_up, 0.0, 0.0, sits=False),
    "jumping": Activity(_jump, 25.0, 0.0),
    "waving": Activity(_wave, 160.0),
    "stirring": Activity(_stir, 85.0),
    "clapping": Activity(_clap, 60.0),
}
ACTIVITY_NAMES: tuple[str, ...] = tuple(ACTIVITIES)
ON_FOOT = ("walking", "running", "climbing stairs")  # of which the cadence is steps per second


def told_by(worn: str) -> tuple[str, ...]:
    """The activities that a sensor at this place tells."""
    return tuple(name for name, own in ACTIVITIES.items() if worn == "wrist" or own.hip_deg is not None)


def sample_motion(split: str, seed: int) -> Motion:
    """The trace of `seed` in `split`: 8 to 10 s of one to five activities, each from the end of the one before."""
    rng = scene_rng(split, seed, 8)
    worn = str(rng.choice(PLACES))
    kinds = _sequence(rng, worn)
    edges = _edges(rng, kinds)
    time_s = np.arange(edges[-1]) / MOTION_RATE_HZ
    pitch = np.zeros(len(time_s))
    arrays = {name: np.zeros((len(time_s), 3)) for name in ("body", "limb", "turn")}
    events, posture = [], _posture(kinds[0], worn, before=True)
    for kind, first, end in zip(kinds, edges, edges[1:], strict=False):
        moved = ACTIVITIES[kind].move(rng, time_s[: end - first], worn)
        fade = _fade(end - first)[:, None]
        for name, whole in arrays.items():
            whole[first:end] = getattr(moved, name) * fade
        changed, ease = _posture(kind, worn), 0.5 - 0.5 * np.cos(np.pi * np.linspace(0, 1, end - first))
        pitch[first:end] = posture + (changed - posture) * (ease if ACTIVITIES[kind].sits is not None else 1.0)
        posture = changed
        events.append(Event(kind, first / MOTION_RATE_HZ, end / MOTION_RATE_HZ, moved.cadence_hz))
    arrays["turn"][:, 1] += _smoothed(pitch)
    return Motion(_measured(rng, **arrays), tuple(events), worn)


def _sequence(rng: Rng, worn: str) -> list[str]:
    """Kinds in a row that a person can do so; nothing twice in a row, and not only sitting down and standing up."""
    count = int(rng.integers(1, MAX_ACTIVITIES + 1))
    while True:
        sits, kinds = bool(rng.random() < 0.15), list[str]()
        for _ in range(count):
            kinds += list(_next(rng, worn, sits, kinds[-1:]))
            sits = sits if not kinds or (then := ACTIVITIES[kinds[-1]].sits) is None else then
        changes = sum(ACTIVITIES[kind].sits is not None for kind in kinds)
        if len(kinds) == count and changes < count and changes <= MAX_CHANGES:
            return kinds


def _next(rng: Rng, worn: str, sits: bool, last: list[str]) -> Iterator[str]:
    """What may come next, if anything: a person who sits stands up, or does what an arm can do."""
    free = [kind for kind in told_by(worn) if kind not in last and ACTIVITIES[kind].sits is not sits]
    if sits:
        free = [kind for kind in free if kind == "standing up" or ACTIVITIES[kind].hip_deg is None]
    if free:
        yield str(rng.choice(free))


def _edges(rng: Rng, kinds: list[str]) -> list[int]:
    """The rows at which the activities begin, and that at which the last ends."""
    change = np.array([ACTIVITIES[kind].sits is not None for kind in kinds])
    least_s = np.where(change, rng.uniform(MIN_CHANGE_S, MAX_CHANGE_S, len(kinds)), MIN_ACTIVITY_S)
    free_s = rng.uniform(MIN_TRACE_S, MAX_TRACE_S) - least_s.sum()
    shares = rng.dirichlet(np.full(len(kinds), 2.0)) * ~change
    ends_s = np.cumsum(least_s + free_s * shares / shares.sum())
    return [0, *np.round(ends_s * MOTION_RATE_HZ).astype(int).tolist()]


def _posture(kind: str, worn: str, before: bool = False) -> float:
    """The pitch in rad of a body part while a person does something, or before the first of it."""
    own = ACTIVITIES[kind]
    if before and own.sits is not None:
        sitting = LAP_DEG if worn == "wrist" else LEANT_BACK_DEG
        return float(np.deg2rad(0.0 if own.sits else sitting))
    return float(np.deg2rad(own.wrist_deg if worn == "wrist" else own.hip_deg or 0.0))


def _fade(count: int) -> Float[np.ndarray, " row"]:
    """From 0 to 1 and back to 0, smoothly."""
    edge = np.minimum(np.arange(count) + 0.5, np.arange(count)[::-1] + 0.5) / (FADE_S * MOTION_RATE_HZ)
    return 0.5 - 0.5 * np.cos(np.pi * np.minimum(edge, 1))


def _smoothed(pitch: Float[np.ndarray, " row"]) -> Float[np.ndarray, " row"]:
    """The running mean with a Hann window, so that no limb turns at once."""
    window = np.hanning(round(TURN_S * MOTION_RATE_HZ) + 3)[1:-1]
    reach = len(window) // 2
    return np.convolve(np.pad(pitch, reach, mode="edge"), window / window.sum(), mode="valid")


def _measured(rng: Rng, body: np.ndarray, limb: np.ndarray, turn: np.ndarray) -> Float32[np.ndarray, "row 6"]:
    """What a sensor at a random angle on the body part measures."""
    from scipy.spatial.transform import Rotation

    facing = Rotation.from_euler("YXZ", turn[:, [1, 0, 2]])
    upwards = np.array([0.0, 0.0, GRAVITY])
    force = facing.inv().apply(body + upwards) + limb
    steps = (facing[:-1].inv() * facing[1:]).as_rotvec() * MOTION_RATE_HZ
    rates = np.concatenate([steps, steps[-1:]])
    tilt = np.deg2rad(rng.uniform(-MAX_TILT_DEG, MAX_TILT_DEG, 2))
    mounting = Rotation.from_euler("ZXY", [rng.uniform(0, 2 * np.pi), *tilt])
    noise = rng.normal(size=(len(body), 6)) * np.repeat([rng.uniform(*ACCELERATION_NOISE), rng.uniform(*GYRO_NOISE)], 3)
    bias = rng.uniform(-1, 1, 6) * np.repeat([ACCELERATION_BIAS, GYRO_BIAS], 3)
    rows = np.concatenate([mounting.inv().apply(force), mounting.inv().apply(rates)], axis=1)
    return (rows + noise + bias).astype(np.float32)
