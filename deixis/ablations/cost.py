"""What a comparison trains and how long that takes, estimated before it begins."""

from collections.abc import Iterator
from dataclasses import dataclass

from deixis.ablations.answers import Settings
from deixis.ablations.base import QUESTION_S, SECONDS, START_S
from deixis.ablations.comparison import Comparison
from deixis.training.recipe_file import Recipe, Stage


@dataclass(frozen=True)
class Cost:
    """trainings: of all variants and seeds. steps: in all of them; a stage that two variants share counts once."""

    trainings: int
    steps: int
    minutes: float


def cost_of(comparison: Comparison, settings: Settings) -> Cost:
    """The estimated cost of a whole run, on one thread of a CPU."""
    stages = list(trained_stages(comparison, settings))
    seconds = sum((stage.steps or 0) * sum(stage.batch.values()) * SECONDS[stage.task] for stage in stages)
    tasks = {measure.task for measure in comparison.measures}
    trainings = len(comparison.variants)
    seconds += trainings * (START_S + len(tasks) * settings.questions * QUESTION_S)
    steps = sum(stage.steps or 0 for stage in stages)
    return Cost(settings.seeds * trainings, settings.seeds * steps, settings.seeds * seconds / 60)


def trained_stages(comparison: Comparison, settings: Settings) -> Iterator[Stage]:
    """The stages of one seed, each that two variants share once."""
    done: list[Recipe] = []
    for name in comparison.variants:
        recipe = comparison.variant_recipe(name, 1, settings.steps)
        shared = max((shared_stages(recipe, other) for other in done), default=0)
        yield from recipe.stages[shared:]
        done.append(recipe)


def shared_stages(recipe: Recipe, other: Recipe) -> int:
    """How many of the first stages two recipes have alike, so that one training of them serves both."""
    if (recipe.model, recipe.init, recipe.seed) != (other.model, other.init, other.seed):
        return 0
    pairs = list(zip(recipe.stages, other.stages, strict=False))
    return next((number for number, (stage, same) in enumerate(pairs) if stage != same), len(pairs))
