"""The notations of the published systems: Ferret's bare boxes, LISA's [SEG], OneLLM's plain text."""

import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from deixis.geometry import (
    Box,
    Mask,
    ParsedRegion,
    Phrase,
    Point,
    Region,
    Scribble,
    letterbox_frame,
    parse_answer,
    region_in_file,
    window_frame,
    write_answer,
    write_prompt,
)
from deixis.geometry.frames import video_frame
from deixis.geometry.words import words_before
from deixis.systems import NOTATIONS

FERRET, LISA, ONELLM = NOTATIONS["ferret"], NOTATIONS["lisa"], NOTATIONS["onellm"]
IMAGE = letterbox_frame((480, 480), (336, 336))
FRAMES = [IMAGE]
RLE = {"size": [480, 480], "counts": "0"}  # never decoded here


def cells(*numbers: int) -> tuple[float, ...]:
    return tuple((number + 0.5) / 1000 for number in numbers)


def box(*numbers: int) -> ParsedRegion:
    return ParsedRegion("box", 0, cells(*numbers), None)


def seg(index: int) -> ParsedRegion:
    return ParsedRegion("seg", 0, None, index)


@pytest.mark.parametrize(
    ("text", "clean", "phrases"),
    [
        pytest.param("", "", [], id="empty"),
        pytest.param("dog [1, 2, 3, 4", "dog", [], id="half_a_bracket"),
        pytest.param("dog 1, 2, 3, 4].", "dog 1, 2, 3, 4].", [], id="the_other_half"),
        pytest.param("dog [1, 2, 3].", "dog.", [], id="three_numbers"),
        pytest.param("dog [1, 2, 3, 4, 5].", "dog.", [], id="five_numbers"),
        pytest.param("dog [a, b, c, d].", "dog [a, b, c, d].", [], id="no_numbers"),
        pytest.param("dog [5, 10, 1200, 2000].", "dog.", [("dog", box(5, 10, 999, 999))], id="beyond_the_grid"),
        pytest.param("dog [-5, 10, 12, 20].", "dog.", [("dog", box(0, 10, 12, 20))], id="below_the_grid"),
        pytest.param("dog [30, 40, 10, 20].", "dog.", [("dog", box(10, 20, 30, 40))], id="reversed"),
        pytest.param("x [[1, 2, 3, 4]].", "x [].", [("", box(1, 2, 3, 4))], id="doubled_brackets"),
        pytest.param("x [1, 2, [3, 4, 5, 6], 7].", "x [1, 2, 7].", [("", box(3, 4, 5, 6))], id="nested_brackets"),
        pytest.param("<p>dog</p><seg> [1, 2, 3, 4]", "<p>dog</p><seg>", [("<p>dog</p><seg>", box(1, 2, 3, 4))],
                     id="words_of_another_notation"),
        pytest.param("a <region_fea> dog [1, 2, 3, 4]", "a dog", [("a dog", box(1, 2, 3, 4))], id="stray_region_token"),
        pytest.param("[1, 2, 3, 4]", "", [("", box(1, 2, 3, 4))], id="no_words"),
        pytest.param("The dog [1, 2, 3, 4].", "The dog.", [("The dog", box(1, 2, 3, 4))], id="one"),
        pytest.param("at [7, 9]", "at", [("", ParsedRegion("point", 0, cells(7, 9), None))], id="point"),
        pytest.param("dogs [1, 2, 3, 4] [5, 6, 7, 8], [9, 9, 9, 10] and [1, 2, 3, 4] run.", "dogs run.",
                     [("dogs", box(1, 2, 3, 4), box(5, 6, 7, 8),
                       ParsedRegion("box", 0, (0.009, 0.0095, 0.01, 0.0105), None), box(1, 2, 3, 4))],
                     id="four_boxes_of_one_phrase"),
        pytest.param("The man [1, 2, 3, 4] is holding a cup [5, 6, 7, 8].", "The man is holding a cup.",
                     [("The man", box(1, 2, 3, 4)), ("a cup", box(5, 6, 7, 8))], id="sentence"),
        pytest.param("A man [1, 2, 3, 4] and a dog [5, 6, 7, 8]", "A man and a dog",
                     [("A man", box(1, 2, 3, 4)), ("a dog", box(5, 6, 7, 8))], id="and"),
        pytest.param("the man in the blue shirt [1, 2, 3, 4].", "the man in the blue shirt.",
                     [("the man in the blue shirt", box(1, 2, 3, 4))], id="noun_phrase_with_a_preposition"),
    ],
)  # fmt: skip
def test_ferret_answers(text, clean, phrases):
    answer = parse_answer(text, FRAMES, FERRET)
    assert answer.text == clean
    assert [(phrase.text, *phrase.regions) for phrase in answer.phrases] == phrases


