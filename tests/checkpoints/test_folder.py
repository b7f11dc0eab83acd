"""Opening a folder of weights: a whole one gives the network that was saved, any other gives one sentence."""

import json
import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from deixis.checkpoints import folder as folders
from deixis.checkpoints import open_config_and_processor, open_pretrained
from tests.toy import toy_image


@pytest.fixture(scope="module")
def whole(toy, tmp_path_factory):
    """A folder of a toy model in two shards or more."""
    path = tmp_path_factory.mktemp("whole")
    network, processor = toy
    network.save_pretrained(path, max_shard_size="200KB")
    processor.save_pretrained(path)
    return path


@pytest.fixture
def copy(whole, tmp_path):
    for file in whole.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def remove(name):
    return lambda path: (path / name).unlink()


def write(name, content):
    return lambda path: (path / name).write_text(content, encoding="utf-8")


def config(**changes):
    def change(path):
        file = path / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return change


def first_shard(path):
    return sorted(path.glob("model-*.safetensors"))[0]


def cut_short(path):
    file = first_shard(path)
    os.truncate(file, file.stat().st_size // 2)


def change_tensors(change):
    def run(path):
        file = first_shard(path)
        tensors = load_file(file)
        change(tensors)
        save_file(tensors, file, metadata={"format": "pt"})

    return run


def other_shape(tensors):
    name = next(name for name, tensor in tensors.items() if tensor.ndim == 2)
    tensors[name] = torch.zeros(3, 5)


def extra_tensor(path):
    save_file({"a.foreign.weight": torch.zeros(2)}, path / "model-extra.safetensors", metadata={"format": "pt"})
    file = path / "model.safetensors.index.json"
    index = json.loads(file.read_text())
    index["weight_map"]["a.foreign.weight"] = "model-extra.safetensors"
    file.write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        pytest.param(remove("config.json"), "expected a file config.json in the folder, got none", id="no_config"),
        pytest.param(remove("tokenizer.json"), "expected a file tokenizer.json in the folder", id="no_tokenizer"),
        pytest.param(remove("processor_config.json"), "expected a file processor_config.json", id="no_processor"),
        pytest.param(
            config(model_type="llama"), "expected model_type 'deixis' in config.json, got 'llama'", id="foreign"
        ),
        pytest.param(config(model_type=None), "expected model_type 'deixis' in config.json, got None", id="no_type"),
        pytest.param(write("config.json", "{"), "config.json: expected JSON, .*the file is damaged", id="not_json"),
        pytest.param(write("config.json", "[1]"), "config.json is no JSON object", id="json_but_a_list"),
        pytest.param(
            lambda path: (path / "config.json").write_bytes(b"\xff\xfe\x00"),
            "config.json: expected text in UTF-8",
            id="bytes",
        ),
        pytest.param(config(number_spread="wide"), "config.json: .*number_spread", id="wrong_type_in_config"),
        pytest.param(config(projection={"router": "best"}), "projection.router: expected one of", id="wrong_choice"),
        pytest.param(
            write("tokenizer.json", "{}"),
            "tokenizer.json: expected a tokenizer, got another file",
            id="tokenizer_is_none",
        ),
        pytest.param(
            write("processor_config.json", "{"), "(processor_config.json|its files cannot be read)", id="processor"
        ),
        pytest.param(
            lambda path: first_shard(path).unlink(), "weights file model-00001-of-.* named in its index is", id="shard"
        ),
        pytest.param(
            lambda path: [file.unlink() for file in path.glob("*.safetensors")],
            "expected weights in .*safetensors, got none in the folder",
            id="no_weights",
        ),
        pytest.param(cut_short, "model-00001-.* cannot be read .*damaged or cut short", id="truncated"),
        pytest.param(lambda path: os.truncate(first_shard(path), 0), "model-00001-.* cannot be read", id="empty_shard"),
        pytest.param(
            write("model.safetensors.index.json", "{"), "index.json is no index of weights", id="broken_index"
        ),
        pytest.param(
            write("model.safetensors.index.json", "{}"), "index.json is no index of weights", id="empty_index"
        ),
        pytest.param(change_tensors(other_shape), "mismatched keys in its weights: field_encoder", id="wrong_shape"),
        pytest.param(
            change_tensors(lambda t: t.pop(sorted(t)[0])), "missing keys in its weights: ", id="missing_tensor"
        ),
        pytest.param(extra_tensor, "unexpected keys in its weights: a.foreign.weight;", id="extra_tensor"),
    ],
)
def test_a_bad_folder_is_one_sentence(copy, damage, match, capfd):
    damage(copy)
    capfd.readouterr()
    with pytest.raises(ValueError, match=match) as caught:
        open_pretrained(copy)
    assert "\n" not in str(caught.value).strip()
    assert tuple(capfd.readouterr()) == ("", "")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("no/such/folder", id="path"),
        pytest.param("./nowhere", id="relative"),
        pytest.param("word", id="word"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(ValueError, match=r"model: expected 'bundled', a folder or a hub id \(owner/name\); got"):
        open_pretrained(name)


def test_a_file_is_no_model(whole):
    with pytest.raises(ValueError, match="which is none"):
        open_pretrained(whole / "config.json")


def test_configuration_and_processor_come_without_the_weights_being_read(copy):
    change_tensors(lambda tensors: tensors.pop(sorted(tensors)[0]))(copy)
    opened = open_config_and_processor(copy)
    assert opened.config.model_type == "deixis"
    assert opened.processor.specs.keys() == set(opened.config.modalities)
    with pytest.raises(ValueError, match="missing keys in its weights"):
        open_pretrained(opened)


def test_what_is_opened_is_not_opened_again(whole):
    opened = open_config_and_processor(whole)
    assert open_pretrained(opened)[1] is opened.processor


def test_a_whole_folder_gives_the_network_that_was_saved(toy, whole):
    network, processor = open_pretrained(whole)
    assert not network.training
    inputs = processor(text="Hm?", signals=[toy_image()])
    with torch.no_grad():
        assert torch.equal(network(**inputs).logits, toy[0](**toy[1](text="Hm?", signals=[toy_image()])).logits)
    half, _ = open_pretrained(whole, torch.bfloat16)
    assert {weight.dtype for weight in half.parameters()} == {torch.bfloat16}


def test_nothing_is_unpickled(copy):
    for file in copy.glob("*.safetensors*"):
        file.unlink()
    torch.save({}, copy / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"expected weights in .*safetensors, got none"):
        open_pretrained(copy)


def test_the_bundled_folder_is_in_the_package():
    assert folders.bundled_folder().parent.name == "checkpoints"
