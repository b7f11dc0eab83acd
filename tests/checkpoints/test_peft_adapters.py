"""LoRA adapters: added to the weights that they were trained beside, refused beside others before values are read."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from deixis.checkpoints import open_config_and_processor, open_pretrained
from deixis.checkpoints.adapters import open_adapter
from deixis.errors import DeixisError
from deixis.inference import load
from tests.checkpoints.toy_adapters import adapted, saved
from tests.toy import toy_network

PAIR = "base_model.model.language_model.model.layers.0.self_attn.q_proj.lora_A.weight"
FULL = "projection.query.image"


@pytest.fixture(scope="module")
def made(toy, tmp_path_factory):
    """(folder of the base, folder of the adapter, merged weights)."""
    folder = tmp_path_factory.mktemp("adapters")
    base = saved(*toy, folder / "base")
    return base, folder / "adapter", adapted(open_pretrained(base)[0], folder / "adapter", "toy", (FULL,))


@pytest.fixture
def copy(made, tmp_path):
    return shutil.copytree(made[1], tmp_path / "adapter")


def test_an_adapter_beside_its_base_is_what_peft_merges(made):
    base, folder, merged = made
    model = load(base, "cpu", "float32", adapter=folder)
    assert model.name == f"{base} with {folder}"
    plain = open_pretrained(base)[0].state_dict()
    weights = model.network.state_dict()
    for name, weight in weights.items():
        torch.testing.assert_close(weight, merged[name], atol=1e-6, rtol=1e-6)
    changed_names = {name for name, weight in weights.items() if not torch.equal(weight, plain[name])}
    targets = {n for n in weights if n.startswith("language_model") and n.endswith(("q_proj.weight", "v_proj.weight"))}
    assert changed_names == targets | {FULL}


def assert_near(model, merged, dtype):
    """The weights of a model are the merged ones but for the rounding of a type, which the base went through."""
    step = torch.finfo(dtype).eps
    for name, weight in model.network.state_dict().items():
        torch.testing.assert_close(weight.float(), merged[name].float(), atol=step, rtol=step)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])
def test_a_base_in_another_type_is_the_same(made, tmp_path, dtype):
    base, folder, merged = made
    smaller = saved(*open_pretrained(base, dtype), tmp_path / "smaller")
    assert_near(load(smaller, "cpu", "float32", adapter=folder), merged, dtype)
    of_smaller = adapted(open_pretrained(smaller)[0], tmp_path / "adapter", "toy")
    assert_near(load(base, "cpu", "float32", adapter=tmp_path / "adapter"), of_smaller, dtype)


def test_between_float16_and_bfloat16_names_and_shapes_are_compared(made, tmp_path):
    half = saved(*open_pretrained(made[0], torch.float16), tmp_path / "half")
    brain = saved(*open_pretrained(made[0], torch.bfloat16), tmp_path / "brain")
    merged = adapted(open_pretrained(half)[0], tmp_path / "adapter", "toy")
    assert_near(load(brain, "cpu", "float32", adapter=tmp_path / "adapter"), merged, torch.bfloat16)


def test_what_float16_cannot_hold_is_refused(made, copy):
    tensors(**{PAIR: torch.full((2, 32), 1e30)})(copy)
    with pytest.raises(DeixisError, match=r"float16 cannot hold .*q_proj.weight, whose values reach"):
        load(made[0], "cpu", "float16", adapter=copy)


def test_another_base_is_refused(made, toy, tmp_path):
    _, folder, _ = made
    wider = saved(
        *toy_network(
            toy[1].tokenizer,
            text_config={
                **toy[0].config.text_config.to_dict(),
                "num_attention_heads": 1,
                "num_key_value_heads": 1,
                "head_dim": 64,
            },
        ),
        tmp_path / "wider",
    )
    other = saved(*toy_network(toy[1].tokenizer, seed=7), tmp_path / "other")
    with pytest.raises(
        DeixisError, match=r"beside, 'toy', with .*q_proj.weight of shape 32 x 32; got '.*wider', where it is 64"
    ):
        load(wider, "cpu", adapter=folder)
    with pytest.raises(
        DeixisError, match=r"'toy'; got '.*other', of the same shapes, where .* has other values, and so have \d+ more"
    ):
        load(other, "cpu", adapter=folder)


ADAPTED = "language_model.model.layers.1.self_attn.q_proj.weight"


@pytest.mark.parametrize(
    ("name", "place", "is_other"),
    [
        pytest.param(ADAPTED, 0, True, id="first_row_of_an_adapted_layer"),
        pytest.param(ADAPTED, -1, True, id="last_row_of_an_adapted_layer"),
        pytest.param("language_model.model.layers.0.mlp.up_proj.weight", ..., True, id="layer_without_an_adapter"),
        pytest.param("language_model.model.norm.weight", ..., True, id="norm"),
        pytest.param("language_model.model.embed_tokens.weight", ..., True, id="embeddings"),
        pytest.param(FULL, ..., False, id="weight_that_the_adapter_replaces"),
    ],
)
def test_a_base_of_which_one_weight_was_changed_is_refused(made, tmp_path, name, place, is_other):
    network, processor = open_pretrained(made[0])
    with torch.no_grad():
        network.get_parameter(name)[place] *= 1.01
    base = saved(network, processor, tmp_path / "tuned")
    opened = open_config_and_processor(base).with_adapter(made[1])
    if not is_other:
        assert opened.folder() == base
        return
    with pytest.raises(DeixisError, match=rf"got '.*tuned', of the same shapes, where {name} has other values$"):
        opened.folder()


def changed(**values):
    def change(folder):
        file = folder / "adapter_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | values))

    return change


def tensors(**values):
    def change(folder):
        file = folder / "adapter_model.safetensors"
        save_file({name: own for name, own in (load_file(file) | values).items() if own is not None}, file)

    return change


def pickled(folder):
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")


def linked(folder):
    (folder / "adapter_model.safetensors").rename(folder.parent / "elsewhere.safetensors")
    (folder / "adapter_model.safetensors").symlink_to(folder.parent / "elsewhere.safetensors")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(pickled, "got adapter_model.bin, a pickle, which may hold code and is never read", id="pickle"),
        pytest.param(linked, "got a link to .* which lies outside", id="link"),
        pytest.param(lambda f: (f / "adapter_config.json").unlink(), "a folder with adapter_config.json", id="none"),
        pytest.param(lambda f: (f / "base.json").write_text('{"a": {}}'), "base.json: a: stored: expected", id="base"),
        pytest.param(changed(peft_type="IA3"), "peft_type: expected 'LORA', got 'IA3'", id="method"),
        pytest.param(changed(r=10**9), "r: expected a whole number from 1", id="rank"),
        pytest.param(changed(r=3), "expected matrices of rank 3 at .*, got 2 x 32 and 32 x 2", id="other_rank"),
        pytest.param(changed(lora_alpha="6"), "lora_alpha: expected a number", id="alpha"),
        pytest.param(changed(bias="all"), "bias: expected 'none'", id="bias"),
        pytest.param(changed(use_dora=True), "use_dora: expected a plain LoRA, without it; got True", id="dora"),
        pytest.param(changed(rank_pattern={"(a+)+$": 4}), "rank_pattern: expected a plain LoRA", id="pattern"),
        pytest.param(changed(init_lora_weights="pissa"), "init_lora_weights: expected a start", id="start"),
        pytest.param(changed(auto_map={"a": "b"}), "auto_map", id="code"),
        pytest.param(tensors(**{PAIR: torch.zeros(2, 32).char()}), "floating numbers in .*, got I8", id="type"),
        pytest.param(tensors(**{PAIR: None}), r"expected base_model.model.LAYER.lora_A.weight and", id="half"),
        pytest.param(tensors(other=torch.zeros(2)), "expected base_model.model.LAYER.lora_A.weight and", id="unknown"),
        pytest.param(tensors(**{PAIR: torch.zeros(2, 31)}), "of shape 32 x 31; got .* where it is 32 x 32", id="shape"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_sentence(made, copy, change, sentence):
    change(copy)
    with pytest.raises(DeixisError, match=rf"adapter '{copy}': .*{sentence}"):
        open_config_and_processor(made[0]).with_adapter(copy).folder()


def test_an_adapter_of_peft_alone_is_compared_by_names_and_shapes(made, toy, copy, tmp_path):
    (copy / "base.json").unlink()
    (copy / "full_weights.safetensors").unlink()
    other = saved(*toy_network(toy[1].tokenizer, seed=7), tmp_path / "other")
    adapter = open_adapter(copy)
    assert (adapter.base, adapter.scale, adapter.digests, adapter.full) == ("toy", 3.0, {}, {})
    weights = load(other, "cpu", "float32", adapter=copy).network.state_dict()
    name = PAIR.removeprefix("base_model.model.").replace("lora_A.", "")
    pairs = load_file(copy / "adapter_model.safetensors")
    product = pairs[PAIR.replace("lora_A", "lora_B")] @ pairs[PAIR]
    plain = open_pretrained(other)[0].state_dict()[name]
    torch.testing.assert_close(weights[name], plain + 3.0 * product, atol=1e-6, rtol=1e-6)