@pytest.mark.parametrize(
    ("text", "clean", "phrases"),
    [
        pytest.param("[SEG", "[SEG", [], id="half_a_token"),
        pytest.param("Box [1, 2, 3, 4].", "Box [1, 2, 3, 4].", [], id="numbers_are_plain_text"),
        pytest.param("Sure, [SEG].", "Sure.", [("", seg(0))], id="no_words"),
        pytest.param("[SEG].", "", [("", seg(0))], id="nothing_else"),
        pytest.param("Sure, it is [SEG].", "Sure, it is.", [("it", seg(0))], id="it"),
        pytest.param("Sure, the segmentation result is [SEG].", "Sure, the segmentation result is.",
                     [("the segmentation result", seg(0))], id="before_a_verb"),
        pytest.param("It is [SEG][SEG] .", "It is.", [("It", seg(0), seg(1))], id="twice_in_a_row"),
        pytest.param("It is [SEG] and [SEG].", "It is.", [("It", seg(0), seg(1))], id="two_with_and"),
        pytest.param("The mug [SEG] holds water, the lamp [SEG] does not.", "The mug holds water, the lamp does not.",
                     [("The mug", seg(0)), ("the lamp", seg(1))], id="two_phrases"),
        pytest.param("[SEG]@7 a [SEG]", "a", [("a", seg(1))], id="a_signal_that_is_not_there"),
    ],
)  # fmt: skip
def test_lisa_answers(text, clean, phrases):
    answer = parse_answer(text, FRAMES, LISA)
    assert answer.text == clean
    assert [(phrase.text, *phrase.regions) for phrase in answer.phrases] == phrases


@pytest.mark.parametrize("text", ["A mug.", "at [1, 2, 3, 4]", "<p>a</p><seg> [SEG] <region>", "  two  spaces ,\n b"])
def test_onellm_only_talks(text):
    answer = parse_answer(text, FRAMES, ONELLM)
    assert answer.text == text.strip()
    assert answer.phrases == ()


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        pytest.param(Box(30, 24, 299, 268), "[62, 50, 622, 558] <region_fea>", id="box"),
        pytest.param(Box(0, 0, 480, 480), "[0, 0, 997, 997] <region_fea>", id="up_to_the_last_pixel"),
        pytest.param(Point(300, 199), "[625, 414] <region_fea>", id="point"),
        pytest.param(Scribble([[60, 60], [120, 240]]), None, id="scribble"),
        pytest.param(Mask(np.eye(480, dtype=bool)), "[0, 0, 997, 997] <region_fea>", id="mask"),
        pytest.param(
            Mask(np.pad(np.ones((48, 96), bool), ((48, 384), (96, 288)))),
            "[200, 100, 397, 197] <region_fea>",
            id="mask_to_its_last_pixel",
        ),
    ],
)
def test_ferret_questions(region, expected):
    text, order = write_prompt("What is {0}?", [region], FRAMES, FERRET)
    assert order == [0]
    if expected is not None:
        assert text == f"What is {expected}?"
    assert re.fullmatch(r"What is \[\d+(, \d+){1,3}\] <region_fea>\?", text)


def test_ferret_truncates_as_its_demo_does():
    frame = letterbox_frame((484, 484), (336, 336))
    text, _ = write_prompt("{0}", [Point(121, 242)], [frame], FERRET)
    assert text == "[250, 500] <region_fea>"


