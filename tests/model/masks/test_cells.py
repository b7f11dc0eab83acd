"""Regions onto cells and back: what was marked in the file comes back in the file, padding, windows and all."""

import numpy as np
import pytest
import torch

from deixis.errors import InputError
from deixis.evaluation.metrics.iou import bounds_iou, mask_iou
from deixis.geometry import (
    Box,
    Box3D,
    Mask,
    Point,
    PointSet,
    Polygon,
    Region,
    Scribble,
    Span,
    Tube,
    cloud_frame,
    letterbox_frame,
    window_frame,
)
from deixis.geometry.frames import video_frame
from deixis.model.masks.cells import (
    cells_to_mask,
    cells_to_points,
    cells_to_spans,
    mask_score,
    mask_to_cells,
    region_to_cells,
    span_to_cells,
)
from deixis.model.prepared import Prepared


def as_logits(share):
    return torch.from_numpy(np.asarray(share, dtype=np.float32)) - 0.5


def shape(name, height, width):
    """A coarse shape in an image: box, disc or edge."""
    y, x = (np.mgrid[:height, :width] + 0.5) / np.array([height, width]).reshape(2, 1, 1)
    return {
        "box": (x > 0.2) & (x < 0.7) & (y > 0.3) & (y < 0.9),
        "disc": (x - 0.6) ** 2 + (y - 0.4) ** 2 < 0.09,
        "edge": x < 0.3,
        "full": x > -1,
    }[name]


@pytest.mark.parametrize("name", ["box", "disc", "edge", "full"])
@pytest.mark.parametrize(
    "size_hw",
    [pytest.param((128, 128), id="square"), pytest.param((300, 120), id="high"), pytest.param((90, 1100), id="wide")],
)
def test_a_mask_comes_back(name, size_hw):
    mask, frame = shape(name, *size_hw), letterbox_frame(size_hw, (128, 128))
    back = cells_to_mask(as_logits(mask_to_cells(mask, frame, 32)), frame)
    assert back.shape == size_hw
    # a mask of the whole image loses half a cell to the padding, and a wide image has few cells across
    least = 0.9 if name != "full" and max(size_hw) < 1000 else 0.75
    assert mask_iou(mask, back)[0] > least


def test_cells_of_the_padding_are_empty():
    share = mask_to_cells(np.ones((60, 120), bool), letterbox_frame((60, 120), (128, 128)), 32).reshape(32, 32)
    assert share[8:24].min() == 1.0
    assert share[:8].max() == share[24:].max() == 0.0


def test_one_cell_is_one_place():
    logits = torch.full((16,), -1.0)
    logits[1 * 4 + 2] = 1.0  # row 1, column 2 of 4 x 4
    rows, columns = np.nonzero(cells_to_mask(logits, letterbox_frame((80, 80), (16, 16))))
    assert (rows.mean(), columns.mean()) == (29.5, 49.5)
    assert rows.min() >= 20
    assert rows.max() < 40


def test_a_large_picture_is_worked_off_in_pieces():
    mask, frame = shape("box", 1500, 40), letterbox_frame((1500, 40), (128, 128))
    back = cells_to_mask(as_logits(mask_to_cells(mask, frame, 64)), frame)
    rows = np.flatnonzero(back.any(1))
    assert (rows[0], rows[-1]) == pytest.approx((450, 1350), abs=25)
    assert len(rows) == rows[-1] - rows[0] + 1


@pytest.mark.parametrize(
    "span",
    [pytest.param((1.0, 2.0), id="inside"), pytest.param((0.0, 0.5), id="start"), pytest.param((2.61, 3.0), id="end")],
)
def test_a_span_comes_back(span):
    frame = window_frame(3.0, 8.0)
    spans = cells_to_spans(as_logits(span_to_cells(span, frame, 200)), frame)
    assert len(spans) == 1
    assert bounds_iou(spans[0], span) > 0.95


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([-1, -1, -1, -1], [], id="none"),
        pytest.param([1, 1, 1, 1], [(0.0, 3.5)], id="all_of_the_sound"),
        pytest.param([1, -1, -1, -1], [(0.0, 1.0)], id="first"),
        pytest.param([-1, -1, -1, 1], [(3.0, 3.5)], id="last_cut_at_the_sounds_end"),
        pytest.param([1, -1, 3, -1], [(0.0, 1.0), (1.75, 3.25)], id="two_with_the_crossing_between"),
    ],
)
def test_spans_of_logits(values, expected):
    spans = cells_to_spans(torch.tensor(values).float(), window_frame(3.5, 4.0))
    np.testing.assert_allclose(np.array(spans).reshape(-1, 2), np.array(expected).reshape(-1, 2))


def test_points_come_back_to_the_whole_file():
    rng = np.random.default_rng(0)
    xyz = rng.random((2000, 3)).astype(np.float32) * [10, 10, 10]
    xyz = xyz.astype(np.float32)
    inside = np.flatnonzero((xyz[:, 0] < 4) & (xyz[:, 2] > 3))
    chosen = rng.choice(2000, 800, replace=False)
    values, indices = np.zeros((800, 6), np.float32), np.append(chosen, chosen[:5])
    prepared = Prepared("point_cloud", values, cloud_frame(xyz), indices=indices)
    share = region_to_cells(Region(points=inside), prepared, 805)
    assert share[:5].tolist() == share[800:].tolist()  # a cloud that was too small repeats its points
    found = cells_to_points(as_logits(share), prepared)
    assert len(np.intersect1d(found, inside)) / len(np.union1d(found, inside)) > 0.8
    np.testing.assert_array_equal(np.isin(chosen, found), np.isin(chosen, inside))


