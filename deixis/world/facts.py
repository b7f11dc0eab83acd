"""The annotations of one signal of the world: visible objects or events, their regions and phrases.

Questions are asked only about clearly visible objects, and a phrase is used only if it fits exactly one object.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from deixis.geometry import Region
from deixis.samples.sample import MediaReference
from deixis.world.audio import EVENT_NAMES, RATE_HZ, Sound
from deixis.world.events import Event
from deixis.world.motion import MOTION_RATE_HZ, Motion, told_by
from deixis.world.objects import KINDS, PART_NAMES
from deixis.world.render import Cloud, Surfaces, View
from deixis.world.scene import Scene, SceneObject

MIN_IMAGE_SHARE = 0.005  # of the image's pixels
MIN_POINT_CLOUD_SHARE = 0.01  # of the cloud's points
MIN_SHINE, MIN_SHINY_SHARE = 0.1, 4e-4  # of the brightness, and of the pixels: six or seven of 128 x 128
MIN_PART_SHARE = 0.003  # of the pixels or points, for questions about a part
MAX_ABSENT_SHARE = 0.0003  # up to this an object counts as absent; between the two nothing is asked


@runtime_checkable
class Facts(Protocol):
    """The annotations of what one group of questions is about: one signal, or several of one scene.

    subject: a key of `deixis.world.generate.WORLD`, for one signal its modality. id: of its samples, before the task.
    media: the signals, in the order of a sample. pointable: numbers of the objects or events to ask about. parts: the
    annotations of each signal.
    """

    @property
    def subject(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def media(self) -> tuple[MediaReference, ...]: ...
    @property
    def pointable(self) -> Sequence[int]: ...
    @property
    def parts(self) -> "Sequence[SignalFacts]": ...


@dataclass(frozen=True)
class SignalFacts:
    """What the annotations of any single signal have in common."""

    medium: MediaReference

    @property
    def subject(self) -> str:
        return self.medium.modality

    @property
    def id(self) -> str:
        return self.medium.id

    @property
    def media(self) -> tuple[MediaReference, ...]:
        return (self.medium,)

    @property
    def parts(self) -> "tuple[SignalFacts, ...]":
        return (self,)


@dataclass(frozen=True)
class Shown:
    """What a signal shows of a scene. noun: its name in questions. has_pixels: else it has points."""

    noun: str
    has_pixels: bool = True
    has_colours: bool = True


SHOWN: dict[str, Shown] = {
    "image": Shown("picture"),
    "point_cloud": Shown("cloud", has_pixels=False),
    "depth": Shown("depth map", has_colours=False),
    "normal": Shown("normal map", has_colours=False),
    "video": Shown("video"),
}


@dataclass(frozen=True)
class ObjectFacts(SignalFacts, ABC):
    """The objects of a scene in a signal. share: of its pixels or points, per object; those of `min_share` count."""

    scene: Scene
    share: np.ndarray
    min_share: float

    @property
    def shown(self) -> Shown:
        return SHOWN[self.medium.modality]

    @property
    def noun(self) -> str:
        """The name of the signal in a question."""
        return self.shown.noun

    @property
    def visible(self) -> list[int]:
        """Indices of the clearly visible objects."""
        return [i for i, share in enumerate(self.share) if share >= self.min_share]

    @property
    def pointable(self) -> list[int]:
        return self.visible

    @property
    def barely_visible(self) -> list[int]:
        """Indices of the barely visible objects: neither their presence nor their absence may be stated."""
        return [i for i, share in enumerate(self.share) if MAX_ABSENT_SHARE < share < self.min_share]

    @property
    def alone(self) -> list[int]:
        """Indices of the clearly visible objects beside which no other of their kind is seen."""
        return [i for i in self.visible if len(self.matching(self.object_at(i).kind)) == 1]

    @abstractmethod
    def record(self, number: int) -> Region:
        """The region of an object, in every form that the signal supports."""

    def object_at(self, number: int) -> SceneObject:
        return self.scene.objects[number]

    def label(self, number: int) -> str:
        """What an answer calls an object, without article: "red mug", or "mug" where no colours are seen."""
        obj = self.object_at(number)
        return f"{obj.colour} {obj.kind}" if self.shown.has_colours else obj.kind

    def matching(self, kind: str | None = None, colour: str | None = None) -> list[int]:
        """Indices of all clearly or barely visible objects of a kind and colour."""
        return [
            i
            for i in (*self.visible, *self.barely_visible)
            if (kind is None or self.object_at(i).kind == kind)
            and (colour is None or self.object_at(i).colour == colour)
        ]

    def phrase(self, number: int, rng: np.random.Generator) -> str | None:
        """A phrase that fits only this object, without article ("mug", "small red mug"); None if there is none."""
        obj = self.object_at(number)
        if not self.shown.has_colours:
            return self._colourless_phrase(number)
        if len(self.matching(obj.kind)) == 1 and rng.random() < 0.3:
            return obj.kind
        return self._coloured_phrase(number)

    def shortest_phrase(self, number: int) -> str | None:
        """The phrase of the fewest words that fits only this object: kind, then colour and kind, then size too."""
        obj = self.object_at(number)
        return obj.kind if len(self.matching(obj.kind)) == 1 else self._coloured_phrase(number)

    def _coloured_phrase(self, number: int) -> str | None:
        """Colour and kind; the size too, of several that have both."""
        obj = self.object_at(number)
        same = self.matching(obj.kind, obj.colour)
        if len(same) == 1:
            return f"{obj.colour} {obj.kind}"
        alone = sum(self.object_at(i).size == obj.size for i in same) == 1
        return f"{obj.size} {obj.colour} {obj.kind}" if alone else None

    def _colourless_phrase(self, number: int) -> str | None:
        """The kind alone; of two of a kind the size, where both are clearly visible and it differs."""
        obj = self.object_at(number)
        same = self.matching(obj.kind)
        if len(same) == 1:
            return obj.kind
        sizes = {self.object_at(i).size for i in same}
        is_plain = len(same) == 2 == len(sizes) and set(same) <= set(self.visible)
        return f"{obj.size} {obj.kind}" if is_plain else None


@dataclass(frozen=True)
class SceneFacts(ObjectFacts):
    """A scene as seen in one image, map or point cloud.

    object_id, part_id: object and part per pixel (h, w) or point (n,). points_xyz: (n, 3) of a point cloud, in scene
    units. shine: (h, w) of an image, as of `render.View`.
    """

    object_id: np.ndarray
    part_id: np.ndarray
    points_xyz: np.ndarray | None = None
    shine: np.ndarray | None = None

    @property
    def mask_form(self) -> str:
        """The form of a reference to the pixels or points of an object."""
        return "mask" if self.shown.has_pixels else "points"

    @property
    def xyz(self) -> np.ndarray:
        """Points (n, 3) of a point cloud, in scene units."""
        if self.points_xyz is None:
            raise ValueError(f"{self.medium.id}: an image has no points")
        return self.points_xyz

    def shows_material(self, number: int) -> bool:
        """Whether an image shows if an object is matte or shiny: enough of it would look different."""
        if self.shine is None:
            return False
        bright = (self.shine >= MIN_SHINE) & (self.object_id == number)
        return bool(bright.sum() >= MIN_SHINY_SHARE * self.object_id.size)

    def cells(self, number: int, part: str | None = None) -> np.ndarray:
        """Bool (h, w) or (n,): the pixels or points of an object or of one of its parts."""
        inside = self.object_id == number
        return inside if part is None else inside & (self.part_id == PART_NAMES.index(part))

    def pointed_cells(self, region: Region, number: int, part: str | None = None) -> np.ndarray:
        """Bool (h, w): the pixels of an object or part that a region of an image means, all of them for its box."""
        inside = self.cells(number, part)
        if region.mask is not None:
            return inside & region.mask_array
        if region.point is not None:
            column, row = (int(v) for v in region.point)
            only = np.zeros_like(inside)
            only[row, column] = True
            return inside & only
        return inside

    def visible_parts(self, number: int) -> list[str]:
        """The clearly visible parts of an object; none for an object with a single part."""
        parts = KINDS[self.object_at(number).kind].parts
        enough = MIN_PART_SHARE * self.object_id.size
        return [p for p in parts if len(parts) > 1 and self.cells(number, p).sum() >= enough]

    def record(self, number: int, part: str | None = None) -> Region:
        """The region of an object or part, in every form that the signal supports."""
        inside = self.cells(number, part)
        if self.shown.has_pixels:
            return Region(box=pixel_box(inside), mask=inside)
        points = np.flatnonzero(inside)
        return Region(points=points, box3d=box_around(self.xyz[points]))

    def left_of(self, number: int) -> float:
        """The horizontal position of an object: the mean column of pixels, the mean x of points."""
        inside = self.cells(number)
        return float(np.nonzero(inside)[1].mean()) if self.shown.has_pixels else float(self.xyz[inside, 0].mean())


@dataclass(frozen=True)
class EventFacts(SignalFacts):
    """A signal in time and its events.

    kinds: those that may happen in it, so that the absence of one may be stated.
    """

    events: tuple[Event, ...]
    kinds: tuple[str, ...]

    @property
    def duration_s(self) -> float:
        assert self.medium.duration_s is not None, "a signal in time has a duration"
        return self.medium.duration_s

    @property
    def pointable(self) -> range:
        return range(len(self.events))

    def of(self, kind: str) -> list[int]:
        """Indices of the events of a kind, in order of time."""
        return [i for i, event in enumerate(self.events) if event.kind == kind]

    def record(self, number: int) -> Region:
        event = self.events[number]
        return Region(span=(event.start_s, event.end_s))


@dataclass(frozen=True)
class MotionFacts(EventFacts):
    """A motion trace, its activities, and where the sensor was worn (`motion.PLACES`)."""

    worn: str


def pixel_box(inside: np.ndarray) -> tuple[float, float, float, float]:
    """The bounding box (x1, y1, x2, y2) of the pixels of a mask (h, w) that is not empty."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def box_around(xyz: np.ndarray) -> tuple[float, float, float, float, float, float]:
    """The bounding box (x1, y1, z1, x2, y2, z2) of points (n, 3)."""
    (x1, y1, z1), (x2, y2, z2) = xyz.min(0), xyz.max(0)
    return float(x1), float(y1), float(z1), float(x2), float(y2), float(z2)


