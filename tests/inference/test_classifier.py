"""A PointMLP behind `ask`: whatever is asked of a cloud, the answer is its classes; anything else is one sentence."""

import json
import re

import numpy as np
import pytest
import torch
import trimesh

from deixis.geometry import Box3D
from deixis.inference import load
from deixis.inference.classifier import Classifier
from deixis.model.tokenizers.pointmlp import PointMLP, PointMLPConfig
from deixis.signals.mesh_files import read_surface
from deixis.systems.conversion import convert
from deixis.systems.pointmlp.classifier import CloudClassifier
from tests.checkpoints.checkpoints import POINTMLP_CONFIG, write_pointmlp

NAMES = ("bag", "bin", "box", "night_stand", "chair")
CLOUD = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A classifier as `deixis train` leaves it."""
    torch.manual_seed(0)
    place = tmp_path_factory.mktemp("trained") / "model"
    CloudClassifier(PointMLP(PointMLPConfig.of(POINTMLP_CONFIG)), NAMES).save(place)
    return place


@pytest.fixture(scope="module")
def model(folder):
    return load(folder, "cpu")


def test_the_answer_is_the_likeliest_classes(model, folder):
    answer = model.ask("What is it?", CLOUD)
    chances = model.classifier.predict(CLOUD)
    assert answer.text == ", ".join(f"{name} ({chance:.2f})" for name, chance in list(chances.items())[:3])
    assert set(chances) == set(NAMES)
    assert model.probabilities(CLOUD) == chances
    written = json.loads(json.dumps(answer.to_dict()))
    assert (written["text"], written["phrases"], written["model"]) == (answer.text, [], str(folder))
    assert written["signals"] == [{"path": None, "kind": "point_cloud", "point_count": 60}]


def test_classes_without_names_have_numbers(tmp_path):
    model = load(convert("pointmlp", write_pointmlp(tmp_path / "source"), tmp_path / "out"), "cpu")
    assert re.fullmatch(r"(class \d \(0\.\d\d\)(, )?){3}", model.ask("What is it?", CLOUD).text)


def test_a_mesh_is_named_by_its_surface(model, tmp_path):
    """The vertices of a long box are eight points at its ends."""
    trimesh.creation.box((1, 1, 9)).export(tmp_path / "box.off")
    surface = read_surface(tmp_path / "box.off", POINTMLP_CONFIG["points"])
    assert model.probabilities(tmp_path / "box.off") == model.classifier.predict(surface)
    assert np.abs(surface[:, 2]).min() < 2


@pytest.mark.parametrize("count", [1, 3, 60])
def test_clouds_of_any_size_are_named(model, count):
    assert sum(model.probabilities(CLOUD[:count]).values()) == pytest.approx(1, abs=1e-5)


def test_a_streamed_answer_is_the_answer(model):
    text, last = model.stream("What is it?", CLOUD)
    assert text.text == last.answer.text == model.ask("What is it?", CLOUD).text
    assert (text.kind, last.kind) == ("text", "answer")


@pytest.mark.parametrize(
    ("signals", "options", "match"),
    [
        pytest.param([np.zeros((20, 30, 3), np.uint8)], {}, r"takes point_cloud; got image; OneLLM's", id="image"),
        pytest.param([CLOUD, CLOUD], {}, "classifies one point cloud at a time; got 2 files", id="two"),
        pytest.param([], {}, "expected at least one file to ask about", id="none"),
        pytest.param(
            [CLOUD],
            {"regions": [Box3D(-1, -1, -1, 1, 1, 1)]},
            r"region \{0\}: .* takes no regions",
            id="region",
        ),
        pytest.param([CLOUD], {"want": "mask"}, "answers in class, with no mask; LISA's", id="mask"),
        pytest.param([CLOUD], {"want": "film"}, "want: expected one of text, box, mask; got 'film'", id="film"),
        pytest.param([CLOUD], {"max_new_tokens": 0}, "max_new_tokens: expected a whole number from 1", id="tokens"),
    ],
)
def test_what_it_cannot_is_one_sentence(model, signals, options, match):
    with pytest.raises(ValueError, match=match) as caught:
        model.ask("What is it?", *signals, **options)
    assert "\n" not in str(caught.value)


def test_it_holds_no_conversation_and_is_not_quantised(model, folder):
    with pytest.raises(ValueError, match="classifies a cloud and holds no conversation; use deixis ask"):
        model.chat(CLOUD)
    with pytest.raises(ValueError, match="has no text to score"):
        model.score([])
    with pytest.raises(ValueError, match=r"quantization: .* is a PointMLP, which is small and runs as it is"):
        load(folder, "cpu", quantization="int8")


def test_a_damaged_folder_is_one_sentence(folder, tmp_path):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes()[: 300 if file.suffix == ".safetensors" else None])
    with pytest.raises(ValueError, match=r"model.safetensors does not fit config.json"):
        load(tmp_path, "cpu")


def test_the_way_in_is_load(model):
    assert isinstance(model, Classifier)
    assert model.device == torch.device("cpu")
    model.clear_cache()
