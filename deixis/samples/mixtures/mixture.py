"""Mixtures of sets of samples: parts with weights, epochs and caps, and a share of earlier data, drawn without an end.

    data:
      - {path: out/referring, weight: 9}
      - {path: out/classes/train-*, weight: 3, cap: 20000}
      - {path: out/reasoning, weight: 1, epochs: 5}
    replay: {share: 0.1, data: [{path: out/earlier}]}

Weights are shares of the draws, whatever the sizes of the sets; 9:3:3:1 are LISA's. A part is gone through in an order
of its own, another one each time, every sample once; after `epochs` times it is out, and the others keep their
proportions. `cap`: only so many samples of the part, drawn by chance once, are ever used. `replay` takes its share of
the draws from what was trained on before. The mixture ends when the last part of `data` is out, and never without
`epochs`. Draw k is a function of the seed, the recipe and k alone, and only the samples that are asked for are read.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from deixis.errors import ConfigError
from deixis.samples.mixtures.sample_set import SampleSet
from deixis.samples.mixtures.schedule import Schedule
from deixis.samples.mixtures.shuffle import Shuffle
from deixis.samples.sample import Sample
from deixis.samples.skipped import Skipped

PART_FIELDS = ("path", "weight", "epochs", "cap")
REPLAY_FIELDS = ("share", "data")


@dataclass(frozen=True)
class Part:
    """One set in a mixture. weight: its share, compared with the others'. epochs: how often it is gone through at most.
    cap: how many of its samples are used at most."""

    path: str
    weight: float = 1.0
    epochs: int | None = None
    cap: int | None = None


@dataclass(frozen=True)
class MixtureRecipe:
    """The parts of a mixture; `replay_share` of the draws comes from the parts `replay`."""

    data: tuple[Part, ...]
    replay: tuple[Part, ...] = ()
    replay_share: float = 0.0


def read_mixture(where: str, data: Any, replay: Any = None) -> MixtureRecipe:
    """The recipe of a mixture from the values of a YAML file; nothing is opened.

    Raises ValueError, one sentence that begins with `where`, for what is missing, unknown or wrong.
    """
    parts = _read_parts(f"{where}: data", data)
    if replay is None:
        return MixtureRecipe(parts)
    if not isinstance(replay, dict) or set(replay) != set(REPLAY_FIELDS):
        raise ConfigError(f"{where}: replay: expected the fields {' and '.join(REPLAY_FIELDS)}, got {replay!r}")
    share = replay["share"]
    if not _is_number(share) or not 0 < share < 1:
        raise ConfigError(f"{where}: replay.share: expected a number between 0 and 1, got {share!r}")
    return MixtureRecipe(parts, _read_parts(f"{where}: replay.data", replay["data"]), float(share))


class Mixture:
    """The draws of a recipe. length: how many there are; None where some part of `data` has no `epochs`.

    Raises ValueError, one sentence, where a set is not there or empty.
    """

    def __init__(self, recipe: MixtureRecipe, seed: int):
        self.parts = (*recipe.data, *recipe.replay)
        self.seed = seed
        self.sets = [SampleSet(part.path) for part in self.parts]
        self.sizes = [min(len(own), part.cap or len(own)) for own, part in zip(self.sets, self.parts, strict=True)]
        limits = [part.epochs and part.epochs * size for part, size in zip(self.parts, self.sizes, strict=True)]
        self._schedule = Schedule(_shares(recipe), limits, len(recipe.data), seed)
        self.length = self._schedule.length
        chosen = zip(self.sets, self.parts, strict=True)
        self._chosen = [Shuffle(len(own), seed, n, "cap") if part.cap else None for n, (own, part) in enumerate(chosen)]

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
    shares = []
    for parts, of_all in ((recipe.data, 1 - _exact(recipe.replay_share)), (recipe.replay, _exact(recipe.replay_share))):
        total = sum(_exact(part.weight) for part in parts)
        shares += [_exact(part.weight) / total * of_all for part in parts]
    return shares


def _exact(number: float) -> Fraction:
    """0.1 as a tenth, not as the float next to it."""
    return Fraction(repr(number))


def _read_parts(where: str, parts: Any) -> tuple[Part, ...]:
    if not isinstance(parts, list) or not parts:
        raise ConfigError(f"{where}: expected a list of parts, each with its path, got {parts!r}")
    return tuple(_read_part(f"{where}[{number}]", part) for number, part in enumerate(parts))


def _read_part(where: str, part: Any) -> Part:
    if not isinstance(part, dict) or not isinstance(part.get("path"), str) or not part["path"]:
        raise ConfigError(f"{where}: expected a part with its path, as in {{path: out/mine}}, got {part!r}")
    if unknown := [str(name) for name in part if name not in PART_FIELDS]:
        raise ConfigError(f"{where}: unknown field {unknown[0]!r}, expected {', '.join(PART_FIELDS)}")
    weight = part.get("weight", 1.0)
    if not _is_number(weight) or not 0 < weight < float("inf"):
        raise ConfigError(f"{where}.weight: expected a number above 0, got {weight!r}")
    for name in ("epochs", "cap"):
        value = part.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise ConfigError(f"{where}.{name}: expected a whole number from 1, got {value!r}")
    return Part(part["path"], float(weight), part.get("epochs"), part.get("cap"))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
