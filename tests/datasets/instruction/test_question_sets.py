"""POPE, VQAv2 and GQA: their rows, their images, and refused rows."""

import json
import re

import pytest

from deixis.datasets.instruction.question_sets import GQA, POPE, VQAV2
from tests.datasets.reading import read_all, write_json

POPE_ROW = {"question_id": 1, "image": "COCO_val2014_000000310196.jpg", "text": "Is there a snowboard?", "label": "yes"}
QUESTION = {"question_id": 9, "image_id": 42, "question": "What colour is {it}?"}
ANNOTATION = {"question_id": 9, "image_id": 42, "multiple_choice_answer": "red", "answer_type": "other",
              "answers": [{"answer": "red", "answer_id": n} for n in range(9)] + [{"answer": "dark red"}]}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param("{", "expected one JSON object a line", id="no_json"),
        pytest.param("3", "expected an object, got 3", id="number"),
        pytest.param(json.dumps(POPE_ROW | {"label": "maybe"}), "label: expected yes or no, got 'maybe'", id="label"),
        pytest.param(json.dumps(POPE_ROW | {"text": ""}), "text: expected text, got ''", id="no_text"),
        pytest.param(
            json.dumps(POPE_ROW | {"image": 3}), "image: expected a path or a list of paths, got 3", id="image"
        ),
    ],
)
def test_pope_names_a_bad_line(tmp_path, row, message):
    path = tmp_path / "coco_pope_random.json"
    path.write_text("\n".join([json.dumps(POPE_ROW), row]))
    (record,), (skipped,) = read_all(POPE, path)
    assert skipped.where == "coco_pope_random.json:2"
    assert message in skipped.why
    assert (record.turns[0].assistant, record.turns[0].choices) == ("yes", ("yes", "no"))
    assert (record.signals[0].id, record.task, record.split) == ("coco/000000310196", "exists", "test")


def vqa(tmp_path, questions, annotations, name="v2_OpenEnded_mscoco_val2014_questions.json"):
    path = write_json(tmp_path / name, {"info": {}, "questions": questions})
    if annotations is not None:
        write_json(tmp_path / "v2_mscoco_val2014_annotations.json", {"annotations": annotations})
    return path


def test_vqav2(tmp_path):
    (record,), skipped = read_all(VQAV2, vqa(tmp_path, [QUESTION], [ANNOTATION]))
    assert not skipped
    (turn,) = record.turns
    assert (turn.user, turn.assistant) == ("What colour is {{it}}?", "red")
    assert turn.references == ("red",) * 9 + ("dark red",)
    assert (record.signals[0].id, record.split, record.author) == ("coco/000000000042", "val", "person")


@pytest.mark.parametrize(
    ("questions", "annotations", "message"),
    [
        pytest.param([QUESTION], None, "annotations: expected the file of the answers, v2_mscoco_val2014_annotations",
                     id="no_annotations"),
        pytest.param([], [ANNOTATION], "expected a list 'questions' as in VQAv2's files, got none", id="no_questions"),
    ],
)  # fmt: skip
def test_vqav2_refuses(tmp_path, questions, annotations, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_all(VQAV2, vqa(tmp_path, questions, annotations))


@pytest.mark.parametrize(
    ("question", "annotation", "message"),
    [
        pytest.param(3, ANNOTATION, "expected an object with 'question_id', got 3", id="number"),
        pytest.param(QUESTION | {"question": None}, ANNOTATION, "question: expected text, got null", id="no_text"),
        pytest.param(QUESTION, ANNOTATION | {"multiple_choice_answer": 3}, "expected text, got 3", id="answer_number"),
        pytest.param(QUESTION, ANNOTATION | {"question_id": 8}, "expected the annotation that it belongs to",
                     id="another_question"),
    ],
)  # fmt: skip
def test_vqav2_names_what_is_bad(tmp_path, question, annotation, message):
    records, skipped = read_all(VQAV2, vqa(tmp_path, [question], [annotation]))
    assert not records
    assert any(message in skip.why for skip in skipped)


def test_vqav2_needs_the_name_of_the_subset(tmp_path):
    vqa(tmp_path, [QUESTION], [ANNOTATION])
    path = vqa(tmp_path, [QUESTION], None, name="mine.json")
    options = {"annotations": str(tmp_path / "v2_mscoco_val2014_annotations.json")}
    _, (skipped,) = read_all(VQAV2, path, options=options)
    assert "mine.json: expected val2014 or the like in its name" in skipped.why


def test_gqa(tmp_path):
    row = {"question": "Is it red?", "answer": "yes", "fullAnswer": "Yes, it is red.", "imageId": "2331", "types": {}}
    content = {"07333408": row, "2": 5, "3": row | {"answer": None}}
    (record,), skipped = read_all(GQA, write_json(tmp_path / "testdev_balanced_questions.json", content))
    assert [skip.where for skip in skipped] == [
        "testdev_balanced_questions.json: ['2']",
        "testdev_balanced_questions.json: ['3']",
    ]
    assert (record.turns[0].assistant, record.turns[0].references) == ("yes", ("Yes, it is red.",))
    assert (record.id, record.signals[0].id) == ("gqa/07333408", "vg/2331")
