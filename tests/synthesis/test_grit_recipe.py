"""recipes/grit.yaml: the paper's parts in the paper's numbers, and a build with only some of the sets."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from deixis.datasets.formats import FORMATS
from deixis.datasets.runs.folder import RunFolder
from deixis.datasets.runs.pool import Workers
from deixis.synthesis.annotators import Annotators
from deixis.synthesis.build_run import build_set, plan_build
from deixis.synthesis.recipe import read_build_recipe
from tests.datasets.coco_sets import coco_set

RECIPE = Path(__file__).parents[2] / "recipes" / "grit.yaml"
PAPER = {  # thousands, of Ferret's GRIT
    ("objects",): 678,
    ("relations", "descriptions"): 177,
    ("dialogues",): 34,
    ("negatives",): 95,
    ("boxed_turns",): 158,
}


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.setenv("DATA", str(tmp_path / "sets"))
    return read_build_recipe(RECIPE)


def test_the_parts_have_the_papers_numbers(recipe):
    made = {kinds: sum(part.samples for part in recipe.parts if part.kind in kinds) for kinds in PAPER}
    assert made == {kinds: 1_000 * thousands for kinds, thousands in PAPER.items()}
    assert sum(part.samples for part in recipe.parts) == sum(made.values())
    assert {entry.format for entry in recipe.sources.values()} <= FORMATS.keys()


def test_without_any_set_it_says_what_is_missing(recipe, tmp_path):
    with pytest.raises(ValueError, match=r"expected at least one that can be made, got none: objects_detection: obj"):
        plan_build(recipe, RunFolder(tmp_path / "out"), Annotators())


def test_with_coco_alone_its_parts_are_made_and_the_others_said(recipe, tmp_path):
    coco = tmp_path / "sets" / "coco"
    path = coco_set(coco, 40, split="train2017")
    (coco / "annotations").mkdir()
    path.rename(coco / "annotations" / path.name)
    captions = [{"id": n, "image_id": n, "caption": f"Picture {n}."} for n in range(1, 41)]
    (coco / "annotations" / "captions_train2017.json").write_text(json.dumps({"annotations": captions}))
    report = build_set(
        plan_build(replace(recipe, scale=0.0005, ending="jsonl"), RunFolder(tmp_path / "out"), Annotators()),
        RunFolder(tmp_path / "out"),
        Workers(),
    )
    assert report["samples"] == {"objects_coco": 39, "negatives": 48}
    assert set(report["left_out"]) == {part.name for part in recipe.parts} - {"objects_coco", "negatives"} | {
        "lvis in negatives",
        "held_out coco_val",
    }
    assert report["left_out"]["held_out coco_val"].startswith("not there (")
    assert report["left_out"]["dialogues"] == "it needs a language model (language: {url, model})"
    assert report["wanted"]["objects_detection"] == 225
