"""Regions as they are typed and as JSON, and the questions that name them; no model is needed."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from deixis.cli.pointing import json_region, typed_in_order, typed_region
from deixis.geometry import Box, Box3D, Mask, Point, PointSet, Polygon, Scribble, Span, Tube, named_question
from deixis.signals import open_signal

PICTURE = open_signal(np.full((40, 60, 3), 128, np.uint8))
SOUND = open_signal((np.sin(np.arange(32_000)).astype(np.float32), 16_000))
CLOUD = open_signal(np.random.default_rng(0).random((50, 3)).astype(np.float32))
EXAMPLES = (PICTURE, SOUND, CLOUD, PICTURE)
FILM = open_signal((np.zeros((20, 40, 60, 3), np.uint8), 5))
TRACE = open_signal((np.random.default_rng(0).random((100, 6)), 50))
BRAIN = open_signal(np.random.default_rng(0).random(30), modality="fmri")
OPTIONS = [
    *(SimpleNamespace(opts=[f"--{name}"], is_flag=False) for name in ("point", "box", "span", "out", "model")),
    SimpleNamespace(opts=["--json"], is_flag=True),
    SimpleNamespace(opts=["words"]),
]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param(
            ["--point", "1,2", "--box", "3", "--point", "4,5"], ["point 1,2", "box 3", "point 4,5"], id="mixed"
        ),
        pytest.param(["--box=3", "a.png", "--point=1,2"], ["box 3", "point 1,2"], id="with_equals"),
        pytest.param(["--point", "-1,2"], ["point -1,2"], id="negative"),
        pytest.param(["--out", "--box", "--point", "1"], ["point 1"], id="an_options_name_as_a_value"),
        pytest.param(["--json", "--box", "3"], ["box 3"], id="a_flag_takes_no_value"),
        pytest.param(["--box", "3", "--", "--point", "1"], ["box 3"], id="after_the_end_of_options"),
        pytest.param(["a.png", "is --box an option?"], [], id="in_the_question"),
    ],
)
def test_regions_keep_the_order_typed(words, expected):
    assert [" ".join(pair) for pair in typed_in_order(["ask", *words], OPTIONS)] == expected


@pytest.mark.parametrize(
    ("form", "typed", "region"),
    [
        pytest.param("box", "1,2,30,40", Box(1, 2, 30, 40), id="box"),
        pytest.param("box", " 1, 2.5 ,30 40 @3", Box(1, 2.5, 30, 40, signal=3), id="spaces_and_binding"),
        pytest.param("point", "5,6", Point(5, 6), id="point"),
        pytest.param("point", "1.5", Point(1.5, signal=1), id="instant_goes_to_the_sound"),
        pytest.param("point", "0.5,0.5,0.5", Point(0.5, 0.5, 0.5, signal=2), id="place_goes_to_the_cloud"),
        pytest.param("span", "0.5,1", Span(0.5, 1, signal=1), id="span_goes_to_the_sound"),
        pytest.param("box3d", "0,0,0,1,1,1@2", Box3D(0, 0, 0, 1, 1, 1, signal=2), id="box3d"),
        pytest.param("points", "3,1,2", PointSet(np.array([1, 2, 3]), signal=2), id="points"),
        pytest.param("scribble", "1,2;3,4", Scribble([[1, 2], [3, 4]]), id="scribble"),
        pytest.param("scribble", "1,2 ; 3,4;", Scribble([[1, 2], [3, 4]]), id="scribble_spaced"),
        pytest.param("scribble", "1,2 3,4", Scribble([[1, 2], [3, 4]]), id="scribble_by_spaces"),
        pytest.param("polygon", "1,2,30,4,5,30@3", Polygon([[1, 2], [30, 4], [5, 30]], signal=3), id="polygon_flat"),
    ],
)
def test_a_typed_region(form, typed, region):
    assert typed_region(form, typed, EXAMPLES) == region


@pytest.mark.parametrize(
    ("form", "typed", "files", "region"),
    [
        pytest.param("box", "1,2,30,40,0.5,2", (PICTURE, FILM), Tube(1, 2, 30, 40, 0.5, 2, signal=1), id="tube"),
        pytest.param("box", "1,2,30,40", (SOUND, FILM), Box(1, 2, 30, 40, signal=1), id="box_all_along"),
        pytest.param("box", "1,2,30,40", (FILM, PICTURE), Box(1, 2, 30, 40), id="the_first_that_fits"),
        pytest.param("point", "9,8,1.5", (PICTURE, FILM, CLOUD), Point(9, 8, 1.5, signal=1), id="place_and_time"),
        pytest.param("span", "0.5,2", (PICTURE, FILM), Span(0.5, 2, signal=1), id="span_of_a_film"),
        pytest.param("span", "0.5,2", (BRAIN, TRACE), Span(0.5, 2, signal=1), id="span_of_a_trace"),
        pytest.param("point", "1.5", (CLOUD, TRACE), Point(1.5, signal=1), id="instant_of_a_trace"),
    ],
)
def test_a_region_typed_for_a_film_or_trace(form, typed, files, region):
    assert typed_region(form, typed, files) == region


@pytest.mark.parametrize(
    ("form", "typed", "files", "sentence"),
    [
        pytest.param("box", "1,2,3,4,5", (FILM,), "optionally with start,end .*, got 5 numbers", id="half_a_time"),
        pytest.param("box", "1,2,3,4,5,6", (PICTURE,), "into a video, but signal 0 is an image", id="still"),
        pytest.param("box", "1,2,3,4,3,9", (FILM,), "Tube lies outside its video: it covers 3 to 9 s", id="too_late"),
        pytest.param("point", "1,2", (FILM,), "use Tube, Box, Span, or Point with x, y and a time", id="when"),
        pytest.param("points", "1,2", (BRAIN,), "have no positions, so that no region", id="nowhere"),
    ],
)
def test_a_region_that_fits_no_film(form, typed, files, sentence):
    with pytest.raises(ValueError, match=rf"--{form} .*{sentence}"):
        typed_region(form, typed, files)


def test_a_box_and_its_time_in_json():
    record = {"box": [1, 2, 30, 40], "time_s": [0.5, 2], "signal": 0}
    assert json_region(record, (FILM,), "regions[0]") == Tube(1, 2, 30, 40, 0.5, 2)
    assert json_region({"box": [1, 2, 30, 40]}, (FILM,), "regions[0]") == Box(1, 2, 30, 40)


@pytest.mark.parametrize(
    ("form", "typed", "sentence"),
    [
        pytest.param("box", "", r"--box: expected x1,y1,x2,y2 in pixels, .*, got 0 numbers", id="empty"),
        pytest.param("box", "1,2,3", r"--box 1,2,3: expected x1,y1,x2,y2 in pixels, .* 3 numbers", id="three_numbers"),
        pytest.param("box", "a,b,c,d", r"expected x1,y1,x2,y2 in pixels, .*, got 'a,b,c,d'", id="letters"),
        pytest.param("box", "1,2,30,nan", "finite", id="nan"),
        pytest.param("box", "30,2,1,40", "reversed in x", id="reversed"),
        pytest.param("box", "1,2,1,2", "empty", id="no_area"),
        pytest.param("box", "1,2,300,40", "outside its image", id="outside"),
        pytest.param("box", "1,2,3,4@1", "a Box points into an image, but signal 1 is audio", id="wrong_kind"),
        pytest.param("box", "1,2,3,4@9", "file 9, counted from 0, and there are 4 files", id="no_such_file"),
        pytest.param("point", "1,2,3,4", "got 4 numbers", id="four_axes"),
        pytest.param("points", "1.5,2", "indices of the cloud's points", id="half_a_point"),
        pytest.param("points", "999", "names points 999 to 999 of a cloud of 50", id="no_such_point"),
        pytest.param("polygon", "1,2;3,4", "at least 3 points", id="two_corners"),
        pytest.param("scribble", "1,2;3", r"k pairs|shape", id="half_a_pair"),
        pytest.param("span", "5,6", "outside its audio", id="after_the_end"),
        pytest.param("box3d", "8,8,8,9,9,9", "no point of signal 2 lies inside", id="empty_air"),
        pytest.param("mask", "", "expected FILE.png", id="mask_without_a_name"),
        pytest.param("mask", "none.png", "no such file", id="mask_is_missing"),
    ],
)
def test_a_typed_region_that_is_none(form, typed, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        typed_region(form, typed, EXAMPLES)
    assert str(caught.value).startswith(f"--{form}")


def masked(mode):
    """An image of the mask's mode whose left half is inside."""
    left = np.zeros((40, 60), np.uint8)
    left[:, :30] = 1
    if mode == "RGBA":
        return Image.fromarray(np.dstack([np.full((40, 60, 3), 255, np.uint8), left * 255]))
    if mode == "P":
        picture = Image.fromarray(left, "P")
        picture.putpalette([0, 0, 0, 128, 0, 0])
        return picture
    return Image.fromarray(left * {"L01": 1, "L": 255, "noise": 250}[mode] + 2 * (mode == "noise"))


