"""`deixis data build` as a run: quotas, skipped parts, leaks, and the same samples for any number of workers."""

import functools
import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from deixis.datasets.runs.folder import RunFolder
from deixis.datasets.runs.pool import Workers
from deixis.datasets.runs.survey import survey
from deixis.errors import OutputError
from deixis.language.endpoint import Endpoint
from deixis.samples.sample import Skipped
from deixis.samples.shards import open_samples
from deixis.synthesis.annotators import Annotators
from deixis.synthesis.build_run import build_set, build_unit, cut, plan_build
from deixis.synthesis.recipe import build_recipe
from tests.datasets.coco_sets import coco_set, files_of
from tests.language.language_server import Reply, language_server


@pytest.fixture
def sets(tmp_path) -> Path:
    """train: 60 images; val: 5, of which 3 are in train too."""
    coco_set(tmp_path / "sets", 60)
    coco_set(tmp_path / "sets", 5, split="val", first=58)
    return tmp_path / "sets"


def recipe_of(sets: Path, parts: list[dict], **fields):
    train = {"format": "coco", "path": str(sets / "instances_train.json"), "images": str(sets / "train")}
    return build_recipe(
        {"sources": {"train": train}, "parts": parts, "shards": {"format": "jsonl", "samples": 20}} | fields
    )


OBJECTS = {"name": "objects", "kind": "objects", "from": ["train"], "samples": 90}
NEGATIVES = {"name": "negatives", "kind": "negatives", "from": ["train"], "samples": 30}
DIALOGUES = {"name": "dialogues", "kind": "dialogues", "from": ["train"], "samples": 6}


def build(recipe, out: Path, workers: Workers = Workers(), annotators: Annotators = Annotators()):
    folder = RunFolder(out)
    return build_set(plan_build(recipe, folder, annotators), folder, workers)


def samples_of(out: Path) -> list:
    found = [sample for _, sample in open_samples(out)]
    assert not any(isinstance(sample, Skipped) for sample in found)
    return found


def test_every_part_gets_its_samples_in_shards_of_its_own(sets, tmp_path):
    out = tmp_path / "out"
    report = build(recipe_of(sets, [OBJECTS, NEGATIVES]), out)
    assert report["samples"] == report["wanted"] == {"objects": 90, "negatives": 30}
    names = Counter(path.name.split("-")[0] for path in out.glob("*.jsonl"))
    assert names == {"objects": 5, "negatives": 2}
    ids = [sample.id for sample in samples_of(out)]
    assert len(ids) == len(set(ids)) == 120
    assert {medium.id for sample in samples_of(out) for medium in sample.signals} > {"coco/000000000001"}


def test_scale_is_of_every_part(sets, tmp_path):
    report = build(recipe_of(sets, [OBJECTS, NEGATIVES], scale=0.1), tmp_path / "out")
    assert report["samples"] == {"objects": 9, "negatives": 3}


def test_the_files_of_two_processes_are_those_of_one(sets, tmp_path):
    recipe = recipe_of(sets, [OBJECTS, NEGATIVES])
    build(recipe, tmp_path / "one")
    build(recipe, tmp_path / "two", Workers(2))
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_another_seed_is_another_set_and_the_same_seed_the_same(sets, tmp_path):
    build(recipe_of(sets, [OBJECTS]), tmp_path / "one")
    build(recipe_of(sets, [OBJECTS]), tmp_path / "same")
    build(recipe_of(sets, [OBJECTS], seed=1), tmp_path / "other")
    texts = [[s.turns for s in samples_of(tmp_path / name)] for name in ("one", "same", "other")]
    assert texts[0] == texts[1] != texts[2]


def test_a_run_goes_on_after_any_unit(sets, tmp_path):
    recipe = recipe_of(sets, [OBJECTS, NEGATIVES])
    build(recipe, tmp_path / "whole")
    folder = RunFolder(tmp_path / "stopped")
    plan = plan_build(recipe, folder, Annotators())
    with folder.opened(plan.description()):
        counts = {name: source.prepare() for name, source in plan.sources.items()}
        units = cut(plan, counts)
        assert sum(survey([*plan.sources.values()], folder.hidden, Workers())) == 60
        for unit in units[::2]:
            assert build_unit(plan, folder, unit) is None
    done = {path: path.stat().st_mtime_ns for path in folder.path.glob("*.jsonl")}
    build(recipe, folder.path)
    assert files_of(folder.path) == files_of(tmp_path / "whole")
    assert all(path.stat().st_mtime_ns == before for path, before in done.items())


