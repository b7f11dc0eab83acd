"""Held out by medium: all samples about an image are on one side, and given splits are kept."""

from dataclasses import replace

import pytest

from deixis.errors import DataError
from deixis.samples.held_out import part_samples
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.samples.shards import open_samples, write_shard
from tests.toy import toy_image


def sample(name: str, medium: int, split: str = "train") -> Sample:
    media = (MediaReference(f"p/{medium}", "image", size_hw=(24, 40), values=toy_image(seed=medium)),)
    return Sample(name, "own", "name", split, (Turn("What is it?", "A mug."),), media)


def media_of(path) -> set[str]:
    return {own.signals[0].id for _, own in open_samples(path)}


@pytest.mark.parametrize("ending", ["jsonl", "tar"])
def test_a_medium_is_on_one_side(ending, tmp_path):
    write_shard([sample(f"{m}-{n}", m) for m in range(10) for n in range(3)], tmp_path / f"a.{ending}", media="copy")
    parted = part_samples(tmp_path / f"a.{ending}", tmp_path / "out", 0.2)
    assert (parted.counts, parted.skipped) == ({"train": 24, "test": 6}, ())
    assert not media_of(parted.shards["train"]) & media_of(parted.shards["test"])
    again = part_samples(tmp_path / f"a.{ending}", tmp_path / "again", 0.2)
    assert media_of(again.shards["test"]) == media_of(parted.shards["test"])


def test_some_of_many_media_are_for_validation(tmp_path):
    write_shard([sample(f"{m}-{n}", m) for m in range(25) for n in range(2)], tmp_path / "a.jsonl", media="copy")
    for share, counts in (
        (0.1, {"train": 42, "validation": 4, "test": 4}),
        (0.6, {"train": 16, "validation": 4, "test": 30}),
    ):
        parted = part_samples(tmp_path / "a.jsonl", tmp_path / f"out{share}", share)
        assert parted.counts == counts
        media = [media_of(path) for path in parted.shards.values()]
        assert sum(map(len, media)) == len(set().union(*media)) == 25


def test_media_that_share_a_sample_are_on_one_side(tmp_path):
    both = sample("both", 0)
    both = replace(both, signals=(*both.signals, *sample("other", 1).signals))
    samples = [both, *(sample(f"{medium}", medium) for medium in range(10))]
    write_shard(samples, tmp_path / "a.jsonl", media="copy")
    for share in (0.1, 0.3, 0.5):
        parted = part_samples(tmp_path / "a.jsonl", tmp_path / f"out{share}", share)
        kept, held = (
            {m.id for _, own in open_samples(parted.shards[part]) for m in own.signals} for part in ("train", "test")
        )
        assert not kept & held
        assert kept | held == {f"p/{medium}" for medium in range(10)}


def test_what_cannot_be_read_is_told(tmp_path):
    write_shard([sample("a", 0), sample("b", 1)], tmp_path / "a.jsonl", media="copy")
    with (tmp_path / "a.jsonl").open("a", encoding="utf-8") as file:
        file.write("{\n")
    (skipped,) = part_samples(tmp_path / "a.jsonl", tmp_path / "out", 0.5).skipped
    assert "a.jsonl:3" in skipped.where


def test_a_split_of_the_data_is_held_out(tmp_path):
    samples = [sample("a", 0), sample("b", 1), sample("c", 2, "val"), sample("d", 3, "test")]
    write_shard(samples, tmp_path / "a.jsonl", media="copy")
    parted = part_samples(tmp_path / "a.jsonl", tmp_path / "out", 0.5)
    assert media_of(parted.shards["train"]) == {"p/0", "p/1"}
    assert media_of(parted.shards["test"]) == {"p/2", "p/3"}


def test_media_of_the_test_are_not_trained_on(tmp_path):
    samples = [sample("a", 0), sample("b", 1), sample("c", 1, "test")]
    write_shard(samples, tmp_path / "a.jsonl", media="copy")
    parted = part_samples(tmp_path / "a.jsonl", tmp_path / "out", 0.5)
    assert (parted.counts, parted.left_out) == ({"train": 1, "test": 1}, 1)
    assert media_of(parted.shards["train"]) == {"p/0"}


def test_validation_is_taken_from_what_is_for_training(tmp_path):
    samples = [sample(f"{m}", m, "train" if m < 12 else "val") for m in range(30)]
    write_shard(samples, tmp_path / "a.jsonl", media="copy")
    parted = part_samples(tmp_path / "a.jsonl", tmp_path / "out", 0.1)
    assert parted.counts == {"train": 11, "validation": 1, "test": 18}
    assert media_of(parted.shards["validation"]) < {f"p/{medium}" for medium in range(12)}


def test_one_medium_cannot_be_parted(tmp_path):
    write_shard([sample("a", 0), sample("b", 0)], tmp_path / "a.jsonl", media="copy")
    with pytest.raises(DataError, match="samples about at least two media, to train on one and hold one out; got 1"):
        part_samples(tmp_path / "a.jsonl", tmp_path / "out", 0.5)
    assert not (tmp_path / "out").exists()
