"""Which of many samples are shown: some of each task, sampled with a seed, in one pass that holds no others.

Each sample has a pseudo-random number, made of the seed and its id, and the lowest of a task are shown: the same ones
in whatever order they come.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain, zip_longest

from deixis.samples.sample import Sample

MAX_TASKS = 100
"""So many tasks are held; those that are met later are only counted."""
MAX_COMBINATIONS = 20
"""So many combinations of modalities per task are distinguished."""


@dataclass
class _Lowest:
    """The samples with the lowest numbers."""

    heap: list[tuple[int, int, Sample]] = field(default_factory=list)  # negative number, place, sample

    def add(self, number: int, place: int, sample: Sample, count: int) -> None:
        keep = heapq.heappush if len(self.heap) < count else heapq.heappushpop
        keep(self.heap, (-number, place, sample))

    def in_order(self) -> list[Sample]:
        return [sample for *_, sample in sorted(self.heap, key=lambda item: (-item[0], item[1]))]


class Choice:
    """At most `count` samples of each task; the modalities in a task take turns."""

    def __init__(self, count: int, seed: int = 0, task: str | None = None):
        self.count, self.seed, self.task = count, seed, task
        self.seen: dict[str, int] = {}
        """How many samples of each task there were."""
        self.left_out = 0
        """How many samples there were of tasks beyond `MAX_TASKS`."""
        self._lowest: dict[str, dict[str, _Lowest]] = {}

    def add(self, sample: Sample) -> None:
        """Looks at one sample, and holds it as long as it is among those to show."""
        if sample.task not in self.seen and len(self.seen) >= MAX_TASKS:
            self.left_out += 1
            return
        place = self.seen[sample.task] = self.seen.get(sample.task, 0) + 1
        if self.task not in (None, sample.task) or self.count == 0:
            return
        lowest = self._lowest.setdefault(sample.task, {})
        modalities = modalities_of(sample)
        if modalities not in lowest and len(lowest) >= MAX_COMBINATIONS:
            modalities = next(iter(lowest))
        number = int.from_bytes(blake2b(f"{self.seed}\n{sample.id}".encode(), digest_size=8).digest(), "big")
        lowest.setdefault(modalities, _Lowest()).add(number, place, sample, self.count)

    def chosen(self) -> Iterator[tuple[str, list[Sample]]]:
        """(task, its samples to show), the tasks in the order of their names."""
        for task, lowest in sorted(self._lowest.items()):
            rounds = zip_longest(*(lowest[modalities].in_order() for modalities in sorted(lowest)))
            yield task, [sample for sample in chain.from_iterable(rounds) if sample is not None][: self.count]


def modalities_of(sample: Sample) -> str:
    """The modalities of a sample's signals in words, without repeats: "image", "image + audio", "text".

    >>> modalities_of(Sample("a", "s", "talk", "train", ()))
    'text'
    """
    return " + ".join(dict.fromkeys(medium.modality.replace("_", " ") for medium in sample.signals)) or "text"
