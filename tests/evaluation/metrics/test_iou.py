"""IoU of boxes, spans and masks: perfect, empty, partial and adversarial predictions."""

import numpy as np
import pytest

from deixis.evaluation.metrics.iou import bounds_iou, is_correct, mask_iou, span_set_iou

SQUARE = (0.0, 0.0, 10.0, 10.0)


@pytest.mark.parametrize(
    ("predicted", "correct"),
    [
        pytest.param(None, 0.0, id="nothing"),
        pytest.param((0.0, 0.0, 0.0, 0.0), 0.0, id="no_area"),
        pytest.param(SQUARE, 1.0, id="perfect"),
        pytest.param((0.0, 0.0, 10.0, 5.0), 1.0, id="exactly_half"),
        pytest.param((0.0, 0.0, 10.0, 4.9), 0.0, id="a_little_less"),
        pytest.param((0.0, 0.0, 128.0, 128.0), 0.0, id="everything"),
        pytest.param((20.0, 20.0, 30.0, 30.0), 0.0, id="elsewhere"),
    ],
)
def test_box_is_correct_from_the_iou_threshold(predicted, correct):
    assert is_correct(predicted, SQUARE) == correct


@pytest.mark.parametrize(
    ("first", "second", "iou"),
    [
        pytest.param((1.0, 2.0), (1.0, 2.0), 1.0, id="span"),
        pytest.param((0, 0, 0, 2, 2, 2), (0, 0, 1, 2, 2, 3), 1 / 3, id="box3d"),
    ],
)
def test_iou_in_any_dimension(first, second, iou):
    assert bounds_iou(first, second) == pytest.approx(iou)


def mask(*cells):
    return np.isin(np.arange(6), cells).reshape(2, 3)


@pytest.mark.parametrize(
    ("predicted", "true", "overlap"),
    [
        pytest.param(mask(), mask(), (1.0, 0.0), id="both_empty"),
        pytest.param(mask(1), mask(), (0.0, 1.0), id="marked_where_nothing_is"),
        pytest.param(mask(), mask(1, 2), (0.0, 2.0), id="missed"),
        pytest.param(mask(1, 2), mask(1, 2), (1.0, 2.0), id="perfect"),
        pytest.param(mask(*range(6)), mask(1), (1 / 6, 6.0), id="everything"),
        pytest.param(mask(0, 1), mask(1, 2), (1 / 3, 3.0), id="partly"),
    ],
)
def test_mask_iou(predicted, true, overlap):
    assert mask_iou(predicted, true) == pytest.approx(overlap)


@pytest.mark.parametrize(
    ("predicted", "true", "overlap"),
    [
        pytest.param([], [], (1.0, 0.0), id="both_empty"),
        pytest.param([(0.0, 1.0)], [], (0.0, 1.0), id="heard_where_nothing_is"),
        pytest.param([], [(1.0, 3.0)], (0.0, 2.0), id="missed"),
        pytest.param([(1.0, 2.0), (3.0, 4.0)], [(3.0, 4.0), (1.0, 2.0)], (1.0, 2.0), id="in_another_order"),
        pytest.param([(0.0, 2.0), (0.0, 2.0)], [(0.0, 2.0)], (1.0, 2.0), id="said_twice"),
        pytest.param([(0.0, 8.0)], [(1.0, 3.0)], (0.25, 8.0), id="everything"),
    ],
)
def test_span_set_iou(predicted, true, overlap):
    assert span_set_iou(predicted, true) == pytest.approx(overlap)
