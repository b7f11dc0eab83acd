"""ReasonSeg in its official layout: perfect, empty and shuffled answers, both modes, choice of text, skips."""

import re

import numpy as np
import pytest

import deixis
from deixis.datasets.segmentation import reason_seg as reader
from deixis.datasets.segmentation.reason_seg import read_reason_seg
from deixis.evaluation.benchmark import GENERATED, TEACHER_FORCED, Benchmark, Example
from deixis.evaluation.benchmarks.official_files import parsed_once
from deixis.evaluation.benchmarks.reason_seg import ReasonSeg
from deixis.evaluation.reports.summary import summarise
from deixis.evaluation.runner import EvaluationRun, run_examples
from deixis.samples.sample import Skipped
from tests.datasets.reading import write_json, write_picture
from tests.evaluation.benchmarks.masks import masked, plain_sums, run_with_model
from tests.evaluation.benchmarks.scripted import Scripted, run_benchmark, table

SIZE_HW = (40, 60)
PLACES = {  # x1, y1, x2, y2 of the target
    "val/a": (10, 10, 30, 30), "val/b": (5, 5, 50, 35), "test/c": (0, 0, 20, 20), "test/d": (30, 5, 58, 38),
    "test/e": (2, 20, 40, 38),
}  # fmt: skip
SENTENCES = ("val/a", "test/c", "test/e")


def corners(x1, y1, x2, y2):
    return [[x1, y1], [x2, y1], [x2, y2], [x1, y2]]


def layout(folder, places=PLACES):
    for name, place in places.items():
        x1, y1, _, _ = place
        write_picture(folder / f"{name}.jpg", np.full((*SIZE_HW, 3), 90, np.uint8))
        shapes = [
            {"label": "target", "points": corners(*place), "image_name": name},
            {"label": "ignore", "points": corners(x1, y1, x1 + 8, y1 + 8)},
            {"label": "flag", "points": [[1, 1]]},
        ]
        texts = [f"What is {name}? ", f"Show {name}."] if name in SENTENCES else [f"thing {name}", f"other {name}"]
        write_json(folder / f"{name}.json", {"text": texts, "is_sentence": name in SENTENCES, "shapes": shapes})
    return folder


def target(name):
    """0, 1, 255 by plain slices: a corner's pixel is inside."""
    x1, y1, x2, y2 = PLACES[name]
    drawn = np.zeros(SIZE_HW, np.int64)
    drawn[y1 : y2 + 1, x1 : x2 + 1] = 1
    drawn[y1 : y1 + 9, x1 : x1 + 9] = 255
    return drawn


def name_of(question):
    return re.search(r"(?:val|test)/\w", question.turns[-1].user)[0]


def perfect(question):
    return masked(target(name_of(question)) == 1)


def shuffled(question):
    names = [*PLACES, next(iter(PLACES))]
    return masked(target(names[names.index(name_of(question)) + 1]) == 1)


