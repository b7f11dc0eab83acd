"""Regions and questions that nobody checked: wrong types, numbers without bound, endless lists, endless outlines."""

import time
from fractions import Fraction

import numpy as np
import pytest

from deixis.errors import InputError
from deixis.geometry import (
    Box,
    Mask,
    Point,
    PointSet,
    Polygon,
    Region,
    Scribble,
    as_regions,
    named_question,
    rasterise,
)
from deixis.geometry.raster import scribble_radius_px

HUGE = 10**400
SCALAR = np.array(3.0)  # has the attributes of a list, and no items
REFUSED = [
    pytest.param(lambda: Box(HUGE, 0, 1, 1), "x1 of Box must be a number below 1e308, got one of 1329 bits", id="huge"),
    pytest.param(lambda: Box("1", 0, 1, 1), "x1 of Box must be a number, got '1'", id="text_as_number"),
    pytest.param(lambda: Region(box=5), "Box needs 4 numbers x1, y1, x2, y2, got 5", id="number_as_box"),
    pytest.param(lambda: Region(point="123"), "Point needs 1, 2 or 3 coordinates, got '123'", id="text_as_point"),
    pytest.param(lambda: Box(Fraction(HUGE, 3), 0, 1, 1), "below 1e308, got one of 1328 bits", id="huge_fraction"),
    pytest.param(
        lambda: Point(1, 2, signal=-(10**5000)), "from 0, got a whole number of 16610 bits", id="signal_of_5001_digits"
    ),
    pytest.param(
        lambda: Scribble([[10**5000, "a"]]), "got a list with a number of thousands of digits", id="endless_corner"
    ),
    pytest.param(
        lambda: Mask({"size": [-(10**5000), 1], "counts": "1"}),
        "two positive sides, got a list with a number of thousands of digits",
        id="endless_side",
    ),
    pytest.param(lambda: Region(point=SCALAR), "Point needs 1, 2 or 3 coordinates, got ndarray", id="scalar_as_point"),
    pytest.param(lambda: Region(box=SCALAR), "Box needs 4 numbers x1, y1, x2, y2, got ndarray", id="scalar_as_box"),
    pytest.param(lambda: Scribble(SCALAR), r"points of shape \(k, 2\), got shape \(\)", id="scalar_as_scribble"),
    pytest.param(
        lambda: Mask({"size": [2, 2], "counts": SCALAR}), "must be text or a list, got ndarray", id="scalar_as_counts"
    ),
    pytest.param(lambda: as_regions(SCALAR), "expected a list of regions, got one ndarray", id="scalar_as_regions"),
    pytest.param(
        lambda: as_regions([{"box": SCALAR}]), "a list of numbers as box, got ndarray", id="scalar_as_box_in_json"
    ),
    pytest.param(lambda: Point(1, 2, signal=1.5), "signal of a region must be the index .*, got 1.5", id="signal"),
    pytest.param(lambda: Point(1, 2, signal=-1), "signal of a region must be the index .*, got -1", id="last_signal"),
    pytest.param(lambda: Region(point=(1,), label=5), "label of a region must be text, got 5", id="label"),
    pytest.param(lambda: Region(point=(1,), score="1"), "score of a region must be a number or none", id="score"),
    pytest.param(
        lambda: PointSet([10**20]), r"whole-number indices of shape \(k,\), got object", id="index_of_67_bits"
    ),
    pytest.param(lambda: PointSet(np.array([2**63], np.uint64)), "indices .* got uint64", id="index_that_would_wrap"),
    pytest.param(lambda: PointSet([[1], [1, 2]]), "whole-number indices", id="ragged_indices"),
    pytest.param(lambda: Mask([[1], [1, 2]]), r"Mask needs an array of shape \(height, width\)", id="ragged_mask"),
    pytest.param(lambda: Mask("abc"), r"Mask needs an array of shape .*, got <U3", id="text_as_mask"),
    pytest.param(lambda: Mask({"size": [10**6, 10**6], "counts": "1"}), "at most 268435456 pixels", id="mask_size"),
    pytest.param(lambda: Mask({"size": [HUGE, 1], "counts": "1"}), "at most 268435456 pixels", id="mask_side"),
    pytest.param(lambda: Mask({"size": [4, 4], "counts": 5}), "'counts' .* must be text or a list, got 5", id="counts"),
    pytest.param(
        lambda: Mask({"size": [4, 4], "counts": "0" * 10**8}), "at most 16777216 long, got 100000000", id="code"
    ),
    pytest.param(lambda: Scribble(np.zeros((10**6, 2))), "at most 10000 points, got 1000000", id="points_of_scribble"),
    pytest.param(lambda: Polygon([[HUGE, 1]]), "Polygon needs points as k pairs", id="huge_corner"),
    pytest.param(lambda: as_regions(None), "regions: expected a list of regions, got None; leave it out", id="none"),
    pytest.param(lambda: as_regions([(1, 2, 3, 4)] * 10**5), "at most 1000 of one question, got 100000", id="regions"),
    pytest.param(lambda: as_regions(Box(1, 2, 3, 4) for _ in iter(int, 1)), "at most 1000", id="endless_regions"),
    pytest.param(lambda: as_regions([{"box": [1, 2, 3, HUGE]}]), "y2 of Box must be a number below", id="huge_in_json"),
    pytest.param(lambda: named_question(None, ()), "the question: expected text, got NoneType", id="no_question"),
    pytest.param(lambda: named_question(["a"], ()), "the question: expected text, got list", id="list_as_question"),
    pytest.param(lambda: named_question("a" * 10**7, ()), "at most 1000000 characters, got 10000000", id="long"),
    pytest.param(lambda: named_question("a\udcff", ()), r"got '\\udcff' as character 2", id="lone_surrogate"),
]


