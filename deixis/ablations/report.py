"""What a comparison found: a table of all variants, and the paper's findings with whether they held here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from deixis.ablations.answers import AnsweredQuestion, Settings
from deixis.ablations.comparison import Claim, Comparison, Measure
from deixis.ablations.statistics import Estimate, Verdict, estimate
from deixis.evaluation.benchmarks.world.benchmark import World
from deixis.evaluation.metrics.aggregation import majority_share
from deixis.evaluation.runner import write_json_lines
from deixis.files.whole import whole_file

RESULTS, REPORT = "results.json", "report.md"
CONSTANT = ("name", "number", "yes or no", "found or none")
"""Metrics of answers that are one of few words, of which the most frequent is a baseline."""
KEYS = {metric.name: metric.keys[0] for metric in World.info.metrics}


@dataclass(frozen=True)
class Results:
    """The answers of each variant, training by training, as many of each, and what follows from them."""

    comparison: Comparison
    settings: Settings
    answers: Mapping[str, Sequence[Sequence[AnsweredQuestion]]]

    @cached_property
    def table(self) -> dict[Measure, dict[str, Estimate]]:
        """The mean of each measure for each variant."""
        names = self.comparison.variants
        return {own: {name: self._estimate(own, name) for name in names} for own in self.comparison.measures}

    @cached_property
    def findings(self) -> list[tuple[Claim, Measure, Estimate, Verdict]]:
        """Of each claim in each of its measures the difference, better less worse, and whether the claim held."""
        pairs = [(claim, own) for claim in self.comparison.claims for own in claim.measures]
        found = [(claim, own, self._estimate(own, claim.better, claim.worse)) for claim, own in pairs]
        return [(claim, own, value, self._verdict(claim, own, value)) for claim, own, value in found]

    def _verdict(self, claim: Claim, measure: Measure, difference: Estimate) -> Verdict:
        """That of the difference; inconclusive where neither variant is above the constant answer."""
        constant, row = self.constant(measure), self.table[measure]
        if constant is not None and max(row[claim.better].low, row[claim.worse].low) <= constant:
            return "inconclusive"
        return difference.verdict

    def constant(self, measure: Measure) -> float | None:
        """The score of the most frequent right answer; None for a measure whose answers are no single words."""
        rows = self._chosen(measure, self.answers[next(iter(self.answers))][0])
        return majority_share([row.expected for row in rows]) if measure.metric in CONSTANT and rows else None

    def _estimate(self, measure: Measure, name: str, less: str | None = None) -> Estimate:
        values = self._values(measure, name)
        if less is not None:
            values = values - self._values(measure, less)
        return estimate(values, [row.scene for row in self._chosen(measure, self.answers[name][0])])

    def _values(self, measure: Measure, name: str) -> Float[np.ndarray, "seed question"]:
        chosen = [self._chosen(measure, rows) for rows in self.answers[name]]
        assert len({tuple(row.id for row in rows) for rows in chosen}) == 1, "every training is asked the same"
        return np.array([[row.scores[KEYS[measure.metric]] for row in rows] for rows in chosen], dtype=float)

    @staticmethod
    def _chosen(measure: Measure, rows: Sequence[AnsweredQuestion]) -> list[AnsweredQuestion]:
        return [
            row for row in rows if row.task == measure.task and (measure.only is None or measure.only in row.slices)
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        claims = [
            {"better": claim.better, "worse": claim.worse, "measure": str(own), "difference": asdict(difference)}
            | {"here": verdict}
            for claim, own, difference, verdict in self.findings
        ]
        table = {
            str(own): {name: asdict(value) for name, value in row.items()} | {"constant": self.constant(own)}
            for own, row in self.table.items()
        }
        about = {name: getattr(self.comparison, name) for name in ("name", "question", "finding", "source")}
        return {**about, "settings": asdict(self.settings), "table": table, "claims": claims}


def report_lines(results: Results) -> Iterator[str]:
    """The report as lines of Markdown."""
    own, settings = results.comparison, results.settings
    yield from (f"# {own.name}: {own.question}", "", f"The paper: {own.finding} ({own.source}).", "")
    yield f"Here: trainings per variant: {len(next(iter(results.answers.values())))}; 95 % intervals in brackets."
    yield from ("", f"| measure | questions | constant answer | {' | '.join(own.variants)} |")
    yield f"| --- | --- | --- |{' --- |' * len(own.variants)}"
    for measure, row in results.table.items():
        constant = results.constant(measure)
        cells = [str(next(iter(row.values())).questions), "" if constant is None else f"{constant:.2f}"]
        yield f"| {measure} | {' | '.join((*cells, *map(_text, row.values())))} |"
    yield from (
        "",
        "| better in the paper | than | measure | difference here | here |",
        "| --- | --- | --- | --- | --- |",
    )
    for claim, measure, difference, verdict in results.findings:
        yield f"| {claim.better} | {claim.worse} | {measure} | {_text(difference, '+')} | {verdict} |"
    steps = "as declared" if settings.steps is None else f"of the longest stage {settings.steps}"
    yield from ("", f"Steps {steps}; {settings.questions} questions per task about scenes that none was trained on.")


def write_report(results: Results, out: Path) -> None:
    """Writes the results as JSON and the report as Markdown, each whole."""
    write_json_lines(out / RESULTS, [results.to_json()], indent=1)
    with whole_file(out / REPORT) as part:
        part.write_text("\n".join(report_lines(results)) + "\n", encoding="utf-8")


def _text(value: Estimate, sign: str = "") -> str:
    return f"{value.value:{sign}.2f} ({value.low:{sign}.2f} to {value.high:{sign}.2f})" if value.questions else "none"
