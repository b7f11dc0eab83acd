"""Parts samples into training, validation and test: by medium, so that no image is in two of them."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from deixis.errors import DataError
from deixis.samples.sample import Sample, Skipped, is_train
from deixis.samples.shards import open_samples, shards_of, write_shard

TRAIN, VALIDATION, TEST = "train", "validation", "test"
LEFT_OUT = "left out"
MIN_GROUPS = 10
"""Of media to train on, so that some of them can be set aside for validation."""


@dataclass(frozen=True)
class Parted:
    """The shard and the number of samples of each part, by name, and what was skipped; `validation` may be missing.

    left_out: how many samples for training are about media that are in the test too.
    """

    shards: dict[str, Path]
    counts: dict[str, int]
    left_out: int
    skipped: tuple[Skipped, ...]


def part_samples(path: Path, folder: Path, share: float, with_validation: bool = True) -> Parted:
    """Writes the samples of a shard or a folder of shards as shards of their parts into `folder`, their media linked.

    Where some samples are of another split than train ("val", "test"), these are the test, and samples for training
    about the same media are left out; else `share` of the media (at least one), chosen by the digest of their ids, with
    all samples about them. Of what is left, where it is about ten media or more, `share` (at most a fifth) are for
    validation, if it is wanted. Raises DataError where training or test would be empty.
    """
    splits: Counter[bool] = Counter()
    every, of_train = _Groups(), _Groups()
    skipped: list[Skipped] = []
    tested: set[str] = set()  # media
    for _, sample in open_samples(path):
        if isinstance(sample, Skipped):
            skipped.append(sample)
        else:
            splits[is_train(sample.split)] += 1
            every.add(sample)
            if is_train(sample.split):
                of_train.add(sample)
            else:
                tested.update(_media(sample))
    has_splits = bool(splits[True] and splits[False])
    groups = of_train if has_splits else every
    chosen = _chosen(groups.names(), share, has_splits, with_validation, path)

    def part_of(sample: Sample) -> str:
        if has_splits and not is_train(sample.split):
            return TEST
        if has_splits and not tested.isdisjoint(_media(sample)):
            return LEFT_OUT
        return chosen.get(groups.name(sample), TRAIN)

    names = [name for name in (TRAIN, VALIDATION, TEST) if name != VALIDATION or VALIDATION in chosen.values()]
    # a tar holds its media itself, and they cannot be linked to
    ending = ".tar" if any(shard.suffix == ".tar" for shard in shards_of(path)) else ".jsonl"
    shards = {name: folder / f"{name}-00000{ending}" for name in names}
    reports = {name: write_shard(_of(path, part_of, name), shard) for name, shard in shards.items()}
    counts = {name: report.samples for name, report in reports.items()}
    skipped += [own for report in reports.values() for own in report.skipped]
    if not (counts[TRAIN] and counts[TEST]):
        why = f"; the first that was skipped: {skipped[0].why}" if skipped else ""
        raise DataError(
            f"{path}: expected samples to train on and to hold out, got {counts[TRAIN]} and {counts[TEST]}{why}"
        )
    left_out = sum(1 for _ in _of(path, part_of, LEFT_OUT)) if has_splits else 0
    return Parted(shards, counts, left_out, tuple(skipped))


def _chosen(names: set[str], share: float, has_splits: bool, with_validation: bool, path: Path) -> dict[str, str]:
    """The part of each group that is not trained on."""
    if not has_splits and len(names) < 2:
        raise DataError(
            f"{path}: expected samples about at least two media, to train on one and hold one out; got {len(names)}"
        )
    ordered = sorted(names, key=_digest)
    count = max(1, round(share * len(ordered)))
    tests = 0 if has_splits else count
    left = len(ordered) - tests
    validations = max(1, min(count, left // 5)) if with_validation and left >= MIN_GROUPS else 0
    parts = [TEST] * tests + [VALIDATION] * validations
    return dict(zip(ordered, parts, strict=False))


def _of(path: Path, part_of: Callable[[Sample], str], name: str) -> Iterator[Sample]:
    for _, sample in open_samples(path):
        if isinstance(sample, Sample) and part_of(sample) == name:
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
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
