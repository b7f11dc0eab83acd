"""The seen set: the first value of each key, space by space."""

import pytest

from deixis.samples.seen_set import SeenSet


@pytest.fixture
def ledger():
    kept = SeenSet()
    yield kept
    kept.close()


def test_the_first_thing_said_is_kept(ledger):
    assert ledger.first("id", "a", "line 1") is None
    assert ledger.first("id", "b", "line 2") is None
    assert ledger.first("id", "a", "line 3") == "line 1"
    assert ledger.count("id") == 2


def test_spaces_have_keys_of_their_own(ledger):
    assert ledger.first("one", "a", "1") is None
    assert ledger.first("other", "a", "2") is None
    assert ledger.first("other", "b", "3") is None
    assert list(ledger.in_both("one", "other")) == [("a", "1", "2")]


def test_text_and_numbers_are_different_keys(ledger):
    assert ledger.first("id", "7", "text") is None
    assert ledger.first("id", 7, "number") is None
