"""How the template parts ask and answer: turns, the form of answers, and the shapes that questions point with."""

from dataclasses import dataclass
from typing import Any, Literal, no_type_check

from deixis.errors import ConfigError
from deixis.options import Count, NonNegative, check_fields
from deixis.samples.drawn_shapes import SHAPES


@no_type_check
@dataclass(frozen=True)
class QuestionOptions:
    """Options that template parts share.

    turns: a conversation has 1 to so many. form: of the answers' regions: "box", "mask" where there are masks, or
    "set", as the set means it. point, box, scribble, blob, polygon, mask: how often a question points so, by weight.
    """

    turns: Count = 3
    form: Literal["set", "box", "mask"] = "set"
    point: NonNegative = 0.3
    box: NonNegative = 0.3
    scribble: NonNegative = 0.15
    blob: NonNegative = 0.05
    polygon: NonNegative = 0.1
    mask: NonNegative = 0.1

    def __post_init__(self) -> None:
        check_fields(self)
        weights_of(self, SHAPES)

    def shapes(self) -> dict[str, float]:
        """The weight of each shape."""
        return weights_of(self, SHAPES)


@no_type_check
@dataclass(frozen=True)
class DirectionOptions(QuestionOptions):
    """And how often, by weight, a region is asked about (region_in), asked for (region_out), or both."""

    region_in: NonNegative = 0.4
    region_out: NonNegative = 0.4
    both: NonNegative = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.directions()

    def directions(self) -> dict[str, float]:
        """The weight of each direction: "in", "out", "both"."""
        return dict(
            zip(("in", "out", "both"), weights_of(self, ("region_in", "region_out", "both")).values(), strict=True)
        )


def weights_of(options: Any, names: tuple[str, ...]) -> dict[str, float]:
    """The weights with these names. Raises ConfigError unless one of them is above 0."""
    weights = {name: getattr(options, name) for name in names}
    if not any(weights.values()):
        raise ConfigError(f"{', '.join(names)}: expected at least one weight above 0; got none")
    return weights
