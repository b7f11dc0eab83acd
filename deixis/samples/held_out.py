"""Parts samples into those that are trained on and those that are held out: by medium, so that no image is in both."""

from collections import Counter
from collections.abc import Iterator
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
    groups: set[str] = set()
    for _, sample in open_samples(path):
        if isinstance(sample, Sample):
            splits[is_train(sample.split)] += 1
            groups.add(_group(sample))
    if splits[True] and splits[False]:
        chosen = None
    elif len(groups) > 1:
        chosen = set(sorted(groups, key=_digest)[: max(1, round(share * len(groups)))])
    else:
        raise DataError(
            f"{path}: expected samples about at least two media, to train on one and hold one out; got {len(groups)}"
        )
    # a tar holds its media itself, and they cannot be linked to
    ending = ".tar" if any(shard.suffix == ".tar" for shard in shards_of(path)) else ".jsonl"
    paths = folder / (TRAIN + ending), folder / (HELD_OUT + ending)
    parts = (_part(path, chosen, is_held) for is_held in (False, True))
    reports = [write_shard(part, own) for part, own in zip(parts, paths, strict=True)]
    counts = [report.samples for report in reports]
    if not all(counts):
        why = next((f"; the first: {own.why}" for report in reports for own in report.skipped), "")
        raise DataError(f"{path}: expected samples to train on and to hold out, got {counts[0]} and {counts[1]}{why}")
    return Parted(*paths, *counts, tuple(own for report in reports for own in report.skipped))


def _part(path: Path, held_out: set[str] | None, is_held: bool) -> Iterator[Sample]:
    for _, sample in open_samples(path):
        if isinstance(sample, Sample):
            own = not is_train(sample.split) if held_out is None else _group(sample) in held_out
            if own == is_held:
                yield sample


def _group(sample: Sample) -> str:
    return sample.signals[0].id if sample.signals else sample.id


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=8).digest()
