"""Warnings about signals unlike those of the training: the distance, the file, and what the bundled model says."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save

from deixis.cli.answers import answer_lines
from deixis.inference.training_distribution import (
    FILE,
    TrainingDistribution,
    field_features,
    fit_gaussian,
    read_distribution,
)
from deixis.model.encoder.field import Field
from deixis.training.dense import signal_of
from deixis.world.generate import world_facts

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def gaussian():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(40, 40))
    return fit_gaussian(rng.normal(size=(4000, 40)) @ mixing + 3, directions=10), mixing


def test_a_training_signal_is_about_one_away_and_others_further(gaussian):
    fitted, mixing = gaussian
    rng = np.random.default_rng(1)
    own = rng.normal(size=(500, 40)) @ mixing + 3
    assert 0.6 < np.median(fitted.distance(own)) < 1.4
    assert np.median(fitted.distance(own + 30)) > 5 * np.median(fitted.distance(own))
    assert fitted.distance(fitted.mean[None]) == pytest.approx(0, abs=1e-9)


def test_features_are_mean_and_deviation_of_both_levels():
    tokens, fine = torch.arange(12.0).reshape(1, 3, 4), torch.ones(1, 5, 2)
    found = field_features(Field("image", tokens, None, None, fine))
    assert found.shape == (1, 12)
    assert found[0, :4].tolist() == [4, 5, 6, 7]
    assert found[0, 4:8] == pytest.approx(np.std([0, 4, 8]))
    assert found[0, 8:].tolist() == [1, 1, 0, 0]


def test_the_file_keeps_the_distances(gaussian, tmp_path):
    fitted = replace(gaussian[0], threshold=2.5)
    TrainingDistribution({"audio": fitted}, "a set of sounds").save(tmp_path)
    read = read_distribution(tmp_path)
    assert (read.trained_on, read.gaussians["audio"].threshold) == ("a set of sounds", 2.5)
    points = np.random.default_rng(2).normal(size=(20, 40)) * 9
    assert read.gaussians["audio"].distance(points) == pytest.approx(fitted.distance(points), rel=0.02)


def test_without_a_file_nothing_is_known(tmp_path):
    assert read_distribution(tmp_path) is None


@pytest.mark.parametrize("content", [pytest.param(b"", id="empty"), pytest.param(b"\x08" * 99, id="other")])
def test_a_damaged_file_is_one_sentence(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"{FILE}: expected the statistics that")):
        read_distribution(tmp_path)


@pytest.mark.parametrize("part", [pytest.param("mean", id="mean"), pytest.param("variances", id="variances")])
def test_parts_that_do_not_fit_are_one_sentence(gaussian, tmp_path, part):
    path = TrainingDistribution({"audio": gaussian[0]}, "sounds").save(tmp_path)
    tensors = load_file(path) | {f"audio.{part}": np.zeros(3, np.float32)}
    path.write_bytes(save(tensors, {"trained_on": "sounds"}))
    with pytest.raises(ValueError, match="got a file that lacks or adds something"):
        read_distribution(tmp_path)


@pytest.mark.parametrize("name", [pytest.param(n, id=n) for n in ("scene.png", "sound.wav", "cloud.ply")])
def test_the_bundled_model_does_not_warn_of_its_world(bundled, name):
    assert bundled.ask("What is this?", EXAMPLES / name).warnings == ()


def test_few_scenes_of_the_world_are_warned_of(bundled):
    for modality in bundled.abilities["signals"]:
        media = [world_facts("test", seed, modality).media[0] for seed in range(700, 712)]
        answers = [bundled.ask("What is this?", signal_of(medium), max_new_tokens=1) for medium in media]
        assert sum(bool(answer.warnings) for answer in answers) <= 1, modality


@pytest.mark.parametrize(
    ("pattern", "noun"),
    [
        pytest.param("coco_val_sample/**/*.jpg", "image", id="photos"),
        pytest.param("nuts_coco/**/*.jpg", "image", id="close"),
        pytest.param("fsdd/**/*.wav", "audio", id="speech"),
        pytest.param("pcl_animals/**/*.pcd", "point cloud", id="scans"),
    ],
)
def test_real_files_are_warned_of_everywhere(bundled, shared_data, tmp_path, pattern, noun):
    paths = sorted(shared_data.glob(pattern))[:5]
    answers = [bundled.ask("What is this?", path, max_new_tokens=8) for path in paths]
    warned = [answer for answer in answers if answer.warnings]
    assert len(warned) >= len(paths) - 1
    sentence = warned[0].warnings[0]
    assert f"does not look like any {noun} that this model was trained on, which was a generated world" in sentence
    assert warned[0].to_dict()["warnings"] == [sentence]
    assert list(answer_lines(warned[0]))[-1] == f"warning: {sentence}"
    warned[0].draw(tmp_path / "a.svg")
    assert "Warning:" in (tmp_path / "a.svg").read_text()
