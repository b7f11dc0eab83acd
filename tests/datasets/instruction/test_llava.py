"""LLaVA's lists: bad rows are named and counted, boxes in texts become regions, and real files are read whole."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from deixis.datasets.annotated import Annotated
from deixis.datasets.files.text_boxes import box_from_shares
from deixis.datasets.instruction.llava import LLAVA
from tests.datasets.reading import read_all, write_json, write_picture

ASK, TELL = {"from": "human", "value": "<image>\nWhat is {this}?"}, {"from": "gpt", "value": "A dog."}
ROW = {"id": "1", "image": "coco/train2017/000000000009.jpg", "conversations": [ASK, TELL]}


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param(3, "expected an object such as {'image', 'conversations'}, got 3", id="number"),
        pytest.param({"id": 1}, "expected 'conversations', 'instruction', 'question_id' or 'captions' among the "
                     "fields, got id", id="no_words"),
        pytest.param({**ROW, "image": 5}, "image: expected a path or a list of paths, got 5", id="image_number"),
        pytest.param({**ROW, "conversations": [TELL]}, "expected a question with an answer", id="no_question"),
        pytest.param({"instruction": "What?", "output": " "}, "answer: expected text, got ' '", id="no_output"),
        pytest.param({"question_id": 4, "text": "What?"}, "expected an answer to it in the file that the option answer",
                     id="no_answers"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_and_the_rest_is_read(tmp_path, row, message):
    path = write_json(tmp_path / "mix.json", [ROW, row, ROW])
    records, (skipped,) = read_all(LLAVA, path)
    assert [record.id for record in records] == ["mix/0", "mix/2"]
    assert skipped.where == "mix.json: [1]"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())  # as Windows' editors write it
    assert [len(found) for found in read_all(LLAVA, path)] == [2, 1]
    assert message in skipped.why


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        pytest.param("[{", {}, "mix.json: expected JSON", id="cut"),
        pytest.param("[]", {"boxes": "regions"}, "boxes: expected one of text, square, image, got 'regions'",
                     id="option"),
    ],
)  # fmt: skip
def test_refuses(tmp_path, content, options, message):
    (tmp_path / "mix.json").write_text(content)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_all(LLAVA, tmp_path / "mix.json", options=options)


def test_a_dialogue(tmp_path):
    write_picture(tmp_path / "coco/train2017/000000000009.jpg", np.zeros((4, 6, 3), np.uint8))
    (record,), skipped = read_all(LLAVA, write_json(tmp_path / "mix.json", [ROW]))
    assert not skipped
    assert (record.id, record.task, record.split, record.author) == ("mix/0", "dialogue", "train", "model")
    assert (record.turns[0].user, record.turns[0].assistant) == ("What is {{this}}?", "A dog.")
    (medium,) = record.signals
    assert (medium.id, medium.size_hw) == ("coco/000000000009", (4, 6))


@pytest.mark.parametrize(
    ("image", "ids"),
    [
        pytest.param(None, [], id="text_alone"),
        pytest.param("gqa/images/2331.jpg", ["vg/2331"], id="gqa"),
        pytest.param("vg/VG_100K_2/23.jpg", ["vg/23"], id="vg"),
        pytest.param("ocr_vqa/images/0060.jpg", ["mix/ocr_vqa/images/0060.jpg"], id="ocr_vqa"),
        pytest.param("textvqa/train_images/ab.jpg", ["mix/textvqa/train_images/ab.jpg"], id="textvqa"),
        pytest.param(["a.png", "b.png"], ["mix/a.png", "mix/b.png"], id="two"),
    ],
)
def test_the_subfolders_of_mix665k(tmp_path, image, ids):
    row = {"id": 1, "conversations": [ASK, TELL]} | ({} if image is None else {"image": image})
    (record,), skipped = read_all(LLAVA, write_json(tmp_path / "mix.json", [row]))
    assert [medium.id for medium in record.signals] == ids
    assert not skipped


BOXED = {
    "image": "wide.png",
    "conversations": [
        {"from": "human", "value": "<image>\nPlease describe [0.25, 0.5, 0.5, 0.75] of [1, 2]."},
        {"from": "gpt", "value": "A red mug [0.25, 0.5, 0.5, 0.75] on the table [0.0, 0.6, 1.0, 0.6]."},
    ],
}


@pytest.mark.parametrize(
    ("way", "question", "answer", "boxes"),
    [
        pytest.param("text", "Please describe [0.25, 0.5, 0.5, 0.75] of [1, 2].", BOXED["conversations"][1]["value"],
                     [], id="text"),
        # the square is 200 x 200, the image lies from y = 50 to 150 in it
        pytest.param("square", "Please describe {0} of [1, 2].", "[A red mug]{0} on [the table]{1}.",
                     [(50, 50, 100, 100), (0, 69, 200, 71)], id="square"),
        pytest.param("image", "Please describe {0} of [1, 2].", "[A red mug]{0} on [the table]{1}.",
                     [(50, 50, 100, 75), (0, 59.5, 200, 60.5)], id="image"),
    ],
)  # fmt: skip
def test_boxes_in_texts(tmp_path, way, question, answer, boxes):
    write_picture(tmp_path / "wide.png", np.zeros((100, 200, 3), np.uint8))
    (record,), skipped = read_all(LLAVA, write_json(tmp_path / "mix.json", [BOXED]), options={"boxes": way})
    assert not skipped
    assert (record.turns[0].user, record.turns[0].assistant) == (question, answer)
    assert [region.box for region in record.regions] == [pytest.approx(box) for box in boxes]


def test_boxes_need_the_image(tmp_path):
    records, (skipped,) = read_all(LLAVA, write_json(tmp_path / "mix.json", [BOXED]), options={"boxes": "square"})
    assert not records
    assert "wide.png: expected the image, whose size its boxes need" in skipped.why


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        pytest.param([0.5, 0.0, 0.4, 1.0], "expected a box with an area", id="reversed"),
        pytest.param([0.0, 0.0, 1.0, 0.2], "expected a box with an area on the image", id="in_the_padding"),
    ],
)
def test_refuses_boxes(shares, message):
    with pytest.raises(ValueError, match=message):
        box_from_shares(shares, (100, 200), on_square=True)


def test_real_questions_with_answers(shared_data):
    folder = shared_data / "llava_text"
    options = {"answers": str(folder / "qa90_gpt4_answer.jsonl"), "source": "qa90"}
    records, skipped = read_all(LLAVA, folder / "qa90_questions.jsonl", options=options, split="test")
    assert (len(records), skipped) == (63, [])
    answers = {json.loads(line)["text"].strip() for line in lines(folder / "qa90_gpt4_answer.jsonl")}
    assert {record.turns[0].assistant for record in records} == answers
    assert {record.task for record in records} == {"dialogue", "caption", "reason"}
    assert all(record.signals[0].id.startswith("coco/") for record in records)


def test_real_instructions(shared_data):
    records, skipped = read_all(LLAVA, shared_data / "llava_text" / "coco2014_val_gpt4_qa_30x3.jsonl")
    assert (len(records), skipped) == (63, [])
    assert len({record.id for record in records}) == 63


def test_real_captions_with_boxes(shared_data, tmp_path):
    path = shared_data / "llava_text" / "caps_boxes_coco2014_val_80.jsonl"
    rows = [json.loads(line) for line in lines(path)]
    for row in rows:  # the photos cannot be had; only their sizes matter
        write_picture(tmp_path / row["image"], np.zeros((40, 60, 3), np.uint8))
    records, skipped = read_all(LLAVA, path, images=tmp_path)
    assert all(isinstance(record, Annotated) for record in records)
    assert (len(records), skipped) == (56, [])
    assert [len(record.captions) for record in records] == [len(row["captions"]) for row in rows]
    x1, y1, x2, y2 = rows[0]["instances"][0]["bbox"]
    assert records[0].objects[0].region.box == pytest.approx((x1 * 60, y1 * 40, x2 * 60, y2 * 40))


def test_captions_are_read_without_the_images_and_boxes_are_counted(shared_data):
    records, skipped = read_all(LLAVA, shared_data / "llava_text" / "caps_boxes_coco2014_val_80.jsonl")
    assert len(records) == 56
    assert all("of which it is a share, got none" in skip.why for skip in skipped)
