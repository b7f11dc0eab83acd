"""Names of what is surely not in an image, drawn from what its set says or from the names that the set knows.

A set that marks all objects of all its names in every image (COCO, Objects365) lacks a name wherever it marks nothing
of it. One that names for each image what is absent (LVIS: `Annotated.closed` is false), or that marks only some
objects (`Annotated.complete` is false), lacks those names alone. It asks nothing.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from deixis.datasets.annotated import Annotated
from deixis.datasets.object_names import Names, hard_negatives
from deixis.language.nouns import head_noun
from deixis.synthesis.annotator_types import Annotators
from deixis.synthesis.text.hard_negative_names import NAMES_AT_ONCE, hard_negatives_for, is_distinct_name

TRIES = 4  # names drawn for each that is wanted


class AbsentNames:
    """What may be said to be absent from items of one source.

    vocabulary: the names that the source knows; those of the items where none are given.
    """

    def __init__(self, items: Sequence[Annotated], vocabulary: Sequence[str], annotators: Annotators):
        spoken = {obj.full_name for item in items for obj in item.objects if obj.name}
        spoken |= {name for item in items for name in item.absent}
        self.vocabulary = tuple(name for name in (vocabulary or sorted(spoken)) if name)
        self.known = frozenset(self.vocabulary)
        self.by_head: Mapping[str, list[str]] = defaultdict(list)
        for name in self.vocabulary:
            self.by_head[head_noun(name)].append(name)
        self.annotators = annotators
        self.place = {name: number for number, name in enumerate(self.vocabulary)} if annotators.language else {}
        self.written: dict[int, dict[str, list[str]]] = {}

    def names(self, item: Annotated, names: Names, count: int, rng: np.random.Generator) -> list[str]:
        """At most so many names, drawn at random, of what is surely not there."""
        pool = self._pool(item)
        if not pool:
            return []
        drawn = rng.integers(len(pool), size=count * TRIES).tolist()
        found = dict.fromkeys(pool[number] for number in drawn)
        return [name for name in found if names.surely_absent(name)][:count]

    def alike(self, item: Annotated, names: Names, name: str) -> list[str]:
        """Names of what is surely not there and might be taken for an object of this name."""
        allowed = self.known if item.closed and item.complete else frozenset(item.absent)
        siblings = (other for other in self.by_head.get(head_noun(name), ()) if is_distinct_name(other, name))
        found = dict.fromkeys([*self.confusable(names, name), *siblings])
        return [other for other in found if other in allowed and names.surely_absent(other)]

    def confusable(self, names: Names, name: str) -> list[str]:
        """Names that an object of this name surely does not have, although it might be taken for it.

        The object is known, so nothing need be known of the rest of the image.
        """
        found = dict.fromkeys([*hard_negatives(name), *self._written_for(name)])
        return [other for other in found if other.lower() not in names.present]

    def _written_for(self, name: str) -> list[str]:
        """What a language model takes for hard negatives of a name; those of one head noun may be kinds of one object.

        It is asked for names of the vocabulary that stand together, so that every unit of a run asks the same.
        """
        if name not in self.place:
            return []
        block = self.place[name] // NAMES_AT_ONCE
        if block not in self.written:
            asked = self.vocabulary[block * NAMES_AT_ONCE : (block + 1) * NAMES_AT_ONCE]
            self.written[block] = hard_negatives_for(asked, self.annotators)
        return [other for other in self.written[block][name] if head_noun(other) != head_noun(name)]

    def _pool(self, item: Annotated) -> Sequence[str]:
        return self.vocabulary if item.closed and item.complete else item.absent
