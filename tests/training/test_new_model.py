"""A network is put together from the published weights of its parts; what does not fit is said before it is built."""

import logging

import pytest
import torch
from safetensors.torch import load_file

from deixis.checkpoints import open_config_and_processor, open_pretrained
from deixis.inference import load
from deixis.model.config import DeixisConfig
from deixis.systems.releases import PRESETS
from deixis.training.new_model import model_fields, new_model
from deixis.training.recipe_file import parse_recipe
from deixis.training.run_folder import save
from deixis.training.start import dense_heads, start_model
from tests.checkpoints.checkpoints import VOCABULARY
from tests.toy import toy_image
from tests.training.parts_of_models import sizes_of, write_parts

STAGE = {"name": "a", "task": "instruct", "batch": {"data": 1}, "steps": 1, "data": [{"path": "x"}]}


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    return write_parts(tmp_path_factory.mktemp("parts"))


def begun(parts, system, **init):
    places = {part: str(parts / place) for part, place in init.items()}
    return parse_recipe({"model": sizes_of(parts / system), "init": places, "stages": [STAGE]})


LISA = {"language_model": "llava", "projection": "llava", "encoder": "clip", "masks": "sam.pth"}


def test_a_lisa_begins_from_llava_clip_and_sam(parts, caplog, tmp_path):
    with caplog.at_level(logging.INFO):
        network, processor = start_model(begun(parts, "lisa", **LISA))
    assert "masks 0.08 M from init and 0.00 M new" in caplog.text
    weights, llava = network.state_dict(), load_file(parts / "llava/model.safetensors")
    trunk, clip = "field_encoder.encoder.trunk.", load_file(parts / "clip/model.safetensors")
    assert torch.equal(
        weights["language_model.model.layers.1.mlp.up_proj.weight"], llava["model.layers.1.mlp.up_proj.weight"]
    )
    assert torch.equal(weights["projection.out.weight"], llava["model.mm_projector.weight"])
    assert all(torch.equal(weights[trunk + n.removeprefix("vision_model.")], own) for n, own in clip.items())
    decoder = "mask_decoder.transformer.layers.0.self_attn.q_proj.weight"
    assert torch.equal(weights[f"sam_pointing.sam.{decoder}"], torch.load(parts / "sam.pth")[decoder])
    # three tokens more than the language model has: their embeddings begin as the mean of the others
    for name, own in (("model.embed_tokens", "model.embed_tokens"), ("lm_head", "lm_head")):
        table = weights[f"language_model.{name}.weight"]
        assert torch.equal(table[:VOCABULARY], llava[f"{own}.weight"])
        assert torch.allclose(table[VOCABULARY:], llava[f"{own}.weight"].mean(0).expand(3, -1), atol=1e-6)
    for token in ("[SEG]", "<im_start>", "<im_end>"):
        assert len(processor.tokenizer(f"It is {token}.", add_special_tokens=False)["input_ids"]) == len(
            processor.tokenizer("It is", add_special_tokens=False)["input_ids"]
        ) + 1 + len(processor.tokenizer(".", add_special_tokens=False)["input_ids"])
    assert network.config.seg_token_id == processor.tokenizer.convert_tokens_to_ids("[SEG]") == VOCABULARY
    save(network, dense_heads(network), processor, tmp_path / "model")
    model = load(tmp_path / "model", device="cpu")
    assert all(torch.equal(own, weights[name]) for name, own in model.network.state_dict().items())
    assert model.ask("Where is it?", toy_image(), max_new_tokens=2).model


@pytest.mark.parametrize(
    ("system", "init", "filled", "new"),
    [
        pytest.param(
            "ferret",
            {"language_model": "llava", "sampler": "ferret_official", "encoder": "ferret_official/vision_tower"},
            ("region_sampler.dim_projector.weight", "language_model.model.norm.weight"),
            ("projection.out.weight",),
            id="the_sampler_of_a_ferret",
        ),
        pytest.param(
            "onellm",
            {"language_model": "onellm_official", "encoder": "onellm_official"},
            ("language_model.lm_head.weight", "field_encoder.encoder.trunk.post_layernorm.weight"),
            (
                "projection.query.image",
                "field_encoder.tokenizers.audio.conv.weight",
                "field_encoder.encoder.positions.imu",
            ),
            id="metas_layout_and_open_clips",
        ),
        pytest.param(
            "onellm",
            {"language_model": "onellm_official", "projection": "onellm", "tokenizers": "onellm"},
            ("projection.query.image", "field_encoder.encoder.positions.imu"),
            ("field_encoder.encoder.trunk.post_layernorm.weight",),
            id="our_own_layout",
        ),
    ],
)
def test_a_part_takes_what_is_its_own(parts, system, init, filled, new):
    model = new_model(begun(parts, system, **init))
    made = {name for plan in model.plans for name in plan.steps}
    assert set(filled) <= made
    assert not set(new) & made
    network = model.build(torch.bfloat16)
    assert {weight.dtype for weight in network.parameters()} == {torch.bfloat16}
    assert not any(weight.is_meta for weight in (*network.parameters(), *network.buffers()))
    trained = {
        name: weight.bfloat16() for name, weight in load(parts / system, device="cpu").network.state_dict().items()
    }
    alike = {name for name in filled if torch.equal(trained[name], network.state_dict()[name])}
    assert alike == {name for name in filled if "llava" not in init["language_model"] or "language_model" not in name}
    assert model.stop == ("###" if system == "onellm" else None)


