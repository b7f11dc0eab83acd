"""The blind model: it sees the same of every signal, and its frames and regions stay."""

import numpy as np
import pytest

from deixis.conversation import question_sample
from deixis.evaluation.evaluate import blanked, blind
from deixis.geometry import Box, letterbox_frame
from deixis.inference import Model
from deixis.model.prepared import Prepared
from deixis.signals import MODALITIES, open_signal
from tests.toy import toy_audio, toy_image, toy_point_cloud


@pytest.fixture(scope="module")
def model(toy):
    return Model(*toy, "toy")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        pytest.param(toy_image, "image", id="image"),
        pytest.param(toy_audio, "audio", id="audio"),
        pytest.param(toy_point_cloud, "point_cloud", id="point_cloud"),
    ],
)
def test_blanked_signals_are_equal(model, make, kind):
    signals = [open_signal(make(seed=seed), kind) for seed in (0, 1)]
    seen = [model.processor.prepare(signal) for signal in signals]
    blank = [blind(model).processor.prepare(signal) for signal in signals]
    assert not np.array_equal(seen[0].values, seen[1].values)
    np.testing.assert_array_equal(blank[0].values, blank[1].values)
    for one, other in zip(seen, blank, strict=True):
        assert (one.values.shape, one.values.dtype) == (other.values.shape, other.values.dtype)
        assert (one.frame.origin, one.frame.extent) == (other.frame.origin, other.frame.extent)


def test_blank_audio_is_the_noise_floor(model):
    signal = open_signal(toy_audio(duration_s=1.0), "audio")
    values = model.processor.prepare(signal).values
    blank = blind(model).processor.prepare(signal).values
    np.testing.assert_allclose(blank, values[-1, 0])


def test_blind_answers_do_not_depend_on_the_signal(model):
    images = [open_signal(toy_image(seed=seed), "image") for seed in (0, 1)]
    asked = [question_sample("What is {0}?", (signal,), (Box(1, 2, 20, 20),)) for signal in images]
    first, second = blind(model).answer(asked, 6)
    assert first.raw == second.raw


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, id=kind) for kind in MODALITIES if kind not in ("audio", "point_cloud")]
)
def test_other_modalities_become_zeros(kind):
    prepared = Prepared(kind, np.ones((2, 3), np.float32), letterbox_frame((2, 3), (2, 3)))
    blank = blanked(prepared, None)
    assert blank.frame == prepared.frame
    np.testing.assert_array_equal(blank.values, np.zeros((2, 3), np.float32))