@pytest.mark.parametrize("notation", [pytest.param(LISA, id="lisa"), pytest.param(ONELLM, id="onellm")])
def test_questions_that_cannot_point(notation):
    message = f"notation '{notation.name}' cannot point at a region, which its models never saw"
    with pytest.raises(ValueError, match=re.escape(message)):
        write_prompt("What is {0}?", [Point(1, 1)], FRAMES, notation)
    assert write_prompt("What is [1, 2]?", [Point(1, 1)], FRAMES, notation) == ("What is [1, 2]?", [])


def test_a_question_must_not_hold_seg():
    with pytest.raises(ValueError, match=re.escape("must not contain [SEG]")):
        write_prompt("What is [SEG]?", [], FRAMES, LISA)


BOX_AND_MASK = Region(box=(48, 96, 144, 192), mask=RLE)


@pytest.mark.parametrize(
    ("notation", "text", "expected", "targets"),
    [
        pytest.param(FERRET, "[A mug]{0}.", "A mug [100, 200, 300, 400].", [], id="ferret_box"),
        pytest.param(FERRET, "[mugs]{0,0}", "mugs [100, 200, 300, 400] [100, 200, 300, 400]", [], id="ferret_two"),
        pytest.param(FERRET, "{0}", "[100, 200, 300, 400]", [], id="ferret_no_words"),
        pytest.param(FERRET, "no [dog]{}.", "no dog.", [], id="ferret_none"),
        pytest.param(LISA, "Sure, {0}.", "Sure, [SEG].", [0], id="lisa_mask_though_there_is_a_box"),
        pytest.param(LISA, "[The mug]{0:mask}", "The mug [SEG]", [0], id="lisa_phrase"),
        pytest.param(ONELLM, "[a dog]{} {{x}}", "a dog {x}", [], id="onellm_text"),
    ],
)
def test_written_answers(notation, text, expected, targets):
    assert write_answer(text, [BOX_AND_MASK], FRAMES, notation) == (expected, targets)


@pytest.mark.parametrize(
    ("notation", "text", "record", "message"),
    [
        pytest.param(FERRET, "{0:mask}", BOX_AND_MASK,
                     "region 0 has to be marked by a mask, and the notation 'ferret' has none",
                     id="ferret_mask"),
        pytest.param(FERRET, "{0}", Region(mask=RLE), "the notation 'ferret' has none", id="ferret_mask_only"),
        pytest.param(LISA, "{0:box}", BOX_AND_MASK, "the notation 'lisa' writes no coordinates",
                     id="lisa_box"),
        pytest.param(LISA, "{0}", Region(box=(0, 0, 9, 9)), "region 0 has no mask to be marked as {0:mask}",
                     id="lisa_without_a_mask"),
        pytest.param(ONELLM, "{0}", BOX_AND_MASK, "the notation 'onellm' has none", id="onellm"),
    ],
)  # fmt: skip
def test_answers_a_notation_cannot_write(notation, text, record, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        write_answer(text, [record], FRAMES, notation)


def test_a_film_is_marked_by_a_tube():
    film = video_frame(letterbox_frame((100, 100), (32, 32)), 10.0)
    records = [Region(box=(10, 20, 30, 40), time_s=(1, 2)), Region(box=(10, 20, 30, 40)), Region(span=(5, 6))]
    text, _ = write_answer("[a]{0} [b]{1} [c]{2}", records, [film], NOTATIONS["deixis"])
    assert text == (
        "<p>a</p>[100, 200, 100, 300, 400, 200] <p>b</p>[100, 200, 0, 300, 400, 999] <p>c</p>[0, 0, 500, 999, 999, 600]"
    )
    marks = [found for phrase in parse_answer(text, [film], NOTATIONS["deixis"]).phrases for found in phrase.regions]
    first = region_in_file(marks[0], [film])
    assert [found.form for found in marks] == ["tube"] * 3
    assert first.constructor == "Tube"
    assert np.allclose((*first.box, *first.time_s), (10, 20, 30, 40, 1, 2), atol=0.1)


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        pytest.param("", 0, "", id="empty"),
        pytest.param("...", 0, "", id="punctuation"),
        pytest.param("The dog ", 0, "The dog", id="noun_phrase"),
        pytest.param("There is a boat", 0, "a boat", id="there_is"),
        pytest.param("Yes. It is", 0, "It", id="verb_next_to_the_mark"),
        pytest.param("is is", 0, "", id="verbs_alone"),
        pytest.param("Next to the lamp", 0, "the lamp", id="prepositions"),
        pytest.param("standing man", 0, "standing man", id="ing_at_the_beginning"),
        pytest.param("A man is standing on grass", 0, "grass", id="ing_behind_a_verb"),
        pytest.param("A man wearing a hat", 5, "a hat", id="ing_after_a_mark"),
        pytest.param("A man is king", 0, "king", id="a_noun_in_ing"),
        pytest.param('the "red mug"', 0, "red mug", id="quoted"),
        pytest.param("The boats:\n", 0, "The boats", id="colon"),
        pytest.param("a well-known man's hat", 0, "a well-known man's hat", id="hyphen_and_apostrophe"),
        pytest.param("the cup – a mug", 0, "a mug", id="dash"),
    ],
)
def test_words_before(text, start, expected):
    first, last = words_before(text, start)
    assert start <= first <= last <= len(text)
    assert text[first:last] == expected


