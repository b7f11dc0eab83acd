"""Video clips of the world: a scene in which things move along the floor, appear or leave.

A clip has 16 frames in 4 s; frame i shows the instant i / 4 s. One or two things do something once, all others stay.
What appears grows out of its place, what leaves shrinks into it; nothing collides. The camera is still, or turns slowly
around the scene. Only the vertices of what changes are computed anew from frame to frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int, UInt8

from deixis.world.render import SceneMesh, build_mesh, shaded, with_noise
from deixis.world.scene import FLOOR_HALF, Scene, sample_scene, scene_rng

RATE_HZ = 4.0
FRAMES = 16
DURATION_S = FRAMES / RATE_HZ
VIDEO_SIZE_PX = 96
MOVES, APPEARS, LEAVES = ACTIONS = ("moves", "appears", "leaves")
WEIGHTS = {MOVES: 0.6, APPEARS: 0.2, LEAVES: 0.2}
MIN_EVENT_FRAMES, MAX_EVENT_FRAMES = 4, 7  # from the first still frame to the next one
APART_FRAMES = 2  # between the starts of two actions
MIN_WAY, MAX_WAY = 0.8, 2.4  # in scene units
MIN_TURN_DEG, MAX_TURN_DEG = 6.0, 16.0  # of the camera, to either side
TWO_SHARE, TURNING_SHARE = 0.65, 0.35  # of the clips with room for two actions, and of all clips
PLAIN_SHARE, PLAIN_DEG = 0.6, 20.0
"""How many ways lead across the view or along it, and by how much they may turn from there."""
ATTEMPTS = 40


@dataclass(frozen=True)
class Action:
    """What one object does: a name of `ACTIONS`, and in which seconds; of what moves, where it ends."""

    number: int
    name: str
    start_s: float
    end_s: float
    to_xy: tuple[float, float] | None = None

    def progress(self, instant_s: float) -> float:
        """From 0 before it begins to 1 after it has ended."""
        return float(np.clip((instant_s - self.start_s) / (self.end_s - self.start_s), 0, 1))


@dataclass(frozen=True)
class Clip:
    """Frames (t, h, w, 3), the object id of every pixel (or FLOOR, SKY), and the actions in order of their start.

    turn_deg: by how much the camera turns around the scene from the first frame to the last; 0 for a still one.
    """

    scene: Scene
    frames: UInt8[np.ndarray, "t h w 3"]
    object_id: Int[np.ndarray, "t h w"]
    actions: tuple[Action, ...]
    turn_deg: float


def sample_clip(split: str, seed: int, size_px: int = VIDEO_SIZE_PX) -> Clip:
    """The clip of `seed` in `split`, `size_px` square."""
    scene, rng = sample_scene(split, seed), scene_rng(split, seed, 7)
    actions = _sample_actions(scene, rng)
    turn_deg = (
        float(rng.uniform(MIN_TURN_DEG, MAX_TURN_DEG) * rng.choice([-1, 1])) if rng.random() < TURNING_SHARE else 0.0
    )
    frames, shown = _rendered(scene, actions, turn_deg, size_px, rng)
    return Clip(scene, frames, shown, actions, turn_deg)


def _sample_actions(scene: Scene, rng: np.random.Generator) -> tuple[Action, ...]:
    """One or two actions of different objects, in order of their start; what moves keeps clear of all others."""
    count = 2 if len(scene.objects) > 2 and rng.random() < TWO_SHARE else 1
    actions: list[Action] = []
    order = rng.permutation(len(scene.objects)).tolist()
    for number in order:
        if len(actions) < count:
            actions += _sample_action(scene, number, actions, rng, ACTIONS)
    if not actions:  # no room to move
        actions = _sample_action(scene, order[0], actions, rng, (APPEARS, LEAVES))
    return tuple(sorted(actions, key=lambda action: (action.start_s, action.number)))


def _sample_action(
    scene: Scene, number: int, before: list[Action], rng: np.random.Generator, names: tuple[str, ...]
) -> list[Action]:
    """An action of an object beside those sampled before, or none where there is no room to move."""
    weights = np.array([WEIGHTS[name] for name in names])
    name = str(rng.choice(names, p=weights / weights.sum()))
    longest = MAX_EVENT_FRAMES if name == MOVES else MIN_EVENT_FRAMES + 1
    length = int(rng.integers(MIN_EVENT_FRAMES, longest + 1))
    taken = [round(other.start_s * RATE_HZ) for other in before]
    starts = [first for first in range(1, FRAMES - length) if all(abs(first - own) >= APART_FRAMES for own in taken)]
    start = int(rng.choice(starts))
    action = Action(number, name, start / RATE_HZ, (start + length) / RATE_HZ)
    if name != MOVES:
        return [action]
    here = np.array(scene.objects[number].position_xy)
    for _ in range(ATTEMPTS):
        there = here + rng.uniform(MIN_WAY, MAX_WAY) * _heading(scene, rng)
        moving = replace(action, to_xy=(float(there[0]), float(there[1])))
        if np.abs(there).max() <= FLOOR_HALF + 0.2 and _keeps_clear(scene, moving, before):
            return [moving]
    return []


def _heading(scene: Scene, rng: np.random.Generator) -> Float[np.ndarray, " 2"]:
    """A unit vector on the floor, of any direction or mostly across or along the view of the first frame."""
    angle = rng.uniform(0, 2 * np.pi)
    if rng.random() < PLAIN_SHARE:
        view = scene.target - scene.camera
        turn = np.deg2rad(rng.uniform(-PLAIN_DEG, PLAIN_DEG)) + rng.integers(4) * np.pi / 2
        angle = np.arctan2(view[1], view[0]) + turn
    return np.array([np.cos(angle), np.sin(angle)])


def _keeps_clear(scene: Scene, action: Action, others: list[Action]) -> bool:
    """Whether a moving object is apart from all others, whole as they may be, at every tenth of a second."""
    own = scene.objects[action.number]
    for instant_s in np.arange(0, DURATION_S, 0.1):
        here = np.array(position_xy(scene, action.number, (action,), instant_s))
        for number, other in enumerate(scene.objects):
            there = position_xy(scene, number, others, instant_s)
            if number != action.number and np.hypot(*(here - there)) < 0.6 * (own.scale + other.scale):
                return False
    return True


def position_xy(scene: Scene, number: int, actions: Sequence[Action], instant_s: float) -> tuple[float, float]:
    """Where an object stands at an instant."""
    x, y = scene.objects[number].position_xy
    for action in actions:
        if action.number == number and action.to_xy is not None:
            share = action.progress(instant_s)
            x, y = x + share * (action.to_xy[0] - x), y + share * (action.to_xy[1] - y)
    return x, y


def size_share(number: int, actions: tuple[Action, ...], instant_s: float) -> float:
    """How much of its size an object has at an instant: 1 but for what appears or leaves."""
    for action in actions:
        if action.number == number and action.name != MOVES:
            share = action.progress(instant_s)
            return share if action.name == APPEARS else 1 - share
    return 1.0


def camera_at(scene: Scene, turn_deg: float, instant_s: float) -> Scene:
    """The scene with its camera as it is at an instant, turned about the vertical through the target."""
    angle = np.deg2rad(turn_deg) * instant_s / ((FRAMES - 1) / RATE_HZ)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return replace(scene, camera=scene.target + turn @ (scene.camera - scene.target))


def _rendered(
    scene: Scene, actions: tuple[Action, ...], turn_deg: float, size_px: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(frames, object ids); a frame in which nothing differs from the one before differs in its noise alone."""
    mesh, frames, shown, last = build_mesh(scene), [], [], None
    colour = object_id = np.empty(0)
    for index in range(FRAMES):
        instant_s = index / RATE_HZ
        state = (turn_deg * instant_s, *(action.progress(instant_s) for action in actions))
        if state != last:
            now = _mesh_at(mesh, scene, actions, instant_s)
            colour, _, surfaces = shaded(camera_at(scene, turn_deg, instant_s), size_px, 1, now)
            object_id, last = surfaces.object_id, state
        frames.append(with_noise(colour, rng))
        shown.append(object_id)
    return np.stack(frames), np.stack(shown)


def _mesh_at(mesh: SceneMesh, scene: Scene, actions: tuple[Action, ...], instant_s: float) -> SceneMesh:
    """The mesh with the vertices of acting objects where they are at an instant."""
    vertices = mesh.vertices.copy()
    for action in actions:
        own = _vertices_of(mesh, action.number)
        home = np.array([*scene.objects[action.number].position_xy, 0.0])
        here = np.array([*position_xy(scene, action.number, actions, instant_s), 0.0])
        share = size_share(action.number, actions, instant_s)
        here[2] = 0.0 if share > 0 else -1.0  # what is not there is a point under the floor
        vertices[own] = (mesh.vertices[own] - home) * share + here
    return replace(mesh, vertices=vertices.astype(np.float32))


def _vertices_of(mesh: SceneMesh, number: int) -> Int[np.ndarray, " own"]:
    return np.unique(mesh.faces[mesh.face_object == number])
