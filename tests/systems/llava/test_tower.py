"""CLIP's vision model of a conversion: the one that the checkpoint was trained with, or an error that names it."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from deixis.checkpoints import open_pretrained
from deixis.checkpoints.sizes import CLIP_LARGE, CLIP_LARGE_336
from deixis.checkpoints.source import open_source
from deixis.systems.conversion import convert
from deixis.systems.llava.convert import check_tower, named_sides
from deixis.systems.release import ConversionOptions
from tests.checkpoints.checkpoints import write_clip, write_lisa

PATCH_14, PATCH_14_336 = "openai/clip-vit-large-patch14", "openai/clip-vit-large-patch14-336"


def configured(folder, **said):
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **said}))


def without_tower(folder):
    for name in ("vision_tower", "clip"):
        if (folder / name).is_dir():
            (folder / name).rename(folder.parent / "elsewhere")


def wide(folder):
    state = load_file(folder / "model.safetensors")
    state["model.mm_projector.weight"] = torch.zeros(16, 9)
    save_file(state, folder / "model.safetensors")


@pytest.mark.parametrize("system", ["ferret", "lisa"])
@pytest.mark.parametrize(
    ("change", "patches", "match"),
    [
        pytest.param(
            lambda f: configured(f, mm_vision_tower="openai/clip-vit-toy-patch4-16"),
            36,
            r"expected one with images of 16 px in patches of 4 px, as openai/clip-vit-toy-patch4-16 has, got "
            r"images of 24 px in patches of 4 px; '.*' was trained with another one, name it by --clip",
            id="side",
        ),
        pytest.param(
            lambda f: configured(f, mm_vision_tower="./clip-vit-toy-patch2-16/"),
            16,
            "in patches of 2 px, as .* got images of 16 px in patches of 4 px",
            id="patch",
        ),
        pytest.param(wide, 16, "expected one with features of 9 channels, as mm_projector reads, got 8", id="width"),
        pytest.param(
            lambda f: configured(f, mm_vision_select_layer=-4),
            16,
            "expected one with a layer -4, as mm_vision_select_layer says, got 2 layers",
            id="depth",
        ),
    ],
)
def test_a_tower_that_cannot_be_right_is_refused(copy_of, tmp_path, system, change, patches, match):
    source = copy_of(system)
    without_tower(source)
    change(source)
    write_clip(tmp_path / "tower", patches)
    with pytest.raises(ValueError, match=match) as caught:
        convert(system, source, tmp_path / "out", ConversionOptions(clip=str(tmp_path / "tower")))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("system", ["ferret", "lisa"])
def test_the_tower_that_the_source_names_is_taken(copy_of, tmp_path, system):
    source = copy_of(system)
    without_tower(source)
    configured(source, mm_vision_tower="openai/clip-vit-toy-patch4-24")
    write_clip(tmp_path / "tower", 36)
    network, _ = open_pretrained(
        convert(system, source, tmp_path / "out", ConversionOptions(clip=str(tmp_path / "tower")))
    )
    assert network.config.signals["image"].size_px == 24


def test_lisas_code_takes_vision_tower_before_mm_vision_tower(copy_of, tmp_path):
    source = copy_of("lisa")
    without_tower(source)
    configured(source, mm_vision_tower="openai/clip-vit-toy-patch4-24", vision_tower="openai/clip-vit-toy-patch4-16")
    write_clip(tmp_path / "tower", 36)
    with pytest.raises(ValueError, match="expected one with images of 16 px"):
        convert("lisa", source, tmp_path / "out", ConversionOptions(clip=str(tmp_path / "tower")))


@pytest.mark.parametrize(
    ("system", "side"), [pytest.param("ferret", 336, id="ferret"), pytest.param("lisa", 224, id="lisa")]
)
def test_where_the_source_names_no_sides_they_are_the_published_ones(copy_of, tmp_path, system, side):
    source = copy_of(system)
    without_tower(source)
    configured(source, mm_vision_tower="./mine")
    write_clip(tmp_path / "tower")
    match = rf"images of {side} px in patches of 14 px, as openai/clip-vit-large-patch14\S* has, got images of 16 px"
    with pytest.raises(ValueError, match=match):
        convert(system, source, tmp_path / "out", ConversionOptions(clip=str(tmp_path / "tower")))


def test_lisa_on_llava_15_has_the_larger_images(tmp_path):
    source = write_lisa(tmp_path / "source", mlp=True)
    (source / "clip").rename(tmp_path / "tower")
    with pytest.raises(ValueError, match=r"images of 336 px in patches of 14 px, .* got images of 16 px"):
        convert("lisa", source, tmp_path / "out", ConversionOptions(clip=str(tmp_path / "tower")))


def test_a_tower_in_the_place_of_the_sources_own_has_its_sides(copy_of, tmp_path):
    source = copy_of("ferret")
    write_clip(tmp_path / "tower", 36)
    with pytest.raises(ValueError, match=r"images of 16 px in .*, as \S+vision_tower has, got images of 24 px"):
        convert("ferret", source, tmp_path / "out", ConversionOptions(clip=str(tmp_path / "tower")))
    write_clip(tmp_path / "like_it")
    convert("ferret", source, tmp_path / "out", ConversionOptions(clip=str(tmp_path / "like_it")))


@pytest.mark.parametrize(
    ("tower", "names", "match"),
    [
        pytest.param(CLIP_LARGE, ("vision_tower", PATCH_14_336), "of 336 px .* got images of 224 px", id="ferret"),
        pytest.param(CLIP_LARGE_336, ("clip", PATCH_14), "of 224 px .* got images of 336 px", id="lisa"),
        pytest.param(CLIP_LARGE, (PATCH_14_336, PATCH_14), "as .*-336 has, got images of 224 px", id="named_first"),
        pytest.param({**CLIP_LARGE, "hidden_size": 768}, (PATCH_14,), "of 1024 channels, .* got 768", id="base_model"),
    ],
)
def test_at_published_sizes(tmp_path, tower, names, match):
    save_file({"model.mm_projector.weight": torch.zeros(4, 1024)}, tmp_path / "model.safetensors")
    source = open_source(tmp_path)
    with pytest.raises(ValueError, match=match):
        check_tower(source, tower, -2, "some/tower", *named_sides(*names))
    check_tower(source, CLIP_LARGE_336, -2, "some/tower", *named_sides("./mine", PATCH_14_336))


@pytest.mark.parametrize(
    ("system", "published"),
    [pytest.param("ferret", PATCH_14_336, id="ferret"), pytest.param("lisa", PATCH_14, id="lisa")],
)
def test_a_tower_that_is_not_there_is_named_with_the_source(copy_of, tmp_path, system, published):
    source = copy_of(system)
    without_tower(source)
    configured(source, mm_vision_tower="./checkpoints/my_tower")
    with pytest.raises(ValueError, match="expected CLIP's vision model in it, or where its config") as caught:
        convert(system, source, tmp_path / "out")
    said = str(caught.value)
    assert said.startswith(f"source '{source}': ")
    assert f"'./checkpoints/my_tower', got none; name it by --clip ({published}, unless" in said


def test_a_tower_may_lie_where_the_configuration_says(copy_of, tmp_path):
    source = copy_of("ferret")
    (source / "vision_tower").rename(source / "my_tower")
    configured(source, mm_vision_tower="my_tower")
    network, _ = open_pretrained(convert("ferret", source, tmp_path / "out"))
    assert network.config.signals["image"].size_px == 16
