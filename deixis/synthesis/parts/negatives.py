"""What is not there: names that an image lacks, and names that a region only looks like; as often yes as no.

Spatial negative mining (Ferret, You et al., ICLR 2024, section 3.3). By the image: any name that is surely not in it.
By meaning: a hard negative of a present object ("Is {0} a wolf?" of a dog; "Where is the wolf?"), or a wrong count.
The questions of no and of yes are the same wordings, so that only the image tells.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import no_type_check

import numpy as np

from deixis.datasets.annotated import Annotated
from deixis.datasets.object_names import Names, names_of
from deixis.errors import ConfigError
from deixis.language.english import counted, is_mass, is_plural, name_words
from deixis.options import NonNegative
from deixis.samples.sample import Sample, Skipped, Turn
from deixis.synthesis.absent_names import AbsentNames
from deixis.synthesis.annotators import Annotators
from deixis.synthesis.conversations import ConversationPlan, conversations, shuffled
from deixis.synthesis.draft import Draft, QuestionOptions, weights_of

MAX_THINGS = 12  # of one answer
NAMES_PER_ITEM = 6  # that an item is asked about, of each kind
COUNTS_AWAY = (-1, 1, 2)
EVERY_OF_ONE = 0.25  # so often "every" is asked where there is one


@no_type_check
@dataclass(frozen=True)
class NegativesOptions(QuestionOptions):
    """Options of negatives: how often, by weight, it is asked whether something is there (presence), where it is
    (place), what a region is (region) and how many there are (count); of the names that are not there, the share of
    hard negatives; and the names to draw from, the source's if none are given."""

    presence: NonNegative = 0.3
    place: NonNegative = 0.25
    region: NonNegative = 0.35
    count: NonNegative = 0.1
    alike: float = 0.5
    vocabulary: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.kinds()
        if not 0 <= self.alike <= 1:
            raise ConfigError(f"alike: expected a share from 0 to 1; got {self.alike!r}")

    def kinds(self) -> dict[str, float]:
        """The weight of each kind of turn, half of each question's for yes."""
        kinds: dict[str, float] = {}
        for name, weight in weights_of(self, ("presence", "place", "region", "count")).items():
            kinds[f"{name} yes"] = weight / 2
            if name == "count":
                kinds["count no"] = weight / 2
            else:
                kinds |= {f"{name} no": weight / 2 * (1 - self.alike), f"{name} no alike": weight / 2 * self.alike}
        return kinds


@dataclass(frozen=True)
class Asked:
    """A name to ask about. objects: those of that name, or of `other`, which it is a hard negative of. place: the topic
    whose wordings ask where it is; of absent names drawn from those of the present ones, so that it does not reveal the
    answer."""

    name: str
    objects: tuple[int, ...] = ()
    other: str | None = None
    count: int = 0
    place: str = "objects.some"


def make(
    items: Sequence[Annotated], quota: int, seed: str, annotators: Annotators, options: NegativesOptions
) -> Iterator[Sample | Skipped]:
    """Conversations in which as many answers are no as are yes."""
    kinds = options.kinds()
    talk = ConversationPlan(
        "negatives",
        kinds,
        partial(_topics, AbsentNames(items, options.vocabulary, annotators)),
        _turn,
        even={kind: kind.split()[1] for kind in kinds},
    )
    yield from conversations(items, quota, seed, talk, options)


def _topics(absent: AbsentNames, item: Annotated, rng: np.random.Generator) -> dict[str, list[Asked]]:
    names = names_of(item)
    there = [(name, objects) for name, objects in names.objects.items() if len(objects) <= MAX_THINGS]
    there = shuffled(there, rng)[:NAMES_PER_ITEM]
    missing = absent.names(item, names, 2 * NAMES_PER_ITEM, rng)
    alike = [
        # "only a dog" is said of a name of which all is annotated
        Asked(other, *((objects, name) if name in names.every else ()))
        for name, objects in there
        for other in absent.alike(item, names, name)
    ]
    alike = list({asked.name: asked for asked in shuffled(alike, rng)}.values())[: 2 * NAMES_PER_ITEM]
    yes = [Asked(name, objects, place=_place_topic(item, names, name, rng)) for name, objects in there]
    asked = [one.place for one in yes] or ["objects.where" if item.complete else "objects.some"]
    places = [asked[number] for number in rng.integers(len(asked), size=4 * NAMES_PER_ITEM).tolist()]
    regions = [(name, obj) for name, objects in there for obj in objects if not item.objects[obj].stuff]
    regions = shuffled(regions, rng)[:NAMES_PER_ITEM]
    counts = [yes_ for yes_ in yes if yes_.name in names.every and _is_counted(item, yes_)]
    return {
        "presence yes": yes,
        "presence no": [Asked(name) for name in missing[::2]],
        "presence no alike": alike[::2],
        "place yes": shuffled(yes, rng),
        "place no": [Asked(name, place=places.pop()) for name in missing[1::2]],
        "place no alike": [replace(one, place=places.pop()) for one in alike[1::2]],
        "region yes": [Asked(name, (obj,), name) for name, obj in regions],
        "region no": _of_regions(regions, lambda name: absent.names(item, names, 1, rng), rng),
        "region no alike": _of_regions(regions, lambda name: _kept_apart(absent, item, names, name), rng),
        "count yes": [Asked(one.name, one.objects, count=len(one.objects)) for one in counts if len(one.objects) > 1],
        "count no": [Asked(one.name, one.objects, count=_other_count(len(one.objects), rng)) for one in counts],
    }


