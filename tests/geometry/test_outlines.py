"""Outlines of masks: filled even-odd at the centres of pixels they are the masks again."""

import numpy as np
import pytest

from deixis.geometry.outlines import corner_count, mask_outlines


def filled(loops, size_hw):
    """The pixels whose centre an odd number of vertical edges lies to the left of, over all loops."""
    crossings = np.zeros(size_hw, int)
    for loop in loops:
        for (x1, y1), (x2, y2) in zip(loop, np.roll(loop, -1, axis=0), strict=True):
            if x1 == x2:
                crossings[min(y1, y2) : max(y1, y2), x1:] += 1
    return crossings % 2 == 1


RING = np.pad(np.pad(np.zeros((3, 3), bool), 2, constant_values=True), 1)
BOARD = np.indices((7, 6)).sum(0) % 2 == 0


@pytest.mark.parametrize(
    ("mask", "count"),
    [
        pytest.param(np.zeros((3, 4), bool), 0, id="nothing"),
        pytest.param(np.zeros((0, 0), bool), 0, id="no_pixel"),
        pytest.param(np.ones((3, 4), bool), 1, id="all"),
        pytest.param(np.ones((1, 1), bool), 1, id="one_pixel"),
        pytest.param(RING, 2, id="hole"),
        pytest.param(np.pad(RING, 3) | np.pad(np.ones((1, 1), bool), 7), 3, id="in_the_hole"),
        pytest.param(np.eye(5, dtype=bool), None, id="corners_touch"),
        pytest.param(np.eye(5, dtype=bool)[::-1], None, id="corners_touch_the_other_way"),
        pytest.param(BOARD, None, id="chess_board"),
        *(
            pytest.param(np.random.default_rng(seed).random((19, 23)) < 0.5, None, id=f"noise_{seed}")
            for seed in (0, 1)
        ),
    ],
)
def test_outlines_fill_to_the_mask(mask, count):
    loops = mask_outlines(mask)
    assert corner_count(mask) == sum(map(len, loops))
    assert count is None or len(loops) == count
    assert (filled(loops, mask.shape) == mask).all()
    for loop in loops:
        steps = np.roll(loop, -1, axis=0) - loop
        assert (steps[::2, 1] == 0).all()
        assert (steps[1::2, 0] == 0).all()
        assert np.abs(steps).sum(1).min() > 0
