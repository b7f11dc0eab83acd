"""The annotations of a video clip of the world: the tubes of its objects, and of what they do.

A tube is a box in pixels and a time in seconds: the box around all pixels of an object in the frames of that time.
Something that happens is asked about only if the object is clearly seen whenever it matters.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from deixis.geometry import Region
from deixis.samples.sample import MediaReference
from deixis.world.facts import MIN_IMAGE_SHARE, ObjectFacts, object_shares, pixel_box
from deixis.world.render import camera_axes
from deixis.world.video import DURATION_S, FRAMES, LEAVES, MOVES, RATE_HZ, Action, Clip

DIRECTIONS = ("left", "right", "camera", "away")
CLEARLY = 2.0
"""How much farther something moves along the axis that is named than along the other one."""


@dataclass(frozen=True)
class VideoFacts(ObjectFacts):
    """A clip. share: of the pixels of the frame in which an object is seen best. frame_share: (t, objects)."""

    clip: Clip
    frame_share: Float[np.ndarray, "t objects"]

    def action_of(self, number: int) -> Action | None:
        return next((action for action in self.clip.actions if action.number == number), None)

    def doing(self, name: str) -> list[Action]:
        """What is of one name, in order of the start."""
        return [action for action in self.clip.actions if action.name == name]

    def clear_frames(self, number: int) -> list[int]:
        """The frames in which an object is clearly seen."""
        return np.flatnonzero(self.frame_share[:, number] >= MIN_IMAGE_SHARE).tolist()

    def is_clear(self, action: Action) -> bool:
        """Whether an object is clearly seen while it moves, after it has appeared or until it leaves."""
        first, last = (round(instant_s * RATE_HZ) for instant_s in (action.start_s, action.end_s))
        until = {MOVES: (first, last), LEAVES: (0, first)}.get(action.name, (last, FRAMES - 1))
        return set(range(until[0], until[1] + 1)) <= set(self.clear_frames(action.number))

    @property
    def all_clear(self) -> bool:
        """Whether everything that happens is clearly seen, so that all of it can be asked for at once."""
        return all(map(self.is_clear, self.clip.actions))

    def tube(self, number: int, first: int, last: int) -> Region | None:
        """The box around an object in frames `first` to `last`, and their time; None where it is seen in none."""
        inside = (self.clip.object_id[first : last + 1] == number).any(0)
        if not inside.any():
            return None
        return Region(box=pixel_box(inside), time_s=(first / RATE_HZ, (last + 1) / RATE_HZ))

    def record(self, number: int) -> Region:
        """The tube of an object, from the first frame in which it is seen to the last."""
        seen = np.flatnonzero((self.clip.object_id == number).any((1, 2)))
        tube = self.tube(number, int(seen[0]), int(seen[-1]))
        assert tube is not None, "an object of a record is seen"
        return tube

    def action_tube(self, action: Action) -> Region:
        """Where and when an action happens: the box around its object from its start to its end."""
        first, last = (round(instant_s * RATE_HZ) for instant_s in (action.start_s, action.end_s))
        tube = self.tube(action.number, first, last)
        assert tube is not None, "an action that is asked about is seen"
        return Region(box=tube.box, time_s=(action.start_s, action.end_s))

    def direction(self, action: Action) -> str | None:
        """Which way a still camera sees something move, one of `DIRECTIONS`; None where that is not clear."""
        if action.to_xy is None or self.clip.turn_deg:
            return None
        way = np.array([*np.subtract(action.to_xy, self.object_at(action.number).position_xy), 0.0])
        right, _, backward = camera_axes(self.scene)
        across, nearer = float(way @ right), float(way @ backward) / float(np.hypot(*backward[:2]))
        if abs(across) >= CLEARLY * abs(nearer):
            return "right" if across > 0 else "left"
        if abs(nearer) >= CLEARLY * abs(across):
            return "camera" if nearer > 0 else "away"
        return None


def video_facts(clip: Clip) -> VideoFacts:
    """The annotations of a clip."""
    scene, frames = clip.scene, clip.frames
    frame_share = np.stack([object_shares(one, len(scene.objects)) for one in clip.object_id])
    medium = MediaReference(
        f"world/{scene.split}/{scene.seed}/video",
        "video",
        size_hw=frames.shape[1:3],
        duration_s=DURATION_S,
        rate_hz=RATE_HZ,
        values=frames,
    )
    return VideoFacts(medium, scene, frame_share.max(0), MIN_IMAGE_SHARE, clip, frame_share)
