"""The names that an item states, and those that are certainly absent."""

import numpy as np
import pytest

from deixis.datasets.annotated import Expression, Object
from deixis.datasets.object_names import hard_negatives, names_of, names_with_hard_negatives
from deixis.synthesis.absent_names import AbsentNames
from deixis.synthesis.annotators import Annotators
from tests.synthesis.pictures import farm, picture, region

DOG = Object("dog", region(30, 30))
VOCABULARY = ("dog", "hound", "cat", "horse", "grass", "wolf", "fox", "bus", "zebra", "table")


def names(objects=(), **facts):
    return names_of(picture(1, objects, **facts))


@pytest.mark.parametrize(
    ("objects", "facts", "every"),
    [
        pytest.param([], {}, set(), id="nothing"),
        pytest.param([DOG], {}, {"dog"}, id="one"),
        pytest.param([DOG], {"complete": False}, set(), id="not_complete"),
        pytest.param([DOG], {"vague": ("Dog",)}, set(), id="vague"),
        pytest.param(
            [Object("dog", region(30, 30), synonyms=("hound",))],
            {"vague": ("hound",)},
            set(),
            id="vague_synonym",
        ),
        pytest.param([DOG, Object("dog", region(9, 9, crowd=True))], {}, set(), id="a_group_too"),
        pytest.param([DOG, Object("dog", region(9, 9, ignore=True))], {}, set(), id="an_ignored_one_too"),
        pytest.param([DOG, Object("dog")], {}, set(), id="one_without_a_place"),
        pytest.param([DOG, Object("leg", region(9, 9), part_of="dog")], {}, {"dog", "leg of a dog"}, id="part"),
        pytest.param([Object("", region(9, 9))], {}, set(), id="no_name"),
    ],
)
def test_names_of_which_all_things_are_marked(objects, facts, every):
    assert names(objects, **facts).every == every


@pytest.mark.parametrize(
    ("name", "facts", "is_absent"),
    [
        pytest.param("bus", {}, True, id="another"),
        pytest.param("DOG", {}, False, id="present"),
        pytest.param("hound", {}, False, id="synonym"),
        pytest.param("table", {}, False, id="whole_of_a_part"),
        pytest.param("leg", {}, False, id="part"),
        pytest.param("bus", {"vague": ("Bus",)}, False, id="vague"),
        pytest.param("bus", {"captions": ("A man waits for the bus.",)}, False, id="in_a_caption"),
        pytest.param("fire truck", {"expressions": (Expression("truck on fire"),)}, False, id="in_an_expression"),
        pytest.param("fire truck", {"captions": ("A truck.",)}, True, id="half_of_it_in_a_caption"),
        pytest.param("lamp", {}, False, id="a_kind_of_it_is_present"),
        pytest.param("bear", {}, True, id="a_look_alike_of_the_same_word"),
    ],
)
def test_what_is_surely_absent(name, facts, is_absent):
    objects = [
        Object("dog", region(30, 30), synonyms=("hound",)),
        Object("leg", region(9, 9), part_of="table"),
        Object("floor lamp", region(60, 60)),
        Object("teddy bear", region(60, 60)),
    ]
    assert names(objects, **facts).surely_absent(name) is is_absent


def test_look_alikes_go_both_ways():
    assert len(names_with_hard_negatives()) > 200
    for name in names_with_hard_negatives():
        assert name == name.lower().strip()
        assert name not in hard_negatives(name)
        assert all(name in hard_negatives(other) for other in hard_negatives(name))


def drawn(absent: AbsentNames, item, times: int = 30) -> set[str]:
    found = names_of(item)
    return {name for n in range(times) for name in absent.names(item, found, 4, np.random.default_rng(n))}


def test_a_closed_set_lacks_what_it_does_not_mark():
    item = farm(1)
    absent = AbsentNames([item], VOCABULARY, Annotators())
    assert drawn(absent, item) == {"wolf", "fox", "bus", "zebra", "table"}
    assert set(absent.alike(item, names_of(item), "dog")) == {"wolf", "fox"}


def test_a_federated_set_lacks_only_what_it_says():
    """As in LVIS: what is neither annotated nor declared absent may be present."""
    said, silent = farm(1, absent=("bus", "wolf", "hound"), closed=False), farm(2, closed=False)
    vague = farm(3, absent=("bus",), vague=("bus",), closed=False)
    absent = AbsentNames([silent], VOCABULARY, Annotators())  # also alone: the other images do not matter
    assert drawn(absent, said) == {"bus", "wolf"}
    assert drawn(absent, silent) == drawn(absent, vague) == set()
    assert absent.alike(said, names_of(said), "dog") == ["wolf"]
    assert absent.alike(silent, names_of(silent), "dog") == []


def test_a_set_that_marks_some_things_lacks_nothing_surely():
    item = farm(1, complete=False)
    absent = AbsentNames([item], VOCABULARY, Annotators())
    assert drawn(absent, item) == set()
    assert absent.alike(item, names_of(item), "dog") == []
    assert set(absent.confusable(names_of(item), "dog")) == {"wolf", "fox", "coyote", "rabbit"}


def test_siblings_are_alike_where_they_are_surely_absent():
    item = picture(1, [Object("tennis racket", region(30, 30))], absent=("badminton racket", "racket"))
    absent = AbsentNames([item], (), Annotators())
    assert absent.alike(item, names_of(item), "tennis racket") == ["badminton racket"]
    assert "badminton racket" not in absent.confusable(names_of(item), "tennis racket")


def test_a_language_model_names_look_alikes_for_any_name():
    asked = []

    def ask(messages):
        asked.append(messages[-1]["content"])
        return '{"look_alikes": {"axolotl": ["newt", "axolotls", "salamander"]}}'

    item = picture(1, [Object("axolotl", region(30, 30))], complete=False)
    absent = AbsentNames([item], ("axolotl",), Annotators(language=lambda: ask))
    assert absent.confusable(names_of(item), "axolotl") == ["newt", "salamander"]
    assert absent.confusable(names_of(item), "axolotl") == ["newt", "salamander"]
    assert len(asked) == 1