def test_a_cloud_of_one_point_is_found():
    prepared = Prepared(
        "point_cloud", np.zeros((4, 6), np.float32), cloud_frame(np.ones((1, 3), np.float32)), None, np.zeros(4, int)
    )
    assert cells_to_points(torch.ones(4), prepared).tolist() == [0]


CORNER = np.pad(np.ones((2, 4), bool), ((0, 6), (4, 0)))  # of an image of 8 x 8, whose 4 x 4 cells have two pixels
ROW = np.column_stack([np.arange(8.0), np.zeros(8), np.zeros(8)]).astype(np.float32)  # a cloud of eight points in a row
SIGNALS = {
    "image": Prepared("image", np.zeros((3, 8, 8)), letterbox_frame((8, 8), (8, 8))),
    "audio": Prepared("audio", np.zeros((8, 4)), window_frame(1.0, 2.0)),
    "video": Prepared("video", np.zeros((2, 3, 8, 8)), video_frame(letterbox_frame((8, 8), (8, 8)), 2.0)),
    "point_cloud": Prepared("point_cloud", np.zeros((4, 6)), cloud_frame(ROW), indices=np.array([1, 3, 5, 7])),
    "fmri": Prepared("fmri", np.zeros((2, 4)), cloud_frame(ROW, "fmri"), indices=np.array([0, 0, 0, 0, 1, 1, 1, 1])),
}


@pytest.mark.parametrize(
    ("modality", "region", "cells", "expected"),
    [
        pytest.param("image", Mask(CORNER), 16, {2: 1, 3: 1}, id="mask"),
        pytest.param("image", Box(4, 0, 8, 2), 16, {2: 1, 3: 1}, id="box"),
        pytest.param("image", Box(2, 6, 5, 8), 16, {13: 1, 14: 0.5}, id="box_of_part_of_a_cell"),
        pytest.param("image", Polygon([(4, 0), (8, 0), (8, 2), (4, 2)]), 16, {2: 1, 3: 1}, id="polygon"),
        pytest.param("image", Point(1, 1), 16, {0: 1, 1: 0.5, 4: 0.5}, id="point_is_a_disc_of_two_pixels"),
        pytest.param(
            "image", Scribble([(1, 1), (1, 7)]), 4, {0: 0.75, 2: 0.75}, id="scribble_is_a_line_of_four_pixels"
        ),
        pytest.param("image", Region(box=(0, 0, 8, 8), mask=CORNER), 4, {1: 0.5}, id="finest_form_counts"),
        pytest.param("audio", Span(0.5, 1.25), 4, {1: 1, 2: 0.5}, id="span"),
        pytest.param("audio", Point(0.75), 4, {1: 0.4}, id="instant_is_a_fifth_of_a_second"),
        pytest.param("video", Tube(4, 0, 8, 2, 1.2, 1.8), 32, {18: 1, 19: 1}, id="tube"),
        pytest.param("video", Box(4, 0, 8, 2), 32, {2: 1, 3: 1, 18: 1, 19: 1}, id="box_for_all_times"),
        pytest.param("video", Span(0, 1), 8, dict.fromkeys(range(4), 1), id="span_of_whole_frames"),
        pytest.param("video", Point(7, 7, 0.5), 8, {3: 0.5}, id="point_at_a_time"),
        pytest.param("video", Region(mask=CORNER, time_s=(1, 2)), 32, {18: 1, 19: 1}, id="mask_at_a_time"),
        pytest.param("point_cloud", PointSet([0, 1, 7]), 4, {0: 1, 3: 1}, id="points"),
        pytest.param("point_cloud", Box3D(2, -1, -1, 5, 1, 1), 4, {1: 1, 2: 1}, id="box3d"),
        pytest.param("point_cloud", Point(3, 0, 0.1), 4, {1: 1}, id="point_in_a_cloud"),
        pytest.param("fmri", PointSet([0, 1, 7]), 2, {0: 0.5, 1: 0.25}, id="voxels"),
        pytest.param("fmri", Box3D(3, -1, -1, 7, 1, 1), 2, {0: 0.25, 1: 1}, id="box3d_of_voxels"),
    ],
)
def test_every_form_of_region_covers_its_cells(modality, region, cells, expected):
    share = region_to_cells(region, SIGNALS[modality], cells)
    assert share.dtype == np.float32
    assert {int(cell): pytest.approx(share[cell], abs=0.2) for cell in np.flatnonzero(share > 0.1)} == expected


@pytest.mark.parametrize(
    ("modality", "region", "match"),
    [
        pytest.param("image", Span(0, 1), "a Span has no pixels: an image takes", id="image"),
        pytest.param("audio", Box(0, 0, 1, 1), "a Box has no instants of audio: use Span", id="audio"),
        pytest.param("point_cloud", Box(0, 0, 1, 1), "a Box has no points of a cloud: use", id="point_cloud"),
    ],
)
def test_a_region_of_another_signal_is_refused(modality, region, match):
    with pytest.raises(InputError, match=match):
        region_to_cells(region, SIGNALS[modality], 16)


def test_the_score_is_the_mean_chance_inside():
    assert mask_score(torch.tensor([-1.0, -2.0])) is None
    assert mask_score(torch.tensor([-9.0, 0.5, 1.5])) == pytest.approx(torch.tensor([0.5, 1.5]).sigmoid().mean().item())
