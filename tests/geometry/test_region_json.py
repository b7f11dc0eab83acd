"""Regions of one or several forms: construction, its errors, and the JSON of the sample format, there and back."""

import json

import numpy as np
import pytest

from deixis.errors import InputError
from deixis.geometry import Box, Mask, Point, Polygon, Region, Scribble, Tube, as_regions, region_digest, rle_to_mask
from deixis.geometry.region_json import region_from_json, region_to_json

MASK = np.eye(4, 6, dtype=bool)
RLE = Mask(MASK).mask_rle


@pytest.mark.parametrize(
    "region",
    [
        pytest.param(Region(point=(1.0, 2.0)), id="point"),
        pytest.param(Region(point=(0.5,), signal=3), id="instant"),
        pytest.param(Region(box=(1.0, 2.0, 3.5, 4.0)), id="box"),
        pytest.param(Region(mask=MASK), id="mask_as_pixels"),
        pytest.param(Region(mask=RLE), id="mask_as_run_lengths"),
        pytest.param(Region(mask={"size": [2, 2], "counts": [1, 3]}), id="mask_as_plain_counts"),
        pytest.param(Region(span=(0.5, 1.0)), id="span"),
        pytest.param(Region(points=[5, 1, 3]), id="points"),
        pytest.param(Region(box3d=(0, 0, 0, 1, 1, 2)), id="box3d"),
        pytest.param(Tube(1, 2, 3, 4, 5, 6, signal=1), id="tube"),
        pytest.param(Region(mask=MASK, time_s=(0.0, 1.0)), id="mask_and_time"),
        pytest.param(Region(box=(0, 0, 4, 4), mask=RLE, point=(1, 1), ignore=True, crowd=True), id="several_forms"),
    ],
)
def test_json_and_back(region):
    values = json.loads(json.dumps(region_to_json(region)))
    assert region_from_json(values) == region
    assert values["signal"] == region.signal
    assert set(values) - {"signal", "time_s", "ignore", "crowd"} == set(region.forms)


@pytest.mark.parametrize(
    ("given", "region"),
    [
        pytest.param(Box(1, 2, 3, 4), Box(1, 2, 3, 4), id="region"),
        pytest.param((1, 2, 3, 4), Box(1, 2, 3, 4), id="tuple"),
        pytest.param([1.5, 2, 3, 4], Box(1.5, 2, 3, 4), id="list"),
        pytest.param(np.array([1, 2, 3, 4]), Box(1, 2, 3, 4), id="array"),
        pytest.param(
            {"box": [1, 2, 3, 4], "mask": None, "label": "mug"}, Region(box=(1, 2, 3, 4), label="mug"), id="json"
        ),
        pytest.param({"box": np.array([1, 2, 3, 4]), "time_s": [0, 1]}, Tube(1, 2, 3, 4, 0, 1), id="json_tube"),
        pytest.param({"polygon": [[1, 1], [5, 1], [5, 3]]}, Polygon([(1, 1), (5, 1), (5, 3)]), id="json_polygon"),
        pytest.param({"mask": RLE, "signal": 1}, Mask(MASK, signal=1), id="json_run_lengths"),
        pytest.param(MASK, Mask(MASK), id="mask"),
        pytest.param(MASK.tolist(), Mask(MASK), id="mask_as_lists"),
    ],
)
def test_a_question_takes_regions_in_these_forms(given, region):
    assert as_regions([given]) == (region,)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param(Box(1, 2, 3, 4), "^regions: expected a list of regions, got one Region; put it into", id="one"),
        pytest.param({"box": [1, 2, 3, 4]}, "^regions: expected a list of regions, got one dict", id="one_dict"),
        pytest.param(7, "^regions: expected a list of regions, got one int", id="number"),
        pytest.param((1, 2, 3, 4), r"^regions\[0\]: expected a region as Box.*, got int$", id="bare_numbers"),
        pytest.param([(1, 2)], r"^regions\[0\]: .*, got int64 of shape \(2,\)", id="two_numbers"),
        pytest.param([MASK.astype(int)], r"of booleans, got int64 of shape \(4, 6\)", id="mask_of_numbers"),
        pytest.param([None], "got NoneType", id="none"),
        pytest.param(["1,2,3,4"], "got str", id="text"),
        pytest.param([[[1, 2], [3]]], "got list", id="uneven"),
        pytest.param([{"bbox": [1, 2, 3, 4]}], "region: expected fields .*; got 'bbox'; did you mean 'box'", id="bbox"),
        pytest.param([{"box": 5}], "expected a list of numbers as box, got 5", id="box_of_a_number"),
        pytest.param([{"box": "1234"}], "a list of numbers as box, got '1234'", id="box_of_text"),
        pytest.param([{"point": 5}], "a list of numbers as point, got 5", id="point_of_a_number"),
        pytest.param(
            [{"box": [1, 2, 3, 4], "signal": "a"}],
            "signal of a region must be the index of a file, from 0, got 'a'",
            id="signal",
        ),
        pytest.param([{}], "needs at least one of", id="empty"),
    ],
)
def test_other_regions_are_one_sentence(given, message):
    with pytest.raises(InputError, match=message):
        as_regions(given)


