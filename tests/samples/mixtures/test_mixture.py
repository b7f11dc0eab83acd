"""Mixtures: exact proportions, every sample once an epoch, and any draw known without the ones before."""

import pickle
from collections import Counter
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deixis.errors import ConfigError
from deixis.samples.mixtures.mixture import Mixture, MixtureRecipe, Part, Replay, SampleSet, read_parts
from deixis.samples.mixtures.schedule import Schedule, Shuffle, cycle_counts
from deixis.samples.sample import Sample, Skipped, Turn
from deixis.samples.shard_files import FORMS
from deixis.samples.shards import write_shard


def talk(name: str) -> Sample:
    return Sample(name, "made up", "talk", "train", (Turn("Hello", "Hello."),))


def made(folder: Path, name: str, count: int, ending: str = ".jsonl", shards: int = 2) -> str:
    for number in range(shards):
        own = [talk(f"{name}/{n}") for n in range(number, count, shards)]
        write_shard(own, folder / name / f"train-{number:05d}{ending}")
    return str(folder / name)


def ids(mixture: Mixture, start: int, stop: int) -> list[str]:
    return [mixture[k][1].id for k in range(start, stop)]


@settings(deadline=None)
@given(st.integers(1, 400), st.integers(0, 9))
def test_a_shuffle_has_every_number_once(count, seed):
    assert sorted(Shuffle(count, seed)[i] for i in range(count)) == list(range(count))


def test_a_shuffle_shuffles():
    """Of 5,000 numbers about one keeps its place, neighbours are separated, and another key gives another order."""
    first, second = ([own[i] for i in range(5_000)] for own in (Shuffle(5_000, "a"), Shuffle(5_000, "b")))
    assert sum(i == number for i, number in enumerate(first)) < 10
    assert sum(a == b for a, b in zip(first, second, strict=True)) < 10
    steps = [abs(a - b) for a, b in pairwise(first)]
    assert sum(steps) / len(steps) == pytest.approx(5_000 / 3, rel=0.05)  # the mean distance of two at random
    with pytest.raises(IndexError, match="below 5, got 5"):
        Shuffle(5, 1)[5]


@pytest.mark.parametrize(
    ("shares", "counts"),
    [
        pytest.param(["9", "3", "3", "1"], [9, 3, 3, 1], id="lisa"),
        pytest.param(["678000", "177000", "34000"], [678, 177, 34], id="counts_as_weights"),
        pytest.param(["0.9", "0.1"], [9, 1], id="decimals"),
        pytest.param(["1", "1e-9"], [9999, 1], id="too_rare_for_a_cycle"),
        pytest.param(["123457", "654323"], [1587, 8413], id="to_a_ten_thousandth"),
        pytest.param(["5"], [1], id="alone"),
    ],
)
def test_cycles(shares, counts):
    assert cycle_counts([Fraction(share) for share in shares]) == counts


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.one_of(st.none(), st.integers(1, 40))), min_size=1, max_size=4),
    st.integers(1, 4),
    st.integers(0, 3),
)
def test_every_draw_continues_its_part(parts, leading, seed):
    """Whatever the weights and limits: each part's draws count on from 0, never beyond its limit, and the end is where
    the last leading part is out."""
    limits = [limit for _, limit in parts]
    schedule = Schedule([Fraction(weight) for weight, _ in parts], limits, leading, seed)
    seen = Counter()
    for number in range(300 if schedule.length is None else schedule.length):
        part, turn = schedule.draw(number)
        assert turn == seen[part]
        seen[part] += 1
        assert limits[part] is None or seen[part] <= limits[part]
    if schedule.length is None:
        assert None in limits[:leading]
    else:
        assert all(seen[n] == limit for n, limit in enumerate(limits[:leading]))
        with pytest.raises(IndexError, match="expected a draw below"):
            schedule.draw(schedule.length)


def test_proportions_are_exact_in_every_cycle():
    schedule = Schedule([Fraction(9), Fraction(3), Fraction(3), Fraction(1)], [None] * 4, 4, 7)
    orders = []
    for cycle in range(50):
        parts = [schedule.draw(16 * cycle + place)[0] for place in range(16)]
        assert Counter(parts) == {0: 9, 1: 3, 2: 3, 3: 1}
        orders.append(tuple(parts))
    assert len(set(orders)) > 40


@pytest.mark.parametrize("ending", [pytest.param(ending, id=ending[1:]) for ending in FORMS])
def test_a_set_has_every_sample_by_its_number(ending, tmp_path):
    samples = SampleSet(made(tmp_path, "a", 41, ending, shards=3))
    assert len(samples) == 41
    assert sorted(samples[n][1].id for n in range(41)) == sorted(f"a/{n}" for n in range(41))
    again = pickle.loads(pickle.dumps(samples))
    assert again[40] == samples[40]
    with pytest.raises(IndexError, match="expected a number below 41, got 41"):
        samples[41]


def test_a_set_that_changed_behind_its_back_skips(tmp_path):
    for ending in FORMS:
        samples = SampleSet(made(tmp_path, f"x{ending[1:]}", 3, ending, shards=1))
        samples.shards[0].unlink()
        assert isinstance(samples[2][1], Skipped)
    samples = SampleSet(made(tmp_path, "tar", 3, ".tar", shards=1))
    write_shard([], samples.shards[0])
    assert isinstance(samples[2][1], Skipped)


def test_what_lies_before_the_damage_is_used_and_the_damage_said(tmp_path, caplog):
    path = Path(made(tmp_path, "a", 5, ".tar", shards=1)) / "train-00000.tar"
    path.write_bytes(path.read_bytes()[:2048])  # two samples of two blocks
    assert len(SampleSet(path)) == 2
    assert "cut short (no mark of the end); the 2 samples before that are used" in caplog.text


