"""What a comparison is, as data: variants of one recipe, what is measured, and what a paper found.

A variant is the base recipe with changes as `deixis train --set` takes them, or with some of its stages alone. No
network is built here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deixis.errors import ConfigError
from deixis.evaluation.benchmark import Example
from deixis.geometry import Region, mask_to_box_xyxy
from deixis.training.recipe_changes import changed
from deixis.training.recipe_file import Recipe, parse_recipe

SEED_STRIDE = 10
"""Between the seeds of two trainings: each stage of a recipe has a stream of its own, numbered from the seed on."""
SMALL_PX = 32
"""A small object's longer side at most, in images of 128 px: 8 px where the network sees them at 32 px."""


def _sides_px(example: Example) -> float:
    """The longer side of the region that a question is about; 0 for a point, and where there is none."""
    region = next(iter(example.regions or example.ground_truth.regions), Region(point=(0.0, 0.0)))
    box = region.box if region.mask is None else mask_to_box_xyxy(region.mask_array)
    return 0.0 if box is None else float(max(box[2] - box[0], box[3] - box[1]))


SLICES: Mapping[str, Callable[[Example], bool]] = {
    "by point": lambda example: bool(example.regions) and example.regions[0].point is not None,
    "by box": lambda example: bool(example.regions) and example.regions[0].box is not None,
    "by free form": lambda example: bool(example.regions) and example.regions[0].mask is not None,
    "small": lambda example: 0 < _sides_px(example) <= SMALL_PX,
    "large": lambda example: _sides_px(example) > SMALL_PX,
}
"""Some questions of a task: those whose region has a form, or a size."""


@dataclass(frozen=True)
class Measure:
    """A mean over questions of the generated world: a task and one of its metrics, as `deixis eval world` names them.

    only: a name of `SLICES`; None for all questions of the task.
    """

    task: str
    metric: str
    only: str | None = None

    def __str__(self) -> str:
        return ", ".join(word for word in (self.task, self.metric, self.only) if word is not None)


@dataclass(frozen=True)
class Claim:
    """What a paper found: the variant `better` is above the variant `worse` in each of the measures."""

    better: str
    worse: str
    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class Variant:
    """The base recipe with `changes`, PATH=VALUE in order; stages: only these of it, None for all."""

    changes: tuple[str, ...] = ()
    stages: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Comparison:
    """One comparison. finding: what the paper says, with its numbers. source: where. recipe: plain values.

    beside: measures of the table that no claim is about.
    """

    name: str
    question: str
    finding: str
    source: str
    recipe: Mapping[str, Any]
    variants: Mapping[str, Variant]
    claims: tuple[Claim, ...]
    beside: tuple[Measure, ...] = field(default=())

    @property
    def measures(self) -> tuple[Measure, ...]:
        """All that is measured, each once."""
        return tuple(dict.fromkeys([m for claim in self.claims for m in claim.measures] + list(self.beside)))

    def variant_recipe(self, variant: str, number: int, steps: int | None = None) -> Recipe:
        """The recipe of a variant in its training `number`, from 1.

        steps: of its longest stage, the others in proportion; None as declared. Raises ConfigError where the recipe
        does not fit.
        """
        chosen = self.variants[variant]
        values = changed({**self.recipe, "seed": SEED_STRIDE * number}, chosen.changes)
        if chosen.stages is not None:
            values["stages"] = [stage for stage in values["stages"] if stage["name"] in chosen.stages]
        most = max(stage["steps"] for stage in self.recipe["stages"])
        for stage in values["stages"]:
            stage["steps"] = max(1, round(stage["steps"] * (steps or most) / most))
            stage["warmup_steps"] = min(stage.get("warmup_steps", 0), stage["steps"] // 4)
        recipe = parse_recipe(values, f"{self.name}, {variant}: ")
        if not isinstance(recipe, Recipe):
            raise ConfigError(f"{self.name}: expected a recipe of stages, got one of a classifier")
        return recipe