@pytest.mark.parametrize(("make", "sentence"), REFUSED)
def test_refused_at_once_in_one_sentence(make, sentence):
    began = time.process_time()
    with pytest.raises(InputError, match=sentence) as raised:
        make()
    assert time.process_time() - began < 1
    assert len(str(raised.value)) < 400


def test_numbers_of_numpy_are_numbers():
    region = Box(np.int64(1), np.float32(2), 3, 4, signal=np.int32(1))
    assert region == Box(1, 2, 3, 4, signal=1)
    assert type(region.signal) is int


@pytest.mark.parametrize(
    "text", ["." * 300_000 + "a", " " * 300_000 + "a", "[a" * 300_000], ids=["stops", "spaces", "open"]
)
def test_long_questions_are_read_in_linear_time(text):
    began = time.process_time()
    assert named_question(text, ["a region"]).endswith(" {0}")
    assert time.process_time() - began < 5


def near_by_definition(points: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Every pixel's distance to every segment."""
    y, x = np.mgrid[: size_hw[0], : size_hw[1]] + 0.5
    mask = np.zeros(size_hw, dtype=bool)
    for start, end in zip(points, points[1:] if len(points) > 1 else points, strict=False):
        step = end - start
        along = ((x - start[0]) * step[0] + (y - start[1]) * step[1]) / max(step @ step, 1e-12)
        along = np.clip(along, 0, 1) * bool(step.any())
        distance = np.hypot(x - start[0] - along * step[0], y - start[1] - along * step[1])
        mask |= distance <= scribble_radius_px(size_hw)
    return mask


@pytest.mark.parametrize("case", ["any", "level", "upright", "one_point", "repeated"])
def test_a_scribble_covers_what_is_near_to_its_line(case):
    rng = np.random.default_rng(5)
    for _ in range(40):
        size_hw = tuple(rng.integers(4, 70, 2).tolist())
        points = rng.random((1 if case == "one_point" else 6, 2)) * size_hw[::-1]
        points[:, {"level": [1], "upright": [0]}.get(case, [])] = points[0, 0]
        points = points.repeat(2, axis=0) if case == "repeated" else points
        expected = near_by_definition(points, size_hw)
        if expected.any():
            assert np.array_equal(rasterise(Scribble(points), size_hw), expected)


@pytest.mark.parametrize("form", [Scribble, Polygon])
def test_an_outline_that_crosses_the_image_thousands_of_times_takes_seconds(form):
    step = np.arange(10_000)
    points = np.stack([step % 2 * 799.0, step * 7 % 600], axis=1)[:, ::-1] * (800 / 600, 600 / 800)
    began = time.process_time()
    assert rasterise(form(points), (600, 800)).any()
    assert time.process_time() - began < 20
