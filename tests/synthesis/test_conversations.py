"""How a quota is filled: evenly, by the shares, the same for the same seed, and with what failed counted."""

from collections import Counter
from dataclasses import replace

import pytest

from deixis.datasets.annotated import Object
from deixis.geometry import Region
from deixis.samples.rng import rng_for
from deixis.samples.sample import Sample, Skipped, Turn
from deixis.synthesis.annotators import Annotators
from deixis.synthesis.conversations import SLACK, Balance, ConversationPlan, conversations
from deixis.synthesis.draft import DirectionOptions, QuestionOptions
from deixis.synthesis.parts.registry import PARTS
from tests.synthesis.pictures import farm, farms, made, picture, region


def talk(left: dict[str, int] | None = None, **facts) -> ConversationPlan:
    """A part that asks so many questions of each type, or as many as an item has objects."""

    def topics(item, rng):
        return {kind: list(range(n)) for kind, n in (left or {"a": len(item.objects)}).items()}

    return ConversationPlan(
        "try", facts.pop("shares", {"a": 1.0}), topics, lambda draft, kind, topic: Turn(kind, str(topic)), **facts
    )


@pytest.mark.parametrize(
    ("items", "quota", "expected"),
    [
        pytest.param(0, 5, 0, id="no_items"),
        pytest.param(3, 0, 0, id="no_quota"),
        pytest.param(10, 4, 4, id="fewer_than_items"),
        pytest.param(3, 10, 10, id="several_rounds"),
        pytest.param(3, 100, 15, id="stops_where_nothing_is_left"),
    ],
)
def test_a_quota_is_filled_evenly(items, quota, expected):
    found = list(conversations(farms(items), quota, "7", talk(), QuestionOptions(turns=1)))
    assert len(found) == expected
    counts = Counter(sample.signals[0].id for sample in found).values()
    assert not counts or max(counts) - min([*counts, *([0] if len(counts) < items else [])]) <= 1
    assert len({sample.id for sample in found}) == expected


def test_ids_name_source_part_item_and_round():
    found = list(conversations([farm(5)], 2, "7", talk(), QuestionOptions(turns=1)))
    assert [sample.id for sample in found] == ["coco/try/000000000005/0", "coco/try/000000000005/1"]


def test_the_order_of_the_items_tells_nothing_and_the_seed_does():
    items = farms(12)
    one, other, reseeded = (
        list(conversations(given, 6, seed, talk(), QuestionOptions()))
        for given, seed in ((items, "7"), (items[::-1], "7"), (items, "8"))
    )
    assert one == other
    assert {sample.id for sample in one} != {sample.id for sample in reseeded}


@pytest.mark.parametrize("part", ["objects", "relations", "negatives", "classes"])
def test_parts_are_functions_of_the_seed(part):
    first, again, other = (made(part, farms(4), 12, seed) for seed in ("7", "7", "8"))
    assert first == again
    assert [sample.turns for sample in first] != [sample.turns for sample in other]


def test_shares_hold_over_turns():
    shares = {"a": 0.5, "b": 0.3, "c": 0.2}
    found = conversations(
        farms(40), 300, "7", talk(dict.fromkeys(shares, 100), shares=shares), QuestionOptions(turns=3)
    )
    counts = Counter(turn.user for sample in found for turn in sample.turns)
    for kind, share in shares.items():
        assert counts[kind] / counts.total() == pytest.approx(share, abs=0.02)


def test_turns_are_one_to_so_many():
    found = list(conversations(farms(60), 60, "7", talk({"a": 100}), QuestionOptions(turns=4)))
    assert set(Counter(len(sample.turns) for sample in found)) == {1, 2, 3, 4}


def test_the_next_kind_cannot_be_told():
    """Of yes and no by halves, the second turn is as the first in nearly half of the conversations."""
    shares = {"yes": 0.5, "no": 0.5}
    found = conversations(farms(300), 300, "7", talk(dict.fromkeys(shares, 9), shares=shares), QuestionOptions(turns=2))
    pairs = [sample.turns for sample in found if len(sample.turns) == 2]
    assert sum(one.user == two.user for one, two in pairs) / len(pairs) == pytest.approx(0.5, abs=0.12)


