"""The names in an item's annotations: which objects have a name, whether all are annotated, which names are absent.

Synonyms, parts, crowd regions and incompletely annotated names are resolved here, so that no question about a name can
be wrong. Hard negatives come from hard_negatives.yaml beside this file.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources

from deixis.datasets.annotated import Annotated, Object
from deixis.errors import DataError
from deixis.language.english import CACHED_NAMES

_WORD = re.compile(r"[\w'-]+")


@dataclass(frozen=True)
class Names:
    """The names of an item.

    objects: indices of the objects that have a region, by full name ("leg of a dog"). every: names of which certainly
    every object is annotated individually. present: all that is or may be present, in lower case: names, synonyms,
    wholes of parts, and vague names. words: of captions and expressions.
    """

    objects: Mapping[str, tuple[int, ...]]
    every: frozenset[str]
    present: frozenset[str]
    words: frozenset[str] = field(repr=False)

    def surely_absent(self, name: str) -> bool:
        """Whether a name that the set calls absent is no other word for anything that the item speaks of."""
        low = name.lower()
        if low in self.present or (self.words and set(_words(low)) <= self.words):
            return False
        wider = (present for present in self.present if present.endswith(f" {low}"))
        return all(low in hard_negatives(present) for present in wider)  # no "table" beside a dining table


def names_of(item: Annotated) -> Names:
    """The names of an item; objects without a name or a place, and groups taken as one, are skipped of `objects`."""
    objects: dict[str, list[int]] = defaultdict(list)
    vague = {name.lower() for name in item.vague}
    present: set[str] = set()
    for number, obj in enumerate(item.objects):
        if not obj.name:
            continue
        present |= _all_names(obj.full_name, obj.name, obj.part_of or "", obj.synonyms)
        if is_single(obj):
            objects[obj.full_name].append(number)
        else:  # a group may hold any number, and what is ignored may be one or none
            vague |= {name.lower() for name in obj.names}
    present |= vague
    every = frozenset(name for name, found in objects.items() if item.complete and not _is_vague(item, found, vague))
    words = {word for text in item.captions for word in _words(text)}
    words |= {word for expression in item.expressions for word in _words(expression.text)}
    return Names({name: tuple(found) for name, found in objects.items()}, every, frozenset(present), frozenset(words))


def is_single(obj: Object) -> bool:
    """Whether an object has a name and a place of its own: neither ignored when scored nor a group taken as one."""
    return bool(obj.name) and obj.region is not None and not obj.region.ignore and not obj.region.crowd


def hard_negatives(name: str) -> tuple[str, ...]:
    """Names of what looks like the object of a name and is none, in the order of the file.

    >>> hard_negatives("donut")
    ('bagel', 'cake', 'pizza')
    """
    return _hard_negative_table().get(name.lower(), ())


def names_with_hard_negatives() -> list[str]:
    """All names that hard negatives are known of, in the order of the file."""
    return list(_hard_negative_table())


@cache
def _hard_negative_table() -> dict[str, tuple[str, ...]]:
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
    objects = (item.objects[number] for number in found)
    return any(_all_names(obj.full_name, obj.name, "", obj.synonyms) & vague for obj in objects)


@lru_cache(CACHED_NAMES)
def _all_names(full_name: str, name: str, whole: str, synonyms: tuple[str, ...]) -> frozenset[str]:
    return frozenset(each.lower() for each in (full_name, name, whole, *synonyms) if each)


@lru_cache(CACHED_NAMES)
def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.lower()))
