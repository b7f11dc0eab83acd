"""Flickr30k grounding on miniatures in all the layouts it is read from; the official reader's texts are goldens."""

import json
import re

import numpy as np
import pytest

from deixis.evaluation.benchmark import Example
from deixis.evaluation.benchmarks.flickr_grounding import FlickrGrounding, GroundingTarget, Target
from deixis.geometry import Region
from deixis.inference import Answer
from deixis.samples.sample import Skipped
from tests.evaluation.benchmarks.flickr_files import BOXES, SIZE_HW, write_entities, write_mdetr, write_pictures
from tests.evaluation.benchmarks.scripted import Scripted, answer_of, box, run_benchmark, table

BENCHMARK = FlickrGrounding()
METRICS = [metric.name for metric in BENCHMARK.info.metrics]
ENTITY = {"a man": ["1"], "a dog": ["2"], "two women": ["4"], "a girl": ["5", "7"], "a blue ball": ["6"]}


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    write_entities(folder / "flickr30k_entities")
    write_mdetr(folder)
    write_pictures(folder / "flickr30k-images")
    return folder


def phrases_of(question: str) -> list[str]:
    return re.fullmatch(r"Where are (.*)\?", question)[1].split(", ")


def merged_box(entity: str) -> tuple[float, ...]:
    boxes = next(boxes[entity] for boxes in BOXES.values() if entity in boxes)
    x1, y1, x2, y2 = zip(*boxes, strict=True)
    return min(x1), min(y1), max(x2), max(y2)


def knowing(change=lambda box: box, which: str = "merged", end: str = "."):
    """Answers every phrase with its box: the merged one, the last of several, or that of the first equal phrase."""

    def say(question):
        left = {phrase: list(entities) for phrase, entities in ENTITY.items()}
        named = []
        for phrase in phrases_of(question.turns[-1].user):
            entity = left[phrase.lower()].pop(0)
            if which == "swapped" and phrase.lower() == "a girl":
                entity = "7" if entity == "5" else "5"
            boxes = next(boxes[entity] for boxes in BOXES.values() if entity in boxes)
            region = box(*change(boxes[-1] if which == "last" else merged_box(entity)))
            named.append((phrase, [region]))
        return f"{end} ".join(phrase for phrase, _ in named) + end, named

    return say


def values(*numbers: float) -> dict[str, float]:
    return {name: pytest.approx(number, abs=1e-4) for name, number in zip(METRICS, numbers, strict=True)}


@pytest.mark.parametrize(
    ("say", "val", "test"),
    [
        # of two women the box around both has an IoU below 0.5 with either
        pytest.param(knowing(), (100, 75, 100, 75), (100,) * 4, id="right"),
        pytest.param(knowing(which="last"), (75, 100, 75, 100), (100,) * 4, id="one_of_several"),
        pytest.param(knowing(which="swapped"), (100, 75, 100, 75), (100 / 3,) * 4,
                     id="two_of_the_same_words_swapped"),
        pytest.param(lambda question: "", (0, 0, 0, 0), (0, 0, 0, 0), id="empty"),
        pytest.param(lambda question: "I see nothing [here].", (0, 0, 0, 0), (0, 0, 0, 0), id="no_box"),
        pytest.param(knowing(lambda box: (box[0] + 500, box[1], box[2] + 500, box[3])), (0,) * 4, (0,) * 4, id="far"),
        pytest.param(knowing(end=" and"), (50, 50, 100, 75), (200 / 3, 200 / 3, 100, 100),
                     id="without_a_delimiter_the_official_reader_takes_one"),
    ],
)  # fmt: skip
def test_answers(data, tmp_path, say, val, test):
    rows = run_benchmark(BENCHMARK, data, Scripted(say), tmp_path / "run")
    assert table(BENCHMARK, rows) == {"val": values(*val), "test": values(*test)}


def test_official_script_compares_equal_phrases_with_the_first(data):
    (example,) = [example for example in BENCHMARK.examples(data, {}) if example.part == "test"]
    first = [("A girl", [box(*BOXES["102"]["5"][0])]), ("A girl", [box(0, 0, 9, 9)])]
    metrics = BENCHMARK.example_metrics(example, answer_of("A girl. A girl.", first))
    assert (metrics["merged"], metrics["strict merged"], metrics["merged of"]) == (2, 1, 3)