def test_groups_are_kept_even_where_one_runs_out():
    shares = {"yes": 0.5, "no": 0.5}
    facts = {"shares": shares, "even": {"yes": "yes", "no": "no"}}
    found = list(conversations(farms(10), 200, "7", talk({"yes": 9, "no": 1}, **facts), QuestionOptions()))
    counts = Counter(turn.user for sample in found for turn in sample.turns)
    assert counts["no"] == 10
    assert 10 <= counts["yes"] <= 11 + SLACK
    assert list(conversations(farms(10), 200, "7", talk({"no": 9}, **facts), QuestionOptions()))[1 + SLACK :] == []


def test_a_kind_without_a_share_is_never_asked():
    balance = Balance({"a": 1, "b": 0})
    assert balance.draw(["b"], rng_for(1)) is None
    assert balance.draw(["a", "b"], rng_for(1)) == "a"
    assert balance.draw([], rng_for(1)) is None


def test_a_bad_thing_is_skipped_and_the_rest_goes_on():
    broken = Object("wolf", Region(box=(1.0, 1.0, 5.0, 5.0), mask={"size": [120, 160], "counts": [7]}))
    items = [picture(number, [broken, Object("dog", region(40, 40))]) for number in range(1, 9)]
    part = PARTS["objects"]
    found = list(part.make(items, 100, "7", Annotators(), DirectionOptions(box=0.0, mask=0.0, region_out=0.0)))
    skipped = [each for each in found if isinstance(each, Skipped)]
    assert {each.why for each in skipped} == {
        "mask: the runs of a run-length code must fill its size [120, 160]: 19200 pixels"
    }
    assert {each.where for each in skipped} == {f"{item.id}: objects" for item in items}
    assert {sample.signals[0].id for sample in found if isinstance(sample, Sample)} == {i.signals[0].id for i in items}


def test_items_that_cannot_be_taken_apart_are_skipped_and_the_rest_goes_on():
    bad = replace(farm(1), captions=("[A {dog]{0}",))
    found = list(
        PARTS["descriptions"].make(
            [bad, replace(farm(2), captions=("[A dog]{0}",))], 9, "7", Annotators(), DirectionOptions()
        )
    )
    skipped = [each for each in found if isinstance(each, Skipped)]
    assert [each.where for each in skipped] == [bad.id]
    assert {sample.signals[0].id for sample in found if isinstance(sample, Sample)} == {"coco/000000000002"}


def test_dialogues_among_the_items_are_said():
    dialogue = Sample("a", "llava", "chat", "train", (Turn("Hello", "Hello."),))
    found = list(PARTS["objects"].make([dialogue, farm()], 1, "7", Annotators(), DirectionOptions()))
    assert found[0] == Skipped("a", "expected annotations of objects, got a dialogue")
    assert isinstance(found[1], Sample)


@pytest.mark.parametrize(
    ("kind", "options", "sentence"),
    [
        pytest.param("objects", {"turns": 0}, "turns: expected a whole number from 1; got 0", id="no_turns"),
        pytest.param("objects", {"turns": True}, "turns: expected a whole number from 1; got True", id="turns_true"),
        pytest.param("objects", {"form": "boxes"}, "form: expected one of set, box, mask; got 'boxes'", id="form"),
        pytest.param("objects", {"point": -1.0}, "point: expected a number from 0; got -1", id="weight"),
        pytest.param(
            "objects",
            {"region_in": 0, "region_out": 0, "both": 0},
            "region_in, region_out, both: expected at least one weight above 0",
            id="no_direction",
        ),
        pytest.param("negatives", {"alike": 2.0}, "alike: expected a share from 0 to 1; got 2", id="alike"),
        pytest.param("negatives", {"region": float("inf")}, "region: expected a number", id="infinite"),
        pytest.param("maps", {"kinds": ("heat",)}, "kinds: expected .*one of depth, normal; got", id="map"),
        pytest.param("maps", {"focal_share": 0.0}, "focal_share: expected 0.1 to 10", id="focal"),
        pytest.param("classes", {"classes": -0.5}, "classes: expected a number", id="classes"),
    ],
)
def test_bad_options_are_one_sentence(kind, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        PARTS[kind].options(**options)
