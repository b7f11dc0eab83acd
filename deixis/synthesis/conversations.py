"""How a quota is filled: over the items again and again, one conversation an item a round, while anything is left.

So an even spread results: an image with fifty objects is asked about no oftener than one with five, while both have
something to ask. What is asked is drawn by weights that hold over all turns; where an item lacks a kind, later ones
make up for it. Everything drawn at random is a function of the seed, the part and the item's id.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deixis.datasets.annotated import Annotated
from deixis.errors import DeixisError
from deixis.language.endpoint import STOPS_ALL
from deixis.samples.rng import rng_for
from deixis.samples.sample import Sample, Skipped, Turn
from deixis.synthesis.draft import Draft, QuestionOptions

PULL = 4.0
"""So many turns of a kind too few make the next one e times as likely: shares hold, and no turn tells the next."""
SLACK = 4
"""So many turns one of the groups that are kept even may be ahead of another."""


@dataclass(frozen=True)
class ConversationPlan:
    """What a part asks.

    shares: the weight of each kind of turn. topics: of an item, the topics of each kind, each asked once. turn: made of
    a kind and a topic; it raises ValueError for what cannot be asked. even: the group of each kind, where groups are
    kept even ("yes", "no"). capped: kinds that are never more than their share, though others run out. quoted: kinds
    whose words are the set's, and so its author's. opened: an item with what it takes to ask about it, called once and
    only when its turn has come.
    """

    part: str
    shares: Mapping[str, float]
    topics: Callable[[Annotated, np.random.Generator], dict[str, list]]
    turn: Callable[[Draft, str, Any], Turn]
    even: Mapping[str, str] = field(default_factory=dict)
    capped: frozenset[str] = frozenset()
    quoted: frozenset[str] = frozenset()
    opened: Callable[[Annotated], Annotated] | None = None


def conversations(
    items: Sequence[Annotated], quota: int, seed: str, talk: ConversationPlan, asking: QuestionOptions
) -> Iterator[Sample | Skipped]:
    """At most `quota` samples of the items, and a `Skipped` for each turn that could not be made."""
    balance = Balance(talk.shares, talk.even, talk.capped)
    order = np.argsort([rng_for(seed, talk.part, item.id).random() for item in items], kind="stable")
    waiting = [_Waiting(items[number]) for number in order.tolist()]
    made = 0
    while waiting and made < quota:
        left, moved = [], False
        for item in waiting:
            sample, skipped = item.next(seed, talk, asking, balance)
            yield from skipped
            moved |= sample is not None or bool(skipped)
            if sample is not None:
                yield sample
                made += 1
                if made == quota:
                    return
            if item.has_topics:
                left.append(item)
        if not moved:
            return  # what is left would tip what is kept even
        waiting = left


class Balance:
    """Draws kinds by their shares, the likelier, the more turns of a kind are missing so far."""

    def __init__(self, shares: Mapping[str, float], even: Mapping[str, str] = {}, capped: frozenset[str] = frozenset()):
        total = sum(shares.values())
        self.shares = {kind: share / total for kind, share in shares.items() if share > 0}
        self.even, self.capped = even, capped
        self.counts: Counter[str] = Counter()
        self.groups = Counter(dict.fromkeys(even.values(), 0))

    def draw(self, kinds: Sequence[str], rng: np.random.Generator) -> str | None:
        """One of the kinds; None if each of them has no share, or more than it may have."""
        turns = sum(self.counts.values())
        kinds = [kind for kind in kinds if self._may_come(kind, turns)]
        if not kinds:
            return None
        missing = [self.shares[kind] * turns - self.counts[kind] for kind in kinds]
        most = max(missing)
        weights = [self.shares[k] * math.exp((one - most) / PULL) for k, one in zip(kinds, missing, strict=True)]
        mark = rng.random() * sum(weights)
        for kind, weight in zip(kinds, weights, strict=True):
            mark -= weight
            if mark < 0:
                return kind
        return kinds[-1]

    def _may_come(self, kind: str, turns: int) -> bool:
        if kind not in self.shares:
            return False
        if kind in self.capped and self.counts[kind] > self.shares[kind] * turns:
            return False
        return kind not in self.even or self.groups[self.even[kind]] <= min(self.groups.values()) + SLACK

    def count(self, kind: str) -> None:
        self.counts[kind] += 1
        if kind in self.even:
            self.groups[self.even[kind]] += 1


@dataclass
class _Waiting:
    """An item with what is left to ask of it."""

    item: Annotated
    topics: dict[str, list] | None = None
    round: int = 0

    @property
    def has_topics(self) -> bool:
        return bool(self.topics)

    def next(
        self, seed: str, talk: ConversationPlan, asking: QuestionOptions, balance: Balance
    ) -> tuple[Sample | None, list[Skipped]]:
        """The item's next sample, if it has one."""
        rng = rng_for(seed, talk.part, self.item.id, self.round)
        skipped: list[Skipped] = []
        try:
            if self.topics is None:
                self.item = talk.opened(self.item) if talk.opened else self.item
                found = talk.topics(self.item, rng)
                self.topics = {kind: topics for kind, topics in found.items() if topics and kind in balance.shares}
            draft, turns, is_quoted = Draft(self.item, asking, rng), [], False
        except STOPS_ALL:
            raise
        except (DeixisError, OSError) as error:  # OSError: of the image file
            self.topics = {}
            return None, [Skipped(self.item.id, str(error))]
        for _ in range(int(rng.integers(1, asking.turns + 1))):
            kind = balance.draw(list(self.topics), rng)
            if kind is None:
                break
            topic = self._taken(kind)
            try:
                turns.append(talk.turn(draft, kind, topic))
                balance.count(kind)
                is_quoted |= kind in talk.quoted
            except DeixisError as error:
                skipped.append(Skipped(f"{self.item.id}: {talk.part}", str(error)))
        if not turns:
            return None, skipped
        self.round += 1
        author = self.item.author if is_quoted else "template"
        return _sample(draft, turns, talk.part, self.round - 1, author), skipped

    def _taken(self, kind: str) -> Any:
        assert self.topics, "a kind is drawn from the topics there are"
        topic = self.topics[kind].pop()
        if not self.topics[kind]:
            del self.topics[kind]
        return topic


def _sample(draft: Draft, turns: list[Turn], part: str, number: int, author: str) -> Sample:
    item = draft.item
    return Sample(
        id=f"{item.source}/{part}/{item.id.removeprefix(item.source + '/')}/{number}",
        source=item.source,
        task=part,
        split=item.split,
        turns=tuple(turns),
        signals=item.signals,
        regions=tuple(draft.regions),
        licence=item.licence,
        author=author,
    )


def shuffled(topics: Sequence, rng: np.random.Generator) -> list:
    """The topics in an order drawn at random; they are taken from its end."""
    return [topics[number] for number in rng.permutation(len(topics)).tolist()]
