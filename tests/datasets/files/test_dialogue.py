"""LLaVA's dialogues: refused and skipped turns with reasons, and foreign text that stays unchanged."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deixis.datasets.files.dialogue import exchanges, marked
from deixis.datasets.files.json_stream import json_rows
from deixis.geometry import Reference, Text, escaped, parse_markup


def turn(speaker: str, value: str) -> dict:
    return {"from": speaker, "value": value}


ASK, TELL = turn("human", "<image>\nWhat is it?"), turn("gpt", "A dog.")


@pytest.mark.parametrize(
    ("conversations", "message"),
    [
        pytest.param(None, "conversations: expected a list of turns, got null", id="none"),
        pytest.param([], "expected a list of turns, got []", id="empty"),
        pytest.param([ASK, "A dog."], "conversations[1]: expected {'from', 'value'}, both text, got 'A dog.'",
                     id="text"),
        pytest.param([ASK, {"from": "gpt", "value": 3}], "conversations[1]: expected {'from', 'value'}", id="number"),
        pytest.param([turn("system", "Be kind."), ASK, TELL], "conversations[0].from: expected human or gpt, got 'sys",
                     id="speaker"),
        pytest.param([ASK, TELL, ASK, ASK], "conversations[3]: expected questions and answers in turn, got two of 'hum",
                     id="two_questions"),
        pytest.param([ASK, TELL, TELL], "conversations[2]: expected questions and answers in turn, got two of 'gpt'",
                     id="two_answers"),
        pytest.param([ASK], "expected a question with an answer, got none among 1 turns", id="no_answer"),
        pytest.param([TELL], "expected a question with an answer, got none", id="no_question"),
    ],
)  # fmt: skip
def test_refuses(conversations, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        exchanges(conversations, True)


@pytest.mark.parametrize(
    ("conversations", "numbers", "left_out"),
    [
        pytest.param([TELL, ASK, TELL], [1], "conversations[0]: expected a question first", id="answer_first"),
        pytest.param([ASK, TELL, ASK], [0], "conversations[2]: expected an answer to", id="question_last"),
        pytest.param(
            [ASK, turn("gpt", " "), ASK, TELL], [2], "conversations[0]: expected an answer", id="empty_answer"
        ),
    ],
)
def test_leaves_out_and_says(conversations, numbers, left_out):
    found, (why,) = exchanges(conversations, True)
    assert [said.number for said in found] == numbers
    assert why.startswith(left_out)


@pytest.mark.parametrize(
    ("question", "has_medium", "expected"),
    [
        pytest.param("<image>\nWhat is it?", True, "What is it?", id="before"),
        pytest.param("What is it?\n<image>", True, "What is it?", id="behind"),
        pytest.param("<video>\nWhat is it?", True, "What is it?", id="video"),
        pytest.param("How do I embed <video> in HTML?", True, "How do I embed <video> in HTML?", id="within"),
        pytest.param("<video>", False, "<video>", id="text_alone"),
    ],
)
def test_marks_of_media(question, has_medium, expected):
    found, _ = exchanges([turn("human", question), TELL], has_medium)
    assert found[0].user == expected


@given(st.text())
def test_foreign_text_says_the_same(text):
    pieces = parse_markup(escaped(text))
    assert pieces == ([Text(text)] if text else [])


@given(st.lists(st.text(alphabet="a []{}.#", max_size=8), min_size=1, max_size=5), st.booleans())
def test_mentions_keep_text_and_order(texts, phrases):
    """Each # is a mention: markup always parses, has all numbers in order, and nothing of the text is lost."""
    text = "#".join(texts)
    numbers = iter(range(len(text)))
    pieces = parse_markup(marked(text, re.finditer("#", text), lambda _: next(numbers), phrases))
    said = "".join(piece.text if isinstance(piece, Text) else piece.phrase or "" for piece in pieces)
    assert said.replace(" ", "") == text.replace("#", "").replace(" ", "")
    mentioned = [number for piece in pieces if isinstance(piece, Reference) for number in piece.indices]
    assert mentioned == list(range(text.count("#")))


@pytest.mark.parametrize(
    ("text", "phrases", "expected"),
    [
        pytest.param("It is #.", False, "It is {0}.", id="bare"),
        pytest.param("[x]#", False, "[x] {0}", id="bracket_before"),
        pytest.param("a dog # and a cat #", True, "[a dog]{0} and [a cat]{1}", id="phrases"),
        pytest.param("a dog # and a cat #", False, "a dog {0} and a cat {1}", id="no_phrases"),
        pytest.param("two dogs # #", True, "[two dogs]{0,1}", id="one_phrase_of_two"),
        pytest.param("{a} #", True, "{{a}} {0}", id="braces"),
    ],
)
def test_marked(text, phrases, expected):
    numbers = iter(range(9))
    assert marked(text, re.finditer("#", text), lambda _: next(numbers), phrases) == expected


def test_rows_of_a_list_and_of_lines_are_the_same(tmp_path):
    (tmp_path / "list.json").write_text('\n [{"a": 1}, {"a": 2}]')
    (tmp_path / "lines.jsonl").write_text('{"a": 1}\n\n{"a": 2}\n')
    rows = [list(json_rows(tmp_path / name)) for name in ("list.json", "lines.jsonl")]
    assert [[value for _, value in found] for found in rows] == [[{"a": 1}, {"a": 2}]] * 2
    assert [where for where, _ in rows[1]] == ["lines.jsonl:1", "lines.jsonl:3"]


def test_a_folder_is_no_list(tmp_path):
    with pytest.raises(ValueError, match="expected one JSON or JSONL file, got a folder"):
        list(json_rows(tmp_path))