def test_modalities_that_a_projection_has_nothing_of_begin_as_new(parts):
    recipe = begun(parts, "onellm", language_model="onellm_official", projection="onellm")
    image = recipe.model["signals"]["image"]
    own = {name: image[name] for name in ("tokenizer", "size_px", "patch_px", "early_dim")}
    recipe.model["signals"]["video"] = {**own, "frames": 2, "pool_frames": True}
    model = new_model(recipe)
    made = {name for plan in model.plans for name in plan.steps}
    assert "projection.query.image" in made
    assert "projection.query.video" not in made
    assert model.config.signal_token_ids.keys() == set(model.config.modalities)


@pytest.mark.parametrize(
    ("init", "match"),
    [
        pytest.param({"encoder": "nowhere"}, "init.encoder: expected a folder, a file or a hub id", id="no_place"),
        pytest.param(
            {"sampler": "ferret"}, "init: expected parts that the model has, of .*; got 'sampler'", id="no_part"
        ),
        pytest.param(
            {"encoder": "onellm_official"},
            r"init.encoder '.*': llma.clip.visual.class_embedding has shape \(16,\), expected one that gives \(8,\)",
            id="shape",
        ),
        pytest.param(
            {"projection": "clip"}, "init.projection '.*': expected every tensor to be known, got", id="wrong"
        ),
        pytest.param({"masks": "llava"}, "init.masks '.*': expected tensors for .*, got none", id="of_others"),
        pytest.param(
            {"language_model": "clip"}, "expected the language model's tokenizer .* beside its", id="no_words"
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(parts, init, match):
    with pytest.raises(ValueError, match=match):
        new_model(begun(parts, "lisa", **{"language_model": "llava", **init}))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        pytest.param(
            {"model": "lisa-7b", "init": {"langauge_model": "a"}},
            "init.langauge_model: unknown field; .*did you mean 'language_model'",
            id="part",
        ),
        pytest.param({"init": {"encoder": "a"}}, "model: expected either `model`.*; got neither", id="no_sizes"),
        pytest.param({"model": "lisa-7b", "init": "bundled"}, "or a trained model in `init`; got both", id="both"),
        pytest.param(
            {"model": "onelm-7b"}, "model: expected one of .*; got 'onelm-7b'; did you mean 'onellm-7b'", id="preset"
        ),
        pytest.param(
            {"model": "lisa-7b", "init": {"encoder": 3}}, "init: expected text or fields with values", id="place"
        ),
    ],
)
def test_a_recipe_that_begins_from_nothing_is_refused(changes, match):
    with pytest.raises(ValueError, match=match):
        parse_recipe({"stages": [STAGE], **changes})


def test_a_preset_is_a_model_and_may_be_changed():
    assert DeixisConfig(**model_fields("ferret-7b")).to_dict() == PRESETS["ferret-7b"].config().to_dict()
    changed = DeixisConfig(**model_fields({"preset": "union", "text_config": {"num_hidden_layers": 2}}))
    assert (changed.text_config.num_hidden_layers, changed.text_config.hidden_size) == (2, 2560)
    with pytest.raises(ValueError, match="expected a model that answers questions; got 'pointmlp', a classifier"):
        model_fields("pointmlp")


def test_the_bundled_model_with_a_new_part():
    kept = ("encoder", "tokenizers", "projection", "language_model", "masks")
    model = {"preset": "bundled", "sampler": {"pooling": "mean"}}
    recipe = parse_recipe({"model": model, "init": dict.fromkeys(kept, "bundled"), "stages": [STAGE]})
    new = new_model(recipe)
    bundled, processor = open_pretrained(open_config_and_processor("bundled"))
    network, before = new.build(), bundled.state_dict()
    alike = {name: torch.equal(value, before[name]) for name, value in network.state_dict().items()}
    assert all(equal for name, equal in alike.items() if not name.startswith(("region_sampler", "region_features")))
    assert not all(alike.values())
    assert network.config.sampler.pooling == "mean"
    assert new.processor.tokenizer.chat_template == processor.tokenizer.chat_template
