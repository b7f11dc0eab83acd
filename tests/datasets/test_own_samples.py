"""Our own shards as a source: the same samples from every form, damaged ones skipped, media from tar files."""

import numpy as np
import pytest

from deixis.datasets.own_samples import SAMPLES
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.samples.shards import write_shard
from tests.datasets.reading import read_all


def samples(count: int = 3) -> list[Sample]:
    return [
        Sample(
            f"a/{number}",
            "a",
            "caption",
            "train",
            (Turn("What?", "A dog."),),
            (MediaReference(f"a/{number}", "image", values=np.full((4, 6, 3), number, np.uint8), size_hw=(4, 6)),),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("ending", [pytest.param(ending, id=ending) for ending in ("jsonl", "tar", "parquet")])
def test_every_form(tmp_path, ending):
    write_shard(samples(), tmp_path / f"train.{ending}", "copy")
    records, skipped = read_all(SAMPLES, tmp_path / f"train.{ending}")
    assert not skipped
    assert [record.id for record in records] == ["a/0", "a/1", "a/2"]
    again = tmp_path / "again" / "train.tar"
    assert write_shard(records, again, "copy").skipped == ()
    assert [record.signals[0].content is not None for record in read_all(SAMPLES, again)[0]] == [True] * 3


def test_a_folder_in_order_with_another_split(tmp_path):
    write_shard(samples(2), tmp_path / "train-00001.jsonl", "copy")
    write_shard(samples(1), tmp_path / "train-00000.tar", "copy")
    records, skipped = read_all(SAMPLES, tmp_path, split="val")
    assert not skipped
    assert [(record.id, record.split) for record in records] == [("a/0", "val"), ("a/0", "val"), ("a/1", "val")]


def test_damage_is_skipped_and_the_rest_is_read(tmp_path):
    write_shard(samples(2), tmp_path / "b.jsonl", "copy")
    lines = (tmp_path / "b.jsonl").read_text().splitlines()
    (tmp_path / "b.jsonl").write_text("\n".join([lines[0], "{", lines[1]]))
    (tmp_path / "a.parquet").write_bytes(b"no")
    records, skipped = read_all(SAMPLES, tmp_path)
    assert len(records) == 2
    assert sorted(skip.where.rpartition("/")[2] for skip in skipped) == ["a.parquet", "b.jsonl:2"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("b.txt", "expected a path ending in .jsonl, .tar, .parquet, got '.txt'", id="ending"),
        pytest.param("a.tar", "expected a file of samples or a folder of such, got no such file", id="missing"),
    ],
)
def test_refuses(tmp_path, name, message):
    (tmp_path / "b.txt").touch()
    with pytest.raises(ValueError, match=message):
        read_all(SAMPLES, tmp_path / name)
