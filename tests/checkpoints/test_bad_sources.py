"""Sources that a conversion refuses: one sentence each that names the error and its place; no output remains."""

import json
import zipfile

import pytest
import torch
from safetensors.torch import load_file, save_file

from deixis.checkpoints.source import open_source
from deixis.errors import CheckpointError
from deixis.systems.conversion import convert
from deixis.systems.release import ConversionOptions
from tests.checkpoints.checkpoints import (
    onellm_state,
)


def change_state(**changes):
    """Replaces tensors of `model.safetensors` (None takes one out)."""

    def change(folder):
        file = folder / "model.safetensors"
        state = load_file(file)
        for name, tensor in changes.items():
            state.pop(name) if tensor is None else state.update({name: tensor})
        save_file(state, file)

    return change


def change_config(**changes):
    def change(folder):
        file = folder / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return change


def big(folder):
    change_state(**{"model.norm.weight": torch.full((16,), 1e6)})(folder)


BAD = [
    pytest.param(
        "ferret",
        "lisa",
        lambda f: None,
        {},
        "expected a LISA checkpoint, .* got a Ferret checkpoint; convert it as ferret",
        id="wrong_system",
    ),
    pytest.param(
        "onellm", "pointmlp", lambda f: None, {}, "got a OneLLM checkpoint; convert it as onellm", id="wrong_again"
    ),
    pytest.param(
        "ferret",
        "onellm",
        lambda f: save_file({"x": torch.ones(1)}, f / "model.safetensors"),
        {},
        "expected a OneLLM checkpoint, .* got one without",
        id="no_system",
    ),
    pytest.param(
        "ferret",
        "ferret",
        change_state(**{"base_model.model.x.lora_A.weight": torch.ones(1)}),
        {},
        "expected merged weights, got LoRA's beside them",
        id="lora",
    ),
    pytest.param(
        "ferret",
        "ferret",
        change_state(**{"model.extra.weight": torch.ones(2)}),
        {},
        "expected every tensor to be known, got model.extra.weight",
        id="extra_tensor",
    ),
    pytest.param(
        "ferret",
        "ferret",
        change_state(**{"model.norm.weight": torch.ones(9)}),
        {},
        r"model.norm.weight has shape \(9,\), expected one that gives \(16,\)",
        id="misshapen_tensor",
    ),
    pytest.param(
        "ferret",
        "ferret",
        change_state(**{"model.norm.weight": None}),
        {},
        "expected tensors for language_model.model.norm.weight, got none; a shard may be missing",
        id="missing_tensor",
    ),
    pytest.param(
        "ferret",
        "ferret",
        change_state(**{"model.embed_tokens.weight": None}),
        {},
        "expected a tensor model.embed_tokens.weight, got none",
        id="missing_embeddings",
    ),
    pytest.param(
        "lisa",
        "lisa",
        change_state(**{"model.embed_tokens.weight": None}),
        {},
        "expected a tensor model.embed_tokens.weight",
        id="lisa_missing_embeddings",
    ),
    pytest.param(
        "onellm",
        "onellm",
        lambda f: torch.save(
            {k: v for k, v in onellm_state().items() if "conv1.weight" not in k}, f / "consolidated.00-of-01.pth"
        ),
        {},
        "expected clip.visual.conv1.weight in its tensors or its config.json, got none",
        id="onellm_missing",
    ),
    pytest.param(
        "lisa",
        "lisa",
        change_state(**{"model.visual_model.image_encoder.pos_embed": None}),
        {},
        "expected SAM's tensor image_encoder.pos_embed",
        id="lisa_missing_sam",
    ),
    pytest.param(
        "ferret",
        "ferret",
        change_config(num_hidden_layers=3),
        {},
        "expected tensors for language_model.model.layers.2",
        id="more_layers_in_config",
    ),
    pytest.param(
        "ferret",
        "ferret",
        change_config(num_hidden_layers=1),
        {},
        "model.layers.1.* has no place in a network of the sizes in its configuration",
        id="fewer_layers_in_config",
    ),
    pytest.param(
        "ferret",
        "ferret",
        change_config(hidden_size=None),
        {},
        "expected hidden_size in its config.json, got none; name the sizes by --preset",
        id="no_size_in_config",
    ),
    pytest.param(
        "ferret",
        "ferret",
        lambda f: (f / "config.json").write_text("[]"),
        {},
        "expected a JSON object, got something else",
        id="config_is_a_list",
    ),
    pytest.param(
        "onellm",
        "onellm",
        lambda f: (f / "config.json").unlink(),
        {},
        r"expected its sizes in config.json beside the weights, got none; name them by --preset \(onellm-7b\)",
        id="no_preset",
    ),
    pytest.param(
        "onellm",
        "onellm",
        lambda f: None,
        {"preset": "lisa-7b"},
        "--preset: expected one of onellm-7b for this system; got 'lisa-7b'",
        id="another_preset",
    ),
    pytest.param(
        "pointmlp",
        "pointmlp",
        lambda f: (f / "config.json").unlink(),
        {},
        "name them by --preset",
        id="pointmlp_no_preset",
    ),
    pytest.param(
        "pointmlp",
        "pointmlp",
        lambda f: (f / "shape_names.txt").write_text("bag\nbin\nbag\n"),
        {},
        "--classes: expected 5 names in .* as the network has classes, got 2 different ones in 3 lines",
        id="pointmlp_names",
    ),
    pytest.param(
        "pointmlp",
        "pointmlp",
        lambda f: None,
        {"classes": "nowhere.txt"},
        "--classes: expected a text file with the name of a class a line, got 'nowhere.txt'",
        id="no_such_names",
    ),
    pytest.param(
        "lisa",
        "lisa",
        lambda f: (f / "added_tokens.json").unlink(),
        {},
        r"expected the special token \[SEG\] among its 320, got none",
        id="tokenizer_without_special_tokens",
    ),
    pytest.param(
        "lisa",
        "lisa",
        lambda f: (f / "added_tokens.json").write_text('{"[SEG]": 320, "<im_begin>": 321, "<im_end>": 322}'),
        {},
        r"expected the special token <im_start> among its 323, got none",
        id="lisa_tokenizer_without_image_tags",
    ),
    pytest.param(
        "ferret",
        "ferret",
        change_config(mm_use_im_start_end=True),
        {},
        r"expected the special token <im_start> among its 321, got none",
        id="ferret_tokenizer_without_image_tags",
    ),
    pytest.param(
        "lisa",
        "lisa",
        lambda f: (f / "tokenizer.model").unlink(),
        {},
        r"expected a tokenizer.model or tokenizer.json, which says which id \[SEG\]",
        id="lisa_without_tokenizer",
    ),
    pytest.param(
        "ferret",
        "ferret",
        lambda f: (f / "tokenizer.model").unlink(),
        {},
        "expected a tokenizer, or the id of <region_fea> in its config.json",
        id="ferret_without_tokenizer",
    ),
    pytest.param(
        "ferret",
        "ferret",
        lambda f: (f / "added_tokens.json").write_text('{"<region_fea>": 320, "<x>": 321}'),
        {},
        "expected 321 tokens, as many as rows of the embeddings, got 322",
        id="vocabulary_of_another_size",
    ),
    pytest.param(
        "ferret",
        "ferret",
        lambda f: None,
        {"tokenizer": "nowhere"},
        "--tokenizer: expected a tokenizer.model or tokenizer.json",
        id="no_such_tokenizer",
    ),
    pytest.param(
        "lisa",
        "lisa",
        lambda f: None,
        {"base": "vicuna"},
        "--base: a conversion of LISA does not use it; it takes --clip, --preset, --sam, --tokenizer",
        id="lisa_has_no_base",
    ),
    pytest.param(
        "pointmlp",
        "pointmlp",
        lambda f: None,
        {"clip": "clip"},
        "--clip: a conversion of PointMLP does not use it; it takes --classes, --preset",
        id="pointmlp_has_no_clip",
    ),
    pytest.param(
        "ferret",
        "ferret",
        lambda f: None,
        {"sam": "sam.pth"},
        "--sam: a conversion of Ferret does not use it",
        id="ferret_has_no_sam",
    ),
    pytest.param(
        "onellm",
        "onellm",
        lambda f: None,
        {"classes": "names.txt"},
        "--classes: a conversion of OneLLM does not use it; it takes --preset, --tokenizer",
        id="onellm_has_no_classes",
    ),
    pytest.param(
        "ferret",
        "ferret",
        lambda f: None,
        {"base": "nowhere"},
        "--base: expected a folder, a file or a hub id",
        id="no_such_base",
    ),
    pytest.param(
        "ferret",
        "ferret",
        lambda f: None,
        {"clip": "nowhere"},
        "--clip: expected a folder, a file or a hub id",
        id="no_such_clip",
    ),
    pytest.param(
        "ferret",
        "ferret",
        lambda f: save_file({"x": torch.ones(1)}, f / "vision_tower" / "model.safetensors"),
        {},
        "--clip: expected CLIP's vision model, with a tensor embeddings.patch_embedding.weight, got none",
        id="clip_is_none",
    ),
    pytest.param(
        "ferret",
        "ferret",
        big,
        {"dtype": "float16"},
        "--dtype: float16 cannot hold model.norm.weight, whose values reach 1e\\+06; take bfloat16 or float32",
        id="too_large_for_float16",
    ),
    pytest.param(
        "ferret",
        "ferret",
        lambda f: None,
        {"dtype": "int3"},
        "--dtype: expected one of float32, float16, bfloat16; got 'int3'",
        id="no_such_type",
    ),
]