def test_held_out_pictures_are_never_trained_on(sets, tmp_path):
    val = {"format": "coco", "path": str(sets / "instances_val.json"), "images": str(sets / "val")}
    report = build(recipe_of(sets, [OBJECTS | {"samples": 400}], held_out={"val": val}), tmp_path / "out")
    used = {medium.id for sample in samples_of(tmp_path / "out") for medium in sample.signals}
    assert used == {f"coco/{number:012d}" for number in range(1, 58)}
    assert report["reasons"]["held out: … may not be trained on, it is in val of val"] >= 3


def test_what_is_held_out_under_one_name_is_under_every_other_that_any_set_knows(sets, tmp_path):
    """A dialogue about vg/7, which by Visual Genome is COCO's image 58, which is in val."""
    genome = tmp_path / "genome"
    (genome / "VG_100K").mkdir(parents=True)
    images = [{"image_id": n, "width": 64, "height": 48, "coco_id": coco} for n, coco in ((7, 58), (8, None), (9, 1))]
    (genome / "image_data.json").write_text(json.dumps(images))
    regions = [{"id": n, "regions": [{"region_id": n, "image_id": n, "phrase": "a mug", "x": 4, "y": 5, "width": 9,
                                      "height": 9}]} for n in (7, 8, 9)]  # fmt: skip
    (genome / "region_descriptions.json").write_text(json.dumps(regions))
    said = [{"from": "human", "value": "<image>\nWhat is there?"}, {"from": "gpt", "value": "A mug."}]
    rows = [{"id": str(n), "image": f"vg/VG_100K/{n}.jpg", "conversations": said} for n in (7, 8, 9)]
    (tmp_path / "dialogues.json").write_text(json.dumps(rows))
    sources = {
        "llava": {"format": "llava", "path": str(tmp_path / "dialogues.json")},
        "genome": {"format": "visual_genome", "path": str(genome)},
    }
    held_out = {"val": {"format": "coco", "path": str(sets / "instances_val.json"), "images": str(sets / "val")}}
    parts = [{"name": "replay", "kind": "plain", "from": ["llava"], "samples": 3, "objects_from": "genome"}]
    shards = {"format": "jsonl", "media": "none"}
    report = build(recipe_of(sets, parts, sources=sources, held_out=held_out, shards=shards), tmp_path / "out")
    assert {sample.signals[0].id for sample in samples_of(tmp_path / "out")} == {"vg/8", "vg/9"}
    assert list(report["reasons"]) == ["held out: … may not be trained on, it is in val of val"]


def test_dialogues_get_the_boxes_that_another_set_marks_in_the_same_pictures(sets, tmp_path):
    path = tmp_path / "dialogues.json"
    said = [{"from": "human", "value": "<image>\nWhat is there?"}, {"from": "gpt", "value": "A mug and a chair."}]
    rows = [{"id": str(n), "image": f"{n:012d}.jpg", "conversations": said} for n in range(1, 61)]
    path.write_text(json.dumps(rows))
    train = {"format": "coco", "path": str(sets / "instances_train.json"), "images": str(sets / "train")}
    llava = {"format": "llava", "path": str(path), "images": str(sets / "train")}
    parts = [{"name": "boxed", "kind": "boxed_turns", "from": ["llava"], "samples": 60, "objects_from": "train"}]
    parts.append({"name": "replay", "kind": "plain", "from": ["llava"], "samples": 7})
    report = build(recipe_of(sets, parts, sources={"train": train, "llava": llava}), tmp_path / "out")
    marked = [s for s in samples_of(tmp_path / "out") if s.id not in ("replay",) and s.regions]
    assert len(marked) == report["samples"]["boxed"] > 20
    assert report["samples"]["replay"] == 7
    truth = {
        (a["image_id"], tuple(a["bbox"]))
        for a in json.loads((sets / "instances_train.json").read_text())["annotations"]
    }
    for sample in marked:
        number = int(sample.signals[0].id.split("/")[1])
        for region in sample.regions:
            x1, y1, x2, y2 = region.box
            assert (number, (x1, y1, x2 - x1, y2 - y1)) in truth


