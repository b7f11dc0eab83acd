"""Counting in little memory: how often each of many names occurs, and how numbers spread.

Both are exact as long as what they hold is below a cap; beyond it they say that they are not.
"""

import random
from typing import Any

MAX_NAMES = 50_000
MAX_HELD = 20_000


class Tally:
    """How often each name occurs. Names that are met after `cap` others are only counted together, as `others`."""

    def __init__(self, cap: int = MAX_NAMES):
        self.cap, self.counts, self.others = cap, dict[str, int](), 0

    def add(self, name: str, count: int = 1) -> None:
        if name in self.counts or len(self.counts) < self.cap:
            self.counts[name] = self.counts.get(name, 0) + count
        else:
            self.others += count

    @property
    def total(self) -> int:
        return sum(self.counts.values()) + self.others

    def top(self, count: int) -> list[tuple[str, int]]:
        """The most frequent names, the first met first among equals."""
        return sorted(self.counts.items(), key=lambda item: -item[1])[:count]

    @property
    def half(self) -> int:
        """How many names, the most frequent first, make up half of all that was counted."""
        reached, wanted = 0, self.total / 2
        for number, (_, count) in enumerate(self.top(len(self.counts)), 1):
            reached += count
            if reached >= wanted:
                return number
        return len(self.counts)

    def to_json(self, count: int) -> dict[str, Any]:
        """{"total", "names": how many there are, "exact", "others", "top": name -> count}."""
        return {
            "total": self.total,
            "names": len(self.counts),
            "exact": self.others == 0,
            "others": self.others,
            "top": dict(self.top(count)),
        }


class Distribution:
    """How numbers spread: mean and bounds of all, quantiles of a sample of `cap` of them, the same one each time."""

    def __init__(self, cap: int = MAX_HELD):
        self.cap, self.count, self.sum = cap, 0, 0.0
        self.low, self.high = float("inf"), float("-inf")
        self.held: list[float] = []
        self._rng = random.Random(0)

    def add(self, value: float) -> None:
        self.count += 1
        self.sum += value
        self.low, self.high = min(self.low, value), max(self.high, value)
        if len(self.held) < self.cap:
            self.held.append(value)
            return
        place = self._rng.randrange(self.count)  # each number stays with the same chance (Vitter's algorithm R)
        if place < self.cap:
            self.held[place] = value

    @property
    def mean(self) -> float:
        return self.sum / self.count

    def quantile(self, share: float) -> float:
        """The number below which a share of the numbers lies, the nearest one that is there."""
        ordered = sorted(self.held)
        return ordered[round(share * (len(ordered) - 1))]

    def to_json(self) -> dict[str, Any]:
        """{"count"} and, if there is any, {"mean", "min", "p05", "median", "p95", "max", "exact"}."""
        if not self.count:
            return {"count": 0}
        return {
            "count": self.count,
            "mean": self.mean,
            "min": self.low,
            "p05": self.quantile(0.05),
            "median": self.quantile(0.5),
            "p95": self.quantile(0.95),
            "max": self.high,
            "exact": self.count <= self.cap,
        }
