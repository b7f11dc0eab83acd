"""Two signals of one seed that belong together, for questions that need both.

    image + audio          a scene, and a clip in which some of its objects sound (`SOUNDS_OF`) among other sounds
    image + point_cloud    a scene in a picture, and scanned from all sides
    image + depth          a scene in a picture, and its depth map
    video + audio          a clip and its sound track: what happens in it sounds, and there may be a sound of nothing
    video + depth          a clip, and a depth map of how it begins
    audio + imu            a clip and a motion trace of one clock

What a thing sounds like is a convention of the world, learnt from training.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from deixis.samples.sample import MediaReference
from deixis.world.audio import EVENT_NAMES, MAX_EVENT_S, MIN_EVENT_S, sample_events, sound_of
from deixis.world.events import Event
from deixis.world.facts import EventFacts, SceneFacts, SignalFacts, audio_facts
from deixis.world.scene import scene_rng
from deixis.world.video import DURATION_S
from deixis.world.video_facts import VideoFacts

First = TypeVar("First", bound=SignalFacts)
Second = TypeVar("Second", bound=SignalFacts)
SOUNDS_OF: dict[str, str] = {
    "car": "horn",
    "tree": "bird",
    "hammer": "knock",
    "house": "bell",
    "lamp": "buzzer",
    "bottle": "whistle",
    "ball": "drum",
}
"""Kind of object -> the sound event that it makes; other kinds are silent."""
OTHER_SOUNDS = tuple(name for name in EVENT_NAMES if name not in SOUNDS_OF.values())
"""Events that no object of a scene makes."""
SOUND_STREAM, TRACK_STREAM = 30, 31  # random streams of clips and of sound tracks (`scene_rng`)
GAP_S = 0.2  # between a sound of no action and the actions around it
EMPTY_SHARE = 0.7  # of the sound tracks with room for it have a sound while nothing happens


@dataclass(frozen=True)
class PairFacts:
    """The annotations of two signals, in the order of a sample's signals."""

    first: SignalFacts
    second: SignalFacts

    @property
    def subject(self) -> str:
        return f"{self.first.subject}+{self.second.subject}"

    @property
    def id(self) -> str:
        return f"{self.first.id.rpartition('/')[0]}/{self.subject}"

    @property
    def media(self) -> tuple[MediaReference, ...]:
        return (*self.first.media, *self.second.media)

    @property
    def parts(self) -> tuple[SignalFacts, ...]:
        return self.first, self.second

    @property
    def pointable(self) -> range:
        return range(0)  # its questions are about the pair as a whole

    def of(self, first: type[First], second: type[Second]) -> tuple[First, Second]:
        """Both annotations, which are known to be of these types."""
        assert isinstance(self.first, first)
        assert isinstance(self.second, second)
        return self.first, self.second


def makers(facts: SceneFacts) -> dict[str, int]:
    """Sound event -> the visible object that makes it.

    Barely visible objects are silent, and so are kinds of which the scene shows several: which of them sounds could
    not be told.
    """
    kinds = {i: facts.object_at(i).kind for i in facts.alone}
    return {SOUNDS_OF[kind]: i for i, kind in kinds.items() if kind in SOUNDS_OF}


def scene_sounds(split: str, seed: int, facts: SceneFacts) -> EventFacts:
    """A clip of sounds of the visible objects (`makers`), and of others that nothing in the scene makes."""
    own = tuple(makers(facts))
    sound = sample_events(scene_rng(split, seed, SOUND_STREAM), (*own, *own, *OTHER_SOUNDS))
    return audio_facts(split, seed, sound, "scene_sound")


def sound_track(split: str, seed: int, video: VideoFacts) -> EventFacts:
    """A sound of its own for each action of a clip that does not overlap an earlier one, and one of no action."""
    rng = scene_rng(split, seed, TRACK_STREAM)
    kinds = [str(kind) for kind in rng.permutation(EVENT_NAMES)]
    spans: list[tuple[float, float]] = []
    for action in video.clip.actions:
        if all(action.start_s > end_s for _, end_s in spans):
            spans.append((action.start_s, action.end_s))
    if (gap := _longest_gap(video)) is not None and rng.random() < EMPTY_SHARE:
        start_s, end_s = gap
        length_s = float(rng.uniform(MIN_EVENT_S, min(MAX_EVENT_S, end_s - start_s)))
        begin_s = float(rng.uniform(start_s, end_s - length_s))
        spans.append((round(begin_s, 3), round(begin_s + length_s, 3)))
    events = [Event(kind, *span) for kind, span in zip(kinds, sorted(spans), strict=False)]
    return audio_facts(split, seed, sound_of(rng, events, DURATION_S), "sound_track")


def _longest_gap(video: VideoFacts) -> tuple[float, float] | None:
    """The longest time in which nothing happens, less a margin at both ends; None where it is too short for a sound."""
    starts, ends = [0.0, *(a.end_s for a in video.clip.actions)], [*(a.start_s for a in video.clip.actions), DURATION_S]
    gaps = [(a + GAP_S, b - GAP_S) for a, b in zip(np.maximum.accumulate(starts).tolist(), ends, strict=True)]
    best = max(gaps, key=lambda gap: gap[1] - gap[0])
    return best if best[1] - best[0] > MIN_EVENT_S else None