def test_what_a_small_set_cannot_fill_is_reported(sets, tmp_path):
    report = build(recipe_of(sets, [OBJECTS | {"samples": 100_000}]), tmp_path / "out")
    assert report["wanted"] == {"objects": 100_000}
    assert 60 < report["samples"]["objects"] < 100_000
    assert report["samples"]["objects"] == len(samples_of(tmp_path / "out"))


@pytest.mark.parametrize(
    ("fields", "name", "why"),
    [
        pytest.param({}, "dialogues", "it needs a language model", id="no_language_model"),
        pytest.param(
            {
                "sources": {
                    "train": {"format": "coco", "path": "SETS/instances_train.json", "images": "SETS/train"},
                    "vg": {"format": "visual_genome", "path": "nowhere", "optional": True},
                },
                "parts": [OBJECTS, {"name": "relations", "kind": "relations", "from": ["vg"], "samples": 5}],
            },
            "relations",
            "vg: not there .nowhere.",
            id="missing_source",
        ),
        pytest.param(
            {"parts": [OBJECTS, OBJECTS | {"name": "masked", "masks_from_boxes": True}]},
            "masked",
            r"it needs a model .models: masks.",
            id="no_masks",
        ),
        pytest.param(
            {"parts": [OBJECTS, {"name": "boxed", "kind": "boxed_turns", "from": ["train"], "samples": 5}]},
            "boxed",
            r"it needs another set of the same images .objects_from. or a model",
            id="no_boxes",
        ),
    ],
)
def test_parts_that_cannot_be_made_are_left_out_and_said(sets, tmp_path, fields, name, why):
    values = json.loads(json.dumps(fields).replace("SETS", str(sets)))
    recipe = recipe_of(sets, values.pop("parts", [OBJECTS, DIALOGUES]), **values)
    report = build(recipe, tmp_path / "out")
    assert list(report["left_out"]) == [name]
    assert pytest.raises(ValueError, match=why).matches(ValueError(report["left_out"][name]))
    assert set(report["samples"]) == {"objects"}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        pytest.param(
            [OBJECTS | {"kind": "object"}], "parts: objects: expected a kind among objects, .*got 'object'", id="kind"
        ),
        pytest.param([OBJECTS | {"options": {"turn": 2}}], r"parts: objects.options.turn: unknown field", id="option"),
        pytest.param([OBJECTS | {"options": {"turns": 0}}], r"parts: objects.options.turns: expected", id="value"),
        pytest.param(
            [DIALOGUES], "parts: expected at least one that can be made, got none: dialogues: it needs", id="none"
        ),
    ],
)
def test_a_wrong_part_is_named_before_anything_is_written(sets, tmp_path, parts, message):
    with pytest.raises(ValueError, match=message):
        build(recipe_of(sets, parts), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def _boxes_as_masks() -> functools.partial:
    return _marked


def _marked(picture, boxes_xyxy):
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    return np.stack([(columns >= x1) & (columns < x2) & (rows >= y1) & (rows < y2) for x1, y1, x2, y2 in boxes_xyxy])


def test_masks_are_marked_where_a_set_has_boxes_alone(sets, tmp_path):
    path = sets / "instances_train.json"
    values = json.loads(path.read_text())
    for annotation in values["annotations"]:
        del annotation["segmentation"]
    path.write_text(json.dumps(values))
    parts = [OBJECTS | {"masks_from_boxes": True, "options": {"form": "mask"}}]
    build(recipe_of(sets, parts), tmp_path / "out", annotators=Annotators(masks=_boxes_as_masks))
    samples = samples_of(tmp_path / "out")
    assert any(":mask}" in turn.assistant for sample in samples for turn in sample.turns)
    build(recipe_of(sets, [OBJECTS]), tmp_path / "plain")
    assert not any(r.mask for s in samples_of(tmp_path / "plain") for r in s.regions if r.box and not r.point)


DIALOGUE = {
    "turns": [{"user": "What is {0}?", "assistant": "It is [a NAME]{0}."}, {"user": "Sure?", "assistant": "Yes."}]
}


def _dialogue(request: dict, number: int) -> Reply:
    told = json.dumps(request["messages"])
    name = min((name for name in ("mug", "chair", "lamp") if name in told), key=told.rfind)
    return Reply(json.dumps(DIALOGUE).replace("NAME", name), tokens=(1_000, 1_000))


def endpoint(url: str, cache: Path, **fields) -> Annotators:
    settings = {"max_cost_usd": 1.0, "usd_per_million_in": 10.0, "usd_per_million_out": 10.0, "retries": 0}
    return Annotators(language=Endpoint(url=url, model="m", cache=cache, **settings | fields).open)


def test_a_run_that_reached_its_cost_goes_on_with_a_higher_one(sets, tmp_path):
    recipe = recipe_of(sets, [OBJECTS, DIALOGUES | {"samples": 40}])
    with language_server(_dialogue) as server:
        first = build(
            recipe, tmp_path / "out", annotators=endpoint(server.url, tmp_path / "a.sqlite", max_cost_usd=0.2)
        )
        asked = len(server.requests)
        assert "stopped" in first
        assert "0.2" in first["stopped"]
        assert first["samples"]["objects"] == 90, "what costs nothing is made"
        assert not (tmp_path / "out" / "report.json").exists()
        second = build(
            recipe, tmp_path / "out", annotators=endpoint(server.url, tmp_path / "a.sqlite", max_cost_usd=9.0)
        )
        assert "stopped" not in second
        told = [json.dumps(request["messages"]) for request in server.requests]
        assert 0 < asked < len(told) == len(set(told)), "nothing is asked, or paid, twice"
        third = build(
            recipe, tmp_path / "again", Workers(2), endpoint(server.url, tmp_path / "b.sqlite", max_cost_usd=9.0)
        )
    assert second["samples"] == third["samples"]
    assert files_of(tmp_path / "out") == files_of(tmp_path / "again")


def test_a_language_model_of_no_use_is_not_asked_on_and_on(sets, tmp_path, monkeypatch):
    monkeypatch.setattr("deixis.synthesis.build_run.MAX_GIVEN_UP", 5)
    recipe = recipe_of(sets, [OBJECTS, DIALOGUES | {"samples": 40, "options": {"at_once": 2}}])
    with language_server(lambda request, number: "I cannot do that.") as server:
        report = build(
            recipe, tmp_path / "out", annotators=endpoint(server.url, tmp_path / "a.sqlite", max_cost_usd=9.0)
        )
        most = 2 * 2 * (5 + 2)  # each of two units asks for each once more, and two are under way
        assert len(server.requests) <= most
    assert "dialogues: 5 answers in a row cannot be used: given up: expected a JSON object" in report["stopped"]
    assert report["samples"] == {"objects": 90}, "what needs no such model is made"


@pytest.mark.parametrize("part", [NEGATIVES, DIALOGUES], ids=["negatives", "dialogues"])
def test_a_locked_response_cache_stops_the_run_which_resumes(sets, tmp_path, monkeypatch, part):
    monkeypatch.setattr("deixis.language.response_cache.BUSY_S", 0.05)
    recipe = recipe_of(sets, [OBJECTS, part])
    with language_server(_dialogue) as server:
        annotators = endpoint(server.url, tmp_path / "a.sqlite", max_cost_usd=9.0)
        with closing(sqlite3.connect(tmp_path / "a.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(OutputError, match=r"a\.sqlite': expected a response cache .* database is locked"):
                build(recipe, tmp_path / "out", annotators=annotators)
            other.execute("ROLLBACK")
        assert "stopped" not in build(recipe, tmp_path / "out", annotators=annotators)
        assert server.requests


def test_a_language_model_that_is_not_there_is_said(sets, tmp_path):
    annotators = endpoint("http://127.0.0.1:9/v1", tmp_path / "a.sqlite")
    for workers in (Workers(1), Workers(2)):
        with pytest.raises(ValueError, match=r"127\.0\.0\.1:9"):
            build(recipe_of(sets, [OBJECTS, DIALOGUES]), tmp_path / "out", workers, annotators)
