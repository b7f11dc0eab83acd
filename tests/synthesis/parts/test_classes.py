"""Masks of classes, of referring expressions, and of what must be thought out."""

from collections import Counter
from dataclasses import replace

import pytest

from deixis.datasets.annotated import Expression, Object
from tests.synthesis.pictures import farm, farms, made, marks, picture, region, told, turns


def all_of(item, **options) -> list:
    return list(turns(made("classes", [item], **options)))


def reasons(text: str, objects=(0,), explanation: str | None = None, name: str = "dog"):
    facts = {"expressions": (Expression(text, objects, implicit=True, explanation=explanation),)}
    return picture(1, [Object(name, region(30, 30)), Object("cat", region(80, 30))], **facts)


def test_answers_are_masks_of_all_of_a_class():
    counts = Counter(len(mark.indices) for _, turn in all_of(farm()) for mark in marks(turn.assistant))
    assert counts == {1: 3, 2: 1}
    for sample, turn in all_of(farm()):
        (mark,) = marks(turn.assistant)
        assert mark.form == "mask"
        assert all(sample.regions[number].mask for number in mark.indices)


def test_groups_are_as_good_as_their_things():
    item = picture(1, [Object("cow", region(80, 30, crowd=True)), Object("cow", region(30, 30))])
    ((_, turn),) = all_of(item)
    assert len(marks(turn.assistant)[0].indices) == 2


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(farm(masked=False), id="no_masks"),
        pytest.param(farm(complete=False), id="not_all_marked"),
        pytest.param(picture(1, [Object("dog", region(30, 30))], vague=("dog",)), id="vague"),
        pytest.param(
            picture(1, [Object("dog", region(30, 30)), Object("dog", region(9, 9, masked=False))]),
            id="one_mask",
        ),
        pytest.param(picture(1, [Object("", region(30, 30))]), id="no_name"),
        pytest.param(picture(1, []), id="nothing"),
    ],
)
def test_what_cannot_be_answered_by_masks_is_not_asked(item):
    assert all_of(item) == []


def test_absent_classes_are_asked_for_now_and_then():
    found = [turn for _, turn in turns(made("classes", farms(80), 100, vocabulary=("bus", "dog", "wolf")))]
    denied = [mark.phrase for turn in found for mark in marks(turn.assistant) if not mark.indices]
    share = 0.05 / 1.4  # of all the weights, although two types have nothing here
    assert len(denied) / len(found) == pytest.approx(share, abs=0.01)
    assert {phrase.lower().removeprefix("a ") for phrase in denied} == {"bus", "wolf"}


def test_expressions_are_answered_by_masks():
    found = [turn for _, turn in all_of(told())]
    dogs = next(turn for turn in found if "oth dogs" in turn.user)
    assert [mark.form for mark in marks(dogs.assistant)] == ["mask"]
    nothing = next(turn for turn in found if "red tractor" in turn.user)
    assert [mark.indices for mark in marks(nothing.assistant)] == [()]
    assert not any("eating grass" in turn.user for turn in found)  # it only tells


def test_a_question_is_asked_as_it_is_and_a_phrase_in_a_question():
    ((_, asked),) = all_of(reasons("Which one barks?"), classes=0.0)
    assert asked.user.startswith("Which one barks? ")
    ((_, named),) = all_of(reasons("the one that barks"), classes=0.0)
    assert "the one that barks" in named.user


def test_explanations_are_told_where_they_are_asked_for():
    items = [replace(reasons("Which one barks?", explanation="It is {a} [dog]."), id=f"coco/{n}") for n in range(200)]
    found = [turn for _, turn in turns(made("classes", items, classes=0.0))]
    told_why = [turn for turn in found if turn.assistant.endswith(" It is {{a}} (dog).")]
    assert len(told_why) / len(found) == pytest.approx(0.5, abs=0.1)
    assert all("why" in t.user or "xpla" in t.user or "reason" in t.user or len(t.user.split()) > 6 for t in told_why)
    named = sum("[The dog]" in turn.assistant or "[the dog]" in turn.assistant for turn in found)
    assert named / len(found) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("item", "form"),
    [
        pytest.param(reasons("Which ones are pets?", (0, 1)), (0, 1), id="several"),
        pytest.param(reasons("Which one meows?", ()), (), id="nothing"),
        pytest.param(reasons("Which one barks?", name=""), (0,), id="nameless"),
    ],
)
def test_what_is_meant_is_marked(item, form):
    ((sample, turn),) = all_of(item, classes=0.0)
    (mark,) = marks(turn.assistant)
    assert len(mark.indices) == len(form) == len(sample.regions)


def test_the_form_is_masks_whatever_is_said():
    assert {mark.form for _, turn in all_of(farm(form="box"), form="box") for mark in marks(turn.assistant)} == {"mask"}


def test_the_author_is_the_sets_where_its_words_are_quoted():
    assert {sample.author for sample, _ in all_of(told())} == {"person"}
    assert {sample.author for sample, _ in all_of(farm())} == {"template"}
