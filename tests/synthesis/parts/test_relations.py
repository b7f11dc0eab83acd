"""Relations: annotated ones, and spatial ones only where they are unambiguous."""

import itertools
import re
from collections import Counter

import numpy as np
import pytest

from deixis.datasets.annotated import Object, Relation
from deixis.synthesis.parts.relations import is_the_only_one, places
from tests.synthesis.pictures import direction, farm, farms, made, marks, picture, region, told, turns

SAID = {
    "left": r"left of|on the left of",
    "right": r"right of|on the right of",
    "above": "above|higher up than",
    "below": "below|lower down than",
    "within": "within the bounds|inside the area",
}


def box(*corners: float) -> np.ndarray:
    return np.array(corners, dtype=np.float64)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param((0, 0, 10, 10), (20, 0, 30, 10), "left", id="left"),
        pytest.param((20, 2, 30, 8), (0, 0, 10, 10), "right", id="right"),
        pytest.param((0, 0, 10, 10), (2, 10, 12, 20), "above", id="above_and_touching"),
        pytest.param((2, 30, 12, 40), (0, 0, 10, 10), "below", id="below"),
        pytest.param((2, 2, 5, 5), (0, 0, 10, 10), "within", id="within"),
        pytest.param((0, 0, 10, 10), (20, 20, 30, 30), None, id="across"),
        pytest.param((0, 0, 10, 10), (9, 0, 20, 10), None, id="overlap"),
        pytest.param((0, 0, 10, 10), (20, 6, 30, 16), None, id="too_little_height_shared"),
        pytest.param((0, 0, 9, 9), (0, 0, 10, 10), None, id="nearly_the_same_size"),
        pytest.param((0, 0, 10, 10), (0, 0, 10, 10), None, id="the_same"),
    ],
)
def test_places_of_two_boxes(one, other, expected):
    found = [place for place, pairs in places(np.stack([box(*one), box(*other)])).items() if (0, 1) in pairs]
    assert found == ([expected] if expected else [])


def test_no_pair_has_two_places_and_opposites_agree():
    rng = np.random.default_rng(0)
    lows = rng.uniform(0, 80, (40, 2))
    found = places(np.concatenate([lows, lows + rng.uniform(1, 40, (40, 2))], axis=1))
    counts = Counter(pair for pairs in found.values() for pair in pairs)
    assert max(counts.values()) == 1
    assert min(map(len, found.values())) > 0
    assert set(found["right"]) == {(b, a) for a, b in found["left"]}
    assert set(found["below"]) == {(b, a) for a, b in found["above"]}


@pytest.mark.parametrize(
    ("place", "rival", "expected"),
    [
        pytest.param("left", (70, 0, 80, 10), True, id="rival_on_the_other_side"),
        pytest.param("left", (0, 50, 10, 60), False, id="rival_on_the_same_side"),
        pytest.param("left", (30, 50, 40, 60), False, id="rival_a_little_to_the_left"),
        pytest.param("within", (70, 0, 80, 10), False, id="within_with_a_rival"),
    ],
)
def test_the_only_one_of_its_name(place, rival, expected):
    boxes = np.stack([box(20, 0, 30, 10), box(40, 0, 50, 10), box(*rival)])
    assert is_the_only_one(place, 0, 1, [0, 2], boxes) is expected


def _place_of(sample, text: str) -> str | None:
    return next((place for place, words in SAID.items() if re.search(rf"\b(?:{words})\b", text)), None)


def test_said_places_are_so():
    """Asked by boxes, so that the question holds the positions; the answer's wording must fit them."""
    options = {"box": 1.0, "point": 0.0, "scribble": 0.0, "blob": 0.0, "polygon": 0.0, "mask": 0.0}
    found = made("relations", farms(40), 200, region_out=0, **options)
    checked = Counter()
    for sample, turn in turns(found):
        asked = [sample.regions[mark.indices[0]] for mark in marks(turn.user)]
        given = [sample.regions[mark.indices[0]] for mark in marks(turn.assistant)]
        if direction(turn) == "in" and _place_of(sample, turn.assistant):
            assert _is(_place_of(sample, turn.assistant), _ordered(turn, asked))
            checked["in"] += 1
        elif direction(turn) == "both":
            assert _is(_place_of(sample, turn.user), [given[0], asked[0]])
            checked["both"] += 1
    assert min(checked["in"], checked["both"]) > 30


