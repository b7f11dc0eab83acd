"""Before a training: what it will train and need, changes of its recipe, and what does not fit."""

import pytest

from deixis.checkpoints.quantization import weight_bytes
from deixis.errors import ConfigError, DataError, UnsupportedError
from deixis.inference import load
from deixis.training.instruct import InstructBatches
from deixis.training.plan import MEASURED_STEPS, check_memory, measure_steps, plan_recipe
from deixis.training.recipe_changes import changed
from tests.toy import toy_model_folder, toy_plan, toy_recipe


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    return folder, toy_model_folder(folder)


def plan_of(model, dtype="float32", **changes):
    return toy_plan(model=None, vocab_size=None, init=str(model[0]), stages=[_stage(**changes)], dtype=dtype)


def _stage(**changes):
    return {**toy_recipe()["stages"][1], "dense_weight": 0.0, **changes}


def test_parameters_and_memory_are_counted_before_weights_are_read(model):
    parts = {"projection": "full", "language_model": "lora"}
    lora = {"rank": 3, "targets": ["q_proj"]}
    (plan,) = plan_recipe(plan_of(model, dtype="bfloat16", bf16=True, parts=parts, lora=lora))
    network = model[1]
    layers = [own for name, own in network.language_model.named_modules() if name.endswith("q_proj")]
    added = sum(3 * (own.in_features + own.out_features) for own in layers)
    assert plan.parts["language_model"].trained == added > 0
    projection = sum(weight.numel() for weight in network.projection.parameters())
    assert plan.parts["projection"].trained == projection
    whole = sum(weight.numel() for weight in network.parameters())
    assert sum(part.weights for part in plan.parts.values()) == whole + added
    assert plan.nbytes == 2 * (whole - projection) + 16 * (projection + added)
    assert (plan.steps, plan.samples) == (4, None)


def test_an_added_expert_is_counted(model):
    (whole,) = plan_recipe(plan_of(model, parts={"projection": "full"}))
    (grown,) = plan_recipe(plan_of(model, parts={"projection": "expert"}))
    expert = sum(weight.numel() for weight in model[1].projection.experts[0].parameters())
    rows = sum(scores[-1].in_features + 1 for scores in model[1].projection.router.values())
    assert grown.parts["projection"].weights == whole.parts["projection"].weights + expert + rows
    assert expert < grown.parts["projection"].trained < whole.parts["projection"].trained


def test_quantized_weights_are_counted_smaller(model):
    parts, (folder, network) = {"language_model": "lora"}, model
    whole, small = (
        plan_recipe(
            toy_plan(model=None, vocab_size=None, init=str(folder), stages=[_stage(parts=parts)], quantization=word)
        )[0]
        for word in (None, "int8")
    )
    quantized = load(folder, device="cpu", dtype="float32", quantization="int8").network
    before = sum(weight.nbytes for weight in network.parameters())
    assert whole.nbytes - small.nbytes == pytest.approx(before - weight_bytes(quantized), rel=0.03)  # and buffers


def test_what_does_not_fit_names_what_to_lower(model):
    plans = plan_recipe(plan_of(model))
    check_memory(plans, plans[0].nbytes)
    check_memory(plans, None)
    with pytest.raises(UnsupportedError, match=r"stage instruct: expected at most 1 MB of memory, .* train .* by lora"):
        check_memory(plans, 1_000_000)
    frozen = plan_recipe(plan_of(model, parts={"projection": "full"}))
    with pytest.raises(UnsupportedError, match="dtype: bfloat16 for weights that are not trained"):
        check_memory(frozen, 100_000)


def test_the_first_steps_are_measured(model, monkeypatch):
    asked = []
    make = InstructBatches.__call__
    monkeypatch.setattr(InstructBatches, "__call__", lambda own, step: (asked.append(step), make(own, step))[1])
    recipe = plan_of(model, steps=9, save_steps=1, report_to=["wandb"])  # which is not installed, and not begun
    measured = measure_steps(recipe, plan_recipe(recipe)[0])
    assert asked == list(range(1 + MEASURED_STEPS))
    assert measured.seconds > 0
    assert measured.peak_bytes is None or measured.peak_bytes > 1e6


def test_stages_that_are_done_are_not_planned(model):
    recipe = plan_of(model, data=[{"path": "gone"}], batch={"data": 1})
    assert plan_recipe(recipe, {"instruct"}) == []
    with pytest.raises(DataError, match="gone"):
        plan_recipe(recipe)


@pytest.mark.parametrize(
    ("change", "path", "value"),
    [
        pytest.param("stages.0.learning_rate=1e-4", ("stages", 0, "learning_rate"), 1e-4, id="number"),
        pytest.param("stages.instruct.steps=7", ("stages", 1, "steps"), 7, id="stage_by_name"),
        pytest.param("stages.1.lora.targets=[a, b]", ("stages", 1, "lora", "targets"), ["a", "b"], id="new"),
        pytest.param("init=a=b", ("init",), "a=b", id="text"),
        pytest.param("seed=null", ("seed",), None, id="none"),
    ],
)  # fmt: skip
def test_a_recipe_is_changed_by_path(change, path, value):
    recipe = toy_recipe()
    found = changed(recipe, [change])
    for name in path:
        found = found[name]
    assert found == value
    assert recipe == toy_recipe()


@pytest.mark.parametrize(
    ("change", "match"),
    [
        pytest.param("stages", "--set: expected PATH=VALUE, as in .*; got 'stages'", id="no_value"),
        pytest.param("stages..x=1", "--set: expected PATH=VALUE", id="empty_name"),
        pytest.param("stages.2.steps=1", "--set stages.2: expected one of dense, instruct; got '2'", id="no_stage"),
        pytest.param("seed.x=1", "--set seed.x: expected fields before .x; got 3", id="no_fields"),
        pytest.param("seed.x.y=1", "--set seed.x: expected fields before .x; got 3", id="deeper"),
        pytest.param("seed=[1", "--set:1: expected YAML", id="no_yaml"),
    ],
)
def test_a_change_that_leads_nowhere_is_refused(change, match):
    with pytest.raises(ConfigError, match=match):
        changed(toy_recipe(), [change])
