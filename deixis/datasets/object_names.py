"""What an item says by name: which things bear it, whether all of them are marked, what is surely not there.

Everything that a question must not get wrong about names is decided here: synonyms, parts, groups taken as one, names
that a set does not mark all of. Look-alikes come from hard_negatives.yaml beside this file. It knows no wording.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources

from deixis.datasets.annotated import Annotated, Thing
from deixis.errors import DataError
from deixis.language.english import CACHED_NAMES

_WORD = re.compile(r"[\w'-]+")


@dataclass(frozen=True)
class Names:
    """The names of an item.

    things: the numbers of the things that have a place, by full name ("leg of a dog"). every: names of which surely all
    things are marked one by one. present: all that is or may be there, in lower case: names, synonyms, wholes of parts,
    and names that the set leaves vague. words: of captions and expressions.
    """

    things: Mapping[str, tuple[int, ...]]
    every: frozenset[str]
    present: frozenset[str]
    words: frozenset[str] = field(repr=False)

    def surely_absent(self, name: str) -> bool:
        """Whether a name that the set calls absent is no other word for anything that the item speaks of."""
        low = name.lower()
        if low in self.present or (self.words and set(_words(low)) <= self.words):
            return False
        wider = (present for present in self.present if present.endswith(f" {low}"))
        return all(low in lookalikes(present) for present in wider)  # no "table" beside a dining table


def names_of(item: Annotated) -> Names:
    """The names of an item; things without a name or a place, and groups taken as one, are left out of `things`."""
    things: dict[str, list[int]] = defaultdict(list)
    vague = {name.lower() for name in item.vague}
    grouped: set[str] = set()
    present = set(vague)
    for number, thing in enumerate(item.things):
        if not thing.name:
            continue
        name = thing.full_name
        present |= _all_names(name, thing.name, thing.part_of or "", thing.synonyms)
        if is_single(thing):
            things[name].append(number)
        else:
            grouped.add(name)
    every = frozenset(
        name
        for name, found in things.items()
        if item.complete and name not in grouped and not _is_vague(item, found, vague)
    )
    words = {word for text in item.captions for word in _words(text)}
    words |= {word for expression in item.expressions for word in _words(expression.text)}
    return Names({name: tuple(found) for name, found in things.items()}, every, frozenset(present), frozenset(words))


def is_single(thing: Thing) -> bool:
    """Whether a thing has a name and a place of its own: neither ignored when scored nor a group taken as one."""
    return bool(thing.name) and thing.region is not None and not thing.region.ignore and not thing.region.crowd


def lookalikes(name: str) -> tuple[str, ...]:
    """Names of what looks like the thing of a name and is none, in the order of the file.

    >>> lookalikes("donut")
    ('bagel', 'cake', 'pizza')
    """
    return _lookalikes().get(name.lower(), ())


def lookalike_names() -> list[str]:
    """All names that look-alikes are known of, in the order of the file."""
    return list(_lookalikes())


@cache
def _lookalikes() -> dict[str, tuple[str, ...]]:
    import yaml

    text = resources.files("deixis.datasets").joinpath("hard_negatives.yaml").read_text("utf-8")
    alike: dict[str, dict[str, None]] = defaultdict(dict)
    for number, group in enumerate(yaml.safe_load(text)):
        if len(set(group)) != len(group) or len(group) < 2:
            raise DataError(f"hard_negatives.yaml: [{number}]: expected at least two different names, got {group}")
        for name in group:
            alike[name] |= {other: None for other in group if other != name}
    return {name: tuple(others) for name, others in alike.items()}


def _is_vague(item: Annotated, found: list[int], vague: set[str]) -> bool:
    if not vague:
        return False
    things = (item.things[number] for number in found)
    return any(_all_names(thing.full_name, thing.name, "", thing.synonyms) & vague for thing in things)


@lru_cache(CACHED_NAMES)
def _all_names(full_name: str, name: str, whole: str, synonyms: tuple[str, ...]) -> frozenset[str]:
    return frozenset(each.lower() for each in (full_name, name, whole, *synonyms) if each)


@lru_cache(CACHED_NAMES)
def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.lower()))