def _ordered(turn, asked: list) -> list:
    """The two objects in the order of the answer, for the wordings that begin with the second one."""
    first_is_second = re.search(
        r"[Ss]een from \{|Starting at|direction from|[Ff]rom \{\d+\} (?:to|do)|look from|On which side of|taking \{"
        r"|if one starts|If \{",
        turn.user,
    )
    numbers = [mark.indices[0] for mark in marks(turn.user)]
    starts_with_reference = re.match(
        r"(?:On which side of|Starting at|In what direction from|From|If|Which way must I look from"
        r"|Tell me the direction from)",
        turn.user,
    )
    assert len(numbers) == 2
    assert first_is_second or not starts_with_reference
    return asked[::-1] if starts_with_reference else asked


def _is(place: str, regions: list) -> bool:
    boxes = np.array([region.box for region in regions])
    return (0, 1) in places(boxes)[place]


def test_yes_and_no_are_as_frequent():
    found = made("relations", farms(150), 400, region_out=0, both=0)
    answers = [turn.assistant for _, turn in turns(found)]
    yes = sum(bool(re.match(r"Yes|That is right|It is\.", answer)) for answer in answers)
    no = sum(bool(re.match(r"No\b|That is wrong|It is not", answer)) for answer in answers)
    assert yes + no > 150
    assert yes / (yes + no) == pytest.approx(0.5, abs=0.08)


def test_what_is_told_is_asked_in_all_directions():
    found = made("relations", [told(number) for number in range(1, 61)], 200, geometric=False)
    counts = Counter(direction(turn) for _, turn in turns(found))
    for kind, share in {"in": 0.4, "out": 0.4, "both": 0.2}.items():
        assert counts[kind] / counts.total() == pytest.approx(share, abs=0.05)
    text = " ".join(turn.user + turn.assistant for _, turn in turns(found))
    assert "is chasing" in text
    assert "has" in text
    assert "is next to" in text
    assert not any(re.search(SAID["left"], turn.assistant) for _, turn in turns(found))


def test_told_places_are_those_of_the_things():
    item = told()
    for sample, turn in turns(
        made("relations", [told(n) for n in range(1, 30)], 100, geometric=False, region_in=0, both=0)
    ):
        given = [sample.regions[mark.indices[0]] for mark in marks(turn.assistant)]
        names = [mark.phrase.split()[-1] for mark in marks(turn.assistant)]
        (ends,) = (
            ends
            for ends in ((relation.subject, relation.object) for relation in item.relations)
            if [item.objects[number].name for number in ends] == names
        )
        assert [region.box for region in given] == [item.objects[number].region.box for number in ends]


@pytest.mark.parametrize(
    "relations",
    [
        pytest.param((), id="none"),
        pytest.param((Relation(0, "and", 1),), id="no_relation"),
        pytest.param((Relation(0, " ", 1),), id="blank"),
        pytest.param((Relation(0, "near", 0),), id="with_itself"),
        pytest.param((Relation(0, "near", 2),), id="without_a_place"),
    ],
)
def test_what_cannot_be_asked_is_not(relations):
    objects = [
        Object("dog", region(30, 30)),
        Object("cat", region(80, 30)),
        Object("smell"),
    ]
    assert made("relations", [picture(1, objects, relations=relations)], geometric=False) == []


def test_ambiguous_words_are_not_asked_for():
    """Two dogs chase two cats: "the dog that is chasing the cat" means neither."""
    objects = [Object(name, region(20 + 35 * n, 30)) for n, name in enumerate(("dog", "dog", "cat", "cat"))]
    item = picture(1, objects, relations=(Relation(0, "chasing", 2), Relation(1, "chasing", 3)))
    directions = {direction(turn) for _, turn in turns(made("relations", [item], geometric=False))}
    assert directions == {"in", "both"}


def test_two_of_a_name_are_told_apart():
    found = made("relations", farms(20), 100, region_out=0, both=0)
    said = [turn.assistant for _, turn in turns(found) if re.search(r"the dog is .* the .*dog", turn.assistant)]
    assert said
    assert all("the other dog" in answer for answer in said)


def test_stuff_has_no_place_beside_things():
    text = " ".join(itertools.chain(*((turn.user, turn.assistant) for _, turn in turns(made("relations", [farm()])))))
    assert "grass" not in text
