"""Model folders made to run code, to reach outside, or to fill the memory: one sentence each, soon and small."""

import ast
import base64
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoProcessor

import deixis
from deixis.checkpoints import open_config_and_processor, open_pretrained
from deixis.checkpoints.processor_files import open_tokenizer
from deixis.errors import DeixisError
from deixis.model import DeixisConfig, DeixisProcessor, meta
from deixis.systems.official import official_release
from tests.toy import toy_image

TEMPLATE, TOKENIZER, SETTINGS = "chat_template.jinja", "tokenizer.json", "tokenizer_config.json"
CONFIG, PROCESSOR, GENERATION = "config.json", "processor_config.json", "generation_config.json"


@pytest.fixture(scope="module")
def whole(toy, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole")
    toy[0].save_pretrained(path, max_shard_size="200KB")
    toy[1].save_pretrained(path)
    return path


@pytest.fixture
def copy(whole, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    for file in whole.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def change(name, **fields):
    """Sets fields of a JSON file; `a__b` is the field b of a."""

    def run(folder):
        values = json.loads((folder / name).read_text())
        for path, value in fields.items():
            *outer, last = path.split("__")
            place = values
            for key in outer:
                place = place[key]
            place[last] = value
        (folder / name).write_text(json.dumps(values))

    return run


def write(name, text):
    return lambda folder: (folder / name).write_text(text)


def index_with(file):
    def run(folder):
        path = folder / "model.safetensors.index.json"
        index = json.loads(path.read_text())
        name = next(iter(index["weight_map"]))
        index["weight_map"][name] = str(file(folder))
        path.write_text(json.dumps(index))

    return run


def outside(folder):
    save_file({"x": torch.zeros(1)}, folder.parent / "outside.safetensors")
    return "../outside.safetensors"


def link_out(folder):
    shard = sorted(folder.glob("model-*.safetensors"))[0]
    shard.rename(folder.parent / "outside.safetensors")
    shard.symlink_to(folder.parent / "outside.safetensors")


def one_file_outside(folder):
    """transformers reads the one file, and not the shards of the index beside it."""
    save_file({"x": torch.zeros(1)}, folder.parent / "outside.safetensors")
    (folder / "model.safetensors").symlink_to(folder.parent / "outside.safetensors")


def link_of(name):
    def run(folder):
        outside = folder.parent / name
        outside.write_bytes((folder / name).read_bytes() if (folder / name).exists() else b"{}")
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(outside)

    return run


def pickled(folder):
    torch.save({}, folder / "weights.bin")
    return "weights.bin"


def replacing(count, content="ee", part="normalizer"):
    replace = {"type": "Replace", "pattern": {"String": "e"}, "content": content}
    name = "normalizers" if part == "normalizer" else "decoders"
    return change(TOKENIZER, **{part: {"type": "Sequence", name: [replace] * count}})


def precompiled(length):
    table = struct.pack("<I", 4) + bytes(4) + b"a" * length + b"\0"
    return change(
        TOKENIZER, normalizer={"type": "Precompiled", "precompiled_charsmap": base64.b64encode(table).decode()}
    )


AROUND = {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}}] * 500, "pair": []}
CODE = {"AutoTokenizer": ["evil.T", "evil.T"]}


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        pytest.param(change(SETTINGS, auto_map=CODE), "tokenizer_config.json: expected no auto_map", id="code"),
        pytest.param(change(PROCESSOR, auto_map=CODE), "processor_config.json: expected no auto_map", id="code_again"),
        pytest.param(change(CONFIG, auto_map={"AutoConfig": "evil.C"}), "expected no auto_map", id="code_of_config"),
        pytest.param(
            change(CONFIG, attn_implementation="someone/kernel"), "attn_implementation: expected nothing", id="kernel"
        ),
        pytest.param(
            change(CONFIG, text_config___attn_implementation="someone/kernel"), "expected nothing", id="inner_kernel"
        ),
        pytest.param(
            change(CONFIG, quantization_config={"quant_method": "x"}),
            "expected one of deixis_packed",
            id="quantization",
        ),
        pytest.param(
            change(CONFIG, transformers_weights="../x.safetensors"), "transformers_weights: expected n", id="weights"
        ),
        pytest.param(write("adapter_config.json", "{}"), "expected whole weights, got an adapter", id="adapter"),
        pytest.param(
            index_with(outside), r"expected names of .* in the folder itself, got '\.\./outside", id="outside"
        ),
        pytest.param(
            index_with(lambda f: f / "model-00001-of-00004.safetensors"), "in the folder itself", id="absolute"
        ),
        pytest.param(index_with(pickled), r"expected names of \*.safetensors files, got 'weights.bin'", id="pickle"),
        pytest.param(link_out, "expected a file of the folder itself, got a link to", id="link"),
        pytest.param(one_file_outside, "model.safetensors: expected a file of the folder", id="link_beside_an_index"),
        pytest.param(link_of(TEMPLATE), f"{TEMPLATE}: expected a file of the folder", id="link_of_template"),
        pytest.param(link_of(SETTINGS), f"{SETTINGS}: expected a file of the folder", id="link_of_settings"),
        pytest.param(link_of(GENERATION), f"{GENERATION}: expected a file of the folder", id="link_of_generation"),
        pytest.param(
            change(CONFIG, num_labels=10**8), "num_labels: expected at most 10000, got 100000000", id="labels"
        ),
        pytest.param(
            change(CONFIG, text_config__num_labels=10**8), "text_config.num_labels: expected", id="inner_labels"
        ),
        pytest.param(change(CONFIG, text_config__num_hidden_layers=10**6), "num_hidden_layers: expected", id="layers"),
        pytest.param(
            change(CONFIG, text_config__num_hidden_layers=9999), "config.json: .*(at most|about)", id="many_layers"
        ),
        pytest.param(
            change(CONFIG, vision_config__num_hidden_layers=10**6), "num_hidden_layers: exp", id="encoder_layers"
        ),
        pytest.param(change(CONFIG, projection__experts=10**6), "projection.experts: expected at most", id="experts"),
        pytest.param(change(CONFIG, projection__experts=9999), "config.json: .*(at most|about)", id="many_experts"),
        pytest.param(change(CONFIG, projection__depth=10**6), "projection.depth: expected at most", id="depth"),
        pytest.param(
            change(CONFIG, projection__queries=10**9), "token_counts.image: expected 1000000004", id="queries"
        ),
        pytest.param(change(CONFIG, text_config__vocab_size=10**9), "expected a network of about", id="vocabulary"),
        pytest.param(change(CONFIG, text_config__hidden_size=10**6), "config.json: ", id="width"),
        pytest.param(change(CONFIG, text_config__intermediate_size=10**12), "config.json: ", id="vast_width"),
        pytest.param(change(CONFIG, text_config__intermediate_size=10**18), "config.json: ", id="width_beyond_numbers"),
        pytest.param(change(CONFIG, signals__image__size_px=10**6), "size_px: expected at most 16384", id="image"),
        pytest.param(change(CONFIG, signals__audio__window_s=1e9), "window_s: expected at most", id="window"),
        pytest.param(change(CONFIG, signals__point_cloud__count=10**9), "count: expected at most", id="points"),
        pytest.param(write(CONFIG, "[" * 99999), "config.json: expected JSON", id="deep_config"),
        pytest.param(
            write(PROCESSOR, '{"specs": ' + "[" * 99999), "processor_config.json: expected", id="deep_processor"
        ),
        pytest.param(write(SETTINGS, "[" * 99999), "tokenizer_config.json: expected JSON", id="deep_settings"),
        pytest.param(write(TOKENIZER, "[" * 99999), "tokenizer.json: expected lists", id="deep_tokenizer"),
        pytest.param(write(GENERATION, "[" * 99999), "generation_config.json: expected JSON", id="deep_generation"),
        pytest.param(write("model.safetensors.index.json", "[" * 99999), "is no index of weights", id="deep_index"),
        pytest.param(change(PROCESSOR, specs={"image": {"colour": 1}}), "specs.image.colour: unknown", id="spec_field"),
        pytest.param(change(PROCESSOR, specs={"smell": {}}), "processor_config.json: specs.smell: unknown", id="spec"),
        pytest.param(change(PROCESSOR, specs=[1]), "processor_config.json: specs: expected", id="specs_type"),
        pytest.param(change(PROCESSOR, region_reader="x"), "region_reader: expected one of field, ferret", id="reader"),
        pytest.param(change(PROCESSOR, points=10**9), "processor_config.json: points: expected 12, as", id="sampled"),
        pytest.param(
            change(PROCESSOR, token_counts={"image": 10**9}), "token_counts.*as config.json says", id="counts"
        ),
        pytest.param(
            change(PROCESSOR, placeholders={"image": 5}), "placeholders.image: expected text", id="placeholder"
        ),
        pytest.param(change(PROCESSOR, placeholders={"image": "e"}), "expected e with the id", id="other_placeholder"),
        pytest.param(change(PROCESSOR, notation={"grid": "x"}), "notation.grid: expected a whole", id="notation"),
        pytest.param(change(PROCESSOR, colour=1), "processor_config.json: colour: unknown field", id="processor_field"),
        pytest.param(
            change(GENERATION, stop_strings=5), "generation_config.json: stop_strings: expected text", id="stop"
        ),
        pytest.param(
            change(GENERATION, stop_strings=[""]), "stop_strings: expected at most 100 texts", id="empty_stop"
        ),
        pytest.param(change(GENERATION, eos_token_id="x"), "eos_token_id: expected a whole number", id="end"),
        pytest.param(change(GENERATION, eos_token_id=[[1]]), "eos_token_id: expected a whole number", id="ends"),
        pytest.param(
            change(SETTINGS, pad_token=None), "tokenizer_config.json: expected a token pad_token", id="no_pad"
        ),
        pytest.param(
            change(SETTINGS, eos_token="<none>"), "eos_token: expected a token of tokenizer.json", id="no_end"
        ),
        pytest.param(change(SETTINGS, padding_side="up"), "padding_side: expected one of left, right", id="side"),
        pytest.param(write(TEMPLATE, "{% for %}"), "chat_template.jinja: .*is damaged .line 1: Expected", id="syntax"),
        pytest.param(write(TEMPLATE, "{{ ''.__class__.x }}"), "chat_template.jinja: .*is unsafe", id="internals"),
        pytest.param(write(TEMPLATE, "{{ nothing.at.all }}"), "chat_template.jinja: .*is undefined", id="undefined"),
        pytest.param(write(TEMPLATE, "{{ 'a' * 10**9 }}"), "chat_template.jinja: .*at most 4 million", id="long_text"),
        pytest.param(
            replacing(40), "tokenizer.json: normalizer: expected replacements that make a text", id="doubling"
        ),
        pytest.param(replacing(40, part="decoder"), "tokenizer.json: decoder: expected replacements", id="decoding"),
        pytest.param(replacing(1, "e" * 10**6), "tokenizer.json: normalizer: expected replacements", id="long_content"),
        pytest.param(precompiled(10**6), "tokenizer.json: normalizer: expected replacements", id="long_table"),
        pytest.param(
            change(TOKENIZER, model__vocab__the=10**9), "that follow one another, got 1000000000", id="far_id"
        ),
        pytest.param(change(CONFIG, text_config__return_dict=False), "return_dict: expected true", id="other_form"),
        pytest.param(change(CONFIG, signal_token_ids__smell=5), "signal_token_ids.smell: unknown", id="no_such_signal"),
        pytest.param(change(CONFIG, signals__image="e" * 10**5), "signals.image: expected fields", id="long_value"),
        pytest.param(change(TOKENIZER, post_processor=AROUND), "post_processor: expected at most 100", id="repeating"),
    ],
)
def test_a_folder_of_a_stranger_is_one_sentence(copy, damage, match):
    if not (copy / GENERATION).is_file():
        (copy / GENERATION).write_text("{}")
    damage(copy)
    with pytest.raises(DeixisError, match=match) as caught:
        open_pretrained(copy)
    assert str(caught.value).startswith(f"model '{copy}': ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_what_has_the_name_of_an_index_and_is_none_is_not_read(copy, make):
    make(copy / "x.index.json")
    assert open_pretrained(copy)[0].config.model_type == "deixis"
    (copy / CONFIG).write_text('{"model_type": "other"}')
    assert official_release(copy) is None


def test_padding_that_a_tokenizer_asks_for_is_not_made(copy):
    padding = {"strategy": {"Fixed": 10**7}, "direction": "Left", "pad_to_multiple_of": None, "pad_id": 0}
    change(TOKENIZER, padding={**padding, "pad_type_id": 0, "pad_token": "<pad>"})(copy)
    assert len(open_tokenizer(copy)("a").input_ids) < 5


@pytest.mark.parametrize("opening", [open_config_and_processor, AutoProcessor.from_pretrained])
def test_python_in_a_folder_is_never_run_or_asked_about(copy, opening, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    ran = copy.parent / "ran"
    lines = "from pathlib import Path", f"Path({str(ran)!r}).touch()", "from transformers import BertTokenizer as T"
    (copy / "evil.py").write_text("\n".join(lines))
    change(SETTINGS, auto_map=CODE, tokenizer_class="EvilTokenizer")(copy)
    with pytest.raises(ValueError, match=r"auto_map|trust_remote_code"):
        opening(copy)
    assert not ran.exists()


def test_no_call_of_ours_trusts_the_code_of_a_folder():
    """Whatever opens a folder by transformers says so at the call: its default is to ask on stdin."""
    ours = {"DeixisConfig", "PreTrainedConfig"}  # read JSON alone
    missing = []
    for file in Path(deixis.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            owner = getattr(node.func.value, "id", "")
            if node.func.attr not in ("from_pretrained", "from_config") or owner in ours:
                continue
            given = {word.arg: word.value for word in node.keywords}
            trust = given.get("trust_remote_code")
            if (
                not (isinstance(trust, ast.Constant) and trust.value is False)
                and ast.unparse(node.func.value) != "super()"
            ):
                missing.append(f"{file.name}:{node.lineno}")
    assert missing == []


def test_the_links_of_the_hubs_cache_are_followed(copy, tmp_path):
    blobs, snapshot = tmp_path / "hub" / "blobs", tmp_path / "hub" / "snapshots" / "abc"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    for number, file in enumerate(sorted(copy.iterdir())):
        file.rename(blobs / str(number))
        (snapshot / file.name).symlink_to(Path("../../blobs") / str(number))
    assert open_pretrained(snapshot)[0].config.model_type == "deixis"


def test_what_is_read_is_what_transformers_reads(whole):
    ours, theirs = open_config_and_processor(whole), DeixisProcessor.from_pretrained(whole)
    assert ours.config.to_diff_dict() == DeixisConfig.from_pretrained(whole).to_diff_dict()
    text = "<bos><image><user>Where is ümlaut 🙂 [12, 345]?<assistant>"
    assert ours.processor.tokenizer(text).input_ids == theirs.tokenizer(text).input_ids
    assert ours.processor.tokenizer.special_tokens_map == theirs.tokenizer.special_tokens_map
    assert ours.processor.tokenizer.chat_template == theirs.tokenizer.chat_template
    assert ours.processor.tokenizer.padding_side == theirs.tokenizer.padding_side
    assert ours.processor.token_counts == theirs.token_counts
    assert all(ours.processor.spec(name) == theirs.spec(name) for name in theirs.specs)


def test_a_network_has_a_limited_number_of_parts(toy, monkeypatch):
    monkeypatch.setattr(meta, "MAX_PARTS", 50)
    with pytest.raises(DeixisError, match="at most 50 modules and tensors"):
        type(toy[0])(toy[0].config)


@pytest.mark.parametrize("value", [float("nan"), float("inf")], ids=["nan", "infinite"])
def test_weights_that_are_no_numbers_give_no_answer(copy, value):
    for file in copy.glob("model-*.safetensors"):
        tensors = load_file(file)
        save_file({n: torch.full_like(own, value) for n, own in tensors.items()}, file, metadata={"format": "pt"})
    with pytest.raises(DeixisError, match="expected finite numbers of its weights, got NaN or infinity"):
        deixis.load(copy).ask("Where?", toy_image(), max_new_tokens=2)


def test_a_folder_without_a_model_is_refused_before_anything_slow_is_imported(copy):
    (copy / CONFIG).unlink()
    for file in copy.glob("model*"):
        file.unlink()
    code = (
        "import sys\nfrom deixis.cli.arguments import check_model\ntry:\n    check_model(sys.argv[1])\n"
        "except ValueError as error:\n    print(error, 'torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code, str(copy)], capture_output=True, text=True, check=True).stdout
    assert told == f"model '{copy}': expected a file config.json in the folder, got none; it is no Deixis model False\n"
