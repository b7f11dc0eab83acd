"""The bundled model and the files that come with it, for tests that need a model which has learnt something."""

from pathlib import Path

import pytest

from deixis.conversation import question_sample
from deixis.geometry import Box, Box3D, Point, Span
from deixis.inference import load
from deixis.signals import open_signal

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="session")
def bundled():
    """The bundled model, shared: tests must leave its weights as they are."""
    return load(device="cpu")


@pytest.fixture(scope="session")
def mixed():
    """Eight questions about images, audio, point clouds and two files, with regions, boxes, masks, spans and text."""
    picture, sound, cloud = (open_signal(EXAMPLES / name) for name in ("scene.png", "sound.wav", "cloud.ply"))
    return [
        question_sample("What is {0}?", (picture,), (Box(33, 329, 143, 434),)),
        question_sample("Find everything.", (picture,)),
        question_sample("Mark the orange car.", (picture,)),
        question_sample("What do you hear in {0}?", (sound,), (Span(1.5, 2.2),)),
        question_sample("When do you hear the bell?", (sound,)),
        question_sample("What is {0}?", (cloud,), (Box3D(-2, -2, 0, 2, 2, 1),)),
        question_sample("Mark the table.", (cloud,)),
        question_sample("What is {0} and {1}?", (picture, sound), (Point(90, 380), Span(1.5, 2.2, signal=1))),
    ]
