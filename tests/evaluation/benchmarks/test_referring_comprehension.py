"""Boxes of referring expressions in both official layouts: the official reading to the letter, a strict one beside."""

import json
import re

import numpy as np
import pytest

import deixis
from deixis.evaluation.benchmark import GENERATED, Benchmark, Example
from deixis.evaluation.benchmarks.referring_comprehension import REFERRING_COMPREHENSION
from deixis.geometry import Region
from deixis.samples.sample import Skipped
from deixis.systems.ferret.scoring import score_refexp
from tests.datasets.reading import write_json, write_picture
from tests.evaluation.benchmarks.masks import run_with_model
from tests.evaluation.benchmarks.referring import (
    BOXES,
    EXPRESSIONS,
    EXPRESSIONS_G,
    SIZE_HW,
    file_name,
    referring_layout,
)
from tests.evaluation.benchmarks.scripted import Scripted, answer_of, box, run_benchmark, table

BY_NAME = {benchmark.info.name: benchmark for benchmark in REFERRING_COMPREHENSION}
FOLDERS = {"refcoco": "refcoco", "refcoco_plus": "refcoco+", "refcocog": "refcocog"}


def texts_of(expressions):
    """(split, text) -> annotation."""
    return {
        (split, text): numbers[0]
        for split, entries in expressions.items()
        for numbers, texts in entries
        for text in texts
    }


def mdetr_layout(root, folder, expressions):
    """MDETR's files: an entry for each expression, its image in train2014."""
    for split, entries in expressions.items():
        images, annotations = [], []
        for numbers, texts in entries:
            x1, y1, x2, y2 = BOXES[numbers[0]]
            for text in texts:
                number, tokens = len(images), [[0, len(text)]]
                images.append({"id": number, "file_name": file_name(139), "height": SIZE_HW[0], "width": SIZE_HW[1],
                               "caption": text, "dataset_name": folder, "original_id": 139, "sentence_id": 7,
                               "tokens_positive_eval": [tokens]})  # fmt: skip
                annotations.append({"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "area": 1.0,
                                    "bbox": [x1, y1, x2 - x1, y2 - y1], "tokens_positive": tokens})  # fmt: skip
        content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "object"}]}
        write_json(root / "OpenSource" / f"finetune_{folder}_{split}.json", content)
    write_picture(root / "train2014" / file_name(139), np.full((*SIZE_HW, 3), 99, np.uint8))
    return root


def true_box(expressions, question):
    words = re.fullmatch(r"(?:Where is |What is the location of )(.*?)(?: in the image)?\?", question.turns[-1].user)[1]
    words = words.replace("{{", "{").replace("}}", "}")
    return BOXES[next(number for (_, text), number in texts_of(expressions).items() if text.replace(",", "") == words)]


def on_grid(box_xyxy):
    height, width = SIZE_HW
    return [int(1000 * value / (height if axis % 2 else width)) + 1 for axis, value in enumerate(box_xyxy)]


FAR = (0.0, 0.0, 1.0, 1.0)
SCRIPTS = {  # boxes of an answer, and the share of answers that the first, the strict reading accept
    "perfect": (lambda true: [true], 100, 100),
    "empty": (lambda true: [], 0, 0),
    "all_over": (lambda true: [(0, 0, 60, 40)], None, None),
    "right_one_first": (lambda true: [true, FAR], 100, 0),
    "right_one_last": (lambda true: [FAR, true], 0, 0),
    "the_same_twice": (lambda true: [true, true], 100, 0),
}


def iou(one, other):
    across = [max(0.0, min(one[a + 2], other[a + 2]) - max(one[a], other[a])) for a in (0, 1)]
    both = across[0] * across[1]
    return both / (sum((b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)) - both)


@pytest.mark.parametrize("notation", ["plain", "ferret"])
@pytest.mark.parametrize("adapter", SCRIPTS)
@pytest.mark.parametrize(
    ("name", "expressions", "layout"),
    [
        pytest.param("refcoco", EXPRESSIONS, mdetr_layout, id="refcoco"),
        pytest.param("refcoco_plus", EXPRESSIONS, mdetr_layout, id="refcoco_plus"),
        pytest.param("refcocog", EXPRESSIONS_G, mdetr_layout, id="refcocog"),
        pytest.param("refcoco", EXPRESSIONS, referring_layout, id="refcoco_itself"),
    ],
)
def test_scores_of_scripted_models(tmp_path, name, expressions, layout, adapter, notation):
    benchmark = BY_NAME[name]
    assert isinstance(benchmark, Benchmark)
    boxes_for, first, strict = SCRIPTS[adapter]

    def say(question):
        boxes = boxes_for(true_box(expressions, question))
        return ("It is here", [("It", [box(*one) for one in boxes])]) if boxes else "I do not see it."

    def written(question):
        return "It " + " ".join(str(on_grid(one)) for one in boxes_for(true_box(expressions, question))) + "."

    script = Scripted(say, written)
    rows = run_benchmark(
        benchmark, layout(tmp_path / "data", FOLDERS[name], expressions), script, tmp_path / "out", notation=notation
    )
    selected = {key: number for key, number in texts_of(expressions).items() if key[0] != "train"}
    assert [row.part for row in rows] == [split for split, e in expressions.items() if split != "train"
                                          for _, texts in e for _ in texts]  # fmt: skip
    for part, found in table(benchmark, rows).items():
        if first is not None:
            assert (found["acc@0.5"], found["strict acc@0.5"]) == (first, strict)
        hits = [
            any(iou(one, BOXES[number]) >= 0.5 for one in boxes_for(BOXES[number]))
            for (split, text), number in selected.items() if split == part
            for _ in range(1 + (text == "left post"))
        ]  # fmt: skip
        assert found["acc@0.5 any box"] == pytest.approx(100 * np.mean(hits), abs=1e-5)
        assert found["script stops"] == 0