PIECES = st.sampled_from(
    ["[SEG]", "[SEG", "<region_fea>", "[", "]", "[]", "@1", "1", "999", "-3", "0.5", ",", " ", "\n", ".", " and ",
     "is", "the mug", "é", "٣", "[1, 2, 3, 4]", "[9, 2]", "<p>", "</p>", "<seg>", ";", " is ", "ing"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=25).map("".join)),
    st.sampled_from([[], FRAMES, [window_frame(9.0, 9.0)]]),
    st.sampled_from([FERRET, LISA, ONELLM]),
)
@example("a,[SEG],[SEG].", FRAMES, LISA)
@example("\x1c[1,2]\x1c .", FRAMES, FERRET)
@example("0\r,[", [], FERRET)
def test_any_text_is_read(text, frames, notation):
    answer = parse_answer(text, frames, notation)
    assert answer.text == answer.text.strip()
    last = 0
    for phrase in answer.phrases:
        assert last <= phrase.start <= phrase.end <= len(answer.text)
        last = phrase.end
        assert answer.text[phrase.start : phrase.end] == phrase.text == phrase.text.strip()
        assert phrase.text or phrase.regions
        for found in phrase.regions:
            assert (found.form == "seg") == (notation is LISA)
            assert found.form == "seg" or region_in_file(found, frames) is not None
    segs = [found.seg_index for phrase in answer.phrases for found in phrase.regions]
    assert notation is not LISA or (len(segs) == len(set(segs)) and all(i < text.count("[SEG]") for i in segs))


NOUNS = st.from_regex(r"(the|a|an) [bcdfgé]{1,8}( [bcdfgé]{1,8})?", fullmatch=True)
BOXES = st.tuples(*[st.integers(0, 400)] * 2, *[st.integers(1, 79)] * 2).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(NOUNS, st.lists(BOXES, min_size=1, max_size=3)), max_size=4), st.sampled_from([FERRET, LISA]))
def test_what_was_written_is_read(mentions, notation):
    records, markup = [], ""
    for phrase, boxes in mentions:
        indices = ",".join(str(len(records) + i) for i in range(len(boxes)))
        records += [Region(box=box, mask=RLE) for box in boxes]
        markup += f"[{phrase}]{{{indices}}} is here. "
    text, targets = write_answer(markup, records, FRAMES, notation)
    answer = parse_answer(text, FRAMES, notation)
    assert answer.text == "".join(f"{phrase} is here. " for phrase, _ in mentions).strip()
    assert [phrase.text for phrase in answer.phrases] == [phrase for phrase, _ in mentions]
    marks = [found for phrase in answer.phrases for found in phrase.regions]
    assert len(marks) == len(records)
    assert targets == (list(range(len(records))) if notation is LISA else [])
    for found, record in zip(marks, records, strict=True):
        if notation is FERRET:
            got = region_in_file(found, FRAMES)
            assert np.allclose(got.box, record.box, atol=480 / 1000)


def test_phrases_point_into_the_clean_text():
    answer = parse_answer("Sure, the red mug [SEG] , and [SEG].", FRAMES, LISA)
    assert answer.text == "Sure, the red mug."
    assert answer.phrases == (Phrase("the red mug", 6, 17, (seg(0), seg(1))),)
