"""A benchmark whose report has another run's scores beside its own: those of the model before it was tuned."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from deixis.evaluation.benchmark import Benchmark, BenchmarkInfo, Cell, Example
from deixis.evaluation.metrics.aggregation import ExampleMetrics
from deixis.evaluation.reports.summary import BEFORE, Summary
from deixis.inference import Answer
from deixis.samples.sample import Skipped


class Compared:
    """`benchmark`, with the scores of an earlier run of it, if there was one, as its only column."""

    def __init__(self, benchmark: Benchmark, before: Summary | None):
        self.benchmark, self.before = benchmark, before

    @property
    def info(self) -> BenchmarkInfo:
        return self.benchmark.info

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        return self.benchmark.examples(data, options)

    def example_metrics(self, example: Example, answer: Answer) -> ExampleMetrics:
        return self.benchmark.example_metrics(example, answer)

    def baselines(self, examples: Sequence[Example]) -> Mapping[str, Mapping[Cell, float]]:
        """The earlier scores."""
        if self.before is None:
            return {}
        return {BEFORE: {(row.part, row.metric.name): row.score.value for row in self.before.scores}}
