"""Conversations as ids: the text of the template, a placeholder per token of a signal, padding on the left."""

from copy import copy

import pytest

from deixis.errors import CheckpointError
from deixis.model.chat_template import conversation_ids, conversation_text, left_padded, special_words

PLACEHOLDERS = {"image": "<image>", "audio": "<audio>"}
COUNTS = {"image": 3, "audio": 2}


@pytest.fixture(scope="module")
def tokenizer(toy):
    return toy[1].tokenizer


def test_a_conversation_is_written_by_the_template(tokenizer):
    text, answers = conversation_text(tokenizer, [("Where?", "There."), ("What?", None)], ["image", "audio"])
    assert text == "<bos><image><audio><user>Where?<assistant>There.<eos><user>What?<assistant>"
    assert [(text[first:close], text[close:end]) for first, close, end in answers] == [("There.", "<eos>")]
    assert conversation_text(tokenizer, [("What?", None)], []) == ("<bos><user>What?<assistant>", [])


@pytest.mark.parametrize(
    ("template", "match"),
    [
        pytest.param("{{ messages[-1].content }}", "every turn to be added behind the ones before", id="looks_ahead"),
        pytest.param("{{ 'Q' * messages|length }}", "every answer in the text that it writes", id="no_answer"),
    ],
)
def test_a_template_that_writes_no_conversation_is_refused(tokenizer, template, match):
    other = copy(tokenizer)
    other.chat_template = template
    with pytest.raises(CheckpointError, match=match):
        conversation_text(other, [("Where?", "There."), ("What?", None)], [])


def test_placeholders_stand_as_often_as_signals_have_tokens(tokenizer):
    text = "<bos><audio><image><user>Hm?<assistant>"
    ids, offsets = conversation_ids(tokenizer, text, PLACEHOLDERS, ["audio", "image"], COUNTS)
    assert offsets[:7] == [0, 5, 5, 12, 12, 12, text.index("<user>")]
    assert offsets == sorted(offsets)
    image, audio = (tokenizer.convert_tokens_to_ids(word) for word in ("<image>", "<audio>"))
    assert ids[1:6] == [audio, audio, image, image, image]
    assert (ids.count(image), ids.count(audio)) == (3, 2)
    rest = [i for i in ids if i not in (image, audio)]
    assert tokenizer.decode(rest) == "<bos><user>Hm?<assistant>"


@pytest.mark.parametrize(
    ("kinds", "match"),
    [
        pytest.param(["image"], "expected placeholders for image, wrote audio, image", id="one_too_many"),
        pytest.param(["image", "audio"], "expected placeholders for image, audio, wrote audio, image", id="order"),
        pytest.param([], "expected placeholders for no signal, wrote audio, image", id="none"),
    ],
)
def test_a_template_that_writes_other_placeholders_is_refused(tokenizer, kinds, match):
    with pytest.raises(ValueError, match=match):
        conversation_ids(tokenizer, "<audio><image>", PLACEHOLDERS, kinds, COUNTS)


def test_a_tokenizer_without_a_template_takes_ids_only():
    with pytest.raises(ValueError, match="converted without its tokenizer and takes token ids only"):
        conversation_text(None, [("What?", None)], [])


def test_special_words_are_those_in_brackets(tokenizer):
    words = special_words(tokenizer)
    assert {"<image>", "<seg>", "<eos>"} <= set(words)
    assert not {"[", "12", ","} & set(words)


def test_rows_are_padded_on_the_left():
    ids, mask = left_padded([[5], [6, 7, 8]], 0)
    assert ids.tolist() == [[0, 0, 5], [6, 7, 8]]
    assert mask.tolist() == [[0, 0, 1], [1, 1, 1]]
