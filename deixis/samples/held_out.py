"""Parts samples into those that are trained on and those that are held out: by medium, so that no image is in both."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from deixis.errors import DataError
from deixis.samples.sample import Sample, Skipped, is_train
from deixis.samples.shards import open_samples, shards_of, write_shard

TRAIN, HELD_OUT = "train-00000", "val-00000"
"""The shards that are written."""


@dataclass(frozen=True)
class Parted:
    """The shards of the two parts, how many samples each has, and what was skipped."""

    train: Path
    held_out: Path
    train_samples: int
    held_out_samples: int
    skipped: tuple[Skipped, ...]


def part_samples(path: Path, folder: Path, share: float) -> Parted:
    """Writes the samples of a shard or a folder of shards as two shards into `folder`, their media linked.

    Where some samples are of another split than train ("val", "test"), these are held out; else `share` of the media
    (at least one), chosen by the digest of their ids, with all samples about them. Raises DataError where one of the
    two would be empty.
    """
    splits: Counter[bool] = Counter()
    groups = _Groups()
    skipped: list[Skipped] = []
    for _, sample in open_samples(path):
        if isinstance(sample, Skipped):
            skipped.append(sample)
        else:
            splits[is_train(sample.split)] += 1
            groups.add(sample)
    if splits[True] and splits[False]:
        chosen = None
    elif len(names := groups.names()) > 1:
        chosen = set(sorted(names, key=_digest)[: max(1, round(share * len(names)))])
    else:
        raise DataError(
            f"{path}: expected samples about at least two media, to train on one and hold one out; got {len(names)}"
        )
    # a tar holds its media itself, and they cannot be linked to
    ending = ".tar" if any(shard.suffix == ".tar" for shard in shards_of(path)) else ".jsonl"
    paths = folder / (TRAIN + ending), folder / (HELD_OUT + ending)
    held_out = None if chosen is None else lambda sample: groups.name(sample) in chosen
    parts = (_part(path, held_out, is_held) for is_held in (False, True))
    reports = [write_shard(part, own) for part, own in zip(parts, paths, strict=True)]
    counts = [report.samples for report in reports]
    skipped += [own for report in reports for own in report.skipped]
    if not all(counts):
        why = f"; the first that was skipped: {skipped[0].why}" if skipped else ""
        raise DataError(f"{path}: expected samples to train on and to hold out, got {counts[0]} and {counts[1]}{why}")
    return Parted(*paths, *counts, tuple(skipped))


def _part(path: Path, held_out: Callable[[Sample], bool] | None, is_held: bool) -> Iterator[Sample]:
    for _, sample in open_samples(path):
        if isinstance(sample, Sample):
            own = not is_train(sample.split) if held_out is None else held_out(sample)
            if own == is_held:
                yield sample


class _Groups:
    """Samples that share a medium, over others too, are of one group; its name is the least of its media."""

    def __init__(self) -> None:
        self._lower: dict[str, str] = {}  # a medium -> a lower one of its group, or itself

    def add(self, sample: Sample) -> None:
        roots = sorted({self._root(name) for name in _media(sample)})
        self._lower |= dict.fromkeys(roots, roots[0])

    def name(self, sample: Sample) -> str:
        return self._root(_media(sample)[0])

    def names(self) -> set[str]:
        return {name for name, lower in self._lower.items() if name == lower}

    def _root(self, name: str) -> str:
        while self._lower.setdefault(name, name) != name:
            name = self._lower[name]
        return name


def _media(sample: Sample) -> list[str]:
    return [medium.id for medium in sample.signals] or [sample.id]


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=8).digest()
