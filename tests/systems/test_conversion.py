"""Conversions of toy checkpoints: whole ones open and hold the source's values; others are one sentence, no trace."""

import hashlib
import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from deixis.checkpoints import open_pretrained
from deixis.cli.convert import SYSTEMS
from deixis.datasets.classification.class_clouds import SCANOBJECTNN_CLASSES
from deixis.errors import CheckpointError
from deixis.model import DeixisForConditionalGeneration
from deixis.systems.conversion import WITHOUT_TOKENIZER, _naming_source, convert
from deixis.systems.pointmlp.convert import MODELNET40
from deixis.systems.release import ConversionOptions
from deixis.systems.releases import CONVERTIBLE
from tests.checkpoints import checkpoints
from tests.checkpoints.checkpoints import (
    ferret_state,
    lisa_state,
    onellm_state,
    pointmlp_state,
    write_ferret,
    write_lisa,
)


def state_of(folder):
    return {name: t for file in sorted(folder.glob("*.safetensors")) for name, t in load_file(file).items()}


@pytest.mark.parametrize("system", [pytest.param(name, id=name) for name in ("onellm", "ferret", "lisa")])
def test_a_converted_folder_opens_and_holds_every_value(sources, tmp_path, system):
    out = convert(system, sources[system], tmp_path / "out")
    network, processor = open_pretrained(out)
    assert network.config.system == system
    assert processor.tokenizer.chat_template
    account = json.loads((out / "conversion.json").read_text())
    used = {name for part in account["parts"].values() for name in part["used"]}
    left = {name: why for part in account["parts"].values() for name, why in part["left_out"].items()}
    state = {"onellm": onellm_state, "ferret": ferret_state, "lisa": lisa_state}[system]()
    assert state.keys() <= used | left.keys()
    assert all(left.values())
    sums = [part["used"] for part in account["parts"].values()]
    assert {target for part in sums for made in part.values() for target, _ in made} == network.state_dict().keys()
    assert all(len(digest) == 64 for digest in account["files"].values())
    card = (out / "README.md").read_text()
    assert all(f"`{digest}`" in card for digest in account["files"].values())


@pytest.mark.parametrize(
    ("system", "source", "ours"),
    [
        pytest.param("ferret", "model.mm_projector.weight", "projection.out.weight", id="ferret_projection"),
        pytest.param(
            "ferret",
            "model.region_geo_sampler.agg_projector_list.1.net.0.weight",
            "region_sampler.agg_projector_list.1.net.0.weight",
            id="ferret_sampler",
        ),
        pytest.param("lisa", "model.text_hidden_fcs.0.2.bias", "sam_pointing.prompt.2.bias", id="lisa_prompt"),
        pytest.param(
            "lisa",
            "model.visual_model.mask_decoder.iou_prediction_head.layers.1.weight",
            "sam_pointing.sam.mask_decoder.iou_prediction_head.layers.0.weight",
            id="lisa_sam",
        ),
        pytest.param(
            "onellm", "llma.routers.point.fc2.weight", "projection.router.point_cloud.2.weight", id="onellm_router"
        ),
        pytest.param(
            "onellm",
            "llma.resample_layers.1.0.feed_forward.w2.weight",
            "projection.experts.1.layers.0.down_proj.weight",
            id="onellm_expert",
        ),
        pytest.param(
            "onellm",
            "llma.resample_layers.0.0.attention.wq.weight",
            "projection.experts.0.layers.0.q_proj.weight",
            id="onellm_experts_keep_their_order",
        ),
    ],
)
def test_values_arrive(sources, tmp_path, system, source, ours):
    state = {"onellm": onellm_state, "ferret": ferret_state, "lisa": lisa_state}[system]()
    assert torch.equal(state_of(convert(system, sources[system], tmp_path / "out"))[ours], state[source])


def test_onellms_tags_are_start_and_end(sources, tmp_path):
    state, made = onellm_state(), state_of(convert("onellm", sources["onellm"], tmp_path / "out"))
    tags = torch.stack([state[f"llma.{end}_tag.imu"].flatten() for end in ("start", "end")])
    assert torch.equal(made["projection.tags.imu"], tags)


def test_llava_15s_projection_has_two_layers(tmp_path):
    source = write_lisa(tmp_path / "source", mlp=True)
    network, _ = open_pretrained(convert("lisa", source, tmp_path / "out"))
    state = lisa_state(mlp=True)
    for number in ("0", "2"):
        weight = network.projection.maps.get_submodule(number).weight
        assert torch.equal(weight, state[f"model.mm_projector.{number}.weight"])


