"""An exported folder gives the logits that its source gives in that type, quantised in that way, with that adapter."""

import errno
import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

import deixis
from deixis.checkpoints import open_config_and_processor, open_pretrained
from deixis.checkpoints.export import export_adapter, export_model
from deixis.conversation import answered, question_sample
from deixis.errors import DeixisError
from deixis.inference import Model, load
from deixis.model.devices import dtype_named
from deixis.model.packed_linear import Int4Linear, PackedLinear, int4_block
from deixis.signals import open_signal
from deixis.systems.conversion import convert
from deixis.training.start import start_model
from tests.checkpoints.toy_adapters import adapted, saved
from tests.toy import TEXT, UNION, VISION, toy_image, toy_network, toy_plan

SYSTEMS = ("onellm", "ferret", "lisa", "union")


@pytest.fixture(scope="module")
def folders(sources, toy, tmp_path_factory):
    """system -> (folder of a model, folder of an adapter of it)."""
    folder, made = tmp_path_factory.mktemp("export"), {}
    wide = {**TEXT, "hidden_size": 64, "intermediate_size": 128, "tie_word_embeddings": True}  # as int4 takes layers
    vision = {**VISION, "model_type": "clip_vision_model", "image_size": 28, "patch_size": 14}
    for system in SYSTEMS:
        base = folder / system
        if system == "union":
            saved(*toy_network(toy[1].tokenizer, **{**UNION, "vision_config": vision, "text_config": wide}), base)
        else:
            convert(system, sources[system], base)
        adapted(open_pretrained(base)[0], folder / f"{system}-adapter", str(base))
        made[system] = base, folder / f"{system}-adapter"
    return made


def logits(model):
    question = question_sample("What is it?", (open_signal(toy_image()),))
    return model.score([answered(question, "A red mug.")])[0].logits


@pytest.mark.parametrize(
    ("system", "dtype", "word", "merged"),
    [
        pytest.param("onellm", "float32", None, False, id="onellm_float32"),
        pytest.param("onellm", "bfloat16", "int8", True, id="onellm_int8_merged"),
        pytest.param("ferret", "bfloat16", None, False, id="ferret_bfloat16"),
        pytest.param("lisa", "float16", None, True, id="lisa_float16_merged"),
        pytest.param("union", "float32", None, True, id="union_float32_merged"),
        pytest.param("union", "float32", "int8", False, id="union_int8_beside_float32"),
        pytest.param("union", "bfloat16", "int4", True, id="union_int4_merged"),
    ],
)
def test_what_is_exported_is_what_the_source_gives(folders, tmp_path, system, dtype, word, merged):
    base, adapter = folders[system]
    out = tmp_path / "out"
    opened = open_config_and_processor(base)
    opened = opened.with_adapter(adapter) if merged else opened
    export_model(opened, out, dtype_named(dtype), word)
    source = load(base, "cpu", dtype, word, adapter if merged else None)
    again = load(out, "cpu", None if word else dtype)
    weights = again.network.state_dict()
    for name, weight in source.network.state_dict().items():
        assert weights[name].dtype == weight.dtype
        assert torch.equal(weights[name], weight), name
    packed = sum(isinstance(layer, PackedLinear) for layer in again.network.modules())
    assert packed == sum(isinstance(layer, PackedLinear) for layer in source.network.modules())
    assert (packed > 0) == (word is not None)
    expected = logits(source)
    plain = deixis.DeixisForConditionalGeneration.from_pretrained(out)  # in the type that config.json names
    # where the same weights lie in memory may change the last bits of a product
    near = 1e-5 if (dtype, word) == ("float32", None) else 0.02
    for other in (again, Model(plain, deixis.DeixisProcessor.from_pretrained(out), "plain")):
        torch.testing.assert_close(logits(other), expected, rtol=0, atol=near)


@pytest.fixture
def copy(folders, tmp_path):
    return shutil.copytree(folders["onellm"][0], tmp_path / "model")


