"""Grounded captioning on the miniature of Flickr30k Entities, with its own classes and official ones."""

import json

import pytest

from deixis.evaluation.benchmarks.grounded_captions import GroundedCaptions
from deixis.evaluation.metrics.caption_metrics import per_caption_metrics
from deixis.samples.sample import Skipped
from tests.evaluation.benchmarks.flickr_files import BOXES, write_entities, write_pictures
from tests.evaluation.benchmarks.scripted import Scripted, answer_of, box, run_benchmark, table

BENCHMARK = GroundedCaptions()
GIVEN_CAPTIONS = {
    "val": ("A man pets a dog.", [("A man", "1"), ("a dog", "2")]),
    "test": ("A girl kicks a blue ball.", [("A girl", "5"), ("a blue ball", "6")]),
}


@pytest.fixture(autouse=True)
def no_java(monkeypatch):
    """Tokens by the plain split, and no METEOR: what Java adds is tested with the scores themselves."""
    monkeypatch.setenv("PATH", "")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    write_entities(folder)
    write_pictures(folder / "flickr30k-images")
    return folder


def knowing():
    """Answers with the first caption of each image and the boxes of its objects."""
    parts = iter(GIVEN_CAPTIONS.values())

    def say(question):
        text, named = next(parts)
        boxes = {entity: boxes[0] for of in BOXES.values() for entity, boxes in of.items()}
        return text, [(phrase, [box(*boxes[entity])]) for phrase, entity in named]

    return say


def test_right_captions(data, tmp_path):
    rows = run_benchmark(BENCHMARK, data, Scripted(knowing()), tmp_path / "run")
    found = table(BENCHMARK, rows)
    # val: man, dog and two women (whose caption is the second one): of dog the second reference has nothing
    precision = (1 + 1 / 2 + 0) / 3
    recall = (1 + 1 + 0) / 3
    assert found["val"]["F1_all"] == pytest.approx(100 * 2 * precision * recall / (precision + recall), abs=1e-4)
    loc = (1 + 1 + 0) / 3
    assert found["val"]["F1_loc"] == pytest.approx(100 * loc, abs=1e-4)
    alone = per_caption_metrics(
        [GIVEN_CAPTIONS["val"][0]], [["A man pets a dog , near a lake .", "A man and two women sit ."]]
    )
    assert rows[0].metrics["rouge_l"] == alone[0]["rouge_l"]
    assert "CIDEr" in found["val"]


@pytest.mark.parametrize(
    ("answer", "recall"),
    [
        pytest.param(answer_of(""), [None] * 4, id="empty"),
        pytest.param(answer_of("A man pets a dog."), [None] * 4, id="words_alone"),
        pytest.param(answer_of("A man pets a dog.", [("man", []), ("a dog", [])]), [0, 0, 0, None], id="no_boxes"),
        pytest.param(answer_of("Men.", [("Men", [box(300, 0, 310, 9)])]), [0, None, 0, None], id="elsewhere"),
        pytest.param(answer_of("Men.", [("Men", [box(11, 21, 60, 90)])]), [1, None, 1, None], id="several_for_one"),
    ],
)
def test_found_names(data, answer, recall):
    example = next(iter(BENCHMARK.examples(data, {})))
    metrics = BENCHMARK.example_metrics(example, answer)
    names = [name for name, _ in metrics["recall"]]
    assert metrics["recall"] == list(zip(["men", "dogs", "men", "women"], recall, strict=True))
    assert set(names) == example.ground_truth["classes"]


def official_file(data, number: int = 102) -> None:
    caption = {
        "tokens": ["a", "girl", "kicks", "a", "ball", "to", "dogs"], "process_idx": [4, 1],
        "process_clss": ["ball", "girl"], "process_bnd_box": [list(BOXES["102"]["6"][0]), list(BOXES["102"]["5"][0])],
    }  # fmt: skip
    written = {"annotations": [{"image_id": number, "captions": [caption]}]}
    (data / "flickr30k_cleaned_class.json").write_text(json.dumps(written))


def test_official_classes(data):
    official_file(data)
    (example,) = [example for example in BENCHMARK.examples(data, {}) if example.part == "test"]
    assert example.ground_truth["classes"] == {"girl", "ball"}
    assert "dogs" in example.ground_truth["references"][0].unboxed
    girl, ball = (box(*BOXES["102"][entity][0]) for entity in ("5", "6"))
    answer = answer_of("A girl, a blue ball, a dog.", [("A girl", [girl]), ("blue ball", [ball]), ("a dog", [ball])])
    metrics = BENCHMARK.example_metrics(example, answer)
    assert metrics["precision"] == metrics["recall"] == [("girl", 1), ("ball", 1)]


def test_missing_and_broken_files(data, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"expected Sentences/ and Annotations/ and val\.txt or test\.txt, got none"):
        list(BENCHMARK.examples(tmp_path / "empty", {}))
    (data / "Sentences" / "101.txt").unlink()
    first, _ = BENCHMARK.examples(data, {})
    assert first == Skipped("val.txt: 101", "Sentences/101.txt: expected the file of an image of the split, got none")
    (data / "flickr30k_cleaned_class.json").write_text('{"annotations": [{"image_id": 1}]}')
    with pytest.raises(ValueError, match="expected annotations with process_clss and process_bnd_box, got others"):
        list(BENCHMARK.examples(data, {}))
