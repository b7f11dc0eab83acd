"""Which part of a mixture each draw comes from, and how many draws the part had before, told from its number alone.

Draws go in cycles. In each cycle every part that is still there is drawn a fixed number of times, in an order of the
cycle's own, so that proportions are exact and no draw has to know the ones before it. When a part is asked for more
than it has, a new segment begins without it: the others keep their proportions. It knows nothing of samples.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import blake2b

import numpy as np
from jaxtyping import Int

from deixis.samples.rng import rng_for

ROUNDS = 6
_WORD = (1 << 64) - 1


class Shuffle:
    """`shuffle[i]` for i below `count`: every number below `count` once, in an order that the words decide.

    >>> sorted(Shuffle(10, 7, "data")[i] for i in range(10))
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """

    def __init__(self, count: int, *words: object):
        self.count = count
        self._bits = max((max(count, 2) - 1).bit_length() + 1, 2) // 2  # of a half
        digest = blake2b("\x1f".join(map(str, words)).encode(), digest_size=8 * ROUNDS).digest()
        self._keys = [int.from_bytes(digest[8 * n : 8 * n + 8], "little") for n in range(ROUNDS)]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> int:
        if not 0 <= place < self.count:
            raise IndexError(f"expected a place below {self.count}, got {place}")
        place = self._permuted(place)
        while place >= self.count:
            place = self._permuted(place)
        return place

    def _permuted(self, number: int) -> int:
        mask = (1 << self._bits) - 1
        left, right = number >> self._bits, number & mask
        for key in self._keys:
            left, right = right, left ^ (_mixed(right ^ key) & mask)
        return left << self._bits | right


def _mixed(word: int) -> int:
    """A word whose bits all depend on all bits of another one (the finaliser of SplitMix64: Steele et al., 2014)."""
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 & _WORD
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB & _WORD
    return word ^ (word >> 31)


LONGEST_CYCLE = 10_000  # draws; proportions that need more are kept to a ten-thousandth


@dataclass(frozen=True)
class Segment:
    """Draws from `start` on, in which the same parts are there. had: how many draws each part had before."""

    start: int
    there: tuple[int, ...]
    had: tuple[int, ...]


class Schedule:
    """Draws 0, 1, 2, ... of parts with these shares.

    limits: how many draws each part has at most; None: any number. leading: how many parts, from the first, decide when
    the schedule ends: with the last of them. length: how many draws there are, None: any number.
    """

    def __init__(self, shares: Sequence[Fraction], limits: Sequence[int | None], leading: int, seed: object):
        self.counts, self.seed = cycle_counts(shares), seed
        self.segments: list[Segment] = []
        self._order: tuple[tuple[int, int], Int[np.ndarray, " draw"]] | None = None
        start, had = 0, [0] * len(shares)
        while True:
            there = tuple(n for n, limit in enumerate(limits) if limit is None or had[n] < limit)
            if not any(n < leading for n in there):
                self.length: int | None = start
                return
            self.segments.append(Segment(start, there, tuple(had)))
            left = {n: limit - had[n] for n, limit in enumerate(limits) if n in there and limit is not None}
            if not left:
                self.length = None
                return
            cycle = min(rest // self.counts[n] for n, rest in left.items())
            drawn = {n: cycle * self.counts[n] for n in there}
            for part in self._cycle(len(self.segments) - 1, cycle).tolist():
                if drawn[part] == left.get(part):
                    break
                drawn[part] += 1
            start += sum(drawn.values())
            had = [count + drawn.get(n, 0) for n, count in enumerate(had)]

    def draw(self, number: int) -> tuple[int, int]:
        """(part, how many draws it had before). Raises IndexError behind the last draw."""
        if number < 0 or (self.length is not None and number >= self.length):
            raise IndexError(f"expected a draw below {self.length}, got {number}")
        index = bisect_right(self.segments, number, key=lambda segment: segment.start) - 1
        segment = self.segments[index]
        cycle, place = divmod(number - segment.start, sum(self.counts[n] for n in segment.there))
        order = self._cycle(index, cycle)
        part = int(order[place])
        before = int(np.count_nonzero(order[:place] == part))
        return part, segment.had[part] + cycle * self.counts[part] + before

    def _cycle(self, index: int, cycle: int) -> Int[np.ndarray, " draw"]:
        """The parts of one cycle of a segment in their order; the last one asked for is kept."""
        if self._order is None or self._order[0] != (index, cycle):
            there = self.segments[index].there
            parts = np.repeat(there, [self.counts[n] for n in there])
            self._order = (index, cycle), rng_for(self.seed, "cycle", index, cycle).permutation(parts)
        return self._order[1]


def cycle_counts(shares: Sequence[Fraction], longest: int = LONGEST_CYCLE) -> list[int]:
    """How often each part is drawn in a cycle: in the ratio of the shares, at least once.

    >>> cycle_counts([Fraction(9), Fraction(3), Fraction(3), Fraction(1)])
    [9, 3, 3, 1]
    >>> cycle_counts([Fraction("0.9"), Fraction("0.1")])
    [9, 1]
    """
    whole = [int(share * math.lcm(*(share.denominator for share in shares))) for share in shares]
    whole = [count // math.gcd(*whole) for count in whole]
    if sum(whole) <= longest:
        return whole
    exact = [share * longest / sum(shares) for share in shares]
    counts = [max(1, int(count)) for count in exact]
    by_rest = sorted(range(len(exact)), key=lambda n: (counts[n] - exact[n], n))
    for n in by_rest[: max(0, longest - sum(counts))]:
        counts[n] += 1
    return counts
