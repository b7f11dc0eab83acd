"""Two signals of one seed that belong together, for questions that need both.

    image + audio          a scene, and a clip in which some of its objects sound (`SOUNDS_OF`) among other sounds
    image + point_cloud    a scene in a picture, and scanned from all sides

What a thing sounds like is a convention of the world, learnt from training.
"""

from dataclasses import dataclass

from deixis.samples.sample import MediaReference
from deixis.world.audio import EVENT_NAMES, sample_events
from deixis.world.facts import EventFacts, Facts, SceneFacts, audio_facts
from deixis.world.scene import scene_rng

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
SOUND_STREAM = 30  # random stream of the clips (`scene_rng`)


@dataclass(frozen=True)
class PairFacts:
    """The annotations of two signals, in the order of a sample's signals."""

    first: Facts
    second: Facts

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
    def pointable(self) -> range:
        return range(0)  # its questions are about the pair as a whole


def scene_sounds(split: str, seed: int, facts: SceneFacts) -> EventFacts:
    """A clip of sounds of the visible objects, and of others that nothing in the scene makes.

    Barely visible objects are silent, and so are kinds of which the scene shows several: which of them sounds could
    not be told.
    """
    kinds = [facts.object_at(i).kind for i in facts.visible]
    alone = [kind for kind in kinds if len(facts.matching(kind)) == 1]
    own = [SOUNDS_OF[kind] for kind in alone if kind in SOUNDS_OF]
    sound = sample_events(scene_rng(split, seed, SOUND_STREAM), (*own, *own, *OTHER_SOUNDS))
    return audio_facts(split, seed, sound, "scene_sound")
