"""Captions with their parts as markup: overlaps, repeats, signs at the ends, and foreign brackets and braces."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deixis.datasets.files.caption_spans import bare, link_caption
from deixis.geometry import Reference, parse_markup

TEXT = "Two men, one old, hold {ropes} [x]."


@pytest.mark.parametrize(
    ("part", "message"),
    [
        pytest.param((5, 5, [0]), "expected a part of the caption, which has 35 characters, got 5 to 5", id="empty"),
        pytest.param((-1, 4, [0]), "got -1 to 4", id="before_the_text"),
        pytest.param((3, 36, [0]), "got 3 to 36", id="behind_the_text"),
        pytest.param((9, 3, [0]), "got 9 to 3", id="reversed"),
        pytest.param(("0", 3, [0]), "got '0' to 3", id="word"),
        pytest.param((7, 9, [0]), "a part of the caption that holds words, got none from", id="signs"),
    ],
)
def test_refuses(part, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        link_caption(TEXT, [part])


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param([], "Two men, one old, hold {{ropes}} [x].", id="none"),
        pytest.param([(0, 8, [0])], "[Two men]{0}, one old, hold {{ropes}} [x].", id="signs_at_the_end"),
        pytest.param([(0, 7, [0]), (0, 7, [3, 0])], "[Two men]{0,3}, one old, hold {{ropes}} [x].", id="same_place"),
        pytest.param([(4, 7, [2]), (0, 7, [0]), (9, 16, [1])], "[Two men]{0}, [one old]{1}, hold {{ropes}} [x].",
                     id="the_longest_stands"),
        pytest.param([(0, 7, [])], "Two men, one old, hold {{ropes}} [x].", id="means_nothing"),
        pytest.param([(23, 34, [1])], "Two men, one old, hold [{{ropes}} (x)]{1}.", id="brackets_in_a_phrase"),
    ],
)  # fmt: skip
def test_marked_caption(parts, expected):
    assert link_caption(TEXT, parts) == expected


@given(st.text(max_size=40), st.data())
def test_the_markup_says_what_the_text_said(text, data):
    """Whatever the text: it parses, and reads as the text, but for brackets in phrases."""
    ends = st.integers(0, len(text))
    parts = data.draw(st.lists(st.tuples(ends, ends, st.lists(st.integers(0, 9), min_size=1)), max_size=4))
    try:
        pieces = parse_markup(link_caption(text, parts))
    except ValueError as error:
        assert str(error).startswith("expected a part of the caption")  # noqa: PT017
        return
    read = "".join(piece.phrase if isinstance(piece, Reference) else piece.text for piece in pieces)
    assert read.translate(str.maketrans("[]", "()")) == text.translate(str.maketrans("[]", "()"))


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("His left hand,", "left hand", id="determiner"),
        pytest.param("The", "the", id="nothing_else"),
        pytest.param("them", "them", id="pronoun"),
    ],
)
def test_bare(phrase, expected):
    assert bare(phrase) == expected
