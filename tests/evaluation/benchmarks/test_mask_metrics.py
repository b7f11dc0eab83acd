"""Per-example mask metrics add up to the official numbers: those of LISA's own script, and those of a plain loop."""

import json
import re

import numpy as np
import pytest

from deixis.evaluation.benchmarks.mask_metrics import (
    EXACT_METRICS,
    FIRST,
    LISA_METRICS,
    PRECISION_METRICS,
    TargetMask,
    mask_metrics,
)
from deixis.evaluation.metrics.aggregation import bootstrap_score
from deixis.geometry import Region, mask_to_rle
from tests.evaluation.benchmarks.masks import masked, plain_sums
from tests.evaluation.benchmarks.scripted import answer_of

ROWS = {
    "nothing": np.zeros((4, 6), bool),
    "left": np.arange(24).reshape(4, 6) % 6 < 3,
    "top": np.arange(24).reshape(4, 6) < 12,
    "all": np.ones((4, 6), bool),
}


def ground_truth(target: np.ndarray, ignored: np.ndarray | None = None, **options) -> TargetMask:
    counted = target if ignored is None else target & ~ignored
    return TargetMask(
        target.shape,
        Region(mask=mask_to_rle(counted)) if counted.any() else None,
        None if ignored is None else Region(mask=mask_to_rle(ignored)),
        **options,
    )


def marks_of(target: TargetMask, *masks: np.ndarray):
    spoken = masked(*masks)
    return mask_metrics(answer_of(*((spoken,) if isinstance(spoken, str) else spoken)), target)


def values(rows, metrics=(*LISA_METRICS, *EXACT_METRICS, *PRECISION_METRICS)):
    return {
        m.name: bootstrap_score(m, [(str(n), metrics) for n, metrics in enumerate(rows)]).value * m.scale
        for m in metrics
    }


@pytest.mark.parametrize(
    ("masks", "target", "iou", "alone"),
    [
        pytest.param([], ground_truth(ROWS["left"]), 0.0, 0.0, id="no_mask"),
        pytest.param([], ground_truth(ROWS["nothing"]), 1.0, 0.0, id="no_mask_for_nothing"),
        pytest.param(["nothing"], ground_truth(ROWS["nothing"]), 1.0, 1.0, id="empty_for_nothing"),
        pytest.param(["top"], ground_truth(ROWS["nothing"]), 0.0, 0.0, id="a_mask_for_nothing"),
        pytest.param(["left"], ground_truth(ROWS["left"]), 1.0, 1.0, id="equal"),
        pytest.param(["top"], ground_truth(ROWS["left"]), 6 / 18, 6 / 18, id="overlapping"),
        pytest.param(["all"], ground_truth(ROWS["left"], ROWS["top"]), 6 / 12, 6 / 12, id="half_is_ignored"),
        pytest.param(["top", "left"], ground_truth(ROWS["left"]), 12 / 18, 0.0, id="two_as_one"),
        pytest.param(["left", "top"], ground_truth(ROWS["left"], masks=FIRST), 1.0, 0.0, id="the_first_of_two"),
        pytest.param(["left"], ground_truth(ROWS["nothing"], empty_below_px=13), 1.0, 1.0, id="too_small_to_be_one"),
    ],
)
def test_one_answer(masks, target, iou, alone):
    metrics = marks_of(target, *[ROWS[name] for name in masks])
    assert (metrics["iou"], metrics["iou_one_mask"], metrics["masks"]) == (
        pytest.approx(iou),
        pytest.approx(alone),
        len(masks),
    )
    assert metrics["lisa_iou"] == pytest.approx(iou, abs=1e-5)
    assert [metrics[f"over_{least}"] for least in (50, 70, 90)] == [iou >= least for least in (0.5, 0.7, 0.9)]
    json.dumps(metrics, allow_nan=False)


def test_sums_equal_a_plain_loop():
    rng = np.random.default_rng(3)
    pairs = []
    for _ in range(12):
        target = (rng.random((5, 7)) < rng.choice([0.0, 0.3, 0.8])).astype(np.int64)
        target[rng.random((5, 7)) < 0.2] = 255
        pairs.append((rng.random((5, 7)) < rng.choice([0.0, 0.5]), target))
    rows = [marks_of(ground_truth(target == 1, target == 255), marked) for marked, target in pairs]
    found, plain = values(rows), plain_sums(pairs)
    assert found["gIoU exact"] == pytest.approx(plain["gIoU"], abs=1e-9)
    assert found["cIoU"] == pytest.approx(plain["cIoU"], abs=1e-9)


def test_recorded_scores_of_the_official_script(shared_golden):
    """Every grouping of the recorded pairs: the script's own numbers, which it made in float32."""
    from safetensors.numpy import load_file

    folder = shared_golden / "lisa_tiny"
    tensors = load_file(folder / "units.safetensors")
    cases = json.loads((folder / "units.json").read_text())["iou"]
    assert len(cases) >= 7
    for case in cases:
        names = [name for sample in case["samples"] for name in sample]
        rows = []
        for name in names:
            gt = tensors[f"iou.{name}.gt"]
            rows.append(marks_of(ground_truth(gt == 1, gt == 255), tensors[f"iou.{name}.logits"] > 0))
        found = values(rows)
        assert (found["gIoU"], found["cIoU"]) == pytest.approx((100 * case["giou"], 100 * case["ciou"]), abs=1e-4)


def test_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match=re.escape("of the labelled image's size (4, 6), got (3, 3)")):
        marks_of(ground_truth(ROWS["left"]), np.ones((3, 3)))