SCRIPTS = {
    "perfect": perfect,
    "ignored_too": lambda question: masked(target(name_of(question)) > 0),
    "empty": lambda question: "I do not know.",
    "shuffled": shuffled,
    "everything": lambda question: masked(np.ones(SIZE_HW)),
    "halves": lambda question: masked(target(name_of(question)) == 1, np.zeros(SIZE_HW)),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_scores_of_scripted_models(tmp_path, name):
    benchmark = ReasonSeg()
    assert isinstance(benchmark, Benchmark)
    adapter = Scripted(SCRIPTS[name])
    rows = run_benchmark(benchmark, layout(tmp_path / "ReasonSeg").parent, adapter, tmp_path / "out")
    assert [(row.id, row.part) for row in rows] == [
        ("reason_seg/val/a/0", "val"), ("reason_seg/val/b/0", "val"), ("reason_seg/test/c/0", "test long"),
        ("reason_seg/test/d/0", "test short"), ("reason_seg/test/e/0", "test long"),
    ]  # fmt: skip
    scripted_answers = {name_of(question): SCRIPTS[name](question) for question in adapter.asked}
    for part, found in table(benchmark, rows).items():
        pairs = []
        for key in ("/".join(row.id.split("/")[1:3]) for row in rows if row.part == part):
            scripted_answer = scripted_answers[key]
            metrics = [] if isinstance(scripted_answer, str) else [one.mask for one in scripted_answer[1][0][1]]
            pairs.append((np.logical_or.reduce([np.zeros(SIZE_HW, bool), *metrics]), target(key)))
        plain = plain_sums(pairs)
        assert found["gIoU exact"] == pytest.approx(plain["gIoU"], abs=1e-5)
        assert found["gIoU"] == pytest.approx(plain["gIoU"] / (1 + 1e-5 / len(pairs)), abs=1e-4)
        assert found["cIoU"] == pytest.approx(plain["cIoU"], abs=1e-5)
        if name in ("perfect", "ignored_too", "halves"):
            assert found["gIoU exact"] == found["cIoU"] == 100
            assert found["gIoU one mask"] == (0 if name == "halves" else 100)
            assert found["gIoU"] < 100
        if name == "empty":
            assert found["gIoU"] == found["cIoU"] == found["with a mask"] == 0


def test_short_and_long_are_combined(tmp_path):
    one = EvaluationRun(ReasonSeg(), layout(tmp_path / "data"), {}, GENERATED)
    rows, skipped = run_examples(one, Scripted(shuffled), tmp_path / "out")
    lines = {(line.part, line.metric.name): line for line in summarise(one, "scripted", rows, skipped).scores}
    test = [row.metrics for row in rows if row.part.startswith("test")]
    assert lines["test overall", "gIoU exact"].score.value == pytest.approx(sum(m["iou"] for m in test) / 3)
    assert lines["test overall", "cIoU"].score.value == pytest.approx(
        sum(m["intersection"] for m in test) / sum(m["union"] for m in test)
    )
    assert ("LISA-7B", 36.8) in [paper[:2] for paper in lines["test overall", "gIoU"].published]
    assert ("LISA-13B-LLaVA1.5, tuned on 239", 72.9) in [paper[:2] for paper in lines["val", "cIoU"].published]


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        pytest.param({}, "val/a/0 val/b/0 test/c/0 test/d/0 test/e/0", id="the_first"),
        pytest.param({"text": "last", "split": "val"}, "val/a/1 val/b/1", id="the_last"),
        pytest.param({"text": "all", "split": "val"}, "val/a/0 val/a/1 val/b/0 val/b/1", id="all"),
        pytest.param({"text": "test:all"}, "val/a/0 val/b/0 test/c/0 test/c/1 test/d/0 test/d/1 test/e/0 test/e/1",
                     id="by_split"),
    ],
)  # fmt: skip
def test_which_text(tmp_path, options, asked):
    found = list(ReasonSeg().examples(layout(tmp_path), options))
    assert [example.id for example in found] == [f"reason_seg/{name}" for name in asked.split()]


