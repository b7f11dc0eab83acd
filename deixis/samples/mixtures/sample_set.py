"""A set of samples on disk of which any one can be had by its number, whatever the shards that hold it.

One pass over the shards notes where each sample begins (8 bytes a sample are held); samples are read when asked for.
"""

import logging
import re
from bisect import bisect_right
from itertools import accumulate
from pathlib import Path

import numpy as np

from deixis.errors import DataError, DeixisError
from deixis.samples.sample import Sample
from deixis.samples.shards import entry_sample, shard_form, shards_of
from deixis.samples.skipped import Skipped

logger = logging.getLogger(__name__)
_NUMBERED = re.compile(r"(?P<split>.+)-\d{5,}")


class SampleSet:
    """`samples[n]` is (where, sample) for n below its length: a shard, a folder of them, or a pattern with a star.

    A sample that cannot be read comes as a Skipped; of a shard that is damaged, what comes before the damage is there,
    and the damage is logged. Raises DataError where there is no sample, or where a folder holds shards of several
    splits, of which one must be named ("data/mine/train-*").
    """

    def __init__(self, path: str | Path):
        self.path = str(path)
        self.shards = shards_of(path)
        _check_one_split(self.path, self.shards)
        self._places = [_places(shard) for shard in self.shards]
        self._ends = list(accumulate(len(places) for places in self._places))
        if not len(self):
            raise DataError(f"{path}: expected at least one sample, got none")

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, number: int) -> tuple[str, Sample | Skipped]:
        if not 0 <= number < len(self):
            raise IndexError(f"{self.path}: expected a number below {len(self)}, got {number}")
        index = bisect_right(self._ends, number)
        shard, place = self.shards[index], int(self._places[index][number - self._ends[index]])
        try:
            entry = shard_form(shard).entry(shard, place)
        except (DeixisError, OSError) as error:
            return str(shard), Skipped(str(shard), str(error))
        return entry.where, entry_sample(entry, shard)


def _places(shard: Path) -> np.ndarray:
    found = np.empty(1024, np.int64)
    count = 0
    try:
        for count, place in enumerate(shard_form(shard).places(shard), 1):
            if count > len(found):
                found = np.resize(found, 2 * len(found))
            found[count - 1] = place
    except (DeixisError, OSError) as error:
        logger.warning("%s; the %d samples before that are used", error, count)
    return found[:count].copy()


def _check_one_split(path: str, shards: list[Path]) -> None:
    """Shards named as `deixis data read` names them are of one split: else a model would learn what it is tested on."""
    splits = sorted({match["split"] for shard in shards if (match := _NUMBERED.fullmatch(shard.stem))})
    if len(splits) > 1 and Path(path).is_dir():
        raise DataError(
            f"{path}: expected shards of one split, got {', '.join(splits)}; name one, as in {path.rstrip('/')}/"
            f"{'train' if 'train' in splits else splits[0]}-*"
        )
