"""VQA's comparison of answers: the official rules, oddities included, and their leave-one-out in a plain loop."""

import pytest

from deixis.evaluation.metrics.vqa import CONTRACTIONS, vqa_accuracy, vqa_text


@pytest.mark.parametrize(
    ("text", "alike"),
    [
        pytest.param("", "", id="empty"),
        pytest.param(" \n ", "", id="blank"),
        pytest.param("?!", "", id="marks alone"),
        pytest.param("The cat, a dog!", "cat dog", id="articles and marks"),
        pytest.param("black/white", "black white", id="a mark between words"),
        pytest.param("black /white", "black white", id="a mark after a space"),
        pytest.param("1,000 well-lit cups", "1000 welllit cups", id="a comma between digits joins all marks"),
        pytest.param("3.5", "3.5", id="a decimal keeps its point"),
        pytest.param("U.S.", "us", id="other points go"),
        pytest.param("." * 40, "." * 8, id="only so many points go"),
        pytest.param("None", "0", id="none is nought"),
        pytest.param("ten Two", "10 2", id="number words"),
        pytest.param("dont Im shouldntve", "don't im shouldntve", id="some contractions"),
        pytest.param("couldnt've 'ows'at yall'll", "couldn't've 'ow's'at y'all'll", id="one apostrophe missing"),
        pytest.param("somebody'd shed lets", "somebodyd shed lets", id="odd ones"),
    ],
)
def test_text_normalisation(text, alike):
    assert vqa_text(text) == alike


def test_every_contraction_lacks_an_apostrophe():
    assert all(len(short) == len(word) - 1 for short, word in CONTRACTIONS.items() if word != "somebodyd")
    assert len(CONTRACTIONS) == 114


@pytest.mark.parametrize(
    ("answer", "answers", "worth"),
    [
        pytest.param("yes", [], 0.0, id="nobody"),
        pytest.param("", ["yes"] * 10, 0.0, id="empty"),
        pytest.param("yes", ["yes"] * 10, 1.0, id="all"),
        pytest.param("Yes", ["yes"] * 10, 0.0, id="where all agree, capitals count"),
        pytest.param("Yes.", ["yes"] * 9 + ["no"], 1.0, id="where they do not, texts are made alike"),
        pytest.param("red", ["red"] + ["blue"] * 9, 0.3, id="one person"),
        pytest.param("red", ["red"] * 2 + ["blue"] * 8, 0.6, id="two"),
        pytest.param("red", ["red"] * 3 + ["blue"] * 7, 0.9, id="three"),
        pytest.param("red", ["red"] * 4 + ["blue"] * 6, 1.0, id="four"),
        pytest.param("2", ["two", "2 ", "the two\n", "3"], 3 / 4 * 2 / 3 + 1 / 4, id="in many words"),
    ],
)
def test_vqa_accuracy_against_the_other_annotators(answer, answers, worth):
    assert vqa_accuracy(answer, answers) == pytest.approx(worth)


def test_vqa_accuracy_equals_a_plain_loop():
    answers = ["a dog", "dog", "The Dog.", "cat", "dogs", "dog"]
    for given in ("dog", "cat", "a cat!", "dogs", "bird"):
        total = 0.0
        for left_out in range(len(answers)):
            others = [vqa_text(text) for number, text in enumerate(answers) if number != left_out]
            total += min(1.0, others.count(vqa_text(given)) / 3)
        assert vqa_accuracy(given, answers) == pytest.approx(total / len(answers))