def test_lisa_wording(tmp_path):
    layout(tmp_path)
    first, second = ReasonSeg().examples(tmp_path, {"notation": "lisa", "split": "val"})
    assert first.text == " What is val/a? Please output segmentation mask."
    assert second.text == " What is thing val/b in this image? Please output segmentation mask."
    assert first.forced_answer == second.forced_answer == "{0:mask}."
    assert [region.ignore for region in first.sample.regions] == [False, True]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"text": "second"}, "text: expected first, last, all, or per split", id="text"),
        pytest.param({"text": "train:all"}, "text: expected first", id="text_of_another_split"),
        pytest.param({"split": "train"}, "split: expected val or test, got 'train'", id="split"),
        pytest.param({"masks": "best"}, "masks: expected union or first, got 'best'", id="masks"),
    ],
)
def test_refuses_an_option(tmp_path, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        list(ReasonSeg().examples(layout(tmp_path), options))


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(
        ValueError, match=r"expected the folder ReasonSeg/val or ReasonSeg/test .* it is from https://git"
    ):
        list(ReasonSeg().examples(tmp_path, {}))
    layout(tmp_path, {"val/a": PLACES["val/a"]})
    assert len(list(ReasonSeg().examples(tmp_path, {}))) == 1, "one split is enough"
    with pytest.raises(ValueError, match=r"expected the folder ReasonSeg/test with NAME.jpg and NAME.json"):
        list(ReasonSeg().examples(tmp_path, {"split": "test"}))


def test_questions_without_an_answer_are_counted(tmp_path):
    """Two published records of the test split have no polygons; errors in train are not reported."""
    layout(tmp_path)
    write_json(tmp_path / "test/c.json", {"text": ["What?"], "is_sentence": True, "shapes": []})
    write_json(tmp_path / "test/d.json", {"text": ["What?"]})
    write_json(tmp_path / "train/x.json", {"text": ["What?"]})
    found = list(ReasonSeg().examples(tmp_path, {}))
    skipped = [one for one in found if isinstance(one, Skipped)]
    assert [one.where for one in skipped] == ["test/c.json", "test/d.json"]
    assert "the image has no answer to score" in skipped[0].why
    assert "'is_sentence' is missing" in skipped[1].why
    assert len([one for one in found if isinstance(one, Example)]) == 3


@pytest.mark.parametrize("mode", [GENERATED, TEACHER_FORCED])
def test_the_bundled_model(tmp_path, mode):
    data = layout(tmp_path / "data")
    rows = run_with_model(deixis.load(), ReasonSeg(), data, tmp_path / "out", mode, split="val")
    assert len(rows) == 2
    if mode == TEACHER_FORCED:
        assert [row.answer["text"] for row in rows] == ["The mask is.", "thing val/b."]
        assert all(row.metrics["masks"] == 1 for row in rows)
    assert all(row.metrics["has_mask"] is (row.metrics["masks"] > 0) for row in rows)


def test_converted_lisa_is_teacher_forced_with_the_official_answer(tmp_path, shared_golden):
    from deixis.systems.conversion import convert

    model = deixis.load(convert("lisa", shared_golden / "lisa_tiny", tmp_path / "lisa"))
    rows = run_with_model(model, ReasonSeg(), layout(tmp_path / "data"), tmp_path / "out", TEACHER_FORCED, split="test")
    assert {row.raw for row in rows} == {"[SEG] ."}  # as the slow tokenizer has it: a space behind an added token
    assert [row.question for row in rows][1] == " What is thing test/d in this image? Please output segmentation mask."
    assert all(row.metrics["masks"] == 1 for row in rows)


def test_official_files_are_parsed_once_per_evaluation(tmp_path, monkeypatch):
    """An evaluation passes over its examples to count, to ask and to draw; only the first pass parses the files."""
    data, parsed = layout(tmp_path), []
    monkeypatch.setattr(reader, "read_reason_seg", lambda *args: parsed.append(args) or read_reason_seg(*args))
    with parsed_once():
        passes = [[(e.id, e.ground_truth) for e in ReasonSeg().examples(data, {})] for _ in range(3)]
    assert len(passes[0]) == len(PLACES)
    assert passes[0] == passes[1] == passes[2]
    assert len(parsed) == len(PLACES)
    assert [e.id for e in ReasonSeg().examples(data, {})] == [name for name, _ in passes[0]]
    assert len(parsed) == 2 * len(PLACES), "outside an evaluation the files may have changed"


def test_abandoned_pass_is_not_cached(tmp_path):
    data = layout(tmp_path)
    with parsed_once():
        next(ReasonSeg().examples(data, {}))
        assert len(list(ReasonSeg().examples(data, {}))) == len(PLACES)
