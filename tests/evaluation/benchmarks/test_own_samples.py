"""Samples of one's own as a benchmark: what is asked of each, and how answers of every kind are scored."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from deixis.errors import DataError
from deixis.evaluation.benchmarks.own_samples import OwnSamples, examples_of
from deixis.evaluation.metrics.region_iou import pair_iou
from deixis.geometry import Region
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.samples.shards import write_shard
from tests.evaluation.benchmarks.scripted import Scripted, run_benchmark, table
from tests.toy import toy_image

MASK = np.zeros((24, 40), dtype=bool)
MASK[4:12, 8:20] = True
LEFT = Region(box=(8.0, 4.0, 20.0, 12.0), mask=MASK)
RIGHT = Region(box=(24.0, 4.0, 36.0, 12.0))
IMAGE = MediaReference("p/1", "image", size_hw=(24, 40), values=toy_image())


def sample(user: str, assistant: str, regions=(LEFT, RIGHT), medium=IMAGE, split="val", **turn) -> Sample:
    return Sample(user, "own", "task", split, (Turn(user, assistant, **turn),), (medium,), tuple(regions))


CASES = [
    # (expected, predicted answer, scores)
    pytest.param("{0}.", ("It", [Region(box=(8, 4, 20, 12))]), {"IoU": 1, "F1@0.5": 1, "found or none": 1}, id="box"),
    pytest.param("{0}.", ("It", [Region(mask=MASK)]), {"IoU": 1, "F1@0.5": 1, "found or none": 1}, id="mask"),
    pytest.param("{1}.", ("It", [Region(mask=MASK)]), {"IoU": 0, "F1@0.5": 0, "found or none": 1}, id="wrong_place"),
    pytest.param(
        "{0}.", ("It", [LEFT, RIGHT]), {"IoU": 0.5, "F1@0.5": 0.666667, "found or none": 1}, id="one_too_many"
    ),
    pytest.param("{0,1}.", ("It", [LEFT]), {"IoU": 0.5, "F1@0.5": 0.666667, "found or none": 1}, id="one_missing"),
    pytest.param("{0}.", ("No.", []), {"IoU": 0, "F1@0.5": 0, "found or none": 0}, id="none_where_there_is_one"),
    pytest.param("There is no [dog]{}.", ("No dog.", []), {"found or none": 1}, id="absent"),
    pytest.param("There is no [dog]{}.", ("It", [LEFT]), {"found or none": 0}, id="absent_and_found"),
    pytest.param("Yes.", ("yes, it is", []), {"yes or no": 1}, id="yes"),
    pytest.param("No.", ("Yes.", []), {"yes or no": 0}, id="not_no"),
    pytest.param("A red mug.", ("red mug", []), {"short answer": 1}, id="short"),
    pytest.param("A red mug.", ("A blue mug.", []), {"short answer": 0}, id="short_and_wrong"),
    pytest.param("A red mug stands left of it.", ("A red mug stands.", []), {"words F1": 0.666667}, id="long"),
]


@pytest.mark.parametrize(("expected", "predicted", "scores"), CASES)
def test_an_answer_is_scored_by_what_is_expected(expected, predicted, scores, tmp_path):
    write_shard([sample("What?", expected)], tmp_path / "val-00000.jsonl", media="copy")
    text, regions = predicted
    model = Scripted(lambda question: (text, [(text, regions)] if regions else []))
    got = table(OwnSamples(), run_benchmark(OwnSamples(), tmp_path, model, tmp_path / "out"))["task"]
    assert {name: value for name, value in got.items() if name != "words F1" or "words F1" in scores} == scores


@pytest.mark.parametrize(
    ("predicted", "expected", "iou"),
    [
        pytest.param(Region(mask=MASK), Region(mask=MASK), 1.0, id="masks_without_a_size_in_the_record"),
        pytest.param(Region(mask=MASK), Region(mask=MASK[:, :30]), 0.0, id="masks_of_other_sizes"),
        pytest.param(Region(points=[1, 2, 3]), Region(points=[2, 3, 4]), 0.5, id="points"),
        pytest.param(Region(points=[]), Region(points=[]), 1.0, id="no_points"),
        pytest.param(Region(mask=MASK), Region(box=(8, 4, 20, 12)), 1.0, id="a_mask_as_its_box"),
        pytest.param(Region(box=(0, 0, 4, 4)), Region(box=(0, 0, 4, 4), signal=1), 0.0, id="another_signal"),
        pytest.param(Region(points=[1]), Region(span=(0, 1)), 0.0, id="no_common_form"),
    ],
)
def test_regions_are_compared_in_a_common_form(predicted, expected, iou):
    assert pair_iou(predicted, expected) == iou


def test_another_right_answer_counts(tmp_path):
    write_shard([sample("What?", "A mug.", references=("A cup.",))], tmp_path / "a.jsonl", media="copy")
    got = table(OwnSamples(), run_benchmark(OwnSamples(), tmp_path, Scripted(lambda q: "a cup"), tmp_path / "out"))
    assert got["task"]["short answer"] == 1


def test_spans_are_compared_in_seconds(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).normal(0, 0.1, 64_000), 16_000)
    sound = MediaReference("s/1", "audio", path=str(tmp_path / "a.wav"), duration_s=4.0, rate_hz=16_000.0)
    region = Region(span=(1.0, 3.0))
    write_shard([sample("When?", "{0}.", [region], sound)], tmp_path / "a.jsonl", media="copy")
    model = Scripted(lambda question: ("then", [("then", [Region(span=(2.0, 3.0))])]))
    got = table(OwnSamples(), run_benchmark(OwnSamples(), tmp_path, model, tmp_path / "out"))
    assert got["task"]["IoU"] == 0.5


def test_the_question_is_asked_with_its_own_regions_alone():
    (example,) = examples_of(sample("Is {1} there?", "Yes, left of {0}."))
    assert example.text == "Is {0} there?"
    assert example.regions == (RIGHT,)
    assert example.ground_truth.turns[0].assistant == "Yes, left of {1}."
    assert example.ground_truth.regions == (RIGHT, LEFT)


def test_every_question_of_a_conversation_is_asked_behind_the_earlier_ones(tmp_path):
    turns = (Turn("Where is the mug?", "[It]{1}."), Turn("And {0}?", "Right of [it]{1}."), Turn("Is {1} red?", "Yes."))
    talk = Sample("talk", "own", "task", "val", turns, (IMAGE,), (LEFT, RIGHT))
    write_shard([talk], tmp_path / "a.jsonl", media="copy")
    model = Scripted(lambda question: "Yes.")
    got = table(OwnSamples(), run_benchmark(OwnSamples(), tmp_path, model, tmp_path / "out"))
    assert got["task"] == {"IoU": 0, "F1@0.5": 0, "found or none": 0, "yes or no": 1}
    assert [own.turns[-1].user for own in model.asked] == ["Where is the mug?", "And {1}?", "Is {2} red?"]
    first, second, third = model.asked
    assert (first.regions, [len(own.turns) for own in model.asked]) == ((), [1, 2, 3])
    assert second.turns[0] == Turn("Where is the mug?", "[It]{0}.")
    assert second.regions == (RIGHT, LEFT)
    assert third.turns[1] == Turn("And {1}?", "Right of [it]{0}.")
    assert third.regions == (RIGHT, LEFT, RIGHT)


def test_one_split_of_several(tmp_path):
    samples = [sample("A?", "Yes.", split="train"), sample("B?", "Yes.", split="val")]
    write_shard(samples, tmp_path / "all.jsonl", media="copy")
    asked = list(OwnSamples().examples(tmp_path, {"split": "val"}))
    assert [example.id for example in asked] == ["B?"]
    with pytest.raises(DataError, match=r"split: expected one of train, val, which .* has; got 'test'"):
        list(OwnSamples().examples(tmp_path, {"split": "test"}))


def test_a_damaged_line_is_skipped(tmp_path: Path):
    write_shard([sample("A?", "Yes.")], tmp_path / "all.jsonl", media="copy")
    with (tmp_path / "all.jsonl").open("a", encoding="utf-8") as file:
        file.write("{\n")
    asked = list(OwnSamples().examples(tmp_path, {}))
    assert asked[0].id == "A?"
    assert "all.jsonl:2" in asked[1].where
