"""Scripted models: a function of the question gives the text and the regions of the answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from deixis.evaluation.benchmark import GENERATED, Benchmark, ExampleResult, corpus_metrics
from deixis.evaluation.metrics.aggregation import bootstrap_score
from deixis.evaluation.runner import EvaluationRun, run_examples
from deixis.geometry import Region
from deixis.inference import Answer, AnswerPhrase
from deixis.samples.sample import Sample

Named = Sequence[tuple[str, Sequence[Region]]]
"""Phrases and the regions of each."""
ScriptedAnswer = str | tuple[str, Named]


@dataclass
class Scripted:
    """`say` returns the text of an answer, or text and phrases with their regions; `asked` records the questions."""

    say: Callable[[Sample], ScriptedAnswer]
    raw: Callable[[Sample], str] | None = None
    name: str = "scripted"
    asked: list[Sample] = field(default_factory=list)

    def answer(self, questions: Sequence[Sample], max_new_tokens: int) -> list[Answer]:
        self.asked += questions
        return [self._answer(question) for question in questions]

    def point(self, questions: Sequence[Sample], given: Any) -> list[Answer]:
        raise ValueError("a scripted model has no teacher-forced answers")

    def _answer(self, question: Sample) -> Answer:
        scripted = self.say(question)
        text, named = (scripted, ()) if isinstance(scripted, str) else scripted
        raw = text if self.raw is None else self.raw(question)
        return answer_of(text, named, tuple(own.values for own in question.signals), raw)


def answer_of(
    text: str, named: Sequence[tuple[str, Sequence[Region]]] = (), signals: Any = (), raw: str = ""
) -> Answer:
    """An answer whose phrases stand in its text in this order."""
    phrases, at = [], 0
    for phrase, regions in named:
        at = text.index(phrase, at)
        phrases.append(AnswerPhrase(phrase, at, at + len(phrase), tuple(regions)))
        at += len(phrase)
    return Answer(text, tuple(phrases), tuple(signals), raw=raw)


def box(*box_xyxy: float) -> Region:
    return Region(box=tuple(map(float, box_xyxy)))


def run_benchmark(
    benchmark: Benchmark, data: Path, adapter: Scripted, folder: Path, **options: str
) -> list[ExampleResult]:
    """All rows, finished; nothing may be skipped or fail."""
    rows, skipped = run_examples(EvaluationRun(benchmark, data, options, GENERATED), adapter, folder)
    assert not skipped
    assert [row.failure for row in rows if row.failure] == []
    return list(corpus_metrics(benchmark, rows))


def table(benchmark: Benchmark, rows: Sequence[ExampleResult]) -> dict[str, dict[str, float]]:
    """part -> metric -> value as papers print it; metrics without any row are skipped."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        found.setdefault(row.part, {})
    for part, values in found.items():
        for metric in benchmark.info.metrics:
            scored = bootstrap_score(metric, [(row.group, row.metrics) for row in rows if row.part == part])
            if scored.rows:
                values[metric.name] = round(scored.value * metric.scale, 6)
    return found


def save_image(path: Path, size_hw: tuple[int, int], seed: int = 0) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (*size_hw, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, quality=60)
