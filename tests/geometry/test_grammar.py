"""The grammar: markup, questions and answers written in a notation, and any text at all read back."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deixis.geometry import (
    Box,
    Box3D,
    Extent,
    Notation,
    ParsedRegion,
    Phrase,
    Point,
    Polygon,
    Reference,
    Region,
    Span,
    Text,
    cloud_frame,
    letterbox_frame,
    parse_answer,
    parse_markup,
    region_in_file,
    window_frame,
    write_answer,
    write_prompt,
)
from deixis.systems import NOTATIONS

DEIXIS = NOTATIONS["deixis"]
OTHER = Notation("other", grid=100, phrase_open="<ref>", phrase_close="</ref>", seg_token="[SEG]", number_separator=",")
XYZ = np.array([[0.0, 0, 0], [10, 10, 10]])
IMAGE, AUDIO, CLOUD = letterbox_frame((100, 100), (128, 128)), window_frame(10.0, 10.0), cloud_frame(XYZ)
FRAMES = [IMAGE, AUDIO, CLOUD]
RLE = {"size": [480, 480], "counts": "0"}  # never decoded here


def cell(*grid: int, cells: int = 1000) -> tuple[float, ...]:
    return tuple((number + 0.5) / cells for number in grid)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("no mention", [Text("no mention")], id="plain"),
        pytest.param("{{0}} {{}}", [Text("{0} {}")], id="braces"),
        pytest.param("a [b] c[", [Text("a [b] c[")], id="plain_brackets"),
        pytest.param("[a]{{1}}", [Text("[a]{1}")], id="brackets_before_a_brace"),
        pytest.param("{0}", [Reference(None, (0,))], id="region"),
        pytest.param("{{{0}}}", [Text("{"), Reference(None, (0,)), Text("}")], id="region_in_braces"),
        pytest.param("{1:mask}?", [Reference(None, (1,), "mask"), Text("?")], id="form"),
        pytest.param("[a mug]{1}", [Reference("a mug", (1,))], id="phrase"),
        pytest.param("[x][a {{mug}}]{1, 2:box}", [Text("[x]"), Reference("a {mug}", (1, 2), "box")], id="several"),
        pytest.param("[a dog]{}.", [Reference("a dog", ()), Text(".")], id="none"),
        pytest.param("[]{3}", [Reference("", (3,))], id="empty_phrase"),
        pytest.param("{0}{0}", [Reference(None, (0,)), Reference(None, (0,))], id="twice"),
    ],
)
def test_parse_markup(text, expected):
    assert parse_markup(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "{", "a single { at character 0 belongs to no reference such as {0}: write {{ for a brace", id="lone_brace"
        ),
        pytest.param("a } b", "a single } at character 2", id="lone_closing"),
        pytest.param("{zero}", r"{zero} must be numbers of regions", id="word"),
        pytest.param("{-1}", r"{-1} must be numbers", id="negative"),
        pytest.param("{1,}", r"{1,} must be numbers", id="comma"),
        pytest.param("{1:circle}", "must be one of mask, box, span, points, point, got 'circle'", id="unknown_form"),
        pytest.param("{}", "only a phrase may have none", id="none_without_phrase"),
        pytest.param("[a dog]{:mask}", "only a phrase may have none", id="form_of_none"),
        pytest.param("[left of {0}]{1}", "must not hold brackets or references", id="reference_in_phrase"),
        pytest.param("[a [red] mug]{1}", "must not hold brackets or references", id="brackets_in_phrase"),
    ],
)
def test_parse_markup_refuses(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_markup(text)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(["{", "}", "[", "]", "{0}", "1", ",", ":", "mask", "a", " "]), max_size=14).map("".join)
)
def test_markup_is_read_or_refused(text):
    try:
        pieces = parse_markup(text)
    except ValueError:
        return
    for piece in pieces:
        assert piece.text if isinstance(piece, Text) else piece.indices or piece.phrase is not None


REGIONS = [Box(10, 20, 30, 40), Span(1, 2, signal=1), Box3D(0, 0, 0, 5, 5, 5, signal=2), Point(50, 50),
           Polygon([[10, 10], [20, 10], [20, 30]]), Point(3, signal=1)]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected", "order"),
    [
        pytest.param("", "", [], id="empty"),
        pytest.param("What is {0}?", "What is <region>?", [0], id="one"),
        pytest.param("{1} or {0} or {1}", "<region> or <region> or <region>", [1, 0, 1], id="order_and_repeats"),
        pytest.param("[the mug]{0} {{x}}", "the mug <region> {x}", [0], id="with_words"),
        pytest.param("{0,2} alike?", "<region>, <region> alike?", [0, 2], id="several"),
    ],
)
def test_write_prompt(text, expected, order):
    assert write_prompt(text, REGIONS, FRAMES, DEIXIS) == (expected, order)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        pytest.param(0, "[100, 200, 300, 400] <region>", id="box"),
        pytest.param(1, "[100, 200]@1 <region>", id="span_that_looks_like_a_point"),
        pytest.param(2, "[0, 0, 0, 500, 500, 500] <region>", id="box3d"),
        pytest.param(3, "[500, 500] <region>", id="point"),
        pytest.param(4, "[100, 100, 200, 300] <region>", id="polygon_as_box"),
        pytest.param(5, "[300] <region>", id="instant"),
    ],
)
def test_write_prompt_with_coordinates(index, expected):
    notation = NOTATIONS["deixis-coordinates"]
    assert write_prompt(f"{{{index}}}", REGIONS, FRAMES, notation) == (expected, [index])
    alone = replace(notation, region_token="")
    assert write_prompt(f"{{{index}}}", REGIONS, FRAMES, alone) == (expected.removesuffix(" <region>"), [])


@pytest.mark.parametrize(
    ("text", "regions", "message"),
    [
        pytest.param("{0}", [], "{0} without a first region: there are 0 regions", id="no_regions"),
        pytest.param("{2}", REGIONS[:1], "{2} without a third region: there is 1 region", id="third"),
        pytest.param("{11}", REGIONS[:2], "without a region number 12, region", id="twelfth"),
        pytest.param(
            "{0}", [Box(0, 0, 1, 1, signal=3)], "region 0 lies on signal 3, but there are 3 signals", id="signal"
        ),
        pytest.param("{0:mask}", REGIONS, "cannot ask for a form", id="form"),
        pytest.param("[a dog]{}", REGIONS, "or for none", id="none"),
        pytest.param("a <region> here", REGIONS, "must not contain <region>", id="marker_in_text"),
        pytest.param("{0", REGIONS, "a single {", id="malformed"),
    ],
)
def test_write_prompt_refuses(text, regions, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        write_prompt(text, regions, FRAMES, DEIXIS)


RECORDS = [
    Region(box=(10, 20, 30, 40), mask=RLE),
    Region(mask=RLE),
    Region(signal=1, span=(1, 2)),
    Region(signal=2, box3d=(0, 0, 0, 5, 5, 5), points=[0]),
    Region(point=(50, 50)),
    Region(box=(-10, 0, 200, 100)),
]


@pytest.mark.parametrize(
    ("text", "expected", "targets"),
    [
        pytest.param("Yes.", "Yes.", [], id="plain"),
        pytest.param("[a mug]{0}.", "<p>a mug</p>[100, 200, 300, 400].", [], id="box"),
        pytest.param("{0:mask}", "<seg>", [0], id="mask_asked_for"),
        pytest.param("[it]{1}", "<p>it</p><seg>", [1], id="mask_only"),
        pytest.param("[two]{0,5}", "<p>two</p>[100, 200, 300, 400] [0, 0, 999, 999]", [], id="two_and_clipped"),
        pytest.param("[two]{1,0:mask}", "<p>two</p><seg> <seg>", [1, 0], id="two_masks"),
        pytest.param("[bell]{2}", "<p>bell</p>[100, 200]@1", [], id="span_that_looks_like_a_point"),
        pytest.param("[bell]{2:mask}", "<p>bell</p><seg>@1", [2], id="span_by_seg"),
        pytest.param("[leg]{3}", "<p>leg</p><seg>@2", [3], id="cloud_points"),
        pytest.param("[leg]{3:box}", "<p>leg</p>[0, 0, 0, 500, 500, 500]", [], id="cloud_box"),
        pytest.param("{4} {4:point}", "[500, 500] [500, 500]", [], id="point"),
        pytest.param("[a dog]{} {{}}", "<p>a dog</p>[] {}", [], id="none"),
    ],
)
def test_write_answer(text, expected, targets):
    assert write_answer(text, RECORDS, FRAMES, DEIXIS) == (expected, targets)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("{6}", "{6} without a seventh region: there are 6 regions", id="no_record"),
        pytest.param("{1:box}", "region 1, on an image, has no box", id="no_box"),
        pytest.param("{5:mask}", "region 5 has no mask to be marked as {5:mask}", id="no_mask"),
        pytest.param("{2:box}", "region 2, on audio, has no box", id="box_of_a_sound"),
        pytest.param("{0:span}", "region 0, on an image, has no span", id="span_of_a_image"),
        pytest.param("{3:point}", "region 3, on a point cloud, has no point", id="no_point"),
        pytest.param("a <seg> b", "must not contain <seg>", id="marker_in_text"),
        pytest.param("[a <p> b]{0}", "must not contain <p>", id="marker_in_phrase"),
    ],
)
def test_write_answer_refuses(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        write_answer(text, RECORDS, FRAMES, DEIXIS)


def test_write_answer_refuses_foreign_signal():
    with pytest.raises(ValueError, match="region 0 lies on signal 1, but there is 1 signal"):
        write_answer("{0}", [Region(signal=1, span=(0, 1))], FRAMES[:1], DEIXIS)


BOX = ParsedRegion("box", 0, cell(1, 2, 3, 4), None)


@pytest.mark.parametrize(
    ("text", "clean", "phrases"),
    [
        pytest.param("", "", [], id="empty"),
        pytest.param("   \n ", "", [], id="blank"),
        pytest.param("Just a [sic] sentence.", "Just a [sic] sentence.", [], id="prose"),
        pytest.param("<p>a mug</p>[1, 2, 3, 4].", "a mug.", [Phrase("a mug", 0, 5, (BOX,))], id="box"),
        pytest.param("The <p>red mug</p> [1, 2, 3, 4] .", "The red mug.", [Phrase("red mug", 4, 11, (BOX,))],
                     id="no_space_before_the_stop"),
        pytest.param("Two <p> mugs </p>[1,2,3,4], [1 2 3 4] here", "Two mugs here", [Phrase("mugs", 4, 8, (BOX, BOX))],
                     id="two_boxes"),
        pytest.param("It is [1,2,3,4].", "It is.", [Phrase("", 5, 5, (BOX,))], id="box_without_words"),
        pytest.param("[1,2,3,4].", "", [Phrase("", 0, 0, (BOX,))], id="only_a_box"),
        pytest.param("a[1,2,3,4]b", "a b", [Phrase("", 1, 1, (BOX,))], id="words_stay_apart"),
        pytest.param("<p>cup</p><seg> and <p>jug</p><seg>@1", "cup and jug",
                     [Phrase("cup", 0, 3, (ParsedRegion("seg", 0, None, 0),)),
                      Phrase("jug", 8, 11, (ParsedRegion("seg", 1, None, 1),))],
                     id="segs"),
        pytest.param("<p>a dog</p>[]: no", "a dog: no", [Phrase("a dog", 0, 5, ())], id="none"),
        pytest.param("[] no", "no", [], id="none_of_nothing"),
        pytest.param("<p>a dog</p> there", "a dog there", [], id="phrase_without_mark"),
        pytest.param("<p>a</p> x [1,2,3,4]", "a x", [Phrase("", 3, 3, (BOX,))], id="mark_too_late"),
        pytest.param("<p>a <p>b</p>[1,2,3,4]</p>", "a b", [Phrase("b", 2, 3, (BOX,))], id="nested"),
        pytest.param("<p>a mug [1,2,3,4]</p>", "a mug", [Phrase("a mug", 0, 5, (BOX,))], id="mark_inside"),
        pytest.param("<p>a mug", "a mug", [], id="never_closed"),
        pytest.param("</p>a</p>[1,2,3,4]", "a", [Phrase("", 1, 1, (BOX,))], id="never_opened"),
        pytest.param("<p></p>[1,2,3,4]x", "x", [Phrase("", 0, 0, (BOX,))], id="empty_phrase"),
        pytest.param("<p>m</p>[3, 4, 1, 2]", "m", [Phrase("m", 0, 1, (BOX,))], id="reversed"),
        pytest.param("<p>m</p>[-5, 0, 1e9, 4]", "m[-5, 0, 1e9, 4]", [], id="not_numbers"),
        pytest.param("<p>m</p>[-5, 0.7, 5000, 999]", "m",
                     [Phrase("m", 0, 1, (ParsedRegion("box", 0, cell(0, 0, 999, 999), None),))], id="out_of_range"),
        pytest.param("<p>m</p>[5, 5, 5, 9]", "m",
                     [Phrase("m", 0, 1, (ParsedRegion("box", 0, (0.005, 0.0055, 0.006, 0.0095), None),))],
                     id="no_width"),
        pytest.param("<p>m</p>[1, 2, 3, 4, 5]", "m", [], id="five_numbers"),
        pytest.param("<p>m</p>[1, 2, 3, 4", "m", [], id="cut_off"),
        pytest.param("<p>m</p>[" + "1, " * 999 + "1]", "m", [], id="far_too_many_numbers"),
        pytest.param("<p>m</p>[1, 2, 3, " + "9" * 9999 + "]", "m",
                     [Phrase("m", 0, 1, (ParsedRegion("box", 0, cell(1, 2, 3, 999), None),))],
                     id="far_too_large_number"),
        pytest.param("<p>m</p>[1, 2, 3, 4]@9", "m", [], id="no_such_signal"),
        pytest.param("<p>m</p>[1, 2, 3, 4]@1", "m", [], id="wrong_count_for_the_signal"),
        pytest.param("<p>m</p><seg>@" + "9" * 9999, "m", [], id="no_such_signal_at_all"),
        pytest.param("<seg>@7<seg>", "", [Phrase("", 0, 0, (ParsedRegion("seg", 0, None, 1),))],
                     id="seg_index_counts_all"),
        pytest.param("[1, 2]", "", [Phrase("", 0, 0, (ParsedRegion("point", 0, cell(1, 2), None),))], id="point"),
        pytest.param("[1, 2]@1", "", [Phrase("", 0, 0, (ParsedRegion("span", 1, cell(1, 2), None),))], id="span_named"),
        pytest.param("[7]", "", [Phrase("", 0, 0, (ParsedRegion("point", 1, cell(7), None),))], id="instant_by_count"),
        pytest.param("[1, 2, 3]", "", [Phrase("", 0, 0, (ParsedRegion("point", 2, cell(1, 2, 3), None),))],
                     id="point_3d"),
        pytest.param("[1, 2, 3, 4, 5, 6]", "",
                     [Phrase("", 0, 0, (ParsedRegion("box3d", 2, cell(1, 2, 3, 4, 5, 6), None),))],
                     id="box3d"),
        pytest.param("a <region> b  c", "a b c", [], id="stray_region"),
    ],
)  # fmt: skip
def test_parse_answer(text, clean, phrases):
    answer = parse_answer(text, FRAMES, DEIXIS)
    assert answer.text == clean
    assert answer.phrases == tuple(phrases)


def test_without_signals_nothing_is_marked():
    assert parse_answer("<p>a</p>[1, 2, 3, 4]<seg>", [], DEIXIS).phrases == ()


PIECES = st.sampled_from(
    ["<p>", "</p>", "<seg>", "<region>", "[", "]", "[]", "@1", "@", "1", "999", "-3", "0.5", ",", " ", "\n", ".", "(",
     "a", "mug", "é", "٣", "[1, 2, 3, 4]", "[9, 2]", "[SEG]", "<ref>", "</ref>"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=25).map("".join)),
    st.sampled_from([[], FRAMES[:1], FRAMES[1:2], FRAMES]),
    st.sampled_from([DEIXIS, OTHER]),
)
@example("<<p>p>[[1,2]]", FRAMES, DEIXIS)
@example("\x1c[1,2]\x1c .", FRAMES, DEIXIS)
@example("0\r,[", [], DEIXIS)
def test_any_text_is_read(text, frames, notation):
    answer = parse_answer(text, frames, notation)
    segs = [found.seg_index for phrase in answer.phrases for found in phrase.regions if found.form == "seg"]
    assert answer.text == answer.text.strip()
    assert len(segs) == len(set(segs))
    assert all(0 <= index < text.count(notation.seg_token) for index in segs)
    for phrase in answer.phrases:
        assert 0 <= phrase.start <= phrase.end <= len(answer.text)
        assert answer.text[phrase.start : phrase.end] == phrase.text == phrase.text.strip()
        assert phrase.text or phrase.regions
        for found in phrase.regions:
            assert 0 <= found.signal < len(frames)
            assert (found.unit is None) == (found.form == "seg") == (found.seg_index is not None)
            if found.unit is None:
                continue
            dim = frames[found.signal].dim
            lows, highs = np.array(found.unit[:dim]), np.array(found.unit[-dim:])
            assert (lows >= 0).all()
            assert (highs <= 1).all()
            assert (lows < highs).all() or found.form == "point"
            assert region_in_file(found, frames) is not None


WORDS = st.from_regex(r"[a-zé]{1,8}( [a-zé]{1,8}){0,2}", fullmatch=True)
BOXES = st.tuples(*[st.integers(0, 90)] * 2, *[st.integers(1, 10)] * 2).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)
MENTIONS = st.tuples(WORDS, st.lists(BOXES, max_size=3), st.booleans(), WORDS)


@settings(max_examples=100, deadline=None)
@given(st.lists(MENTIONS, max_size=4), st.sampled_from([DEIXIS, OTHER]))
def test_what_was_written_is_read(mentions, notation):
    records, markup, clean = [], "", ""
    for phrase, boxes, as_mask, words in mentions:
        indices = ",".join(str(len(records) + i) for i in range(len(boxes)))
        records += [Region(box=box, mask=RLE) for box in boxes]
        markup += f"[{phrase}]{{{indices}{':mask' * (as_mask and bool(boxes))}}} {words}. "
        clean += f"{phrase} {words}. "
    text, targets = write_answer(markup, records, FRAMES, notation)
    answer = parse_answer(text, FRAMES, notation)
    assert answer.text == clean.strip()
    assert [phrase.text for phrase in answer.phrases] == [phrase for phrase, *_ in mentions]
    seen = iter(range(len(records)))
    for phrase, (_, boxes, as_mask, _) in zip(answer.phrases, mentions, strict=True):
        assert len(phrase.regions) == len(boxes)
        for found, box in zip(phrase.regions, boxes, strict=True):
            index = next(seen)
            if as_mask:
                assert targets[found.seg_index] == index
            else:
                got = region_in_file(found, FRAMES)
                assert np.allclose(got.box, box, atol=100 / notation.grid)


@pytest.mark.parametrize(
    ("found", "frames", "expected"),
    [
        pytest.param(ParsedRegion("seg", 0, None, 0), FRAMES, None, id="seg"),
        pytest.param(ParsedRegion("box", 0, (0.0, 0.0, 1.0, 0.1), None), [letterbox_frame((50, 100), (64, 64))], None,
                     id="on_the_padding"),
        pytest.param(ParsedRegion("box", 0, (0.0, 0.0, 0.5, 0.5), None), [letterbox_frame((50, 100), (64, 64))],
                     Box(0, 0, 50, 25), id="clipped_to_the_image"),
        pytest.param(ParsedRegion("point", 0, (0.5, 0.25), None), FRAMES, Point(50, 25), id="point"),
        pytest.param(ParsedRegion("span", 1, (0.5, 1.0), None), [IMAGE, window_frame(6.0, 8.0)], Span(4, 6, signal=1),
                     id="clipped_to_the_sound"),
        pytest.param(ParsedRegion("box3d", 2, (0, 0, 0, 0.5, 0.5, 0.5), None), FRAMES,
                     Box3D(0, 0, 0, 5, 5, 5, signal=2),
                     id="box3d"),
    ],
)  # fmt: skip
def test_region_in_file(found, frames, expected):
    assert region_in_file(found, frames) == expected


def test_a_dialect_without_phrases():
    notation = replace(DEIXIS, name="bare", phrase_open="", phrase_close="")
    text, targets = write_answer("[a mug]{0} and [it]{1}", RECORDS, FRAMES, notation)
    assert text == "a mug[100, 200, 300, 400] and it<seg>"
    assert targets == [1]
    assert parse_answer(text, FRAMES, notation).text == "a mug and it"


@pytest.mark.parametrize("name", NOTATIONS)
def test_dialects_carry_their_names(name):
    assert NOTATIONS[name].name == name
    assert Extent("image", size_hw=(1, 1)).dim == 2
