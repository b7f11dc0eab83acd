"""Mixtures of sets of samples: parts with weights, epochs and caps, and a share of earlier data, drawn without an end.

    data:
      - {path: out/referring, weight: 9}
      - {path: out/classes/train-*, weight: 3, cap: 20000}
      - {path: out/reasoning, weight: 1, epochs: 5}
    replay: {share: 0.1, data: [{path: out/earlier}]}

Weights are shares of the draws, whatever the sizes of the sets; 9:3:3:1 are LISA's. Each epoch goes through a part in
an order of its own, every sample once; after its last epoch the others keep their proportions. `cap`: only so many
samples of the part, drawn at random once, are ever used. `replay` takes its share of the draws from earlier data.
The mixture ends with the last part of `data`, and never without `epochs`. Draw k is a function of the seed, the recipe
and k alone, and only the samples that are requested are read.
"""

import logging
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any, no_type_check

import numpy as np

from deixis.errors import ConfigError, DataError, DeixisError
from deixis.options import Bounds, Checked, Count, Positive, read_options
from deixis.samples.mixtures.schedule import Schedule, Shuffle
from deixis.samples.sample import Sample, Skipped
from deixis.samples.shards import entry_sample, shard_form, shards_of

logger = logging.getLogger(__name__)
KEPT_SHARDS = 4_096
"""Whose places are kept for the next set that has them; eight bytes a sample."""
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
    """Where the samples of a shard begin; read once for as long as the file is the same, as several ask for them."""
    try:
        own = shard.stat()
        return _read_places(shard, own.st_ino, own.st_size, own.st_mtime_ns)
    except OSError:  # reading it says what is wrong
        return _read_places(shard, 0, 0, 0)


@lru_cache(maxsize=KEPT_SHARDS)
def _read_places(shard: Path, *state: int) -> np.ndarray:
    """state: what differs once the file does."""
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


@no_type_check
@dataclass(frozen=True)
class Part(Checked):
    """One set in a mixture. Raises ConfigError: a field does not fit."""

    path: str
    """A folder, a shard, or a name with a star for one split."""
    weight: Positive = 1.0
    """Its share of the draws, relative to the other parts."""
    epochs: Count | None = None
    """How often it is gone through at most."""
    cap: Count | None = None
    """How many of its samples are used at most."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.path:
            raise ConfigError("path: expected a set of samples, as in {path: out/mine}; got ''")


@no_type_check
@dataclass(frozen=True)
class Replay(Checked):
    """Earlier data that `share` of the draws comes from. Raises ConfigError: a field does not fit."""

    share: Annotated[float, Bounds(above=0, below=1)]
    data: tuple[Part, ...]

    @classmethod
    def of(cls, values: Any, where: str) -> "Replay":
        """The replay in the plain values of a file. Raises ConfigError that begins with `where`."""
        if isinstance(values, Mapping) and "data" in values:
            values = {**values, "data": read_parts(f"{where}.data", values["data"])}
        return read_options(cls, values, f"{where}.")


@dataclass(frozen=True)
class MixtureRecipe:
    """The parts of a mixture, and the replay of earlier data beside them."""

    data: tuple[Part, ...]
    replay: Replay | None = None


def read_parts(where: str, parts: Any) -> tuple[Part, ...]:
    """The parts in the plain values of a file; nothing is opened. Raises ConfigError that begins with `where`."""
    if not isinstance(parts, list) or not parts:
        raise ConfigError(f"{where}: expected a list of parts, each with its path; got {parts!r}")
    return tuple(read_options(Part, part, f"{where}[{number}].") for number, part in enumerate(parts))


class Mixture:
    """The draws of a recipe. length: how many there are; None where some part of `data` has no `epochs`.

    Raises DataError where a set is not there or empty.
    """

    def __init__(self, recipe: MixtureRecipe, seed: int):
        self.parts = (*recipe.data, *(recipe.replay.data if recipe.replay else ()))
        self.seed = seed
        self.sets = [SampleSet(part.path) for part in self.parts]
        self.sizes = [min(len(own), part.cap or len(own)) for own, part in zip(self.sets, self.parts, strict=True)]
        limits = [part.epochs and part.epochs * size for part, size in zip(self.parts, self.sizes, strict=True)]
        self._schedule = Schedule(_shares(recipe), limits, len(recipe.data), seed)
        self.length = self._schedule.length
        # Which samples a cap leaves is drawn once, apart from the order of each epoch.
        capped = enumerate(zip(self.sets, self.parts, strict=True))
        self._chosen = [Shuffle(len(own), seed, n, "cap") if part.cap else None for n, (own, part) in capped]

    def draw(self, number: int) -> tuple[int, int]:
        """(part, which of its draws) of draw `number`. Raises IndexError behind the last."""
        return self._schedule.draw(number)

    def sample(self, part: int, turn: int, ahead: int = 0) -> tuple[str, Sample | Skipped]:
        """(where, sample) of a part's draw number `turn`, or the one that is so far ahead in the order of that time
        through the part; what cannot be read comes as a Skipped."""
        epoch, place = divmod(turn, self.sizes[part])
        place = (place + ahead) % self.sizes[part]
        number = Shuffle(self.sizes[part], self.seed, part, epoch)[place]
        chosen = self._chosen[part]
        return self.sets[part][number if chosen is None else chosen[number]]

    def __getitem__(self, number: int) -> tuple[str, Sample | Skipped]:
        """(where, sample) of draw `number`."""
        return self.sample(*self.draw(number))


def _shares(recipe: MixtureRecipe) -> list[Fraction]:
    """The share of each part of the draws, exactly as the recipe writes it."""
    shares: list[Fraction] = []
    replay, share = (recipe.replay.data, _exact(recipe.replay.share)) if recipe.replay else ((), Fraction(0))
    for parts, of_all in ((recipe.data, 1 - share), (replay, share)):
        total = sum(_exact(part.weight) for part in parts)
        shares += [_exact(part.weight) / total * of_all for part in parts]
    return shares


def _exact(number: float) -> Fraction:
    """0.1 as a tenth, not as the float next to it."""
    return Fraction(repr(number))
