"""The phrase before a mention that names it unambiguously, or none."""

import pytest

from deixis.datasets.files.phrases import phrase_start


@pytest.mark.parametrize(
    ("before", "follows_mention", "phrase"),
    [
        pytest.param("", False, None, id="nothing"),
        pytest.param(" ", False, None, id="blank"),
        pytest.param("a ", False, None, id="article_alone"),
        pytest.param("The man in a hat ", False, None, id="two_phrases"),
        pytest.param("one of the men ", False, None, id="of"),
        pytest.param("It is at ", False, None, id="no_noun"),
        pytest.param("Yes ", False, None, id="yes"),
        pytest.param("There is a man riding horse ", False, None, id="verb_within"),
        pytest.param(" holds ", True, None, id="verb_behind_a_mention"),
        pytest.param("a very long row of many words that goes on ", False, None, id="long"),
        pytest.param("The dog. ", False, None, id="stop_between"),
        pytest.param("There is a red mug ", False, "a red mug ", id="article"),
        pytest.param("Here, the sleeping dog ", False, "the sleeping dog ", id="adjective_in_ing"),
        pytest.param(" stands in the service area ", True, "the service area ", id="behind_a_mention"),
        pytest.param("Here are two cats ", False, "two cats ", id="number"),
        pytest.param("person ", False, "person ", id="name_alone"),
        pytest.param(", traffic light ", True, "traffic light ", id="name_in_a_list"),
        pytest.param("his father's hat", False, "his father's hat", id="without_a_blank"),
    ],
)
def test_phrase(before, follows_mention, phrase):
    start = phrase_start(before, follows_mention)
    assert (None if start is None else before[start:]) == phrase
