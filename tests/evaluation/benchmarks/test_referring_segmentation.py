"""RefCOCO, RefCOCO+, RefCOCOg and gRefCOCO in their official layout: models with known scores, and plain sums."""

import re

import numpy as np
import pytest

import deixis
from deixis.evaluation.benchmark import GENERATED, TEACHER_FORCED, Benchmark, Example
from deixis.evaluation.benchmarks.referring_segmentation import REFERRING_SEGMENTATION
from deixis.samples.sample import Skipped
from tests.datasets.reading import write_picture
from tests.evaluation.benchmarks.masks import masked, plain_sums, run_with_model
from tests.evaluation.benchmarks.referring import (
    BOXES,
    EXPRESSIONS,
    EXPRESSIONS_G,
    SAID_SEVERAL,
    SIZE_HW,
    drawn,
    file_name,
    referring_layout,
)
from tests.evaluation.benchmarks.scripted import Scripted, run_benchmark, table

BY_NAME = {benchmark.info.name: benchmark for benchmark in REFERRING_SEGMENTATION}
SETS = {
    "refcoco_seg": ("refcoco", EXPRESSIONS, "refs(unc).p"),
    "refcoco_plus_seg": ("refcoco+", EXPRESSIONS, "refs(unc).json"),
    "refcocog_seg": ("refcocog", EXPRESSIONS_G, "refs(umd).p"),
    "grefcoco": ("grefcoco", SAID_SEVERAL, "grefs(unc).json"),
}


def expressions_in(name):
    """(split, text) -> annotations, in order, repeated expressions too; without train."""
    expressions = SETS[name][1]
    return [
        (split, text, annotations)
        for split, entries in expressions.items()
        if split != "train"
        for annotations, texts in entries
        for text in texts
    ]


def meant_by(name, question):
    found = {text: drawn(*annotations) for _, text, annotations in expressions_in(name)}
    text = re.fullmatch(r"Segment (.*)\.", question.turns[-1].user)[1].replace("{{", "{").replace("}}", "}")
    return found[text]


def perfect(name, question):
    target = meant_by(name, question)
    return masked(target) if target.any() else "There is none."


SCRIPTS = {
    "perfect": perfect,
    "empty": lambda name, question: "I do not know.",
    "everything": lambda name, question: masked(np.ones(SIZE_HW)),
    "opposite": lambda name, question: masked(~meant_by(name, question)),
    "one_row_less": lambda name, question: masked(meant_by(name, question) & (np.arange(40) % 20 > 0)[:, None]),
    "each_half_a_mask": lambda name, question: masked(
        *(meant_by(name, question) & half for half in (np.arange(60) < 30, np.arange(60) >= 30))
    ),
}


def marked_by(spoken):
    return np.logical_or.reduce(
        [np.zeros(SIZE_HW, bool), *([] if isinstance(spoken, str) else [one.mask for one in spoken[1][0][1]])]
    )


@pytest.mark.parametrize("adapter", SCRIPTS)
@pytest.mark.parametrize("name", SETS)
def test_scores_of_scripted_models(tmp_path, name, adapter):
    benchmark = BY_NAME[name]
    assert isinstance(benchmark, Benchmark)
    folder, expressions, file = SETS[name]
    script = Scripted(lambda question: SCRIPTS[adapter](name, question))
    rows = run_benchmark(
        benchmark, referring_layout(tmp_path / "data", folder, expressions, file), script, tmp_path / "out"
    )
    assert [(row.part, row.question) for row in rows] == [
        (split, f"Segment {text.replace('{', '{{').replace('}', '}}')}.") for split, text, _ in expressions_in(name)
    ]
    pairs = [(marked_by(SCRIPTS[adapter](name, q)), meant_by(name, q).astype(int)) for q in script.asked]
    for part, found in table(benchmark, rows).items():
        own = [pair for pair, row in zip(pairs, rows, strict=True) if row.part == part]
        plain = plain_sums(own)
        assert found["gIoU"] == pytest.approx(plain["gIoU"], abs=2e-3)
        assert found["cIoU"] == pytest.approx(plain["cIoU"], abs=1e-4)
        overlaps = [plain_sums([pair])["gIoU"] / 100 for pair in own]
        if name == "grefcoco":
            targets = [(marked, iou) for (marked, target), iou in zip(own, overlaps, strict=True) if target.any()]
            none = [marked for marked, target in own if not target.any()]
            expected = {
                "N-acc": [not marked.any() for marked in none],
                "T-acc": [marked.any() for marked, _ in targets],
                "gIoU of targets": [iou for _, iou in targets],
                **{f"Pr@{least}": [iou >= least for _, iou in targets] for least in (0.7, 0.8, 0.9)},
            }
            assert {key: found[key] for key in expected if key in found} == pytest.approx(
                {key: 100 * np.mean(values) for key, values in expected.items() if values}, abs=1e-5
            )
        else:
            assert found["gIoU exact"] == pytest.approx(plain["gIoU"], abs=1e-5)
            assert [found[f"Pr@{least}"] for least in (0.5, 0.7, 0.9)] == pytest.approx(
                [100 * np.mean([iou >= least for iou in overlaps]) for least in (0.5, 0.7, 0.9)]
            )
        if adapter == "perfect":
            assert found["cIoU"] == 100
        if adapter == "each_half_a_mask" and name != "grefcoco":
            assert (found["gIoU exact"], found["gIoU one mask"]) == (100, 0)


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        pytest.param({"split": "testB"}, ["testB"], id="one_split"),
        pytest.param({}, ["val"] * 4 + ["testA", "testB"], id="all_and_repeated_words_twice"),
    ],
)
def test_which_splits(tmp_path, options, parts):
    found = list(BY_NAME["refcoco_seg"].examples(referring_layout(tmp_path, "refcoco"), options))
    assert [example.part for example in found] == parts


