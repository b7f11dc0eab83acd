"""Every declared comparison: its recipes parse, differ, and stages fit; what it measures exists; docs list it."""

import re
from pathlib import Path

import pytest

from deixis.ablations import COMPARISONS
from deixis.ablations.answers import Settings
from deixis.ablations.base import only
from deixis.ablations.comparison import SLICES
from deixis.ablations.cost import cost_of, trained_stages
from deixis.evaluation.benchmarks.world.tasks import TASKS
from deixis.options import plain_values
from deixis.systems import system_of
from deixis.training.instruct import OTHER_SCENES, InstructBatches
from deixis.training.plan import network_without_values
from deixis.training.recipe import checked_mixtures
from tests.toy import toy_network, toy_tokenizer

PAGE = (Path(__file__).parents[2] / "docs" / "ablations.md").read_text(encoding="utf-8")
ALL = [pytest.param(own, id=name) for name, own in COMPARISONS.items()]


def signals_of(comparison):
    """The modalities that its networks take: the bundled model's, less those that it is declared without."""
    changed = comparison.recipe["model"].get("signals", {})
    return {name for name in ("image", "audio", "point_cloud") if changed.get(name, {}) is not None}


@pytest.mark.parametrize("comparison", ALL)
def test_variants_are_recipes_that_differ(comparison):
    recipes = {name: comparison.variant_recipe(name, 1) for name in comparison.variants}
    plain = [plain_values(recipe) for recipe in recipes.values()]
    assert all(one != other for number, one in enumerate(plain) for other in plain[:number])
    declared = {stage["name"] for stage in comparison.recipe["stages"]}
    for name, recipe in recipes.items():
        assert {stage.name for stage in recipe.stages} <= declared, name
        batches = {modality for stage in recipe.stages for modality in stage.batch}
        assert batches <= signals_of(comparison), name
    assert comparison.variant_recipe(next(iter(recipes)), 2).seed != recipes[next(iter(recipes))].seed


@pytest.mark.parametrize("comparison", ALL)
def test_what_is_measured_exists(comparison):
    for claim in comparison.claims:
        assert {claim.better, claim.worse} <= comparison.variants.keys()
    assert comparison.claims
    for measure in comparison.measures:
        assert measure.metric in {metric.name for metric in TASKS[measure.task].metrics}
        assert measure.only is None or measure.only in SLICES
        assert TASKS[measure.task].questions.subject in signals_of(comparison)


@pytest.mark.parametrize("comparison", ALL)
def test_steps_keep_their_proportions(comparison):
    for name in comparison.variants:
        whole, few = comparison.variant_recipe(name, 1), comparison.variant_recipe(name, 1, steps=10)
        most = max(stage["steps"] for stage in comparison.recipe["stages"])
        assert [stage.steps for stage in few.stages] == [max(1, round(s.steps * 10 / most)) for s in whole.stages]
        assert all(stage.warmup_steps <= stage.steps for stage in few.stages)


def test_every_variant_can_start():
    """Networks are built without values once for each `model` and `init`; stages are checked against them."""
    networks: dict[str, object] = {}
    for recipe in (own.variant_recipe(name, 1) for own in COMPARISONS.values() for name in own.variants):
        begin = repr((recipe.model, recipe.init))
        if begin not in networks:
            networks[begin] = network_without_values(recipe)
        checked_mixtures(recipe, networks[begin])


def test_a_shared_stage_counts_once():
    comparison = COMPARISONS["reasoning_samples"]
    stages = list(trained_stages(comparison, Settings()))
    assert [stage.name for stage in stages] == ["instruct", "reasoning"]
    assert cost_of(comparison, Settings(seeds=2)).trainings == 2 * len(comparison.variants)


def test_the_page_has_a_row_per_comparison():
    assert re.findall(r"^\| `deixis ablate (\w+)` \|", PAGE, re.MULTILINE) == list(COMPARISONS)


def test_a_scene_without_a_question_of_the_tasks_is_replaced():
    network, processor = toy_network(toy_tokenizer())
    own = (processor, system_of(network.config), {}, {}, {"image": 1})
    batches = InstructBatches(*own, 1, 300, 0, task_weights=only("image", reasoning=1.0))
    facts, asked, _ = batches._asked("image", 11, 1)  # in scene 11 no object is the only one of its use
    assert facts.medium.id == f"world/train/{OTHER_SCENES + 11}/image"
    assert len(asked) == 1
