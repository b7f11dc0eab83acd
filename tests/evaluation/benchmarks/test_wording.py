"""The wording of questions in each notation: that of the official evaluations, else a plain one; all valid markup."""

import re

import pytest

from deixis.evaluation.benchmarks.wording import ANSWERS, PLAIN, QUESTIONS, answer_for, notation_of, question_for
from deixis.geometry import Reference, parse_markup
from deixis.systems import NOTATIONS

WORDS = {"which_of_two": {"name": "cup", "other": "mug"}}


def words_of(task: str) -> dict[str, str]:
    return WORDS.get(task, {"text": "The red cup"} if "caption" not in task else {})


@pytest.mark.parametrize(
    ("task", "notation", "text", "question"),
    [
        pytest.param("refer_mask", "lisa", "Left Cup ",
                     " What is left cup in this image? Please output segmentation mask.", id="lisa_phrase_in_small"),
        pytest.param("reason_phrase", "lisa", "the Cup",
                     " What is the Cup in this image? Please output segmentation mask.", id="lisa_phrase"),
        pytest.param("reason_sentence", "lisa", "What holds tea? ",
                     " What holds tea? Please output segmentation mask.", id="lisa_sentence"),
        pytest.param("refer_box", "ferret", "man, left", "What is the location of man left in the image?", id="ferret"),
        pytest.param("ground_phrases", "ferret", "A man, the Car", "What are the locations of a man, the car?",
                     id="ferret_phrases"),
        pytest.param("refer_box", "lisa", "man, left", "Where is man, left?", id="not_its_task"),
        pytest.param("reason_sentence", "deixis", "What holds tea?", "What holds tea? Answer with a mask.", id="ours"),
        pytest.param("refer_mask", "deixis", "a {red} $cup", "Segment a {{red}} $cup.", id="foreign_signs"),
        pytest.param("short_answer", "onellm", "Who?", "Who?\nAnswer the question using a single word or phrase.",
                     id="short"),
    ],
)  # fmt: skip
def test_question(task, notation, text, question):
    assert question_for(task, notation, text=text) == question


@pytest.mark.parametrize("notation", [PLAIN, *NOTATIONS])
@pytest.mark.parametrize("task", QUESTIONS)
def test_every_question_is_markup_with_its_words(task, notation):
    words = words_of(task)
    text = question_for(task, notation, **words)
    regions = [piece for piece in parse_markup(text) if isinstance(piece, Reference)]
    assert len(regions) == (task == "which_of_two")
    assert "$" not in text
    assert all(word.lower() in text.lower() for word in words.values())


@pytest.mark.parametrize("notation", [PLAIN, *NOTATIONS])
@pytest.mark.parametrize("task", ANSWERS)
def test_forced_answer_has_one_mask(task, notation):
    pieces = parse_markup(answer_for(task, notation, text="a [red] {cup}"))
    (region,) = [piece for piece in pieces if isinstance(piece, Reference)]
    assert (region.indices, region.form) == ((0,), "mask")
    if task != "reason_sentence" and notation != "lisa":
        assert region.phrase == "a (red) {cup}"


def test_notation():
    assert notation_of({}) == PLAIN
    assert notation_of({"notation": "lisa"}) == "lisa"
    with pytest.raises(
        ValueError, match=re.escape("notation: expected plain, deixis, onellm, ferret, lisa, deixis-coordinates")
    ):
        notation_of({"notation": "latin"})