def test_lisa_wording(tmp_path):
    first, *_ = BY_NAME["refcoco_seg"].examples(referring_layout(tmp_path, "refcoco"), {"notation": "lisa"})
    assert first.text == " What is tall one in this image? Please output segmentation mask."
    assert (first.forced_answer, first.sample.turns[0].assistant) == ("{0:mask}.", "{0:mask}.")


def test_ground_truth_is_drawn_with_all_masks(tmp_path):
    root = referring_layout(tmp_path, "grefcoco", SAID_SEVERAL, "grefs(unc).json")
    answers = {e.sample.turns[0].assistant: len(e.sample.regions) for e in BY_NAME["grefcoco"].examples(root, {})}
    assert answers == {
        "[both]{0,1:mask}.": 2, "[no such thing]{}.": 0, "[a cow]{}.": 0, "[left post]{0:mask}.": 1,
        "[all of them]{0,1:mask}.": 2, "[a whale]{}.": 0,
    }  # fmt: skip


def test_small_mask_predicts_no_target(tmp_path):
    root = referring_layout(tmp_path / "data", "grefcoco", SAID_SEVERAL, "grefs(unc).json")
    dot = np.zeros(SIZE_HW)
    dot[0, :9] = 1
    for least, share in (("9", 0), ("10", 100)):
        script = Scripted(lambda question: masked(dot))
        rows = run_benchmark(BY_NAME["grefcoco"], root, script, tmp_path / least, empty_below=least)
        assert table(BY_NAME["grefcoco"], rows)["val"]["N-acc"] == share


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"split": "test"}, "split: expected val or testA or testB, got 'test'", id="split"),
        pytest.param({"masks": "best"}, "masks: expected union or first", id="masks"),
        pytest.param({"split_by": "google"}, "expected refs(google).p or refs(google).json, got refs(unc).p", id="by"),
        pytest.param({"images": "/nowhere"}, "images: expected the folder of the images, got '/nowhere'", id="images"),
    ],
)
def test_refuses_an_option(tmp_path, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        list(BY_NAME["refcoco_seg"].examples(referring_layout(tmp_path, "refcoco"), options))


def test_missing_files_are_named(tmp_path):
    with pytest.raises(
        ValueError, match=r"expected refcoco\+/instances.json, .*refcoco\+/refs\(unc\).p.* from https://"
    ):
        list(BY_NAME["refcoco_plus_seg"].examples(tmp_path, {}))


def test_image_of_another_size_is_skipped(tmp_path):
    root = referring_layout(tmp_path, "refcoco")
    small = np.zeros((20, 30, 3), np.uint8)
    write_picture(root / "images/mscoco/images/train2014" / file_name(139), small)
    found = list(BY_NAME["refcoco_seg"].examples(root, {"split": "val"}))
    (skipped,) = [one for one in found if isinstance(one, Skipped)]
    assert "the image was resized or turned after it was labelled" in skipped.why
    assert len([one for one in found if isinstance(one, Example)]) == 2


@pytest.mark.parametrize("mode", [GENERATED, TEACHER_FORCED])
def test_the_bundled_model(tmp_path, mode):
    data = referring_layout(tmp_path / "data", "refcoco")
    rows = run_with_model(deixis.load(), BY_NAME["refcoco_seg"], data, tmp_path / "out", mode, split="val")
    assert len(rows) == 4
    if mode == TEACHER_FORCED:
        assert [row.answer["text"] for row in rows] == ["Tall One.", "right thing.", "left post.", "left post."]
        assert all(row.metrics["masks"] == 1 for row in rows)


def test_miniature_has_the_cases_of_the_sets():
    assert len(BOXES) == 5
    assert all(
        benchmark.info.required_files[0].path.startswith(SETS[name][0] + "/") for name, benchmark in BY_NAME.items()
    )
    assert {p.part for name in ("refcoco_seg", "refcocog_seg") for p in BY_NAME[name].info.published} == {
        "val", "testA", "testB", "test",
    }  # fmt: skip
