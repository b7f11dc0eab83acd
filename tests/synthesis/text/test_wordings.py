"""The wordings: what may stand in them, that there are enough, and how they are filled in."""

import numpy as np
import pytest

from deixis.geometry import parse_markup
from deixis.synthesis.text.wordings import read_topics, topics

GOOD = {"slots": ["name"], "regions": [1, 1], "ask": ["What is {0}?"], "answers": {"one": ["[<A name>]{0}."]}}
ONLY_ANSWERS = {"negatives.where"}
ONLY_QUESTIONS = {"forms.mask", "forms.why"}
ASKED_AT_LEAST, ANSWERED_AT_LEAST = 20, 2
COPIED = {"descriptions.caption", "maps.depth", "maps.normal"}  # whose answer is the set's own wording


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        pytest.param(None, "expected topics by their key, got None", id="nothing"),
        pytest.param({"a": None}, "file: a: expected ask or answers, and only about", id="no_topic"),
        pytest.param({"a": {}}, "file: a: expected ask or answers", id="neither"),
        pytest.param({"a": GOOD | {"asks": []}}, "expected ask or answers, and only about", id="unknown_field"),
        pytest.param({"a": GOOD | {"ask": []}}, "a.ask: expected a list of different wordings, got \\[\\]", id="empty"),
        pytest.param({"a": GOOD | {"ask": ["x", "x"]}}, "a.ask: expected a list of different", id="twice"),
        pytest.param({"a": GOOD | {"ask": [7]}}, r"a.ask\[0\]: expected text, got 7", id="number"),
        pytest.param({"a": GOOD | {"ask": [" x"]}}, r"a.ask\[0\]: expected text, got ' x'", id="space"),
        pytest.param({"a": GOOD | {"ask": ["<nome>?"]}}, r"expected a slot among a name, .*got <nome>", id="slot"),
        pytest.param({"a": GOOD | {"ask": ["{1}?"]}}, r"expected regions below 1, got \{1\} in", id="region"),
        pytest.param({"a": GOOD | {"ask": ["{0"]}}, r"a.ask\[0\]: a single \{", id="markup"),
        pytest.param({"a": GOOD | {"ask": ["[<name>]{}?"]}}, "expected no {} in a question", id="none_in_a_question"),
        pytest.param({"a": GOOD | {"ask": ["{0:mask}"]}}, "expected regions without a form", id="form"),
        pytest.param(
            {"a": GOOD | {"answers": {"one": ["<phrase>"]}}}, r"a.answers.one\[0\]: expected a slot", id="answer"
        ),
    ],
)
def test_bad_wordings_are_refused_in_one_sentence(record, sentence):
    with pytest.raises(ValueError, match=sentence) as raised:
        read_topics(record, "file")
    assert "\n" not in str(raised.value)


def test_slots_and_regions_are_filled_in():
    rng = np.random.default_rng(0)
    topic = read_topics({"a": GOOD}, "file")["a"]
    assert topic.question(rng).filled({}, ["{4}"]) == "What is {4}?"
    assert topic.answer("one", rng).filled({"a name": "a dog"}, ["{2,3:mask}"]) == "[A dog]{2,3:mask}."
    assert topic.places
    assert not topic.masks


@pytest.mark.parametrize("key", [pytest.param(key, id=key) for key in topics()])
def test_every_topic_has_many_wordings(key):
    topic = topics()[key]
    if key not in ONLY_ANSWERS:
        texts = [wording.text.lower().rstrip("?.") for wording in topic.ask]
        assert len(set(texts)) >= ASKED_AT_LEAST
    if key not in ONLY_QUESTIONS:
        fewest = 1 if key in COPIED else ANSWERED_AT_LEAST
        assert min(len(wordings) for wordings in topic.answers.values()) >= fewest


def test_no_two_topics_share_most_of_their_questions():
    asked = {key: {wording.text for wording in topic.ask} for key, topic in topics().items()}
    alike = [(a, b) for a in asked for b in asked if a < b and len(asked[a] & asked[b]) > 5]
    assert alike == []


def test_wordings_are_pure_text():
    for topic in topics().values():
        for wording in (*topic.ask, *(w for wordings in topic.answers.values() for w in wordings)):
            assert wording.text.isascii()
            assert parse_markup(wording.text.replace("<", "").replace(">", ""))
