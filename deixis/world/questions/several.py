"""Questions about several objects of a scene at once, and answers that say why or tell one object from the others.

Answers that compare two regions first say what each of them shows, so that the rest follows from what is written.
One function per task, listed in `SEVERAL_TASKS`, as in `scene`.
"""

from collections.abc import Callable

import numpy as np

from deixis.world.facts import SceneFacts
from deixis.world.objects import KINDS
from deixis.world.questions import wording as w
from deixis.world.questions.draft import Draft, Task, ask, numbered, yes_no
from deixis.world.questions.scene import pointed, some_visible
from deixis.world.scene import SceneObject

Rng = np.random.Generator

ALL = ("Mark all NAMES.", "Segment every NAME.", "Outline all NAMES.", "Show where each NAME is.")
SAME_COLOUR = ("Do {0} and {1} have the same colour?", "Are {0} and {1} of the same colour?")
SAME_KIND = ("Are {0} and {1} the same kind of thing?", "Do {0} and {1} show the same kind of thing?")
LARGER = ("Which is larger, {0} or {1}?", "Is {0} or {1} the larger one?")
DESCRIBE = ("Describe {0} so that it can be found.", "How would you tell {0} from the others?")
WHY = ("What would you USE, and why?", "Mark what you would USE and say why.", "Which thing would you USE? Say why.")
LONG = (
    "A friend has come to visit you and time is short. Both of you look around. Which thing would you USE?",
    "You have thought about it all morning, and now you want to begin. Mark what you would USE.",
    "There are several things in front of you, and only one of them helps. What would you USE?",
)
REASONS: dict[str, str] = {
    "mug": "it holds a hot drink",
    "bottle": "it can be closed",
    "table": "its top is flat and wide",
    "chair": "it has a seat and a back",
    "lamp": "it gives light",
    "hammer": "its head is heavy",
    "ball": "it is round and bounces",
    "tree": "it grows and gives shade",
    "car": "it has wheels",
    "house": "it has a roof and a door",
    "umbrella": "it keeps the rain off",
    "pan": "it gets hot on a stove",
}


def several(facts: SceneFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """All objects of a kind or a colour, of which there are at least two."""
    if facts.barely_visible or (i := some_visible(facts, rng, number)) is None:
        return None
    obj = facts.object_at(i)
    groups = [(obj.kind, facts.matching(obj.kind)), (f"{obj.colour} thing", facts.matching(None, obj.colour))]
    groups = [(what, found) for what, found in groups if len(found) > 1]
    if not groups:
        return None
    what, found = groups[int(rng.integers(len(groups)))]
    question = w.choose(ALL, rng).replace("NAMES", f"{what}s").replace("NAME", what)
    marks = numbered(len(found))
    return ask(question, f"[The {what}s]{{{marks}:{facts.mask_form}}}.", tuple(facts.record(j) for j in found))


def _pair(facts: SceneFacts, rng: Rng, number: int | None, like: Callable[[SceneObject], str]) -> tuple | None:
    """(first, second, whether they are alike): alike with probability 0.5 where the scene has both."""
    if (i := some_visible(facts, rng, number)) is None:
        return None
    wanted, own = bool(rng.random() < 0.5), like(facts.object_at(i))
    others = [j for j in facts.visible if j != i and (like(facts.object_at(j)) == own) == wanted]
    return (i, int(rng.choice(others)), wanted) if others else None


def _compared(facts: SceneFacts, rng: Rng, number: int | None, wording, like, told=str) -> Draft | None:
    if (found := _pair(facts, rng, number, like)) is None:
        return None
    i, j, alike = found
    regions = pointed(facts, i, rng), pointed(facts, j, rng)
    seen = " and ".join(told(like(facts.object_at(k))) for k in (i, j))
    return yes_no(w.choose(wording, rng), alike, regions, seen)


def same_colour(facts: SceneFacts, rng: Rng, number: int | None = None) -> Draft | None:
    return _compared(facts, rng, number, SAME_COLOUR, lambda obj: obj.colour)


def same_kind(facts: SceneFacts, rng: Rng, number: int | None = None) -> Draft | None:
    return _compared(facts, rng, number, SAME_KIND, lambda obj: obj.kind, w.with_article)


def larger(facts: SceneFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """Which of two objects is larger, of a small and a large one."""
    if (found := _pair(facts, rng, number, lambda obj: obj.size)) is None or found[2]:
        return None
    i, j, _ = found
    word = w.ORDINALS[int(facts.object_at(i).scale < facts.object_at(j).scale)]
    regions = pointed(facts, i, rng), pointed(facts, j, rng)
    sizes = " and ".join(facts.object_at(k).size for k in (i, j))
    return ask(w.choose(LARGER, rng), w.sentence(f"{sizes}: the {word}"), regions, word, w.ORDINALS)


def describe(facts: SceneFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """The shortest phrase of size, colour and kind that fits the object alone."""
    if (i := some_visible(facts, rng, number)) is None or (phrase := facts.shortest_phrase(i)) is None:
        return None
    return ask(w.choose(DESCRIBE, rng), f"The {phrase}.", (pointed(facts, i, rng),), phrase)


def reason_why(facts: SceneFacts, rng: Rng, number: int | None = None, wording=WHY, why: bool = True) -> Draft | None:
    """An implicit question about the use of an object, whose answer says what makes it fit."""
    if not (alone := [i for i in facts.alone if number in (None, i)]):
        return None
    i = int(rng.choice(alone))
    obj = facts.object_at(i)
    question = w.filled(wording, rng, USE=w.choose(KINDS[obj.kind].uses, rng))
    answer = f"[The {obj.colour} {obj.kind}]{{0:{facts.mask_form}}}" + (f", as {REASONS[obj.kind]}." if why else ".")
    return ask(question, answer, (facts.record(i),), obj.kind)


def long_reasoning(facts: SceneFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """An implicit question inside a story of several sentences."""
    return reason_why(facts, rng, number, LONG, why=False)


SEVERAL_TASKS: dict[str, Task] = {
    "several": Task(0.8, several),
    "same_colour": Task(0.4, same_colour),
    "same_kind": Task(0.3, same_kind),
    "larger": Task(0.4, larger),
    "describe": Task(0.5, describe),
    "reason_why": Task(0.6, reason_why),
    "long_reasoning": Task(0.5, long_reasoning),
}
