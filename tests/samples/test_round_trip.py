"""Samples to files and back: nothing is lost, media are written once, and a failed write leaves no half file."""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deixis.geometry import Region
from deixis.samples.check import Check
from deixis.samples.sample import MediaReference, Sample, Skipped, Turn
from deixis.samples.shards import open_samples, write_shard
from deixis.signals import open_signal

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (7, 9, 3)).astype(np.uint8)
SOUND = RNG.uniform(-0.9, 0.9, 8000).astype(np.float32)
CLOUD = RNG.uniform(0, 1, (30, 6)).astype(np.float32)
MASK = np.zeros((7, 9), bool)
MASK[2:5, 3:6] = True

MEDIA = {
    "image": MediaReference("set/1/image", "image", size_hw=(7, 9), values=PICTURE),
    "audio": MediaReference("set/1/sound", "audio", duration_s=0.5, rate_hz=16000, values=SOUND),
    "point_cloud": MediaReference("set/1/cloud", "point_cloud", point_count=30, unit="m", values=CLOUD),
}
REGIONS = {
    "image": Region(point=(4.0, 3.0), box=(3.0, 2.0, 6.0, 5.0), mask=MASK),
    "audio": Region(span=(0.1, 0.25)),
    "point_cloud": Region(points=np.array([3, 1, 29]), box3d=(0.0, 0.0, 0.0, 1.0, 1.0, 0.5), crowd=True),
}


def sample(kind: str, name: str = "a") -> Sample:
    turn = Turn("What is {0}?", "[A mug, ü]{0}.", references=("A cup.",), choices=("A cup.", "A dog."))
    return Sample(f"{name}-{kind}", "made up", "refer", "train", (turn, turn), (MEDIA[kind],), (REGIONS[kind],))


def written_to(folder: Path, samples: Iterable[Sample]) -> Path:
    path = folder / "train.jsonl"
    assert not write_shard(samples, path, "copy").skipped
    return path


def read_back(path: Path) -> list[Sample | Skipped]:
    return [sample for _, sample in open_samples(path)]


def plain(item: Sample) -> dict:
    """The sample as JSON, without the paths, which change when it is written."""
    record = item.to_json()
    for medium in record["signals"]:
        medium.pop("path", None)
    return record


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind) for kind in MEDIA])
def test_json_and_back(kind):
    record = sample(kind).to_json()
    assert Sample.from_json(json.loads(json.dumps(record))).to_json() == record


def test_text_alone_to_files_and_back(tmp_path):
    text = Sample("t", "made up", "talk", "train", (Turn("Hello", "Hello."),))
    assert read_back(written_to(tmp_path, [text])) == [text]


def test_no_samples_make_an_empty_file(tmp_path):
    assert written_to(tmp_path / "new" / "folder", []).read_text() == ""


@pytest.mark.parametrize(
    ("kind", "path", "tolerance"),
    [
        pytest.param("image", "images/set-1-image.png", 0, id="picture_without_loss"),
        pytest.param("audio", "sounds/set-1-sound.wav", 1 / 16384, id="sound_to_16_bits"),
        pytest.param("point_cloud", "clouds/set-1-cloud.ply", 1 / 500, id="cloud_colours_to_8_bits"),
    ],
)
def test_files_and_back(kind, path, tolerance, tmp_path):
    written = sample(kind)
    (read,) = read_back(written_to(tmp_path, [written]))
    assert plain(read) == plain(written)
    assert read.signals[0].path == str(tmp_path / path)
    signal = open_signal(read.signals[0].path)
    assert signal.modality == kind
    np.testing.assert_allclose(signal.values.astype(float), MEDIA[kind].values, atol=tolerance)
    if kind == "point_cloud":  # indices of regions stay those of the file
        np.testing.assert_array_equal(signal.values[:, :3], CLOUD[:, :3])
    assert list(Check().problems(tmp_path / "train.jsonl")) == []


def test_a_medium_is_written_once(tmp_path):
    samples = [sample("image", name) for name in "abc"]
    assert len(read_back(written_to(tmp_path, iter(samples)))) == 3
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["set-1-image.png"]


def test_ids_that_make_the_same_name_get_files_of_their_own(tmp_path):
    samples = []
    for name in ("a/b", "a:b", "../a b", "..."):
        medium = replace(MEDIA["image"], id=name)
        samples.append(replace(sample("image", name), signals=(medium,)))
    paths = {read.signals[0].path for read in read_back(written_to(tmp_path, samples))}
    assert len(paths) == 4
    assert {path.name for path in tmp_path.iterdir()} == {"images", "train.jsonl"}


def test_what_was_read_can_be_written_elsewhere(tmp_path):
    first = written_to(tmp_path / "one", [sample(kind) for kind in MEDIA])
    second = written_to(tmp_path / "two", read_back(first))
    again = written_to(tmp_path / "two", read_back(second))
    assert first.read_text() == second.read_text() == again.read_text()
    assert list(Check().problems(second)) == []


BAD_MEDIA = [
    pytest.param(replace(MEDIA["image"], values=None), "expected the field 'path'", id="no_values_no_file"),
    pytest.param(
        replace(MEDIA["image"], values=None, path="gone.png"), "got 'gone.png', which is not there", id="file_gone"
    ),
    pytest.param(replace(MEDIA["image"], values=PICTURE / 255), "expected an image as uint8", id="picture_of_floats"),
    pytest.param(replace(MEDIA["audio"], values=SOUND[None]), r"as floats \(samples,\)", id="sound_of_two_axes"),
    pytest.param(replace(MEDIA["point_cloud"], values=CLOUD[:, :3]), r"as floats \(n, 6\)", id="cloud_without_colours"),
    pytest.param(
        replace(MEDIA["image"], modality="fmri"), "as a NIfTI image of nibabel, got ndarray", id="brain_as_an_array"
    ),
    pytest.param(replace(MEDIA["image"], size_hw=(2, 2)), "lies outside its image|mask.size", id="breaks_the_format"),
]


@pytest.mark.parametrize(("medium", "sentence"), BAD_MEDIA)
def test_a_sample_that_cannot_be_written_is_named_and_skipped(medium, sentence, tmp_path):
    if medium.modality in REGIONS:
        bad = replace(sample(medium.modality), signals=(replace(medium, id="new"),), id="bad one")
    else:  # no region of an image fits it
        bad = Sample("bad one", "made up", "talk", "train", (Turn("What?", "A mug."),), (replace(medium, id="new"),))
    report = write_shard([sample("audio"), bad], tmp_path / "train.jsonl", "copy")
    (skipped,) = report.skipped
    assert (report.samples, skipped.where) == (1, "sample 'bad one'")
    assert re.search(sentence, skipped.why)
    assert [read.id for read in read_back(tmp_path / "train.jsonl")] == ["a-audio"]
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".part")]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        pytest.param("{", "expected one JSON object a line", id="cut"),
        pytest.param("{}", "expected the field 'version'", id="empty_object"),
    ],
)
def test_reading_names_file_and_line(line, sentence, tmp_path):
    path = written_to(tmp_path, [sample("image")])
    path.write_text(path.read_text() + "\n" + line)
    (_, first), (where, skipped) = open_samples(path)
    assert (first.id, where) == ("a-image", f"{path}:3")
    assert sentence in skipped.why
