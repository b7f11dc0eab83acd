"""How the template parts ask and answer: turns, the form of answers, and the shapes that questions point with."""

from dataclasses import dataclass

from deixis.errors import DataError
from deixis.samples.drawn_shapes import SHAPES

FORMS = ("set", "box", "mask")


@dataclass(frozen=True)
class QuestionOptions:
    """Options that template parts share.

    turns: a conversation has 1 to so many. form: of the answers' places: "box", "mask" where there are masks, or "set",
    as the set means it. point, box, scribble, blob, polygon, mask: how often a question points so, by weight.
    """

    turns: int = 3
    form: str = "set"
    point: float = 0.3
    box: float = 0.3
    scribble: float = 0.15
    blob: float = 0.05
    polygon: float = 0.1
    mask: float = 0.1

    def __post_init__(self) -> None:
        if isinstance(self.turns, bool) or not isinstance(self.turns, int) or self.turns < 1:
            raise DataError(f"turns: expected a whole number from 1, got {self.turns!r}")
        if self.form not in FORMS:
            raise DataError(f"form: expected one of {', '.join(FORMS)}, got {self.form!r}")
        check_weights(self.shapes())

    def shapes(self) -> dict[str, float]:
        """The weight of each shape."""
        return {name: getattr(self, name) for name in SHAPES}


@dataclass(frozen=True)
class DirectionOptions(QuestionOptions):
    """And how often, by weight, a region is asked about (region_in), asked for (region_out), or both."""

    region_in: float = 0.4
    region_out: float = 0.4
    both: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights({"region_in": self.region_in, "region_out": self.region_out, "both": self.both})

    def directions(self) -> dict[str, float]:
        """The weight of each direction: "in", "out", "both"."""
        return {"in": self.region_in, "out": self.region_out, "both": self.both}


def check_weights(weights: dict[str, float]) -> None:
    """Raises DataError unless the weights are numbers from 0 of which one is above it."""
    for name, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
            raise DataError(f"{name}: expected a weight, a number from 0, got {weight!r}")
    if not sum(weights.values()):
        raise DataError(f"{', '.join(weights)}: expected at least one weight above 0, got none")