def example(width, height, bbox, folder, notation="ferret"):
    from deixis.evaluation.benchmarks.referring_comprehension import TargetBox

    x, y, w, h = bbox
    return Example("0", "val", "0", "?", (), TargetBox((x, y, x + w, y + h), (height, width), folder, notation))


def test_recorded_scores_of_the_official_script(shared_golden):
    """Per-example metrics, added up as the script does, are the script's own numbers."""
    recorded = json.loads((shared_golden / "ferret_tiny" / "refexp_metric.json").read_text())
    images, annotations = recorded["annotations"]["images"], recorded["annotations"]["annotations"]
    by_set = {}
    for image, annotation, expressions in zip(images, annotations, recorded["predictions"], strict=True):
        name = {folder: name for name, folder in FOLDERS.items()}[image["dataset_name"]]
        one = example(image["width"], image["height"], annotation["bbox"], image["dataset_name"])
        metrics = BY_NAME[name].example_metrics(one, answer_of(expressions["text"], raw=expressions["text"]))
        by_set.setdefault(image["dataset_name"], []).append(metrics)
    assert len(images) == 7
    for folder, expected in recorded["results_by_k"].items():
        found = [np.mean([metrics[key] for metrics in by_set[folder]]) for key in ("first", "mean", "any")]
        assert found == [expected[rank] for rank in ("1", "mean", "upper bound")]
    assert recorded["three_number_box_raises"] == "IndexError"


@pytest.mark.parametrize(
    ("text", "first", "stops"),
    [
        pytest.param("man [100, 100, 300, 300].", True, False, id="a_box"),
        pytest.param("man [100, 100, 300].", False, True, id="three_numbers"),
        pytest.param("man [100, 100, 300, 300]. [here]", False, False, id="words_in_brackets"),
        pytest.param("man [100, 100, 300, 300, 5].", True, False, id="five_numbers"),
        pytest.param("", False, False, id="nothing"),
    ],
)
def test_ferret_text_is_parsed_as_by_the_official_script(text, first, stops):
    metrics = BY_NAME["refcoco"].example_metrics(
        example(640, 480, (64, 48, 128, 96), "refcoco"), answer_of(text, raw=text)
    )
    assert (metrics["first"], metrics["stops"], metrics["strict"]) == (first, stops, False)
    if not stops:
        image = {"id": 3, "dataset_name": "refcoco", "width": 640, "height": 480}
        scores = score_refexp([image], [{"image_id": 3, "bbox": (64, 48, 128, 96)}], [{"image_id": 3, "text": text}])
        assert metrics["first"] == scores["refcoco"][1]
    json.dumps(metrics, allow_nan=False)


def test_mask_counts_as_its_bounding_box():
    mask = np.zeros((480, 640), bool)
    mask[48:144, 64:192] = True
    one = example(640, 480, (64, 48, 128, 96), "refcoco", "plain")
    metrics = BY_NAME["refcoco"].example_metrics(one, answer_of("It", [("It", [Region(mask=mask)])]))
    assert (metrics["first"], metrics["strict"], metrics["boxes"]) == (True, True, 1)


def test_ferret_wording(tmp_path):
    expressions = {"val": [((2,), ["man, left"])]}
    (one,) = BY_NAME["refcoco"].examples(mdetr_layout(tmp_path, "refcoco", expressions), {"notation": "ferret"})
    assert one.text == "What is the location of man left in the image?"
    assert (one.sample.turns[0].assistant, one.ground_truth.box_xyxy) == ("[man, left]{0:box}.", (40, 5, 55, 35))
    assert one.media[0].path == str(tmp_path / "train2014" / file_name(139))


def test_missing_files_are_named(tmp_path):
    with pytest.raises(
        ValueError, match=r"finetune_refcoco_testB.json, MDETR's .*original set\), got none; it is from"
    ):
        list(BY_NAME["refcoco"].examples(tmp_path, {}))
    mdetr_layout(tmp_path, "refcoco+", {"val": EXPRESSIONS["val"]})
    with pytest.raises(ValueError, match="split: expected val or testA or testB, got 'test'"):
        list(BY_NAME["refcoco"].examples(tmp_path, {"split": "test"}))
    assert len(list(BY_NAME["refcoco_plus"].examples(tmp_path, {}))) == 4


def test_unusable_records_are_counted(tmp_path):
    root = mdetr_layout(tmp_path, "refcoco", {"val": EXPRESSIONS["val"]})
    path = root / "OpenSource" / "finetune_refcoco_val.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["bbox"] = [1, 2, 3]
    content["annotations"].append({**content["annotations"][2], "id": 99})
    write_json(path, content)
    found = list(BY_NAME["refcoco"].examples(root, {}))
    why = [one.why for one in found if isinstance(one, Skipped)]
    assert any("bbox: expected four numbers" in expressions for expressions in why)
    assert any("expected one box for 'left post', got 2" in expressions for expressions in why)
    assert len([one for one in found if isinstance(one, Example)]) == 2


def test_the_bundled_model(tmp_path):
    data = mdetr_layout(tmp_path / "data", "refcocog", {"val": EXPRESSIONS["val"]})
    rows = run_with_model(deixis.load(), BY_NAME["refcocog"], data, tmp_path / "out", GENERATED)
    assert len(rows) == 4
    assert all(row.metrics["boxes"] == len([r for p in row.answer["phrases"] for r in p["regions"]]) for row in rows)


def test_published_numbers():
    found = {(p.system, p.part): p.values["acc@0.5"] for p in BY_NAME["refcoco"].info.published}
    assert found["Ferret-13B", "testA"] == 92.41
    assert len(found) == 6