def test_every_sample_comes_once_an_epoch_in_another_order(tmp_path):
    mixture = Mixture(MixtureRecipe((Part(made(tmp_path, "a", 30)),)), 7)
    assert mixture.length is None
    first, second = ids(mixture, 0, 30), ids(mixture, 30, 60)
    assert sorted(first) == sorted(second) == sorted(f"a/{n}" for n in range(30))
    assert first != second
    assert ids(Mixture(MixtureRecipe((Part(str(tmp_path / "a")),)), 8), 0, 30) != first


def test_draws_know_nothing_of_the_ones_before(tmp_path):
    recipe = MixtureRecipe(
        (Part(made(tmp_path, "a", 20), 3.0, epochs=2), Part(made(tmp_path, "b", 9), 1.0)),
        Replay(0.2, (Part(made(tmp_path, "c", 5, ".tar")),)),
    )
    whole = ids(Mixture(recipe, 3), 0, 120)
    assert [ids(Mixture(recipe, 3), k, k + 1)[0] for k in reversed(range(120))] == whole[::-1]


def test_weights_caps_epochs_and_replay(tmp_path):
    recipe = MixtureRecipe(
        (Part(made(tmp_path, "a", 90), 9.0, epochs=1), Part(made(tmp_path, "b", 50), 3.0, epochs=2, cap=10)),
        Replay(0.25, (Part(made(tmp_path, "c", 5)),)),
    )
    mixture = Mixture(recipe, 1)
    found = ids(mixture, 0, mixture.length)
    counts = Counter(name[0] for name in found)
    assert (counts["a"], counts["b"]) == (90, 20)
    assert len({name for name in found if name[0] == "b"}) == 10
    assert max(Counter(name for name in found if name[0] == "b").values()) == 2
    assert Counter(name[0] for name in found[:64]) == {"a": 36, "b": 12, "c": 16}  # in whole cycles
    assert not any(name[0] == "b" for name in found[-10:])  # it has ended, and "a" and "c" continue at 27:12


def test_a_star_names_one_split_and_a_folder_of_two_is_refused(tmp_path):
    made(tmp_path, "a", 4)
    write_shard([talk("v")], tmp_path / "a" / "val-00000.jsonl")
    with pytest.raises(ValueError, match=r"shards of one split, got train, val; name one, as in .*/a/train-\*"):
        SampleSet(tmp_path / "a")
    assert len(SampleSet(str(tmp_path / "a" / "train-*"))) == 4
    assert len(SampleSet(tmp_path / "a" / "val-00000.jsonl")) == 1


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        pytest.param(None, "toy.data: expected a list of parts, each with its path; got None", id="none"),
        pytest.param([], "expected a list of parts", id="empty"),
        pytest.param(["out"], r"data\[0\]: expected fields with values; got 'out'", id="text"),
        pytest.param([{"weight": 1}], r"data\[0\].path: expected text; got none", id="no_path"),
        pytest.param([{"path": ""}], r"data\[0\].path: expected a set of samples", id="empty_path"),
        pytest.param([{"path": "a", "wieght": 1}], "wieght: unknown field; .*did you mean 'weight'", id="misspelt"),
        pytest.param([{"path": "a", "weight": 0}], r"\[0\].weight: expected a number above 0; got 0", id="zero"),
        pytest.param([{"path": "a", "weight": "9"}], "expected a number above 0; got '9'", id="weight_text"),
        pytest.param([{"path": "a", "weight": float("nan")}], "a number above 0; got nan", id="weight_nan"),
        pytest.param([{"path": "a", "epochs": 0.5}], "epochs: expected a whole number .* got 0.5", id="half"),
        pytest.param([{"path": "a", "cap": 0}], "cap: expected a whole number from 1 or none; got 0", id="cap"),
        pytest.param([{"path": "a", "cap": True}], "cap: expected a whole number from 1 or none; got True", id="yes"),
    ],
)
def test_wrong_parts_are_one_sentence(data, sentence):
    with pytest.raises(ConfigError, match=sentence):
        read_parts("toy.data", data)


@pytest.mark.parametrize(
    ("replay", "sentence"),
    [
        pytest.param(0.1, "toy.replay: expected fields with values; got 0.1", id="number"),
        pytest.param({"share": 0.1}, "replay.data: expected a list, each item fields of Part; got none", id="alone"),
        pytest.param({"share": 1, "data": [{"path": "b"}]}, "share: expected a number above 0 and below 1", id="all"),
        pytest.param({"share": 0.1, "data": []}, "replay.data: expected a list of parts", id="empty"),
    ],
)
def test_a_wrong_replay_is_one_sentence(replay, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Replay.of(replay, "toy.replay")


def test_right_parts():
    parts = read_parts("toy.data", [{"path": "a", "weight": 9}, {"path": "b", "epochs": 2, "cap": 7}])
    assert parts == (Part("a", 9.0), Part("b", 1.0, 2, 7))
    assert Replay.of({"share": 0.1, "data": [{"path": "b"}]}, "toy.replay") == Replay(0.1, (Part("b"),))


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        pytest.param("gone.jsonl", "expected a file of samples", id="no_file"),
        pytest.param("empty.jsonl", "expected at least one sample, got none", id="no_samples"),
    ],
)
def test_a_part_without_samples_is_one_sentence(name, sentence, tmp_path):
    write_shard([], tmp_path / "empty.jsonl")
    with pytest.raises(ValueError, match=sentence):
        Mixture(MixtureRecipe((Part(str(tmp_path / name)),)), 0)
