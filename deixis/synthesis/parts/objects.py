"""Single objects: a region in and its name out, a name in and all its regions out, or both ways in one turn.

Names are those of the set; synonyms become further references of an answer. "Every" is asked for names that the set
annotates completely, else one object is asked for. (Ferret, You et al., ICLR 2024, section 3.1: individual objects.)
"""

from collections.abc import Iterator, Sequence

import numpy as np

from deixis.datasets.annotated import Annotated
from deixis.datasets.object_names import names_of
from deixis.language.english import counted, name_words
from deixis.samples.sample import Sample, Skipped, Turn
from deixis.synthesis.annotators import Annotators
from deixis.synthesis.conversations import ConversationPlan, conversations, shuffled
from deixis.synthesis.draft import DirectionOptions, Draft

MAX_THINGS = 20  # of one answer
OTHER_NAMES = 3  # of an object, that are written as further references
EVERY_OF_ONE = 0.25  # so often "every" is asked where there is one
NONE_ALIKE = 0.3  # so often an object that is the only one of its name is asked for others

Topic = tuple[str, tuple[int, ...]]
"""What is asked, and the objects: "alike" has the asked one first."""


def make(
    items: Sequence[Annotated], quota: int, seed: str, annotators: Annotators, options: DirectionOptions
) -> Iterator[Sample | Skipped]:
    """Conversations about the objects of the items."""
    yield from conversations(
        items, quota, seed, ConversationPlan("objects", options.directions(), _topics, _turn), options
    )


def _topics(item: Annotated, rng: np.random.Generator) -> dict[str, list[Topic]]:
    names = names_of(item)
    objects = [number for numbers in names.objects.values() for number in numbers]
    out: list[Topic] = []
    both: list[Topic] = [("exact", (number,)) for number in objects if not item.objects[number].stuff]
    for name, numbers in names.objects.items():
        is_stuff = item.objects[numbers[0]].stuff
        if name not in names.every:
            out.append(("some", (numbers[int(rng.integers(len(numbers)))],)))
        elif len(numbers) <= MAX_THINGS:
            asks_every = not is_stuff and (len(numbers) > 1 or rng.random() < EVERY_OF_ONE)
            out.append(("every" if asks_every else "where", numbers))
            if not is_stuff and (len(numbers) > 1 or rng.random() < NONE_ALIKE):
                first = int(rng.integers(len(numbers)))
                both.append(("alike", (*numbers[first:], *numbers[:first])))
    return {
        "in": shuffled([("name", (number,)) for number in objects], rng),
        "out": shuffled(out, rng),
        "both": shuffled(both, rng),
    }


def _turn(draft: Draft, kind: str, topic: Topic) -> Turn:
    what, objects = topic
    first = draft.item.objects[objects[0]]
    values = name_words(first.full_name, mass=first.stuff)
    if what == "name":
        others = [name_words(name, mass=first.stuff) for name in first.synonyms[:OTHER_NAMES]]
        return draft.turn("objects.name", "one", values, asked=[draft.asked(objects[0])], others=others)
    if what == "exact":
        return draft.turn("objects.exact", "one", values, [draft.asked(objects[0], hides=True)], [objects])
    if what == "alike":
        rest = objects[1:]
        values["total"] = counted(len(rest), f"other {first.full_name}")
        case = "none" if not rest else "one" if len(rest) == 1 else "many"
        return draft.turn("objects.alike", case, values, [draft.asked(objects[0])], [rest] if rest else [[]])
    values["total"] = counted(len(objects), first.full_name)
    return draft.turn(
        f"objects.{what}", "many" if what == "every" and len(objects) > 1 else "one", values, (), [objects]
    )
