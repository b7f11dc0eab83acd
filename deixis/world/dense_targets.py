"""Targets of dense pretraining: class and box of every cell of an image, map or video, point, part of a window, parcel.

Class 0 is background, followed by the kinds, colours, parts, sizes and materials in the order of `objects`; clouds show
no materials, maps no colours either, and a video has what an object does behind its kind and colour: nothing, or an
action. Events have the classes of `EVENT_KINDS`. Parcels
respond or not, and have an area. Boxes are those of the object, event or area at the cell, in unit coordinates, lower
then upper corner.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from deixis.world.audio import EVENT_NAMES
from deixis.world.events import Event
from deixis.world.fmri import AREA_NAMES, Brain, parcel_areas, voxel_parcels
from deixis.world.motion import ACTIVITY_NAMES
from deixis.world.objects import COLOUR_NAMES, KIND_NAMES, MATERIALS, PART_NAMES, SIZES
from deixis.world.scene import Scene
from deixis.world.video import ACTIONS, DURATION_S, Clip

ShowsMaterial = Callable[[int], bool]
UNKNOWN = -100
"""A class that cross entropy ignores."""
EVENT_KINDS: dict[str, tuple[str, ...]] = {"audio": EVENT_NAMES, "imu": ACTIVITY_NAMES}
OBJECT_CLASSES: dict[str, Sequence[str]] = {
    "kind": KIND_NAMES,
    "colour": COLOUR_NAMES,
    "part": PART_NAMES,
    "size": tuple(SIZES),
    "material": MATERIALS,
}
CLOUD_CLASSES, MAP_CLASSES = ("kind", "colour", "part", "size"), ("kind", "part", "size")
VIDEO_CLASSES = ("kind", "colour")
"""Which of an image's classes other signals of a scene show."""
_COUNTS = {name: len(words) + 1 for name, words in OBJECT_CLASSES.items()}


def _chosen(names: tuple[str, ...]) -> dict[str, int]:
    return {name: _COUNTS[name] for name in names}


CLASS_COUNTS: dict[str, dict[str, int]] = {
    "image": _COUNTS,
    "point_cloud": _chosen(CLOUD_CLASSES),
    "depth": _chosen(MAP_CLASSES),
    "normal": _chosen(MAP_CLASSES),
    "video": _chosen(VIDEO_CLASSES) | {"action": len(ACTIONS) + 2},
    "fmri": {"response": 2, "area": len(AREA_NAMES) + 1},
    **{name: {"kind": len(kinds) + 1} for name, kinds in EVENT_KINDS.items()},
}
"""Modality -> name of a class -> how many there are, background included."""


@dataclass(frozen=True)
class DenseTargets:
    """Per cell: `classes` (cell, names), `UNKNOWN` where nothing is to be learnt, and `box` (cell, 2 * axes), valid
    where classes[:, 0] > 0."""

    classes: Int[np.ndarray, "cell names"]
    box: Float[np.ndarray, "cell bounds"]


def _object_classes(
    scene: Scene,
    object_id: np.ndarray,
    part_id: np.ndarray,
    shows_material: ShowsMaterial = lambda number: True,
) -> np.ndarray:
    """(cell, 5): kind, colour, part, size, material, which is `UNKNOWN` of objects that do not show it."""
    known = [words for name, words in OBJECT_CLASSES.items() if name != "part"]
    rows = [(0, 0, 0, 0)]
    for own in scene.objects:
        words = (own.kind, own.colour, own.size, own.material)
        rows.append(tuple(names.index(word) + 1 for names, word in zip(known, words, strict=True)))
        if not shows_material(len(rows) - 2):
            rows[-1] = (*rows[-1][:3], UNKNOWN)
    classes = np.array(rows)[np.maximum(object_id, -1) + 1]
    return np.insert(classes, 2, np.where(object_id >= 0, part_id + 1, 0), axis=-1)


def shown_classes(targets: DenseTargets, names: tuple[str, ...]) -> DenseTargets:
    """The targets of these of an image's classes alone."""
    return replace(targets, classes=targets.classes[:, _columns(names)])


def _columns(names: tuple[str, ...]) -> list[int]:
    return [list(OBJECT_CLASSES).index(name) for name in names]


