"""Ferret's GRIT: placeholders that become regions, masks with rows first, and refused or skipped records."""

import numpy as np
import pytest

from deixis.datasets.grounding.grit import GRIT
from deixis.geometry import mask_to_rle, rle_to_mask
from tests.datasets.reading import read_all, write_json

TALL = np.zeros((6, 4), dtype=bool)
TALL[1:5, 1:3] = True
BOX, OTHER = [1, 1, 3, 5], [0, 0, 4, 6]


def row(question: str = "What is <bbox_location0>?", answer: str = "A dog.", **fields) -> dict:
    conversations = [{"from": "human", "value": f"<image>\n{question}"}, {"from": "gpt", "value": answer}]
    return {
        "id": 7,
        "image": "VG_100K/2.jpg",
        "image_h": 6,
        "image_w": 4,
        "conversations": conversations,
        "box_x1y1x2y2": [[BOX], []],
        **fields,
    }


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        pytest.param(3, "expected an object {'image', 'conversations', ...}, got 3", id="number"),
        pytest.param(row(image=None), "image: expected the path of an image, got null", id="no_image"),
        pytest.param(row(image_h="6"), "image_h, image_w: height: expected whole pixels", id="size_as_text"),
        pytest.param(row(conversations=[]), "conversations: expected a list of turns", id="no_turns"),
        pytest.param(row(box_x1y1x2y2=[[], []]), "box_x1y1x2y2[0][0]: expected a box for <bbox_location0>, got 0 in",
                     id="no_box"),
        pytest.param(row(box_x1y1x2y2=5), "box_x1y1x2y2, masks: expected a list for each turn", id="no_list"),
        pytest.param(row(box_x1y1x2y2=[[[1, 1, 3]], []]), "box_x1y1x2y2[0][0]: expected four numbers", id="three"),
        pytest.param(row(box_x1y1x2y2=[[[3, 1, 1, 5]], []]), "box_x1y1x2y2[0][0]: expected a box with an area",
                     id="reversed"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_and_the_rest_is_read(tmp_path, bad, message):
    records, (skipped,) = read_all(GRIT, write_json(tmp_path / "refexp.json", [row(), bad, row()]))
    assert [record.id for record in records] == ["grit/refexp/refexp/0", "grit/refexp/refexp/2"]
    assert skipped.where == "refexp.json: [1]"
    assert message in skipped.why


def test_refuses_another_kind(tmp_path):
    with pytest.raises(ValueError, match="kind: expected one of vg_object"):
        read_all(GRIT, write_json(tmp_path / "a.json", [row()]), options={"kind": "coco"})


def test_a_region_in_a_question(tmp_path):
    (record,), skipped = read_all(GRIT, write_json(tmp_path / "vg_object_train.json", [row()]))
    assert not skipped
    assert (record.source, record.task) == ("grit/vg_object", "name")
    assert (record.turns[0].user, record.turns[0].assistant) == ("What is {0}?", "A dog.")
    assert record.regions[0].box == (1, 1, 3, 5)
    assert (record.signals[0].id, record.signals[0].size_hw) == ("vg/2", (6, 4))


def test_a_box_that_is_mentioned_again_is_the_same_region(tmp_path):
    answer = "Yes, the dog <bbox_location0> lies beside a cat <bbox_location1>."
    rows = [row("Is <bbox_location0> <region_fea> near?", answer, box_x1y1x2y2=[[BOX], [BOX, OTHER]])]
    (record,), skipped = read_all(GRIT, write_json(tmp_path / "git_instruction.json", rows))
    assert not skipped
    assert record.turns[0].user == "Is {0} near?"
    assert record.turns[0].assistant == "Yes, [the dog]{0} lies beside [a cat]{1}."
    assert [region.box for region in record.regions] == [(1, 1, 3, 5), (0, 0, 4, 6)]


def test_masks_have_rows_first(tmp_path):
    """As in the files; the arrays [w, h] of Ferret's code are made of them later."""
    rows = [row(masks=[[mask_to_rle(TALL)], []])]
    (record,), skipped = read_all(GRIT, write_json(tmp_path / "refexp.json", rows))
    assert not skipped
    assert np.array_equal(rle_to_mask(record.regions[0].mask), TALL)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        pytest.param("x", "masks[0][0]: expected run lengths, got 'x'", id="text"),
        pytest.param(mask_to_rle(TALL.T), "expected the image's size [6, 4], got [4, 6]", id="transposed"),
        pytest.param({"size": [6, 4], "counts": "~"}, "masks[0][0]: segmentation:", id="damaged"),
        pytest.param(mask_to_rle(TALL & False), "expected at least one pixel", id="empty"),
    ],
)
def test_a_bad_mask_is_skipped_and_reported(tmp_path, mask, message):
    (record,), (skipped,) = read_all(GRIT, write_json(tmp_path / "refexp.json", [row(masks=[[mask], []])]))
    assert message in skipped.why
    assert record.regions[0].mask is None


def test_a_box_that_no_text_mentions_is_reported(tmp_path):
    rows = [row(box_x1y1x2y2=[[BOX, OTHER], []])]
    (record,), (skipped,) = read_all(GRIT, write_json(tmp_path / "refexp.json", rows))
    assert len(record.regions) == 1
    assert skipped.why == "box_x1y1x2y2[0][1]: expected <bbox_location1> in the text, got none"


def test_boxes_on_and_over_the_edge_are_cut(tmp_path):
    rows = [row(box_x1y1x2y2=[[[-3, 2, 90, 6]], []])]
    (record,), _ = read_all(GRIT, write_json(tmp_path / "refexp.json", rows))
    assert record.regions[0].box == (0, 2, 4, 6)


@pytest.mark.parametrize(
    ("name", "options", "source", "task"),
    [
        pytest.param("flickr30k_train.json", {}, "grit/flickr", "caption", id="flickr"),
        pytest.param("vg_yesno_object.json", {}, "grit/vg_yesno_object", "exists", id="yes_no"),
        pytest.param("widgets.json", {}, "grit/widgets", "dialogue", id="another"),
        pytest.param("widgets.json", {"kind": "objects365"}, "grit/objects365", "detect", id="option"),
    ],
)
def test_the_subset_is_given_by_the_name_or_the_option(tmp_path, name, options, source, task):
    (record,), _ = read_all(GRIT, write_json(tmp_path / name, [row()]), options=options)
    assert (record.source, record.task) == (source, task)


def test_a_dialogue_without_boxes_needs_no_size(tmp_path):
    """As in Ferret's llava_instruct and cc3m."""
    plain = row("What is it?", image_h=None, image_w=None, box_x1y1x2y2=None)
    (record,), skipped = read_all(GRIT, write_json(tmp_path / "llava_instruct.json", [plain]))
    assert not skipped
    assert (record.regions, record.signals[0].size_hw) == ((), None)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        pytest.param({"image_h": 0}, "image_h, image_w: height: expected whole pixels", id="zero"),
        pytest.param({"image_h": None, "image_w": None}, "expected the image, whose size the set does not tell",
                     id="none_and_no_picture"),
    ],
)  # fmt: skip
def test_boxes_need_a_size(tmp_path, sizes, message):
    records, (skipped,) = read_all(GRIT, write_json(tmp_path / "refexp.json", [row(**sizes)]))
    assert not records
    assert message in skipped.why
