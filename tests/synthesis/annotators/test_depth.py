"""Depth maps: transformers' own numbers, inverted so that larger is farther, aligned with the image's pixels."""

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from deixis.synthesis.annotators.depth import FAR, NEAR, Prepared, depth_in_picture, depth_maps, farness
from tests.synthesis.annotators.models import DEPTH_MODELS
from tests.toy import toy_image

SIZES = [pytest.param((50, 90), id="wide"), pytest.param((97, 45), id="high")]
METRIC = {"depth_anything_metric", "dpt_on_dinov2", "glpn", "zoedepth"}
KINDS = [pytest.param(kind, id=kind) for kind in DEPTH_MODELS]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of each type of model."""
    made = {kind: tmp_path_factory.mktemp(kind) for kind in DEPTH_MODELS}
    for kind, save in DEPTH_MODELS.items():
        save(made[kind])
    return made


def raw(depth_of, pixels):
    """The network's own map (1, rows, columns), from the input that its processor makes."""
    with torch.no_grad():
        return depth_of.network(**depth_of.image_processor(images=pixels, return_tensors="pt"))


@pytest.mark.parametrize("size_hw", SIZES)
@pytest.mark.parametrize(
    "kind", [pytest.param(k, id=k) for k in ("depth_anything", "depth_anything_metric", "dpt", "glpn")]
)
def test_the_numbers_are_those_of_transformers(folders, kind, size_hw):
    pixels, depth_of = toy_image(*size_hw), depth_maps(folders[kind], "cpu")
    (expected,) = depth_of.image_processor.post_process_depth_estimation(raw(depth_of, pixels), [size_hw])
    expected = expected["predicted_depth"].numpy()
    assert expected.std() > 1e-3
    expected = expected.clip(min=0) if kind in METRIC else farness(expected)
    np.testing.assert_allclose(depth_of(pixels), expected, rtol=1e-3, atol=1e-4 * np.ptp(expected))


@pytest.mark.parametrize("size_hw", SIZES)
def test_zoedepths_margins_are_cut_off(folders, size_hw):
    pixels, depth_of = toy_image(*size_hw), depth_maps(folders["zoedepth"], "cpu")
    y, x = (int(np.sqrt(side / 2) * 3) for side in size_hw)
    whole_hw = (size_hw[0] + 2 * y, size_hw[1] + 2 * x)
    large = interpolate(raw(depth_of, pixels).predicted_depth[:, None], whole_hw, mode="bicubic")[0, 0].numpy()
    np.testing.assert_allclose(depth_of(pixels), large[y:-y, x:-x], rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_window_is_where_the_picture_is(folders, kind):
    """A bright spot is found in the network's input where the window maps it, for every preprocessing."""
    depth_of, (y, x) = depth_maps(folders[kind], "cpu"), (20, 70)
    pixels = np.zeros((64, 100, 3), np.uint8)
    pixels[y : y + 6, x : x + 8] = 255
    prepared = depth_of.prepare(pixels)
    top, left, height, width = prepared.window
    light = prepared.values[0].mean(0) - prepared.values[0].mean(0).min()
    light[light < 0.6 * light.max()] = 0  # without the ringing of cubic filters, and the margins that are grey
    rows, columns = light.sum(1), light.sum(0)
    middle_y = (rows * (torch.arange(len(rows)) + 0.5)).sum() / rows.sum()
    middle_x = (columns * (torch.arange(len(columns)) + 0.5)).sum() / columns.sum()
    tolerance = max(len(rows) / 64, len(columns) / 100, 0.5)
    assert float(middle_y) == pytest.approx(top + (y + 3) * height / 64, abs=tolerance)
    assert float(middle_x) == pytest.approx(left + (x + 4) * width / 100, abs=tolerance)


def test_dpts_margins_are_around_the_picture(folders):
    prepared = depth_maps(folders["dpt_on_dinov2"], "cpu").prepare(toy_image(50, 90))
    assert prepared.values.shape == (1, 3, 56, 98)
    assert prepared.window == (3, 4, 50, 90)


@pytest.mark.parametrize(
    ("window", "rows"),
    [
        pytest.param((0, 0, 8, 8), [1, 3, 5, 7], id="all"),
        pytest.param((2, 0, 4, 8), [2.5, 3.5, 4.5, 5.5], id="margins_above_and_below"),
        pytest.param((0, 0, 4, 8), [0.5, 1.5, 2.5, 3.5], id="a_margin_below"),
    ],
)
def test_a_map_is_read_in_its_window(window, rows):
    """A map of four cells that holds its row in the input's pixels, sampled at four rows of an image."""
    prepared = Prepared(torch.zeros(1, 3, 8, 8), window)
    heights = torch.linspace(0.5, 7.5, 8)[None, :, None].expand(1, 8, 8).contiguous()
    read = depth_in_picture(heights, prepared, (4, 3))
    np.testing.assert_allclose(read, np.repeat(np.array(rows)[:, None], 3, axis=1), atol=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_says_whether_it_measures_in_metres(folders, kind):
    depth_of = depth_maps(folders[kind], "cpu")
    depth = depth_of(toy_image(50, 90))
    assert (depth.shape, depth.dtype, depth_of.metric) == ((50, 90), np.float32, kind in METRIC)
    if not depth_of.metric:
        assert (depth.min(), depth.max()) == (pytest.approx(NEAR), pytest.approx(FAR))


@pytest.mark.parametrize(
    ("inverse", "expected"),
    [
        pytest.param([[3, 3]], [[10, 10]], id="even"),
        pytest.param([[0, 1, 4]], [[10, 40 / 13, 1]], id="from_zero"),
        pytest.param([[-2, 2]], [[10, 1]], id="below_zero"),
    ],
)
def test_nearer_is_less(inverse, expected):
    np.testing.assert_allclose(farness(np.array(inverse, np.float32)), expected, rtol=1e-5)


def test_what_is_flat_stays_flat():
    """Points of a plane before a camera, whose inverse depth came with another scale and shift."""
    y, x = np.mgrid[-1:1:20j, -1:1:30j]
    inverse = 3 * (0.5 + 0.2 * x + 0.1 * y) - 0.7  # of the plane 0.5 z + 0.2 x z + 0.1 y z = 1
    z = farness(inverse.astype(np.float32))
    points = np.stack([x * z, y * z, z], axis=-1).reshape(-1, 3)
    away = np.linalg.svd(points - points.mean(0), compute_uv=False)
    assert away[2] < 1e-4 * away[1]
