"""Counting: exact below the cap, honest above it."""

import random

import pytest

from deixis.samples.statistics.tally import Distribution, Tally


def test_names_are_counted_the_most_frequent_first():
    tally = Tally()
    for name in "abacab":
        tally.add(name)
    tally.add("d", 5)
    assert tally.top(3) == [("d", 5), ("a", 3), ("b", 2)]
    assert tally.to_json(1) == {"total": 11, "names": 4, "exact": True, "others": 0, "top": {"d": 5}}


def test_later_names_than_the_cap_are_counted_together():
    tally = Tally(cap=2)
    for name in "abcabd":
        tally.add(name)
    assert tally.counts == {"a": 2, "b": 2}
    assert (tally.others, tally.total, tally.to_json(9)["exact"]) == (2, 6, False)


@pytest.mark.parametrize(
    ("counts", "half"),
    [
        pytest.param({}, 0, id="none"),
        pytest.param({"a": 7}, 1, id="one"),
        pytest.param({"a": 2, "b": 2, "c": 2, "d": 2}, 2, id="balanced"),
        pytest.param({"a": 1, "b": 1, "c": 9, "d": 1}, 1, id="one_rules"),
    ],
)
def test_how_many_names_make_up_half(counts, half):
    tally = Tally()
    for name, count in counts.items():
        tally.add(name, count)
    assert tally.half == half


def test_few_numbers_are_exact():
    spread = Distribution()
    for value in range(101):
        spread.add(value)
    assert spread.to_json() == {
        "count": 101,
        "mean": 50.0,
        "min": 0,
        "p05": 5,
        "median": 50,
        "p95": 95,
        "max": 100,
        "exact": True,
    }


def test_no_numbers_have_no_mean():
    assert Distribution().to_json() == {"count": 0}


def test_many_numbers_are_held_in_part_and_said_to_be():
    """A quantile of 500 random values lies within 0.1 of the true one, but for one of a million draws."""
    spread, values = Distribution(cap=500), list(range(20_000))
    random.Random(5).shuffle(values)
    for value in values:
        spread.add(value)
    assert len(spread.held) == 500
    told = spread.to_json()
    assert (told["exact"], told["mean"], told["min"], told["max"]) == (False, 9999.5, 0, 19_999)
    assert abs(told["median"] / 20_000 - 0.5) < 0.1


def test_values_in_order_are_drawn_evenly():
    spread = Distribution(cap=500)
    for value in range(20_000):
        spread.add(value)
    assert 0.3 < sum(value < 10_000 for value in spread.held) / 500 < 0.7
