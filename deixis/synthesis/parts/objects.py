"""Single objects: a region in and its name out, a name in and all its regions out, or both ways in one turn.

Names are those of the set; other names that are as right are further references of an answer. "Every" is asked of names
of which the set marks all things, else one thing is asked for. (Ferret, You et al., ICLR 2024, section 3.1: individual
objects.)
"""

from collections.abc import Iterator, Sequence

import numpy as np

from deixis.datasets.annotated import Annotated
from deixis.datasets.object_names import names_of
from deixis.language.english import counted, name_words
from deixis.samples.sample import Sample, Turn
from deixis.samples.skipped import Skipped
from deixis.synthesis.asking import Directions
from deixis.synthesis.draft import Draft
from deixis.synthesis.rounds import Talk, conversations, shuffled
from deixis.synthesis.tools import Tools

MAX_THINGS = 20  # of one answer
OTHER_NAMES = 3  # of a thing, that are written as further references
EVERY_OF_ONE = 0.25  # so often "every" is asked where there is one
NONE_ALIKE = 0.3  # so often a thing that is the only one of its name is asked for others

Topic = tuple[str, tuple[int, ...]]
"""What is asked, and the things: "alike" has the asked one first."""


def make(
    items: Sequence[Annotated], quota: int, seed: str, tools: Tools, options: Directions
) -> Iterator[Sample | Skipped]:
    """Conversations about the things of the items."""
    yield from conversations(items, quota, seed, Talk("objects", options.directions(), _topics, _turn), options)


def _topics(item: Annotated, rng: np.random.Generator) -> dict[str, list[Topic]]:
    names = names_of(item)
    things = [number for numbers in names.things.values() for number in numbers]
    out: list[Topic] = []
    both: list[Topic] = [("exact", (number,)) for number in things if not item.things[number].stuff]
    for name, numbers in names.things.items():
        is_stuff = item.things[numbers[0]].stuff
        if name not in names.every:
            out.append(("some", (numbers[int(rng.integers(len(numbers)))],)))
        elif len(numbers) <= MAX_THINGS:
            asks_every = not is_stuff and (len(numbers) > 1 or rng.random() < EVERY_OF_ONE)
            out.append(("every" if asks_every else "where", numbers))
            if not is_stuff and (len(numbers) > 1 or rng.random() < NONE_ALIKE):
                first = int(rng.integers(len(numbers)))
                both.append(("alike", (*numbers[first:], *numbers[:first])))
    return {
        "in": shuffled([("name", (number,)) for number in things], rng),
        "out": shuffled(out, rng),
        "both": shuffled(both, rng),
    }


def _turn(draft: Draft, kind: str, topic: Topic) -> Turn:
    what, things = topic
    first = draft.item.things[things[0]]
    values = name_words(first.full_name, mass=first.stuff)
    if what == "name":
        others = [name_words(name, mass=first.stuff) for name in first.synonyms[:OTHER_NAMES]]
        return draft.turn("objects.name", "one", values, asked=[draft.asked(things[0])], others=others)
    if what == "exact":
        return draft.turn("objects.exact", "one", values, [draft.asked(things[0], hides=True)], [things])
    if what == "alike":
        rest = things[1:]
        values["total"] = counted(len(rest), f"other {first.full_name}")
        case = "none" if not rest else "one" if len(rest) == 1 else "many"
        return draft.turn("objects.alike", case, values, [draft.asked(things[0])], [rest] if rest else [[]])
    values["total"] = counted(len(things), first.full_name)
    return draft.turn(f"objects.{what}", "many" if what == "every" and len(things) > 1 else "one", values, (), [things])
