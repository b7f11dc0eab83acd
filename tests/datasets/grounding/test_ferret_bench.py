"""Ferret-Bench's questions and answers: boxes as regions of the images, and the real files in full."""

import json
import re

import numpy as np
import pytest

from deixis.datasets.grounding.ferret_bench import FERRET_BENCH
from tests.datasets.reading import read_all, write_picture

QUESTION = {"question_id": 1, "image": "a.jpg", "category": "refer_desc", "text": "What is [0.1, 0.2, 0.5, 1.000]?"}
ANSWER = {**QUESTION, "text": "It is a cup on a table [0.0, 0.5, 1.003, 1.0]."}


def write(folder, questions, answers):
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in (("question", questions), ("answer", answers)):
        (folder / f"{name}.jsonl").write_text(
            "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
        )


def test_refuses_another_folder(tmp_path):
    with pytest.raises(ValueError, match=re.escape("expected a folder with question.jsonl in it")):
        read_all(FERRET_BENCH, tmp_path)


@pytest.mark.parametrize(
    ("questions", "answers", "where", "message"),
    [
        pytest.param([QUESTION], [], "question.jsonl:1", "expected the answer that it belongs to", id="no_answer"),
        pytest.param([], [ANSWER], "answer.jsonl:1", "expected the question that it belongs to", id="no_question"),
        pytest.param(["{"], [], "question.jsonl:1", "expected one JSON object a line", id="no_json"),
        pytest.param([3], [], "question.jsonl:1", "expected an object with 'question_id', got 3", id="number"),
        pytest.param([QUESTION], [ANSWER], "question.jsonl:1", "a.jpg: expected the image, whose size its boxes need",
                     id="no_picture"),
    ],
)  # fmt: skip
def test_what_is_bad_is_named(tmp_path, questions, answers, where, message):
    write(tmp_path / "refer_caption", questions, answers)
    records, (skipped,) = read_all(FERRET_BENCH, tmp_path)
    assert not records
    assert skipped.where == f"refer_caption/{where}"
    assert message in skipped.why


def test_boxes_are_regions(tmp_path):
    write(tmp_path / "refer_caption", [QUESTION], [ANSWER])
    write_picture(tmp_path / "photos" / "a.jpg", np.zeros((100, 200, 3), np.uint8))
    (record,), skipped = read_all(FERRET_BENCH, tmp_path, images=tmp_path / "photos")
    assert not skipped
    assert (record.id, record.task) == ("ferret_bench/refer_caption/1", "describe")
    assert (record.turns[0].user, record.turns[0].assistant) == ("What is {0}?", "It is a cup on a table {1}.")
    assert [region.box for region in record.regions] == [
        pytest.approx((20, 20, 100, 100)),
        pytest.approx((0, 50, 200, 100)),
    ]


def test_real_questions(shared_data, tmp_path):
    folder = shared_data / "ferret_bench"
    records, skipped = read_all(FERRET_BENCH, folder, options={"boxes": "text"})
    assert (len(records), skipped) == (84, [])
    for record in records:  # the photos cannot be had; only their sizes matter
        write_picture(tmp_path / record.signals[0].path.rpartition("/")[2], np.zeros((480, 640, 3), np.uint8))
    boxed, skipped = read_all(FERRET_BENCH, folder, images=tmp_path)
    assert (len(boxed), skipped) == (84, [])
    for text, box in zip(records, boxed, strict=True):
        said = text.turns[0].user + text.turns[0].assistant
        assert len(box.regions) == len(set(re.findall(r"\[[\d., ]+\]", said)))
    assert sum(len(record.regions) for record in boxed) > 84