@pytest.mark.parametrize(("system", "system_given", "change", "asked", "match"), BAD)
def test_a_bad_source_is_one_sentence_and_leaves_nothing(copy_of, tmp_path, system, system_given, change, asked, match):
    source = copy_of(system)
    change(source)
    dtype = asked.pop("dtype", None) if "dtype" in asked else None
    before = sorted(tmp_path.iterdir())
    with pytest.raises(ValueError, match=match) as caught:
        convert(system_given, source, tmp_path / "out", ConversionOptions(**asked), dtype)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


def holds_itself():
    state = {"a": torch.zeros(2)}
    state["model"] = state
    return state


def deep():
    state = {"a": torch.zeros(2)}
    for _ in range(50):
        state = {"model": state}
    return state


@pytest.mark.parametrize(
    ("state", "match"),
    [
        pytest.param(holds_itself, "expected named tensors in .*, got something else", id="holds_itself"),
        pytest.param(deep, "expected named tensors in .*, got something else", id="deep"),
        pytest.param(lambda: {"a": [1, 2]}, "expected named tensors in .*, got something else", id="no_tensors"),
        pytest.param(lambda: {1: torch.zeros(2)}, "expected named tensors in .*, got something else", id="no_names"),
        pytest.param(lambda: {"a": torch.eye(3).to_sparse()}, "in a, got a sparse or other special", id="sparse"),
        pytest.param(lambda: {"a": torch.zeros(2, device="meta")}, "in a, got a sparse or other special", id="meta"),
        pytest.param(lambda: {"a": torch.zeros(2, dtype=torch.complex64)}, "values of type torch.complex64", id="type"),
        pytest.param(
            lambda: {"a": torch.zeros(1).expand(10**6, 10**6)}, "got 10{12} values by 4 bytes, which repeat", id="vast"
        ),
    ],
)
def test_a_pickle_of_other_things_than_plain_tensors_is_refused(tmp_path, state, match):
    torch.save(state(), tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=match):
        open_source(tmp_path / "weights.pth")


def test_a_zip_that_grows_is_refused(tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "plain.pth")
    packed = zipfile.ZipFile(tmp_path / "packed.pth", "w", zipfile.ZIP_DEFLATED)
    with packed, zipfile.ZipFile(tmp_path / "plain.pth") as plain:
        for part in plain.infolist():
            packed.writestr(part.filename, plain.read(part) + bytes(10**6))
    with pytest.raises(CheckpointError, match="is compressed, as in no file that PyTorch writes"):
        open_source(tmp_path / "packed.pth")


def test_views_of_one_storage_are_plain_tensors(tmp_path):
    values = torch.randn(4, 4)
    torch.save({"a": values, "b": values[:2], "c": values.T}, tmp_path / "weights.pth")
    source = open_source(tmp_path / "weights.pth")
    assert torch.equal(source.read("c"), values.T)
