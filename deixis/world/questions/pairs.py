"""Questions that need two signals at once: one function per task, and one table per pair of modalities.

Regions say on which of the two signals they lie (`Region.signal`), in questions as in answers.
"""

import numpy as np

from deixis.world.depth import DepthFacts
from deixis.world.facts import EventFacts, SceneFacts
from deixis.world.objects import KIND_NAMES
from deixis.world.pairs import SOUNDS_OF, PairFacts, makers
from deixis.world.questions import wording as w
from deixis.world.questions.depth import metres_answer
from deixis.world.questions.draft import Draft, Task, ask, numbered, on, yes_no
from deixis.world.questions.events import pointed as pointed_in_time
from deixis.world.questions.scene import pointed

Rng = np.random.Generator

SOURCE = ("Which of the things you see makes the sound {0}?", "What in the picture sounds at {0}?", "What makes {0}?")
HEARD = ("When do you hear {0}?", "When does {0} sound?", "Find the sound of {0}.")
MAKES_SOUND = ("Do you hear {0}?", "Does {0} make a sound here?")
SAME_THING = ("Are {0} and {1} the same thing?", "Is {0} what you see at {1}?", "Do {0} and {1} show the same thing?")
DISTANCE_OF = ("How far away is the NAME?", "How many metres away is the NAME?", "What is the depth of the NAME?")
FIND_OTHER = ("Find {0} in the OTHER.", "Mark {0} in the OTHER.", "Where in the OTHER is {0}?")


def source(facts: PairFacts, rng: Rng, number: int | None = None) -> Draft:
    """Which object makes a sound event; nothing, of an event that no object makes."""
    scene, audio = facts.of(SceneFacts, EventFacts)
    maker_of, events = makers(scene), audio.events
    made = [k for k, event in enumerate(events) if event.kind in maker_of]
    # as often nothing as something, where the clip has both
    others = [k for k in range(len(events)) if k not in made]
    event = int(rng.choice(made if made and (not others or rng.random() < 0.7) else others))
    where = on(1, pointed_in_time(audio, event, rng))
    if event not in made:
        return ask(w.choose(SOURCE, rng), "Nothing.", (where,), "nothing", (*KIND_NAMES, "nothing"))
    i = maker_of[events[event].kind]
    regions = where, scene.record(i)
    answer = f"[The {scene.label(i)}]{{1:box}}."
    return ask(w.choose(SOURCE, rng), answer, regions, scene.object_at(i).kind, (*KIND_NAMES, "nothing"))


def heard(facts: PairFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """When the sound of an object is heard."""
    scene, audio = facts.of(SceneFacts, EventFacts)
    made = [(i, audio.of(kind)) for kind, i in makers(scene).items() if audio.of(kind)]
    if not made:
        return None
    i, events = made[int(rng.integers(len(made)))]
    marks = numbered(len(events), first=1)
    regions = (pointed(scene, i, rng), *(on(1, audio.record(k)) for k in events))
    kind = SOUNDS_OF[scene.object_at(i).kind]
    return ask(w.choose(HEARD, rng), f"[The {kind}]{{{marks}:span}}.", regions)


def makes_sound(facts: PairFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """Whether an object is heard; kinds of which there are several are not asked about."""
    scene, audio = facts.of(SceneFacts, EventFacts)
    wanted = bool(rng.random() < 0.5)
    kinds = [(i, SOUNDS_OF.get(scene.object_at(i).kind)) for i in scene.alone]
    fitting = [i for i, kind in kinds if bool(kind and audio.of(kind)) == wanted]
    if not fitting:
        return None
    i = int(rng.choice(fitting))
    return yes_no(w.choose(MAKES_SOUND, rng), wanted, (pointed(scene, i, rng),), w.with_article(scene.label(i)))


def _matched(facts: PairFacts) -> tuple[SceneFacts, SceneFacts, list[int]]:
    """Both views of a scene, and the objects that both show clearly and that a phrase tells from all others."""
    first, second = facts.of(SceneFacts, SceneFacts)
    both = [i for i in first.visible if i in second.visible]
    return first, second, [i for i in both if first.shortest_phrase(i) and second.shortest_phrase(i)]


def same_thing(facts: PairFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """Whether a region of one view and a region of the other show the same object."""
    first, second, both = _matched(facts)
    if len(both) < 2:
        return None
    wanted = bool(rng.random() < 0.5)
    i, other = (int(n) for n in rng.choice(both, 2, replace=False))
    other = i if wanted else other
    regions = pointed(first, i, rng), on(1, pointed(second, other, rng))
    seen = f"{w.with_article(first.label(i))} and {w.with_article(second.label(other))}"
    return yes_no(w.choose(SAME_THING, rng), wanted, regions, seen)


def find_other(facts: PairFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """The object of a region of one view in the other, from the first to the second or back."""
    first, second, both = _matched(facts)
    if not both:
        return None
    i, back = int(rng.choice(both)), int(rng.random() < 0.5)
    own, other = (second, first) if back else (first, second)
    regions = on(back, pointed(own, i, rng)), on(1 - back, other.record(i))
    answer = f"[The {first.label(i)}]{{1:{other.mask_form}}}."
    return ask(w.filled(FIND_OTHER, rng, OTHER=other.noun), answer, regions, first.object_at(i).kind)


def distance_of(facts: PairFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """How far away an object is that its colour in the picture tells from the others."""
    image, depth, both = _matched(facts)
    assert isinstance(depth, DepthFacts)
    if not both:
        return None
    i = int(rng.choice(both))
    phrase, metres = image.phrase(i, rng), depth.distance_m(i)
    if phrase is None or metres is None:
        return None
    return ask(w.filled(DISTANCE_OF, rng, NAME=phrase), metres_answer(metres), (), f"{metres:.1f}")


IMAGE_AUDIO_TASKS: dict[str, Task] = {
    "source": Task(2.0, source, whole=True),
    "heard": Task(1.0, heard, whole=True),
    "makes_sound": Task(1.0, makes_sound, whole=True),
}
IMAGE_DEPTH_TASKS: dict[str, Task] = {
    "same_thing": Task(1.0, same_thing, whole=True),
    "find_other": Task(1.5, find_other, whole=True),
    "distance_of": Task(1.5, distance_of, whole=True),
}
IMAGE_CLOUD_TASKS: dict[str, Task] = {
    "same_thing": Task(1.0, same_thing, whole=True),
    "find_other": Task(2.0, find_other, whole=True),
}
