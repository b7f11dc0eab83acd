"""Names, yes or no and counts in answers: perfect, empty and adversarial texts."""

import pytest

from deixis.evaluation.metrics.answer_text import name_match, parse_count, parse_yes_no

KINDS = ("mug", "car", "pan")


@pytest.mark.parametrize(
    ("text", "right"),
    [
        pytest.param("", 0.0, id="empty"),
        pytest.param("A red mug.", 1.0, id="in_a_sentence"),
        pytest.param("MUG", 1.0, id="capitals"),
        pytest.param("mug mug mug", 1.0, id="repeated"),
        pytest.param("mugs and smug", 0.0, id="part_of_a_word"),
        pytest.param("A mug or a car.", 0.0, id="two_names"),
        pytest.param(" ".join(KINDS), 0.0, id="all_names"),
        pytest.param("A red thing.", 0.0, id="no_name"),
    ],
)
def test_name_match_needs_a_whole_word_and_no_other_name(text, right):
    assert name_match(text, "mug", KINDS) == right


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", None, id="empty"),
        pytest.param("Yes.", "yes", id="yes"),
        pytest.param("No, there is none.", "no", id="no"),
        pytest.param("yes no", None, id="both"),
        pytest.param("Nothing; yesterday", None, id="inside_words"),
    ],
)
def test_yes_and_no(text, expected):
    assert parse_yes_no(text) == expected


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("", None, id="empty"),
        pytest.param("Two.", 2, id="word"),
        pytest.param("None.", 0, id="none"),
        pytest.param("There are 3 mugs, three.", 3, id="digits_and_word"),
        pytest.param("One, two, three, four.", None, id="several"),
        pytest.param("9" * 5000, None, id="no_number_a_person_would_say"),
    ],
)
def test_counts(text, number):
    assert parse_count(text) == number