@pytest.mark.filterwarnings("ignore:'mode' parameter:DeprecationWarning")
@pytest.mark.parametrize("mode", ["L01", "L", "P", "RGBA", "noise"])
def test_a_mask_of_any_mode(tmp_path, mode):
    masked(mode).save(tmp_path / "mask.png")
    region = typed_region("mask", f"{tmp_path / 'mask.png'}@3", EXAMPLES)
    assert region.form == "mask"
    assert (region.signal, int(region.mask.sum()), region.mask[0, 29], region.mask[0, 30]) == (3, 1200, True, False)


@pytest.mark.parametrize(
    ("size", "value", "sentence"),
    [
        pytest.param((60, 40), 0, "none of its pixels is set", id="black"),
        pytest.param((30, 40), 255, "must have the size of its image, 60 x 40 pixels, got 30 x 40", id="other_size"),
    ],
)
def test_a_mask_that_does_not_fit(tmp_path, size, value, sentence):
    Image.new("L", size, value).save(tmp_path / "mask.png")
    with pytest.raises(ValueError, match=sentence):
        typed_region("mask", str(tmp_path / "mask.png"), EXAMPLES)


@pytest.mark.parametrize(
    ("record", "region"),
    [
        pytest.param({"box": [1, 2, 30, 40]}, Box(1, 2, 30, 40), id="box"),
        pytest.param({"signal": 3, "point": [5, 6]}, Point(5, 6, signal=3), id="bound"),
        pytest.param({"span": [0.5, 1.0]}, Span(0.5, 1, signal=1), id="span_goes_to_the_sound"),
        pytest.param({"points": [1, 2]}, PointSet(np.array([1, 2]), signal=2), id="points"),
        pytest.param({"polygon": [[1, 2], [30, 4], [5, 30]]}, Polygon([[1, 2], [30, 4], [5, 30]]), id="polygon"),
        pytest.param({"mask": Mask(np.eye(40, 60)).mask_rle}, Mask(np.eye(40, 60)), id="mask"),
        pytest.param(
            {"box3d": None, "box": [1, 2, 3, 4], "point": [1, 2], "crowd": True}, Box(1, 2, 3, 4), id="several"
        ),
    ],
)
def test_a_json_region(record, region):
    assert json_region(record, EXAMPLES, "regions[0]") == region


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        pytest.param([1, 2], "expected an object", id="list"),
        pytest.param({}, "got none of them", id="empty"),
        pytest.param({"circle": [1, 2]}, "got 'circle'", id="unknown_form"),
        pytest.param({"box": "1,2,3,4"}, r"regions\[0\]\.box: expected x1,y1,x2,y2", id="text"),
        pytest.param({"box": [1, 2, None, 4]}, "expected x1,y1,x2,y2 in pixels, .*, got ", id="null"),
        pytest.param({"box": {"x1": 1}}, "expected x1,y1,x2,y2", id="object"),
        pytest.param({"point": 3}, "expected x,y", id="one_number"),
        pytest.param({"points": [0.5]}, "indices of the cloud's points", id="half_a_point"),
        pytest.param({"box": [1, 2, 3, 4], "signal": -1}, "expected the index of a file", id="negative_signal"),
        pytest.param({"box": [1, 2, 3, 4], "signal": 7}, "there are 4 files", id="no_such_file"),
        pytest.param({"mask": {"size": [40, 60]}}, "counts", id="half_a_mask"),
        pytest.param({"mask": 3}, "path of a PNG", id="number_for_a_mask"),
    ],
)
def test_a_json_region_that_is_none(record, sentence):
    with pytest.raises(ValueError, match=sentence):
        json_region(record, EXAMPLES, "regions[0]")


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        pytest.param("What is {0}?", 1, "What is {0}?", id="named"),
        pytest.param("What do you see?", 0, "What do you see?", id="no_region"),
        pytest.param("What is this?", 1, "What is this {0}?", id="put_at_the_end"),
        pytest.param("Name this", 1, "Name this {0}", id="without_a_mark"),
        pytest.param("Compare these...", 2, "Compare these {0} and {1}...", id="two"),
        pytest.param("Compare these.  ", 3, "Compare these {0}, {1} and {2}.", id="three"),
        pytest.param("What is {{0}}?", 1, "What is {{0}} {0}?", id="braces_name_nothing"),
        pytest.param("[The mug]{1} or {0}?", 2, "[The mug]{1} or {0}?", id="phrase"),
    ],
)
def test_a_question_names_its_regions(text, count, expected):
    assert named_question(text, [None] * count) == expected


@pytest.mark.parametrize(
    ("text", "count", "sentence"),
    [
        pytest.param("  ", 0, "expected some words", id="empty"),
        pytest.param("What is {2}?", 2, r"\{2\} in the question: there are 2 regions", id="no_third"),
        pytest.param("What is {0}?", 0, r"there are 0 regions", id="none_given"),
        pytest.param("What is {0?", 1, "a single {", id="lone_brace"),
        pytest.param("What is {0}?", 2, r"some of its regions but not \{1\}", id="one_forgotten"),
    ],
)
def test_a_question_that_does_not_fit_its_regions(text, count, sentence):
    with pytest.raises(ValueError, match=sentence):
        named_question(text, [None] * count)


def test_a_batch_may_leave_regions_unnamed():
    assert named_question("What is {0}?", [None, None], every=False) == "What is {0}?"