def test_a_v0_release_keeps_sam_in_files_of_its_own(tmp_path):
    source, state = write_lisa(tmp_path / "source"), lisa_state()
    sam = {name.removeprefix("model."): t for name, t in state.items() if "visual_model" in name}
    fcs = {name.removeprefix("model."): t for name, t in state.items() if "text_hidden_fcs" in name}
    rest = {name: t for name, t in state.items() if "visual_model" not in name and "text_hidden_fcs" not in name}
    save_file(rest, source / "model.safetensors")
    torch.save(sam, source / "pytorch_model-visual_model.bin")
    with pytest.raises(ValueError, match=r"expected pytorch_model-text_hidden_fcs\.bin beside"):
        convert("lisa", source, tmp_path / "out")
    torch.save(fcs, source / "pytorch_model-text_hidden_fcs.bin")
    _, processor = open_pretrained(convert("lisa", source, tmp_path / "out"))
    assert "curious user" in processor.tokenizer.chat_template


def test_sam_may_come_from_its_own_file(tmp_path):
    source, state = write_lisa(tmp_path / "source"), lisa_state()
    sam = {name.removeprefix("model.visual_model."): t for name, t in state.items() if "visual_model" in name}
    save_file({n: t for n, t in state.items() if "visual_model" not in n}, source / "model.safetensors")
    torch.save(sam, tmp_path / "sam_vit_toy.pth")
    with pytest.raises(ValueError, match=r"expected SAM's tensor image_encoder.pos_embed, got none; .* --sam"):
        convert("lisa", source, tmp_path / "out")
    out = convert("lisa", source, tmp_path / "out", ConversionOptions(sam=str(tmp_path / "sam_vit_toy.pth")))
    assert "SAM" in json.loads((out / "conversion.json").read_text())["parts"]


@pytest.fixture
def vicuna_and_delta(tmp_path):
    """(folder of a base, folder of a Ferret's difference to it), named as nobody should rely on."""
    base = {n: t + 0 for n, t in ferret_state(seed=1).items() if "mm_projector" not in n and "geo_sampler" not in n}
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        base[name] = base[name][:-1].clone()
    delta = {name: tensor.clone() for name, tensor in ferret_state().items()}
    for name, tensor in base.items():
        if "rotary_emb" not in name:
            delta[name][: len(tensor)] -= tensor
    (tmp_path / "vicuna").mkdir()
    torch.save(base, tmp_path / "vicuna" / "pytorch_model.bin")
    return tmp_path / "vicuna", write_ferret(tmp_path / "ferret-7b", delta)


def test_a_delta_and_its_base_give_the_target(vicuna_and_delta, tmp_path):
    vicuna, delta = vicuna_and_delta
    made, target = (
        state_of(convert("ferret", delta, tmp_path / "out", ConversionOptions(base=str(vicuna)))),
        ferret_state(),
    )
    for ours, theirs in (("lm_head.weight",) * 2, ("model.layers.1.mlp.up_proj.weight",) * 2):
        torch.testing.assert_close(made[f"language_model.{ours}"], target[theirs])


def test_every_file_that_is_read_has_its_digest(vicuna_and_delta, tmp_path):
    vicuna, delta = vicuna_and_delta
    (tmp_path / "words").mkdir()
    for name in ("tokenizer.model", "added_tokens.json"):
        (delta / name).rename(tmp_path / "words" / name)
    clip = shutil.copytree(delta / "vision_tower", tmp_path / "towers" / "ferret-7b")
    places = {"source": delta, "base": vicuna, "clip": clip, "tokenizer": tmp_path / "words"}
    options = ConversionOptions(**{role: str(place) for role, place in places.items() if role != "source"})
    digests = json.loads((convert("ferret", delta, tmp_path / "out", options) / "conversion.json").read_text())["files"]
    assert sorted(digests) == [
        "base/pytorch_model.bin",
        "clip/config.json",
        "clip/model.safetensors",
        "source/config.json",
        "source/model.safetensors",
        "tokenizer/added_tokens.json",
        "tokenizer/tokenizer.model",
    ]
    for key, digest in digests.items():
        role, _, name = key.partition("/")
        assert hashlib.sha256((places[role] / name).read_bytes()).hexdigest() == digest, key