def _kept_apart(absent: AbsentNames, item: Annotated, names: Names, name: str) -> list[str]:
    return list(dict.fromkeys([*absent.confusable(names, name), *absent.alike(item, names, name)]))


def _of_regions(regions: list, others: Callable[[str], list[str]], rng: np.random.Generator) -> list[Asked]:
    """Each region with one of the names that it has not, where there are such."""
    found = []
    for name, obj in regions:
        options = others(name)
        if options:
            found.append(Asked(options[int(rng.integers(len(options)))], (obj,), name))
    return shuffled(found, rng)


def _turn(draft: Draft, kind: str, topic: Asked) -> Turn:
    question, is_there = kind.split()[:2]
    if question == "region":
        return _region(draft, topic, is_there)
    if question == "count":
        return _count(draft, topic, is_there)
    stuff = bool(topic.objects) and draft.item.objects[topic.objects[0]].stuff
    values = name_words(topic.name, mass=stuff and topic.other is None)
    several = len(topic.objects) > 1
    if is_there == "yes":
        is_some = topic.place == "objects.some"
        values["total"] = counted(len(topic.objects), topic.name)
        case, objects = "many" if several else "one", topic.objects[:1] if is_some else topic.objects
        if question == "presence":
            return draft.turn("negatives.there", "some" if is_some else case, values, (), [objects])
        return draft.turn(topic.place, case if topic.place == "objects.every" else "one", values, (), [objects])
    values["total"] = ""
    ask = "negatives.there" if question == "presence" else topic.place
    key = "negatives.there" if question == "presence" else "negatives.where"
    if topic.other is not None and not several and draft.chance(0.5):
        values |= name_words(topic.other, "other", stuff)
        return draft.turn(key, "instead", values, (), [topic.objects], ask=ask)
    return draft.turn(key, "none", values, (), [()], ask=ask)


def _place_topic(item: Annotated, names: Names, name: str, rng: np.random.Generator) -> str:
    """The topic that asks where a name is: for some of it, for every one, or for the one that there is."""
    if name not in names.every:
        return "objects.some"
    objects = names.objects[name]
    if item.objects[objects[0]].stuff:  # in a class map several objects of a name are one region
        return "objects.where"
    return "objects.every" if len(objects) > 1 or rng.random() < EVERY_OF_ONE else "objects.where"


def _region(draft: Draft, topic: Asked, is_there: str) -> Turn:
    stuff = draft.item.objects[topic.objects[0]].stuff
    values = name_words(topic.other or topic.name, mass=stuff) | name_words(topic.name, "asked")
    return draft.turn("negatives.region", is_there, values, [draft.asked(topic.objects[0])])


def _count(draft: Draft, topic: Asked, is_there: str) -> Turn:
    there = len(topic.objects)
    values = name_words(topic.name) | {"asked": counted(topic.count, topic.name), "total": counted(there, topic.name)}
    case = "yes" if is_there == "yes" else "many" if there > 1 else "one"
    return draft.turn("negatives.count", case, values, (), [topic.objects])


def _is_counted(item: Annotated, asked: Asked) -> bool:
    return not is_plural(asked.name) and not is_mass(asked.name) and not item.objects[asked.objects[0]].stuff


def _other_count(count: int, rng: np.random.Generator) -> int:
    """A count of at least two that it is not."""
    others = [count + away for away in COUNTS_AWAY if count + away > 1]
    return others[int(rng.integers(len(others)))]