def image_facts(scene: Scene, view: View) -> SceneFacts:
    """The annotations of a rendered image."""
    medium = MediaReference(f"world/{scene.split}/{scene.seed}/image", "image", values=view.rgb)
    return replace(map_facts(scene, view, medium), shine=view.shine)


def map_facts(scene: Scene, surfaces: Surfaces, medium: MediaReference) -> SceneFacts:
    """The annotations of an image or map whose pixels show these surfaces; `medium` becomes its size."""
    medium = replace(medium, size_hw=surfaces.object_id.shape)
    share = object_shares(surfaces.object_id, len(scene.objects))
    return SceneFacts(medium, scene, share, MIN_IMAGE_SHARE, surfaces.object_id, surfaces.part_id)


def object_shares(object_id: np.ndarray, count: int) -> np.ndarray:
    """Fraction of the pixels (h, w) of each of `count` objects; floor and sky are none."""
    return np.bincount(object_id.ravel() + 2, minlength=count + 2)[2:] / object_id.size


def point_cloud_facts(scene: Scene, cloud: Cloud) -> SceneFacts:
    """The annotations of a point cloud."""
    count = len(cloud.points)
    medium = MediaReference(
        f"world/{scene.split}/{scene.seed}/cloud",
        "point_cloud",
        point_count=count,
        unit="world units",
        values=cloud.points,
    )
    share = np.bincount(cloud.object_id + 1, minlength=len(scene.objects) + 1)[1:] / count
    xyz = cloud.points[:, :3]
    return SceneFacts(medium, scene, share, MIN_POINT_CLOUD_SHARE, cloud.object_id, cloud.part_id, xyz)


def audio_facts(split: str, seed: int, sound: Sound, name: str = "sound") -> EventFacts:
    """The annotations of an audio clip; `name` is the last part of the medium's id."""
    medium = MediaReference(
        f"world/{split}/{seed}/{name}", "audio", duration_s=sound.duration_s, rate_hz=RATE_HZ, values=sound.samples
    )
    return EventFacts(medium, sound.events, EVENT_NAMES)


def motion_facts(split: str, seed: int, motion: Motion) -> MotionFacts:
    """The annotations of a motion trace."""
    name = f"world/{split}/{seed}/motion"
    medium = MediaReference(name, "imu", duration_s=motion.duration_s, rate_hz=MOTION_RATE_HZ, values=motion.rows)
    return MotionFacts(medium, motion.events, told_by(motion.worn), motion.worn)
