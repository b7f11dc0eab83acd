"""Each modality in the studio, in a real browser: opened, looked at by axe-core, pointed into, asked and answered.

The model takes all eight and has random weights: what it answers means nothing, where it was pointed at does.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from deixis.geometry import Region, bounding_box, check_region
from deixis.geometry.extent import Extent
from deixis.inference import Model
from deixis.signals import MODALITIES
from tests.serving.accessibility import look
from tests.serving.conftest import Running, serving, studio_page
from tests.serving.studio_page import Place, Studio
from tests.toy import UNION_OF_SAMPLES, toy_network, toy_tokenizer


@dataclass(frozen=True)
class Stroke:
    """A stroke of a tool through shares of the canvas, and the region that it makes: its form, and its middle in shares
    of the signal along each axis."""

    tool: str
    through: list[Place]
    form: str
    middle: tuple[float, ...]


IN_THE_MIDDLE: list[Place] = [(0.45, 0.45), (0.55, 0.55)]
AROUND_ALL: list[Place] = [(0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)]
STROKES = {
    "image": Stroke("box", IN_THE_MIDDLE, "box", (0.5, 0.5)),
    "audio": Stroke("span", [(0.2, 0.5), (0.4, 0.5)], "span", (0.3,)),
    "point_cloud": Stroke("lasso", AROUND_ALL, "points", (0.5, 0.5, 0.5)),
    "video": Stroke("scribble", IN_THE_MIDDLE, "scribble", (0.5, 0.5, 1 / 32)),  # in the first of 16 frames
    "depth": Stroke("point", [(0.5, 0.5)], "point", (0.5, 0.5)),
    "normal": Stroke("brush", IN_THE_MIDDLE, "mask", (0.5, 0.5)),
    "imu": Stroke("span", [(0.3, 0.5), (0.5, 0.5)], "span", (0.36,)),  # the names of the curves lie left of them
    "fmri": Stroke("brush", [(0.4, 0.25), (0.42, 0.27)], "points", (0.07, 0.14, 0.14)),  # in the second of 8 slices
}
NEAR = 0.02


@pytest.fixture(scope="module")
def union_server() -> Iterator[Running]:
    network, processor = toy_network(toy_tokenizer(), **UNION_OF_SAMPLES)
    with serving(Model(network, processor, "union")) as own:
        yield own


@pytest.fixture
def union_studio(browser, union_server: Running) -> Iterator[Studio]:
    with studio_page(browser, union_server.url) as own:
        yield own


def test_every_modality_has_a_stroke():
    assert STROKES.keys() == MODALITIES.keys()


@pytest.mark.parametrize("modality", list(STROKES))
def test_a_modality_is_opened_pointed_into_asked_and_answered(union_studio, union_server, modality, monkeypatch):
    studio, stroke, asked = union_studio, STROKES[modality], []
    submit = union_server.service.submit

    def submitted(sample, *rest):
        asked.append(sample)
        return submit(sample, *rest)

    monkeypatch.setattr(union_server.service, "submit", submitted)
    studio.open(modality)
    studio.page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    look(studio.page, modality)
    studio.stroke(stroke.tool, stroke.through)
    assert studio.drafts.count() == 1
    studio.ask("What is {0}?")
    assert studio.drafts.count() == 0, "the regions went with the question"
    (sample,) = asked
    (medium,), (region,) = sample.signals, sample.regions
    assert region.form == stroke.form
    check_region(region, medium.values.extent)
    assert middle_of(region, medium.values.extent) == pytest.approx(stroke.middle, abs=NEAR)


def middle_of(region: Region, extent: Extent) -> np.ndarray:
    """The middle of a region in shares of its signal, along each axis."""
    bounds = bounding_box(region, extent)
    middle = (bounds[: extent.dim] + bounds[extent.dim :]) / 2
    if extent.points_xyz is not None:
        low, high = extent.points_xyz.min(axis=0), extent.points_xyz.max(axis=0)
        return (middle - low) / (high - low)
    return middle / np.array([*(extent.size_hw or ())[::-1], *([extent.duration_s] if extent.duration_s else [])])