@pytest.mark.parametrize("layout", ["both", "entities", "merged", "separate"])
def test_layouts_give_the_same_examples(tmp_path, layout):
    data = tmp_path / "data"
    data.mkdir()
    write_pictures(data / "flickr30k-images")
    if layout in ("both", "entities"):
        write_entities(data)
    if layout in ("both", "merged", "separate"):
        write_mdetr(data, merged=layout != "separate")
    examples = list(BENCHMARK.examples(data, {}))
    assert [example.part for example in examples] == ["val", "val", "test"]
    assert [example.text for example in examples] == [
        "Where are A man, a dog?", "Where are A man, two women?", "Where are A girl, a Blue ball, A girl?",
    ]  # fmt: skip
    two = examples[1].ground_truth.targets[1]
    assert two.boxes == (((120, 10, 180, 60),) if layout == "merged" else ((120, 10, 140, 60), (160, 10, 180, 60)))
    assert [target.boxes for target in examples[2].ground_truth.targets] == [
        tuple(BOXES["102"][e]) for e in ("5", "6", "7")
    ]
    rows = run_benchmark(BENCHMARK, data, Scripted(knowing()), tmp_path / "run")
    assert ("R@1 any" in table(BENCHMARK, rows)["val"]) is (layout != "merged")
    assert table(BENCHMARK, rows)["val"]["R@1 merged"] == 100


def test_ferret_wording_and_notation(data, tmp_path):
    adapter = Scripted(
        lambda question: "unused", raw=lambda question: "a man [55, 210, 300, 900]. a dog [500, 500, 800, 900]."
    )
    rows = run_benchmark(BENCHMARK, data, adapter, tmp_path, notation="ferret")
    assert [question.turns[-1].user for question in adapter.asked] == [
        "What are the locations of a man, a dog?",
        "What are the locations of a man, two women?",
        "What are the locations of a girl, a blue ball, a girl?",
    ]
    assert [row.metrics["merged"] for row in rows] == [2, 1, 0]
    assert [row.metrics["strict merged"] for row in rows] == [0, 0, 0], "this player marks nothing"


def test_official_reader(shared_golden):
    """The texts on which the official reader was recorded: the first box of each phrase is the recorded one."""
    recorded = json.loads((shared_golden / "ferret_tiny" / "text_parse.json").read_text())
    size_hw = (recorded["image_h"], recorded["image_w"])
    read = 0
    for case in recorded["cases"]:
        decoded = case["eval_flickr_decode"]
        phrases = decoded.get("entities", ["anything"])
        first = dict(reversed(list(zip(phrases, decoded.get("boxes", [None]), strict=True))))
        for phrase, expected in first.items():
            official = [(0.0, 0.0, 1.0, 1.0)] if expected is None or expected[0] >= expected[2] else [expected]
            boxes = (tuple(map(float, official[0])),)
            example = Example(
                "x", "val", "x", "", (), GroundingTarget((Target(phrase, boxes, boxes),), size_hw, True, "ferret")
            )
            metrics = BENCHMARK.example_metrics(example, Answer("", (), (), raw=case["text"]))
            correct = expected is not None and expected[0] < expected[2] and expected[1] < expected[3]
            assert metrics["merged"] == correct, case["text"]
            read += correct
    assert read > 10


@pytest.mark.parametrize("raw", ["a man [1, 2, 3]", "a man [1.5, 2, 3, 4]", "a man [] ."])
def test_invalid_bracket_makes_an_answer_without_boxes(data, raw):
    example = next(iter(BENCHMARK.examples(data, {"notation": "ferret"})))
    metrics = BENCHMARK.example_metrics(example, answer_of(raw, raw=f"a dog [500, 500, 800, 900]. {raw}"))
    assert (metrics["merged"], metrics["merged of"]) == (0, 2)


def test_masks_count_as_their_bounding_box(data):
    mask = np.zeros(SIZE_HW, dtype=bool)
    mask[21:90, 11:60] = True
    example = next(iter(BENCHMARK.examples(data, {})))
    answer = answer_of("a man. a dog.", [("a man", [Region(mask=mask)]), ("a dog", [])])
    metrics = BENCHMARK.example_metrics(example, answer)
    assert (metrics["merged"], metrics["strict merged"]) == (1, 1)


def test_missing_and_broken_files(data, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(ValueError, match=r"expected final_flickr_mergedGT_val\.json .*it is from https://zenodo"):
        list(BENCHMARK.examples(empty, {}))
    (data / "flickr30k_entities" / "Annotations" / "101.xml").unlink()
    path = data / "final_flickr_mergedGT_test.json"
    written = json.loads(path.read_text())
    written["images"].append(written["images"][0] | {"id": 9, "tokens_positive_eval": [[[0, 3]]]})
    written["images"].append({"id": 10})
    path.write_text(json.dumps(written))
    found = list(BENCHMARK.examples(data, {}))
    assert [one.why.split(":")[0] for one in found if isinstance(one, Skipped)] == [
        "Annotations/101.xml", "Annotations/101.xml", "tokens_positive_eval", "expected the field 'file_name'",
    ]  # fmt: skip
    assert [one.id for one in found if isinstance(one, Example)] == ["flickr30k/test/102/0"]
