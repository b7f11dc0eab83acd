"""Recipes: an error in one is reported in one sentence, and every shipped one builds and runs in tiny sizes."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from deixis.conversation import render
from deixis.conversation.batch import Row, collate, mask_targets
from deixis.errors import ConfigError
from deixis.files.yaml_text import read_yaml
from deixis.geometry import Extent, Region
from deixis.model import DeixisConfig
from deixis.model.masks.cells import mask_cells
from deixis.options import plain_values
from deixis.samples.media import media_reference
from deixis.samples.sample import Sample, Turn
from deixis.signals import Signal, open_signal
from deixis.systems.deixis.preset import union_config
from deixis.training import recipe as recipes
from deixis.training.recipe import train
from deixis.training.recipe_file import DenseStage, InstructStage, Recipe, parse_recipe, read_recipe
from deixis.training.start import dense_heads, start_model
from deixis.world.generate import task_weights
from tests.model.test_union import EXAMPLES
from tests.systems.test_presets import TOY_UNION
from tests.toy import SAM_SIZES, SIZES, toy_audio, toy_plan, toy_recipe

FOLDER = Path(__file__).parents[2] / "recipes"
PAPERS = ("onellm", "ferret", "lisa", "union")  # tested at toy sizes in test_paper_recipes
ELSEWHERE = (*PAPERS, "pointmlp", "finetune", "grit")  # of classifiers, of samples on disk, of region data
SHIPPED = sorted(path for path in FOLDER.glob("*.yaml") if not path.stem.startswith(ELSEWHERE))


@pytest.fixture(autouse=True)
def few_words(monkeypatch):
    """The tokenizer learns from two scenes instead of very many."""
    monkeypatch.setattr("deixis.training.new_model.TEXT_SIGNALS", 6)


def written(tmp_path, recipe):
    path = tmp_path / "toy.yaml"
    path.write_text(recipe if isinstance(recipe, str) else yaml.safe_dump(recipe))
    return path


def with_instruct(**changes):
    return toy_recipe(stages=[{**toy_recipe()["stages"][1], **changes}])


def with_stage(**changes):
    stage = {**toy_recipe()["stages"][0], **changes}
    return toy_recipe(stages=[{name: value for name, value in stage.items() if value is not None}])


@pytest.mark.parametrize(
    ("recipe", "match"),
    [
        pytest.param("", "expected a recipe with `stages` and `model` or `init`", id="empty"),
        pytest.param("a: [1", "toy.yaml:1: expected YAML; ", id="no_yaml"),
        pytest.param("- 1", "expected a recipe", id="a_list"),
        pytest.param({"sources": {}, "parts": []}, "got one of region data, for deixis data build", id="region_data"),
        pytest.param(toy_recipe(model=None), "stages` and `model` or `init`", id="no_model"),
        pytest.param(toy_recipe(init="bundled"), "or a trained model in `init`; got both", id="both"),
        pytest.param(
            toy_recipe(modle={}),
            "toy.yaml: modle: unknown field; known are .*; did you mean 'model'",
            id="unknown_field",
        ),
        pytest.param(toy_recipe(stages=None), "stages: expected a list of at least one stage", id="no_stages"),
        pytest.param(toy_recipe(stages=[]), "stages: expected a list of at least one stage", id="empty_stages"),
        pytest.param(toy_recipe(stages=["dense"]), "stages: expected a list of at least one stage", id="words"),
        pytest.param(toy_recipe(seed="x"), "seed: expected a whole number from 0; got 'x'", id="seed"),
        pytest.param(toy_recipe(model=[1]), "model: expected text or fields with values", id="a_list_of_sizes"),
        pytest.param(
            toy_recipe(model={"projecton": {}}),
            "model.projecton: unknown field; .*did you mean 'projection'",
            id="model_field",
        ),
        pytest.param(with_stage(name=None), "stage None: name: expected text; got none", id="no_name"),
        pytest.param(
            with_stage(name="a/b"), "stage a/b: name: expected a name fit for a folder; got 'a/b'", id="path_as_name"
        ),
        pytest.param(
            with_instruct(parts={}), "parts: expected at least one of encoder, .* to train; got none", id="no_parts"
        ),
        pytest.param(
            with_instruct(tasks={"absense": 2.0}), "tasks.absense: unknown field; .*mean 'absence'", id="task"
        ),
        pytest.param(
            with_instruct(tasks=dict.fromkeys(task_weights("audio"), 0.0), batch={"audio": 1}),
            "tasks: expected a task of audio with a weight above 0; got none",
            id="no_tasks",
        ),
        pytest.param(
            with_instruct(learning_rates={"mask": 1e-4}),
            "learning_rates.mask: unknown field; .*did you mean 'masks'",
            id="rate_of_no_part",
        ),
        pytest.param(
            toy_recipe(stages=toy_recipe()["stages"][:1] * 2),
            "stages: expected a name per stage .*got 'dense' twice",
            id="twice",
        ),
        pytest.param(
            with_stage(task="dnse"), "stage dense: task: .*dense, instruct; got 'dnse'; did you mean 'dense'", id="task"
        ),
        pytest.param(with_stage(step=3), "stage dense: step: unknown field; .*did you mean 'steps'", id="stage_field"),
        pytest.param(
            with_stage(steps=None), "stage dense: steps: expected a whole number from 1; got none", id="no_steps"
        ),
        pytest.param(with_stage(steps=0), "stage dense: steps: expected a whole number from 1; got 0", id="no_step"),
        pytest.param(with_stage(steps=2.5), "stage dense: steps: expected a whole number from 1; got 2.5", id="half"),
        pytest.param(
            with_stage(learning_rate="1e-3"),
            "learning_rate: expected a number from 0; got '1e-3'; YAML requires 1.0e-3 for 1e-3",
            id="a_number_that_yaml_reads_as_a_word",
        ),
        pytest.param(with_stage(bf16="yes"), "bf16: expected true or false; got 'yes'", id="switch"),
        pytest.param(
            with_stage(schedule="cosin"),
            "schedule: expected one of linear, .*; got 'cosin'; did you mean 'cosine'",
            id="schedule",
        ),
        pytest.param(with_stage(batch=None), "batch: expected fields with values; got none", id="no_batch"),
        pytest.param(with_stage(batch={"smell": 1}), "batch.smell: unknown field; known are image, ", id="kind"),
        pytest.param(
            with_stage(batch={"pair": 1}),
            "batch.pair: unknown field; known are image, ",
            id="pairs_are_asked",
        ),
        pytest.param(
            with_stage(batch={"image": 0}), "batch.image: expected a whole number from 1; got 0", id="none_of_a_kind"
        ),
        pytest.param(
            with_stage(batch={"image": "2"}), "batch.image: expected a whole number from 1; got '2'", id="word"
        ),
    ],
)
def test_a_wrong_recipe_is_refused(tmp_path, recipe, match):
    with pytest.raises(ValueError, match=match):
        read_recipe(written(tmp_path, recipe))


def test_a_recipe_is_typed_and_can_be_written_again():
    recipe = toy_plan()
    dense, instruct = recipe.stages
    assert isinstance(dense, DenseStage)
    assert isinstance(instruct, InstructStage)
    assert (dense.steps, dense.learning_rate, instruct.questions, instruct.mixture) == (4, 1e-3, 4, None)
    assert recipe.uses_world
    assert parse_recipe(yaml.safe_load(yaml.safe_dump(plain_values(recipe)))) == recipe
    mixed = with_stage(task="instruct", batch={"data": 2}, data=[{"path": "a", "epochs": 1}], steps=None)
    mixed["stages"][0]["replay"] = {"share": 0.5, "data": [{"path": "b"}]}
    assert parse_recipe(plain_values(parse_recipe(mixed))) == parse_recipe(mixed)


def test_construction_checks_a_recipe():
    with pytest.raises(ConfigError, match="questions: expected a whole number from 1; got 0"):
        InstructStage(name="a", batch={"image": 1}, steps=1, questions=0)
    with pytest.raises(ConfigError, match="model: expected either `model`, with the weights of parts in `init`"):
        Recipe(stages=(DenseStage(name="a", batch={"image": 1}, steps=1),))


@pytest.mark.parametrize(
    ("recipe", "match"),
    [
        pytest.param(
            toy_recipe(model={"signals": {"image": {}}}), "model: expected text_config and, under signals", id="no_text"
        ),
        pytest.param(
            toy_recipe(model={**SIZES, "signals": {"image": None}}),
            "at least one of image, audio, point_cloud",
            id="no_signal",
        ),
        pytest.param(
            toy_recipe(model={**SIZES, "signals": {"image": {"size": 3}}}),
            "signals.image.size: unknown field",
            id="size",
        ),
        pytest.param(toy_recipe(model={**SIZES, "number_spread": "wide"}), "model: .*number_spread", id="type"),
        pytest.param(
            toy_recipe(model={**SIZES, "signals": {**SIZES["signals"], "audio": None}}),
            "stage dense: batch: the model takes no audio",
            id="kind",
        ),
        pytest.param(
            toy_recipe(init="no/such/folder", model=None, vocab_size=None),
            "model: expected 'bundled', a folder",
            id="init",
        ),
    ],
)
def test_a_recipe_that_makes_no_network_writes_nothing(tmp_path, recipe, match):
    with pytest.raises(ValueError, match=match):
        train(read_recipe(written(tmp_path, recipe)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


SMALL = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 48}
SMALL_SIGNALS = {
    "image": {"size_px": 32, "early_dim": 16},
    "audio": {"mel_bins": 16, "early_dim": 16},
    "point_cloud": {"count": 64, "groups": 8, "neighbours": 6, "early_dim": 16},
}


def shrunk(recipe):
    """The same recipe in small sizes (a trained model keeps its own), one signal of each modality per batch."""
    stages = [
        {
            **stage,
            "batch": dict.fromkeys(stage["batch"], 1),
            **({"questions": 2} if stage["task"] == "instruct" else {}),
        }
        for stage in recipe["stages"]
    ]
    if isinstance(init := recipe.get("init"), dict):  # parts of a model that lies in the history alone
        return {**recipe, "init": dict.fromkeys(init, "bundled"), "stages": stages}
    if init is not None:
        return {**recipe, "stages": stages}
    model = dict(recipe["model"])
    for part in ("vision_config", "text_config"):
        sizes = {**SMALL, **({"num_key_value_heads": 2} if part == "text_config" else {})}
        model[part] = {**model[part], **sizes}
    own = model["signals"]
    is_trunk = model.get("encoder", {}).get("type") == "trunk"  # whose images have the sizes of the vision model
    small = {name: sizes for name, sizes in SMALL_SIGNALS.items() if name in own and not (is_trunk and name == "image")}
    model["signals"] = own | {name: {**own[name], **sizes} for name, sizes in small.items()}
    return {**recipe, "model": model, "stages": stages}


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in SHIPPED])
def test_every_shipped_recipe_builds_and_learns(path):
    recipe = parse_recipe(shrunk(read_yaml(path)))
    model, processor = start_model(recipe)
    heads = dense_heads(model)
    for stage in recipe.stages:
        network, batches = recipes.stage_network(stage, model, heads, processor, 7)
        output = network.train()(**batches(0))
        output["loss"].backward()
        assert torch.isfinite(output["loss"]), stage.name
        assert output["losses"]


def test_numbers_start_out_like_their_neighbours():
    model, processor = start_model(toy_plan())
    first, count = model.config.number_tokens
    assert processor.tokenizer.convert_ids_to_tokens(first) == "0"
    table = torch.nn.functional.normalize(model.get_input_embeddings().weight[first : first + count], dim=1)
    like = table @ table.T
    assert like.diagonal(1).mean() > 0.9 > like.diagonal(100).mean()


def test_parts_of_a_later_stage_are_checked_before_the_first_is_trained(tmp_path):
    dense, instruct = toy_recipe()["stages"][:2]
    recipe = parse_recipe(toy_recipe(stages=[dense, {**instruct, "parts": {"mask_encoder": "full"}}]))
    with pytest.raises(ConfigError, match=r"parts: expected parts that the model has, of .*; got 'mask_encoder'"):
        train(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_sam_marks_pictures_if_the_recipe_says_so(tmp_path):
    from transformers import AutoConfig, SamModel

    sam = SamModel(AutoConfig.for_model(**SAM_SIZES))
    sam.save_pretrained(tmp_path / "sam")
    sizes = {**SIZES, "pointing": {"dim": 16, "backbone": "sam"}}
    recipe = toy_plan(model=sizes, init={"masks": str(tmp_path / "sam")})
    model, processor = start_model(recipe)
    own = model.sam_pointing.sam.state_dict()
    assert all(torch.equal(own[name], weight) for name, weight in sam.state_dict().items())
    assert mask_cells(model.config) == {"image": 256, "audio": 200, "point_cloud": 64}
    recipes.trained_parts(recipe.stages[1], model)
    network, batches = recipes.stage_network(recipe.stages[1], model, dense_heads(model), processor, 7)
    for step in range(3):
        output = network(**batches(step))
        output["loss"].backward()
    marked = [n for n, w in model.sam_pointing.named_parameters() if w.grad is not None and w.grad.any()]
    assert any(name.startswith("prompt.") for name in marked)
    assert not any(name.startswith("sam.vision_encoder") for name in marked)


MARKED = {
    "image": Region(mask=np.eye(30, 40, dtype=bool)),
    "depth": Region(mask=np.eye(30, 40, dtype=bool)),
    "normal": Region(mask=np.eye(30, 40, dtype=bool)),
    "video": Region(mask=np.eye(20, 30, dtype=bool), time_s=(0.0, 1.0)),
    "audio": Region(span=(0.2, 0.9)),
    "imu": Region(span=(0.2, 0.6)),
    "point_cloud": Region(points=np.arange(20)),
    "fmri": Region(points=np.arange(30)),
}


def short(name: str) -> Signal:
    """A signal of a modality that fits the windows of the toy; an fMRI response of voxels that have positions."""
    if name == "imu":
        return open_signal((np.random.default_rng(0).normal(size=(30, 6)), 40.0), name)
    if name == "audio":
        return open_signal(toy_audio(1.0))
    if name != "fmri":
        return EXAMPLES[name][0]()
    xyz = np.random.default_rng(0).random((60, 3))
    values = np.random.default_rng(1).normal(size=60).astype(np.float32)
    return Signal("fmri", values, Extent("fmri", points_xyz=xyz), "brain", "0")


def test_the_union_at_toy_size_is_trained_on_all_eight_modalities():
    """SAM 2 makes the masks of images, the shared head those of the others; the preset names token ids of its own."""
    sizes = union_config(TOY_UNION).to_dict()
    names = DeixisConfig.__annotations__.keys() - {"number_tokens"}
    stage = toy_recipe()["stages"][1] | {"batch": {"image": 1, "audio": 1, "point_cloud": 1}}
    plan = toy_plan(model={name: sizes[name] for name in names if sizes.get(name) is not None}, stages=[stage])
    model, processor = start_model(plan)
    cells = mask_cells(model.config)
    assert cells.keys() == MARKED.keys()
    assert cells["image"] == 256
    network, batches = recipes.stage_network(plan.stages[0], model, dense_heads(model), processor, 7)
    assert torch.isfinite(network.train()(**batches(0))["loss"])

    rows = []
    for name, region in MARKED.items():
        signal = short(name)
        prepared = [processor.prepare(signal)]
        turns = (Turn("What is {0}?", "A mug."), Turn("Mark it.", "[The mug]{0:mask}."))
        sample = Sample(name, "made up", "refer", "train", turns, (media_reference(signal),), (region,))
        rendered = render(sample, prepared, processor, network.system.label_rule)
        row = Row(prepared)
        row.add(rendered, mask_targets(rendered, sample.regions, prepared, cells, network.system))
        rows.append(row)
    network(**collate(rows, processor.tokenizer.pad_token_id, network.system))["loss"].backward()
    learning = {name for name, weight in model.named_parameters() if weight.grad is not None and weight.grad.any()}
    for name in MARKED:
        assert any(f"projection.query.{name}" in key for key in learning), name
        assert name == "image" or any(f"upsamples.{name}." in key for key in learning), name
    assert any(key.startswith("sam_pointing.prompt") for key in learning)