def test_a_delta_is_told_by_its_values(vicuna_and_delta, tmp_path):
    vicuna, delta = vicuna_and_delta
    (tmp_path / "delta-team").mkdir()
    whole = write_ferret(tmp_path / "delta-team" / "ferret-delta")
    with pytest.raises(ValueError, match=r"it is a delta .*, expected the base model .*, got none; name Vicuna's"):
        convert("ferret", delta, tmp_path / "out")
    with pytest.raises(ValueError, match=r"expected a delta to add to --base, got whole weights .*; leave --base out"):
        convert("ferret", whole, tmp_path / "out", ConversionOptions(base=str(vicuna)))
    with pytest.raises(ValueError, match=r"--base '.*ferret-7b': expected whole weights, got a delta"):
        convert("ferret", delta, tmp_path / "out", ConversionOptions(base=str(delta)))
    assert not (tmp_path / "out").exists()
    assert torch.equal(
        state_of(convert("ferret", whole, tmp_path / "out"))["language_model.model.norm.weight"],
        ferret_state()["model.norm.weight"],
    )


def test_tensor_parallel_onellm_is_the_same_as_one_file(sources, tmp_path):
    split = tmp_path / "split"
    split.mkdir()
    for rank in range(2):
        part = {}
        for name, tensor in onellm_state().items():
            end = name.split(".")[-2]
            axis = {"tok_embeddings": 1, "wo": 1, "w2": 1, "output": 0}.get(end, 0 if end.startswith("w") else None)
            part[name] = tensor if axis is None else tensor.chunk(2, axis)[rank].clone()
        torch.save(part, split / f"consolidated.0{rank}-of-02.pth")
    for name in ("config.json", "tokenizer.model", "added_tokens.json"):
        shutil.copy(sources["onellm"] / name, split)
    one, two = (state_of(convert("onellm", s, tmp_path / n)) for s, n in ((sources["onellm"], "one"), (split, "two")))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_pointmlp_from_a_training_script(sources, tmp_path):
    from deixis.systems.pointmlp.classifier import load_classifier

    out = convert("pointmlp", sources["pointmlp"], tmp_path / "out")
    network, state = load_classifier(out).network, pointmlp_state()
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    with pytest.raises(ValueError, match="it is a PointMLP, which sorts clouds into classes and takes no questions"):
        open_pretrained(out)


