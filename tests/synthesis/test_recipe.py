"""Recipes of region data: errors are reported with their field before anything is read."""

from pathlib import Path

import pytest

from deixis.synthesis.recipe import build_recipe, read_build_recipe

SOURCES = {"coco": {"format": "coco", "path": "instances.json"}}
PART = {"kind": "objects", "from": ["coco"], "samples": 10}


def recipe(**fields):
    return {"sources": SOURCES, "parts": [PART]} | fields


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param(None, "the recipe: expected fields with values; got None", id="empty"),
        pytest.param(["coco"], "the recipe: expected fields with values; got", id="list"),
        pytest.param({"stages": [], "init": "bundled"}, "got one of training: it is for deixis train", id="training"),
        pytest.param(recipe(sauce=1), "the recipe: sauce: unknown field; known are seed, scale, sources", id="field"),
        pytest.param({"parts": [PART]}, "sources: expected sets by name, as in coco: .*; got {}", id="no_sources"),
        pytest.param(recipe(sources=["coco"]), "sources: expected sets by name", id="sources_list"),
        pytest.param(
            recipe(sources={"a/b": {}}), "sources: expected names of letters, .*; got 'a/b'", id="source_name"
        ),
        pytest.param(
            recipe(sources={"coco": {"format": "coco"}}), "sources.coco.path: expected text; got none", id="path"
        ),
        pytest.param(
            recipe(sources={"coco": {"format": "coco", "path": 3}}),
            "sources.coco.path: expected text; got 3",
            id="path_3",
        ),
        pytest.param(
            recipe(sources={"coco": SOURCES["coco"] | {"optional": "yes"}}),
            "sources.coco.optional: expected true or false; got 'yes'",
            id="flag",
        ),
        pytest.param(
            recipe(held_out={"coco": SOURCES["coco"]}),
            "held_out: expected names that no source has; got 'coco'",
            id="both",
        ),
        pytest.param(recipe(parts=[]), "parts: expected a list of at least one part; got", id="no_parts"),
        pytest.param(recipe(parts=[{"kind": "objects"}]), r"parts\[0\]: expected the field 'from'", id="from"),
        pytest.param(
            recipe(parts=[PART | {"from": "vg"}]),
            r"parts\[0\]: expected a source among coco; got 'vg'",
            id="unknown_source",
        ),
        pytest.param(
            recipe(parts=[PART | {"from": [{"a": 1}]}]),
            r"parts\[0\]: expected a source among coco; got {'a': 1}",
            id="source_that_is_no_name",
        ),
        pytest.param(recipe(parts=[PART, PART]), "parts: expected a name for each .*; got 'objects' twice", id="twice"),
        pytest.param(
            recipe(parts=[PART | {"name": "a/b"}]),
            r"parts\[0\].name: expected a name fit for a file; got 'a/b'",
            id="name",
        ),
        pytest.param(
            recipe(parts=[PART | {"samples": -1}]),
            r"parts\[0\].samples: expected a whole number from 0; got -1",
            id="count",
        ),
        pytest.param(
            recipe(parts=[PART | {"samples": True}]), r"parts\[0\].samples: expected a whole number", id="count_bool"
        ),
        pytest.param(recipe(scale="1e-3"), "scale: expected a number from 0; got '1e-3'", id="scale"),
        pytest.param(
            recipe(shards={"samples": 0}), "shards.samples: expected a whole number from 1; got 0", id="shard"
        ),
        pytest.param(recipe(shards={"format": "zip"}), "shards.format: expected one of jsonl, tar, parquet", id="form"),
        pytest.param(
            recipe(models={"mask": "sam"}),
            "models: mask: unknown field; .*did you mean 'masks'",
            id="model",
        ),
        pytest.param(recipe(language="gpt"), "language: expected fields with values or none; got 'gpt'", id="language"),
    ],
)
def test_a_wrong_recipe_is_named_with_its_field(values, message):
    with pytest.raises(ValueError, match=message):
        build_recipe(values)


def test_a_recipe_fills_in_names_of_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("SETS", "/sets")
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "seed: 3\nscale: 0.5\nsources:\n  coco: {format: coco, path: '${SETS}/coco.json', images: '~/p', split: train,"
        " optional: true, options: {a: 1}}\nparts:\n  - {kind: objects, from: coco, samples: 10, objects_from: coco}\n"
        "shards: {format: parquet, samples: 5, media: copy}\n"
    )
    made = read_build_recipe(path)
    place = made.sources["coco"].config
    assert (place.path, place.images) == (Path("/sets/coco.json"), Path("~/p").expanduser())
    assert (place.split, place.options) == ("train", {"a": "1"})
    assert made.sources["coco"].optional
    assert (made.seed, made.scale, made.ending, made.shard_samples, made.media) == (3, 0.5, "parquet", 5, "copy")
    assert (made.parts[0].name, made.parts[0].sources, made.parts[0].objects_from) == ("objects", ("coco",), "coco")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("seed: 1\n  scale: 2", "recipe.yaml:2: expected YAML; mapping values are", id="not_yaml"),
        pytest.param("a: \x07", "recipe.yaml: expected YAML; unacceptable character", id="not_text"),
        pytest.param("parts: 3", "recipe.yaml: sources: expected sets by name", id="field"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, text, message):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_build_recipe(path)
