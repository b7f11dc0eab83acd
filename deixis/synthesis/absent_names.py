"""Names of what is surely absent from an image, drawn from its annotations or from the names that the set knows.

A set that annotates all objects of all its names in every image (COCO, Objects365) lacks a name wherever it annotates
nothing of it. One that names for each image what is absent (LVIS: `Annotated.closed` is false), or that annotates only
some objects (`Annotated.complete` is false), lacks those names alone. Hard negatives come from a table, from names with
the same head noun, and from a language model where there is one (Ferret, You et al., ICLR 2024).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from deixis.datasets.annotated import Annotated
from deixis.datasets.object_names import Names, hard_negatives
from deixis.errors import DataError
from deixis.language.english import head_noun, same_noun, words_of
from deixis.samples.consistency import shown
from deixis.synthesis.annotators import Annotators, ChatClient
from deixis.synthesis.text.llm_queries import json_object, query_checked
from deixis.synthesis.text.prompts import prompt

TRIES = 4  # names drawn for each that is requested
NAMES_AT_ONCE = 20  # in one request
MOST = 6  # hard negatives of a name
MAX_WORDS = 3  # of a hard negative


class AbsentNames:
    """The names that are surely absent from items of one source.

    vocabulary: the names that the source knows; those of the items where none are given.
    """

    def __init__(self, items: Sequence[Annotated], vocabulary: Sequence[str], annotators: Annotators):
        named = {obj.full_name for item in items for obj in item.objects if obj.name}
        named |= {name for item in items for name in item.absent}
        self.vocabulary = tuple(name for name in (vocabulary or sorted(named)) if name)
        self.known = frozenset(self.vocabulary)
        self.by_head: Mapping[str, list[str]] = defaultdict(list)
        for name in self.vocabulary:
            self.by_head[head_noun(name)].append(name)
        self.annotators = annotators
        self.index_of = {name: number for number, name in enumerate(self.vocabulary)} if annotators.language else {}
        self.generated: dict[int, dict[str, list[str]]] = {}

    def names(self, item: Annotated, names: Names, count: int, rng: np.random.Generator) -> list[str]:
        """At most `count` names, drawn at random, of what is surely absent."""
        pool = self.vocabulary if item.closed and item.complete else item.absent
        if not pool:
            return []
        drawn = rng.integers(len(pool), size=count * TRIES).tolist()
        found = dict.fromkeys(pool[number] for number in drawn)
        return [name for name in found if names.surely_absent(name)][:count]

    def alike(self, item: Annotated, names: Names, name: str) -> list[str]:
        """Names of what is surely absent and might be confused with an object of this name."""
        allowed = self.known if item.closed and item.complete else frozenset(item.absent)
        siblings = (other for other in self.by_head.get(head_noun(name), ()) if is_distinct_name(other, name))
        found = dict.fromkeys([*self.confusable(names, name), *siblings])
        return [other for other in found if other in allowed and names.surely_absent(other)]

    def confusable(self, names: Names, name: str) -> list[str]:
        """Names that an object of this name surely does not have, although it might be confused with them.

        The object is known, so nothing need be known of the rest of the image.
        """
        found = dict.fromkeys([*hard_negatives(name), *self._generated_for(name)])
        return [other for other in found if other.lower() not in names.present]

    def _generated_for(self, name: str) -> list[str]:
        """A language model's hard negatives; without those of the same head noun, which may be kinds of the object."""
        if name not in self.index_of:
            return []
        # Names that stand together in the vocabulary share a request, so that all units of a run send the same ones.
        block = self.index_of[name] // NAMES_AT_ONCE
        if block not in self.generated:
            asked = self.vocabulary[block * NAMES_AT_ONCE : (block + 1) * NAMES_AT_ONCE]
            self.generated[block] = generated_hard_negatives(asked, self.annotators.open("language", "negatives"))
        return [other for other in self.generated[block].get(name, ()) if head_noun(other) != head_noun(name)]


def generated_hard_negatives(names: Sequence[str], ask: ChatClient) -> dict[str, list[str]]:
    """Up to six hard negatives of names by a language model, the best first; only names that it has some for.

    Those are skipped that may be the object itself: its name, a kind of it, a word for more. Errors of
    `deixis.language.endpoint.STOPS_ALL` pass.
    """
    messages = prompt("look_alikes").messages("\n".join(names))
    found, _ = query_checked(ask, messages, partial(_checked, names), "look-alikes")
    return found or {}


def is_distinct_name(other: str, name: str) -> bool:
    """Whether one name is neither the other's, nor of a kind of it, nor of more than it, as far as words tell.

    >>> [is_distinct_name(other, "truck") for other in ("trucks", "fire truck", "bus")]
    [False, False, True]
    >>> is_distinct_name("light", "traffic light"), is_distinct_name("hot dog", "corn dog")
    (False, True)
    """
    one, two = words_of(other), words_of(name)
    if not one or not two or (len(one) == len(two) and all(map(same_noun, one, two))):
        return False
    return not (same_noun(one[-1], two[-1]) and min(len(one), len(two)) == 1)


def _checked(names: Sequence[str], text: str) -> dict[str, list[str]]:
    """The hard negatives of an answer, without those that will not do. Raises DataError if none is left."""
    record = json_object(text, "look_alikes")["look_alikes"]
    if not isinstance(record, dict):
        raise DataError(f"look_alikes: expected an object with a list for each name, got {shown(record)}")
    found = {}
    for name in names:
        others = record.get(name)
        others = (
            [other.strip().lower() for other in others if isinstance(other, str)] if isinstance(others, list) else []
        )
        fit = [other for other in others if 1 <= len(words_of(other)) <= MAX_WORDS and is_distinct_name(other, name)]
        if fit:
            found[name] = list(dict.fromkeys(fit))[:MOST]
    if not found:
        raise DataError(f"look_alikes: expected names of other objects for {shown(names[0])}, got {shown(record)}")
    return found