def test_pickles_beside_safetensors_are_never_read(folders, copy, tmp_path):
    expected = load_file(copy / "model.safetensors")
    outside = tmp_path / "outside.bin"
    torch.save({name: torch.zeros_like(own) for name, own in expected.items()}, outside)
    (copy / "pytorch_model.bin").symlink_to(outside)
    index = {"weight_map": dict.fromkeys(expected, "pytorch_model.bin")}
    (copy / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    export_model(open_config_and_processor(copy), tmp_path / "out")
    written = load_file(tmp_path / "out" / "model.safetensors")
    assert all(torch.equal(written[name], own) for name, own in expected.items())
    base, adapter = folders["onellm"]
    one, other = (load(own, "cpu", "float32", adapter=adapter).network.state_dict() for own in (base, copy))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_card_outside_the_folder_is_not_copied(copy, tmp_path):
    (tmp_path / "secret.md").write_text("secret")
    (copy / "README.md").unlink(missing_ok=True)
    (copy / "README.md").symlink_to(tmp_path / "secret.md")
    with pytest.raises(DeixisError, match=r"README.md: expected a file of the folder itself, got a link to"):
        export_model(open_config_and_processor(copy), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_adapter_is_exported_alone(folders, tmp_path):
    base, adapter = folders["union"]
    opened = open_config_and_processor(base).with_adapter(adapter)
    export_adapter(opened, tmp_path / "out", torch.float32)
    assert json.loads((tmp_path / "out" / "adapter_config.json").read_text())["base_model_name_or_path"] == str(base)
    one, other = (load(base, "cpu", "float32", adapter=own).network.state_dict() for own in (adapter, tmp_path / "out"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    export_adapter(opened, tmp_path / "half", torch.bfloat16)
    size = {name: (tmp_path / name / "adapter_model.safetensors").stat().st_size for name in ("out", "half")}
    assert size["half"] < 0.7 * size["out"]
    half = load(base, "cpu", "float32", adapter=tmp_path / "half").network.state_dict()
    step = 4 * torch.finfo(torch.bfloat16).eps  # both matrices are rounded, and the products summed
    for name in one:
        torch.testing.assert_close(half[name], one[name], atol=step, rtol=step)


@pytest.fixture(scope="module")
def packed(folders, tmp_path_factory):
    out = tmp_path_factory.mktemp("packed") / "int8"
    export_model(open_config_and_processor(folders["union"][0]), out, None, "int8")
    return out


def test_stored_weights_are_run_as_they_are_stored(folders, packed, tmp_path):
    with pytest.raises(
        DeixisError, match=r"expected int8, in which the weights of .* are stored, or nothing; got 'int4'"
    ):
        load(packed, "cpu", quantization="int4")
    assert load(packed, quantization="int8").device.type == "cpu"
    with pytest.raises(DeixisError, match=r"expected a model with whole weights, got '.*', weights in int8"):
        load(packed, adapter=folders["union"][1])
    with pytest.raises(DeixisError, match="expected a model with whole weights, got one that is stored in int8"):
        export_model(open_config_and_processor(packed), tmp_path / "out")
    with pytest.raises(DeixisError, match=r"init: expected a model with whole weights, got .*, stored in int8"):
        start_model(toy_plan(init=str(packed), model=None, vocab_size=None))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        pytest.param({"word": "int2"}, "quantization_config.word: expected one of int8, int4; got 'int2'", id="word"),
        pytest.param({"word": "int4"}, "quantization_config.block: expected one of 64, 32; got None", id="block"),
        pytest.param({"word": "int4", "block": 32}, "missing keys in its weights", id="other_word"),
        pytest.param({"module": "os"}, "quantization_config.module: unknown field", id="unknown"),
        pytest.param({"quant_method": "gptq"}, "quant_method: expected one of deixis_packed", id="method"),
    ],
)
def test_what_config_json_says_of_stored_weights_is_checked(packed, tmp_path, values, sentence):
    folder = shutil.copytree(packed, tmp_path / "copy")
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] |= values
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(DeixisError, match=sentence):
        open_pretrained(folder, torch.bfloat16)


@pytest.mark.skipif(not int4_block(), reason="the order of int4 weights on this processor is unknown")
@pytest.mark.parametrize("block", [32, 64])
def test_int4_weights_of_another_processor_are_reordered(block):
    torch.manual_seed(0)
    layer = Int4Linear(torch.nn.Linear(64, 128, dtype=torch.bfloat16))
    layer.pack(torch.randn(128, 64, dtype=torch.bfloat16))
    levels = torch.randint(0, 16, (128, 64), dtype=torch.int32)
    here = torch.ops.aten._convert_weight_to_int4pack_for_cpu(levels, 1)
    low, high = levels.view(-1, 2, block // 2, 64).to(torch.uint8).unbind(1)
    layer.weight = (low | high << 4).transpose(1, 2).reshape(128, 32)
    layer.reorder(block)
    assert torch.equal(layer.weight, here)


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        pytest.param(OSError(errno.ENOSPC, "No space left on device"), DeixisError, id="full_disk"),
        pytest.param(SystemExit(143), SystemExit, id="sigterm"),
    ],
)
def test_an_export_that_ends_early_leaves_nothing(folders, tmp_path, monkeypatch, error, raised):
    opened = open_config_and_processor(folders["ferret"][0])

    def ending(done, total):
        assert list(tmp_path.glob(".out.part/model*.safetensors"))
        raise error

    with pytest.raises(raised):
        export_model(opened, tmp_path / "out", progress=ending)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_exported_is_one_sentence(folders, tmp_path):
    opened = open_config_and_processor(folders["ferret"][0])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(DeixisError, match="expected a folder that is not there yet"):
        export_model(opened, tmp_path / "full")
    with pytest.raises(DeixisError, match=r"--quantize: int4 takes layers whose width .*, got none among the"):
        export_model(opened, tmp_path / "out", None, "int4")
    with pytest.raises(DeixisError, match="got one that is a PointMLP"):
        export_model(replace(opened, config=None), tmp_path / "out")
    opened.config.text_config.num_hidden_layers += 1
    with pytest.raises(DeixisError, match="missing keys in its weights"):
        export_model(opened, tmp_path / "out")
    assert not (tmp_path / "out").exists()
