"""Letters and labels of drawings: lines fit, nothing is lost, labels keep off each other."""

import numpy as np
import pytest

from deixis.visualize.canvas import (
    INK,
    PALETTE,
    Tag,
    Word,
    chip_width,
    flow,
    marked,
    place_tags,
    shortened,
    text_font,
    words_of,
)
from deixis.visualize.drawing import Drawing, Label
from deixis.visualize.raster import to_image


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("  ", [], id="blank"),
        pytest.param("a red mug", ["a red mug"], id="one_line"),
        pytest.param("word " * 8, ["word word word word"] * 2, id="wrapped"),
        pytest.param("a " + "w" * 60, ["a", "w" * 18, "w" * 18, "w" * 18, "w" * 6], id="too_long_a_word"),
    ],
)
def test_text_flows_into_lines(text, lines):
    width = text_font(14).getlength("word word word word") + 1
    found = flow(words_of(text, INK), width, 14)
    assert "".join(w.text for line in found for w in line) == "".join(text.split())
    if "w" * 60 not in text:  # how many letters fit is the font's affair
        assert [" ".join(w.text for w in line) for line in found] == lines
    assert all(line[-1].left + text_font(14).getlength(line[-1].text) <= width for line in found)


def test_a_font_is_read_once_and_metadata_is_made_for_each_image():
    assert text_font(14) is text_font(14)
    assert marked() is not marked()


def test_punctuation_stays_with_its_word():
    words = [*words_of("one", INK), *words_of(" two", PALETTE[0]), *words_of(", three", INK)]
    lines = flow(words, text_font(14).getlength("one two") + 1, 14)
    assert [[w.text for w in line] for line in lines] == [["one"], ["two", ","], ["three"]]


def test_lines_past_the_last_are_dots():
    lines = flow(words_of("word " * 40, INK), 100, 14, max_lines=3)
    assert len(lines) == 3
    assert [w.text for w in lines[-1]] == ["..."]


def test_a_chip_keeps_off_its_word():
    (line,) = flow([*words_of("mug", INK), Word("0", INK, is_chip=True)], 200, 14)
    assert line[1].left == text_font(14).getlength("mug") + 3


def drawn(tags, size):
    labels = [Label(tag.x, tag.y, tag.label, tag.colour, 11) for tag in place_tags(tags, size)]
    return to_image(Drawing(*size, labels))


def test_labels_keep_off_each_other():
    image = drawn([Tag("mug", c, 100, 100) for c in PALETTE], (300, 200))
    pixels = np.asarray(image).reshape(-1, 3)
    shown = [int((pixels == colour).all(1).sum()) for colour in PALETTE]
    assert min(shown) > 0.9 * max(shown)


def test_labels_stay_inside():
    image = drawn([Tag("a label wider than all", PALETTE[0], 500, -90)], (60, 20))
    edge = np.asarray(image)[:, [0, -1]]
    assert (edge == 255).all()
    assert (np.asarray(image) == PALETTE[0]).all(-1).any()


@pytest.mark.parametrize("label", ["", "mug", "a very long label of many words"])
def test_a_shortened_label_fits(label):
    short = shortened(label, 60)
    assert chip_width(short) <= 60
    assert short == label or short.endswith("...")
