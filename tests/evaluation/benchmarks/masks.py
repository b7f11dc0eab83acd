"""Shared by the tests of benchmarks with masks: answers with masks, a real model, sums by a plain loop."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from deixis.evaluation.benchmark import Benchmark, ExampleResult, corpus_metrics
from deixis.evaluation.runner import EvaluationRun, ModelAdapter, run_examples
from deixis.geometry import Region
from deixis.inference import Model
from tests.evaluation.benchmarks.scripted import ScriptedAnswer


def masked(*masks: np.ndarray) -> ScriptedAnswer:
    """An answer that points with these masks."""
    return ("It", [("It", [Region(mask=mask.astype(bool), score=0.9) for mask in masks])]) if masks else "Nothing."


def run_with_model(
    model: Model, benchmark: Benchmark, data: Path, folder: Path, mode: str, **options: str
) -> list[ExampleResult]:
    """All rows of a real model with its notation; nothing may be skipped or fail."""
    options = {"notation": model.processor.notation.name, **options}
    rows, skipped = run_examples(EvaluationRun(benchmark, data, options, mode), ModelAdapter(model), folder)
    assert (skipped, [row.failure for row in rows if row.failure]) == ([], [])
    return list(corpus_metrics(benchmark, rows))


def plain_sums(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """gIoU and cIoU of (marked, meant) pairs, per cent, pixel by pixel; 255 in `meant` counts nowhere."""
    overlaps, shared, union = [], 0, 0
    for marked, target in pairs:
        both = either = 0
        for one, other in zip(marked.ravel().tolist(), target.ravel().tolist(), strict=True):
            if other != 255:
                both += bool(one) and other == 1
                either += bool(one) or other == 1
        overlaps.append(both / either if either else 1.0)
        shared, union = shared + both, union + either
    return {"gIoU": 100 * sum(overlaps) / len(overlaps), "cIoU": 100 * shared / union if union else 100.0}