def test_label_score_and_phrase_are_not_of_the_format():
    labelled = Region(box=(0, 0, 4, 4), label="mug", score=0.5, phrase="a mug")
    assert region_to_json(labelled) == region_to_json(Box(0, 0, 4, 4)) == {"signal": 0, "box": [0.0, 0.0, 4.0, 4.0]}


@pytest.mark.parametrize(
    "region",
    [
        pytest.param(Polygon([(1, 1), (5, 1), (5, 3)]), id="polygon"),
        pytest.param(Scribble([(1, 1), (5, 3)]), id="scribble"),
    ],
)
def test_outlines_and_scribbles_are_written_as_masks_or_boxes(region):
    assert rle_to_mask(region_to_json(region, (4, 6))["mask"]).any()
    assert region_to_json(region) == {"signal": 0, "box": [1.0, 1.0, 5.0, 3.0]}


@pytest.mark.parametrize(
    ("forms", "primary", "constructor"),
    [
        pytest.param({"mask": MASK, "box": (0, 0, 4, 4), "point": (1, 1)}, "mask", "Mask", id="mask_first"),
        pytest.param({"point": (1, 1), "box": (0, 0, 4, 4)}, "box", "Box", id="box_before_point"),
        pytest.param({"box": (0, 0, 4, 4), "time_s": (0, 1)}, "box", "Tube", id="box_with_time"),
        pytest.param({"polygon": [(0, 0), (1, 0), (1, 1)], "scribble": [(0, 0)]}, "polygon", "Polygon", id="outline"),
        pytest.param({"points": [1], "box3d": (0, 0, 0, 1, 1, 1)}, "points", "PointSet", id="points_before_box3d"),
    ],
)
def test_the_finest_form_comes_first(forms, primary, constructor):
    region = Region(**forms)
    assert (region.form, region.constructor) == (primary, constructor)
    only = region.only(primary)
    assert only.forms == (primary,)
    assert region_digest(only) == region_digest(region)


def test_pixels_and_run_lengths_are_the_same_region():
    assert Region(mask=MASK) == Region(mask=RLE) == Mask(RLE)
    assert len({Region(mask=MASK), Region(mask=RLE)}) == 1
    assert Region(mask=MASK) != Region(mask=~MASK)
    assert Region(mask=MASK) != Region(box=(0, 0, 4, 4))
    assert Region(mask=RLE).decoded().mask.dtype == bool
    assert Box(0, 0, 4, 4) != Region(box=(0, 0, 4, 4), label="mug")


@pytest.mark.parametrize(
    ("region", "text"),
    [
        pytest.param(Box(1, 2, 3, 4, signal=1), "Region(box=(1.0, 2.0, 3.0, 4.0), signal=1)", id="box"),
        pytest.param(Mask(MASK), "Region(mask=<4 x 6>)", id="mask"),
    ],
)
def test_what_is_set_is_shown(region, text):
    assert repr(region) == text


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda: Region(), "needs at least one of mask, polygon, .*point; got none", id="no_form"),
        pytest.param(lambda: region_from_json({"box": [1, 2, 3]}), "Box needs 4 numbers x1, .*, got 3", id="box"),
        pytest.param(lambda: region_from_json({"span": [1]}), "Span needs 2 numbers", id="span"),
        pytest.param(lambda: region_from_json({"point": [1, 2, 3, 4]}), "1, 2 or 3 coordinates, got 4", id="point"),
        pytest.param(lambda: region_from_json({"mask": {"size": [2, 2]}}).mask_array, "'size' and 'counts'", id="rle"),
        pytest.param(lambda: Mask({"size": [2, 2], "counts": [1]}), "must fill its size", id="short_rle"),
        pytest.param(lambda: Box(0, 0, 1, 1).only("mask"), "no form 'mask': it has box", id="another_form"),
        pytest.param(lambda: Point(1, 1).mask_array, "the region has no mask: it has point", id="no_mask"),
    ],
)
def test_construction_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()