def test_the_classes_of_a_pointmlp_have_the_names_beside_it(copy_of, tmp_path):
    from deixis.systems.pointmlp.classifier import load_classifier

    source, names = copy_of("pointmlp"), ("bag", "bin", "box", "night_stand", "tür")
    assert load_classifier(convert("pointmlp", source, tmp_path / "out")).classes == ("0", "1", "2", "3", "4")
    (tmp_path / "mine.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    options = ConversionOptions(classes=str(tmp_path / "mine.txt"))
    assert load_classifier(convert("pointmlp", source, tmp_path / "out", options, overwrite=True)).classes == names
    (tmp_path / "mine.txt").rename(source / "shape_names.txt")
    assert load_classifier(convert("pointmlp", source, tmp_path / "out", overwrite=True)).classes == names


@pytest.mark.parametrize(
    ("count", "classes", "unit_sphere"),
    [
        pytest.param(15, SCANOBJECTNN_CLASSES, False, id="scanobjectnn"),
        pytest.param(40, MODELNET40, True, id="modelnet40"),
        pytest.param(7, tuple("0123456"), True, id="other"),
    ],
)
def test_the_number_of_classes_tells_the_data_set(tmp_path, count, classes, unit_sphere):
    from deixis.model.tokenizers.pointmlp import PointMLP, PointMLPConfig
    from deixis.systems.pointmlp.classifier import load_classifier

    config = {**checkpoints.POINTMLP_CONFIG, "class_num": count}
    (tmp_path / "source").mkdir()
    torch.save({"net": PointMLP(PointMLPConfig.of(config)).state_dict()}, tmp_path / "source" / "best_checkpoint.pth")
    (tmp_path / "source" / "config.json").write_text(json.dumps(config))
    made = load_classifier(convert("pointmlp", tmp_path / "source", tmp_path / "out"))
    assert (made.classes, made.unit_sphere) == (classes, unit_sphere)
    assert sorted(MODELNET40) == list(MODELNET40)


def test_without_a_tokenizer_it_takes_ids_only(copy_of, tmp_path):
    source = copy_of("onellm")
    (source / "tokenizer.model").unlink()
    told = []
    out = convert(
        "onellm", source, tmp_path / "out", tell=lambda line: told.append((line, (tmp_path / "out").exists()))
    )
    assert told == [(WITHOUT_TOKENIZER, False)]
    with pytest.raises(ValueError, match="it was converted without a tokenizer and takes token ids only"):
        open_pretrained(out)
    network = DeixisForConditionalGeneration.from_pretrained(out)
    assert network.language_model(torch.tensor([[1, 5]])).logits.shape == (1, 2, 320)
    assert "token ids only" in (out / "README.md").read_text()


def test_types_and_shards(sources, tmp_path):
    out = convert("ferret", sources["ferret"], tmp_path / "out", dtype="bfloat16", shard_bytes=20_000)
    files = sorted(out.glob("model-*.safetensors"))
    assert len(files) > 2
    assert all(file.stat().st_size < 30_000 for file in files)
    assert {tensor.dtype for tensor in state_of(out).values()} == {torch.bfloat16}
    assert json.loads((out / "config.json").read_text())["dtype"] == "bfloat16"
    network, _ = open_pretrained(out, torch.bfloat16)
    assert network.dtype == torch.bfloat16


def test_the_type_of_most_of_the_source_is_kept(tmp_path):
    source = write_ferret(tmp_path / "source", {n: t.bfloat16() for n, t in ferret_state().items()})
    assert {t.dtype for t in state_of(convert("ferret", source, tmp_path / "out")).values()} == {torch.bfloat16}


def test_progress_is_reported_to_the_end(sources, tmp_path):
    reported = {}
    convert(
        "ferret",
        sources["ferret"],
        tmp_path / "out",
        progress=lambda what, done, total: reported.update({what: (done, total)}),
    )
    assert reported.keys() == {"digests", "weights"}
    assert all(done == total > 0 for done, total in reported.values())


@pytest.mark.parametrize(
    ("prepare", "overwrite", "match"),
    [
        pytest.param(lambda out: out.mkdir(), False, "expected a folder that is not there yet", id="folder_is_there"),
        pytest.param(lambda out: out.write_text("x"), True, "this one holds no conversion.json", id="file"),
        pytest.param(
            lambda out: (out.mkdir(), (out / "thesis.tex").write_text("x")),
            True,
            "holds no conversion.json",
            id="foreign",
        ),
        pytest.param(lambda out: None, False, None, id="fine"),
    ],
)
def test_the_folder_to_make(sources, tmp_path, prepare, overwrite, match):
    out = tmp_path / "out"
    prepare(out)
    if match is None:
        convert("pointmlp", sources["pointmlp"], out)
        first = (out / "conversion.json").stat().st_ino
        convert("pointmlp", sources["pointmlp"], out, overwrite=True)
        assert (out / "conversion.json").stat().st_ino != first
        assert list(tmp_path.iterdir()) == [out]
        return
    with pytest.raises(ValueError, match=match):
        convert("pointmlp", sources["pointmlp"], out, overwrite=overwrite)
    assert out.exists()


def test_the_source_is_not_overwritten(copy_of, tmp_path):
    source = copy_of("pointmlp")
    for out in (source, tmp_path):
        with pytest.raises(ValueError, match="expected a folder apart from the source, got one that holds it"):
            convert("pointmlp", source, out, overwrite=True)
    with pytest.raises(ValueError, match="there is no folder"):
        convert("pointmlp", source, tmp_path / "a" / "b")


def test_a_name_too_long_for_a_source_is_one_sentence(tmp_path):
    with pytest.raises(CheckpointError, match="source: expected a folder, a file or a hub id"):
        convert("pointmlp", "a" * 300, tmp_path / "out")


def test_memory_that_is_exhausted_is_not_blamed_on_the_source():
    with pytest.raises(RuntimeError, match="t allocate memory"), _naming_source("somewhere"):
        torch.empty(2**60, dtype=torch.uint8)


@pytest.mark.parametrize("kept", [pytest.param(False, id="new"), pytest.param(True, id="overwritten")])
@pytest.mark.parametrize("error", [pytest.param(KeyboardInterrupt, id="ctrl_c"), pytest.param(OSError, id="disk_full")])
def test_an_interruption_leaves_nothing_and_keeps_what_was(sources, tmp_path, error, kept):
    out = tmp_path / "out"
    if kept:
        convert("ferret", sources["ferret"], out)
    before = {file.name: file.read_bytes() for file in out.iterdir()} if kept else {}

    def stop(what, done, total):
        if what == "weights" and done > total // 2:
            raise error

    with pytest.raises(error):
        convert("ferret", sources["ferret"], out, overwrite=True, progress=stop)
    assert [file.name for file in tmp_path.iterdir()] == (["out"] if kept else [])
    assert not kept or {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_too_little_room_is_said_before_anything_is_written(sources, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(
        ValueError, match=r"expected \d.* [kM]B of free space to write it, got 1.0 kB; .*--dtype bfloat16"
    ):
        convert("ferret", sources["ferret"], tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_every_release_has_a_toy_checkpoint_and_a_command():
    assert checkpoints.WRITERS.keys() == CONVERTIBLE.keys() == set(SYSTEMS)