def image_targets(
    scene: Scene,
    object_id: Int[np.ndarray, "h w"],
    part_id: Int[np.ndarray, "h w"],
    cells: int = 32,
    shows_material: ShowsMaterial = lambda number: True,
) -> DenseTargets:
    """Targets of a `cells` x `cells` grid over an image, row by row, sampled at the cell centres.

    shows_material: of an object, by its index.
    """
    side = len(object_id)
    step = side // cells
    boxes = np.zeros((len(scene.objects) + 1, 4), np.float32)
    for number in range(len(scene.objects)):
        rows, columns = np.nonzero(object_id == number)
        if len(rows):
            boxes[number + 1] = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    middle = slice(step // 2, None, step)
    objects, parts = object_id[middle, middle].ravel(), part_id[middle, middle].ravel()
    classes = _object_classes(scene, objects, parts, shows_material)
    return DenseTargets(classes, boxes[np.maximum(objects, -1) + 1] / side)


def point_cloud_targets(
    scene: Scene,
    object_id: Int[np.ndarray, " point"],
    part_id: Int[np.ndarray, " point"],
    unit_xyz: Float[np.ndarray, "point 3"],
) -> DenseTargets:
    """Targets of points of a cloud, whose unit coordinates are `unit_xyz`."""
    boxes = np.zeros((len(scene.objects) + 1, 6), np.float32)
    for number in range(len(scene.objects)):
        own = unit_xyz[object_id == number]
        if len(own):
            boxes[number + 1] = np.concatenate([own.min(0), own.max(0)])
    targets = DenseTargets(_object_classes(scene, object_id, part_id), boxes[np.maximum(object_id, -1) + 1])
    return shown_classes(targets, CLOUD_CLASSES)


def event_targets(events: Sequence[Event], kinds: Sequence[str], window_s: float, cells: int) -> DenseTargets:
    """Targets of `cells` equal parts of a window of `window_s` seconds, sampled at their centres."""
    centres_s = (np.arange(cells) + 0.5) / cells * window_s
    classes, box = np.zeros((cells, 1), np.int64), np.zeros((cells, 2), np.float32)
    for event in events:
        inside = (centres_s >= event.start_s) & (centres_s < event.end_s)
        classes[inside, 0] = kinds.index(event.kind) + 1
        box[inside] = event.start_s / window_s, event.end_s / window_s
    return DenseTargets(classes, box)


def fmri_targets(
    brain: Brain, labels: Int[np.ndarray, " voxel"], unit_xyz: Float[np.ndarray, "parcel 3"]
) -> DenseTargets:
    """Targets of a network's parcels, of which `labels` gives that of each voxel: whether most of their voxels respond,
    and their area, whose box is that of the middles of its parcels."""
    count = len(unit_xyz)
    voxels = np.bincount(labels, minlength=count)
    responds = np.bincount(labels, brain.responding[voxel_parcels()], minlength=count) > voxels / 2
    areas = np.array([AREA_NAMES.index(area) for area in parcel_areas()])[voxel_parcels()]
    most = np.bincount(labels * len(AREA_NAMES) + areas, minlength=count * len(AREA_NAMES)).reshape(count, -1).argmax(1)
    box = np.zeros((count, 6), np.float32)
    for area in np.unique(most):
        own = unit_xyz[most == area]
        box[most == area] = np.concatenate([own.min(0), own.max(0)])
    return DenseTargets(np.stack([responds.astype(np.int64), most + 1], axis=1), box)


def video_targets(clip: Clip, frames: int, side: int) -> DenseTargets:
    """Targets of `frames` evenly chosen frames of a clip, a `side` x `side` grid over each, sampled at cell centres.

    The box is that of the object in the frame, and its time that of what the object does, the whole clip if nothing.
    """
    shown = clip.object_id[((np.arange(frames) + 0.5) / frames * len(clip.object_id)).astype(int)]
    count, size_px = len(clip.scene.objects), shown.shape[1]
    doing, boxes = np.zeros(count + 1, np.int64), np.zeros((frames, count + 1, 6), np.float32)
    doing[1:], boxes[:, 1:, 5] = 1, 1
    for action in clip.actions:
        doing[action.number + 1] = ACTIONS.index(action.name) + 2
        boxes[:, action.number + 1, 2::3] = action.start_s / DURATION_S, action.end_s / DURATION_S
    for frame, number in itertools.product(range(frames), range(count)):
        rows, columns = np.nonzero(shown[frame] == number)
        if len(rows):
            boxes[frame, number + 1, :2] = columns.min() / size_px, rows.min() / size_px
            boxes[frame, number + 1, 3:5] = (columns.max() + 1) / size_px, (rows.max() + 1) / size_px
    centres = ((np.arange(side) + 0.5) / side * size_px).astype(int)
    number = np.maximum(shown[:, centres][:, :, centres], -1).reshape(frames, -1) + 1
    kinds_and_colours = _object_classes(clip.scene, number.ravel() - 1, np.zeros(number.size, np.int64))[
        :, _columns(VIDEO_CLASSES)
    ]
    classes = np.concatenate([kinds_and_colours, doing[number.ravel()][:, None]], 1)
    return DenseTargets(classes, boxes[np.arange(frames)[:, None], number].reshape(-1, 6))
