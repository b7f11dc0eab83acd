"""Descriptions in the set's own wording, and captions with regions."""

from collections import Counter
from dataclasses import replace

import pytest

from deixis.datasets.annotated import Expression
from deixis.synthesis.draft import phrase_of
from tests.synthesis.pictures import direction, farm, made, marks, picture, told, turns


def all_of(item) -> list:
    return list(turns(made("descriptions", [item])))


def test_directions_occur_in_the_asked_shares():
    found = turns(made("descriptions", [told(number) for number in range(1, 101)], 60))
    counts = Counter("out" if direction(turn) == "none" else direction(turn) for _, turn in found)
    for kind, share in {"in": 0.4, "out": 0.4, "both": 0.2}.items():
        assert counts[kind] / counts.total() == pytest.approx(share, abs=0.06)


def test_each_way_is_taken_once():
    found = all_of(told())
    assert Counter(direction(turn) for _, turn in found) == {"in": 3, "both": 3, "out": 3, "none": 1}
    assert {sample.author for sample, _ in found} == {"person"}


def test_words_are_of_their_region():
    item = told()
    by_words = {"dog on the left": 0, "brown horse": 2, "brown, big horse": 2, "both dogs": None}
    for sample, turn in all_of(item):
        text = (turn.user + turn.assistant).lower()
        obj = next((number for words, number in by_words.items() if words in text), None)
        if direction(turn) == "both":
            (mark,) = marks(turn.assistant)
            assert sample.regions[mark.indices[0]].box == item.objects[obj].region.box


def test_words_that_mean_several_and_words_that_mean_nothing():
    found = [turn for _, turn in all_of(told())]
    both = next(turn for turn in found if "oth dogs" in turn.user)
    assert len(marks(both.assistant)[0].indices) == 2
    nothing = next(turn for turn in found if "red tractor" in turn.user)
    assert [mark.indices for mark in marks(nothing.assistant)] == [()]


def test_words_that_only_tell_are_not_asked_for():
    asked = [turn.user for _, turn in all_of(told()) if direction(turn) == "out"]
    assert not any("eating grass" in question for question in asked)


def test_captions_with_places_keep_their_words():
    (caption,) = (turn for _, turn in all_of(told()) if "farmer" in turn.assistant)
    assert caption.assistant.endswith("near [a horse]{2} and a {{farmer}}.") or "{{farmer}}" in caption.assistant
    assert [len(mark.indices) for mark in marks(caption.assistant)] == [2, 1]


def test_a_caption_in_masks_asks_for_them():
    item = replace(farm(form="mask"), captions=("[A cat]{3}.",), objects=farm().objects)
    item = replace(item, objects=tuple(replace(obj, attributes=()) for obj in item.objects))
    ((_, turn),) = all_of(item)
    assert turn.assistant == "[A cat]{0:mask}."


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"captions": ("A farm.",)}, id="no_places"),
        pytest.param({"expressions": (Expression("what barks?", (0,), implicit=True),)}, id="implicit"),
        pytest.param({"expressions": (Expression(" . ", (0,)),)}, id="no_words"),
    ],
)
def test_what_is_not_for_this_part(facts):
    objects = tuple(replace(obj, attributes=()) for obj in farm().objects)
    assert made("descriptions", [picture(1, objects, **facts)]) == []


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("  The  big dog.\n", "the big dog", id="article"),
        pytest.param("A dog", "a dog", id="a"),
        pytest.param("USA flag!", "USA flag", id="name"),
        pytest.param("Them", "Them", id="one_word"),
    ],
)
def test_phrases_inside_sentences(text, phrase):
    assert phrase_of(text) == phrase
