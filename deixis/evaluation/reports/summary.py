"""The numbers of a run: every metric of every part with its 95 % confidence interval, baselines and published scores.

Values are fractions; what is printed and written to JSON is multiplied by `Metric.scale`, as papers print it. It draws
nothing: `terminal_report` and `report_page` do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deixis.evaluation.benchmark import TEACHER_FORCED, BenchmarkInfo, Cell, ExampleResult
from deixis.evaluation.metrics.aggregation import Metric, Score, bootstrap_score
from deixis.evaluation.runner import EvaluationRun
from deixis.samples.sample import Skipped

DIGITS = 4
BASELINE_MARGIN = 0.10
"""A score at most this much (as a fraction) above a blind or constant answer is reported as not learnt."""
OFFICIAL, OURS = "official", "ours"
BEFORE = "before"
"""The column of the same model before it was tuned (`Summary.values`)."""


@dataclass(frozen=True)
class ScoreRow:
    """One row of the table. blind: the same of the model with blanked signals. baselines: additional columns.

    published: (system, value as printed, source) of papers.
    """

    part: str
    metric: Metric
    score: Score
    blind: Score | None = None
    baselines: Mapping[str, float] = field(default_factory=dict)
    published: tuple[tuple[str, float, str], ...] = ()

    @property
    def origin(self) -> str:
        """Whether the metric is computed as the official script does, or is ours."""
        return OFFICIAL if self.metric.official else OURS

    @property
    def near_baselines(self) -> list[str]:
        """The columns of answers that ignore the signal which the score does not exceed by more than the margin."""
        blind = {} if self.blind is None else {"blind": self.blind.value}
        others = blind | {name: value for name, value in self.baselines.items() if name not in ("floor", BEFORE)}
        return [name for name, value in others.items() if self.score.value - value <= BASELINE_MARGIN]

    @property
    def change(self) -> str:
        """ "rose" or "fell" where the score before is outside of the interval."""
        before, (low, high) = self.baselines.get(BEFORE), self.score.ci95
        if before is None or low <= before <= high:
            return ""
        return "fell" if before > high else "rose"

    def to_json(self) -> dict[str, Any]:
        """Plain values, scaled as papers print them."""
        scale = self.metric.scale
        low, high = self.score.ci95
        return {
            "part": self.part,
            "metric": self.metric.name,
            "origin": self.origin,
            "score": _rounded(self.score.value * scale),
            "ci95": [_rounded(low * scale), _rounded(high * scale)],
            "n": self.score.rows,
            "groups": self.score.groups,
            "blind": None if self.blind is None else _rounded(self.blind.value * scale),
            **{name: _rounded(value * scale) for name, value in self.baselines.items()},
            "published": [{"system": s, "value": value, "source": source} for s, value, source in self.published],
        }


@dataclass(frozen=True)
class Summary:
    """The scores of a run and what they are of.

    run: `EvaluationRun.description`. rows: the number of examples. skipped: what the benchmark could not read.
    has_baselines: whether scores near a baseline are reported as not learnt. remarks: what a judge could not do.
    """

    info: BenchmarkInfo
    run: Mapping[str, Any]
    scores: tuple[ScoreRow, ...]
    rows: int
    failures: tuple[ExampleResult, ...] = field(repr=False)
    skipped: tuple[Skipped, ...] = field(repr=False)
    has_baselines: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The benchmark, the model, the options and the mode, as one line."""
        limit = "" if self.run["limit"] is None else f", at most {self.run['limit']} questions per part"
        options = ", ".join(f"{name} {value}" for name, value in self.run["options"].items() if name != "notation")
        how = "answers teacher-forced" if self.run["mode"] == TEACHER_FORCED else "answers generated"
        return f"{self.info.title}: {self.run['model']}{', ' if options else ''}{options}{limit}, {how}"

    @property
    def columns(self) -> list[str]:
        """The names of the additional columns, in order."""
        return list(dict.fromkeys(name for row in self.scores for name in row.baselines))

    @property
    def values(self) -> dict[Cell, float]:
        """The scores by cell, as the report of another run takes them for a column."""
        return {(row.part, row.metric.name): row.score.value for row in self.scores}

    def note(self, row: ScoreRow) -> str:
        """How a row changed, whether it reaches its floor, and whether it is near answers that ignore the signal."""
        notes = [row.change] if row.change else []
        if (floor := row.baselines.get("floor")) is not None:
            missed = floor - row.score.value
            notes.append("reached" if missed <= 0 else f"missed by {missed:.3f}")
        if self.has_baselines and row.near_baselines:
            notes.append(f"not learnt: near {', '.join(row.near_baselines)}")
        return "; ".join(notes)

    def skipped_records(self) -> Iterator[dict[str, str]]:
        """Every example without an answer ("failed") or that could not be read ("skipped"), with the reason."""
        yield from ({"what": "failed", "where": row.id, "why": row.failure or ""} for row in self.failures)
        yield from ({"what": "skipped", "where": skipped.where, "why": skipped.why} for skipped in self.skipped)

    def to_json(self) -> dict[str, Any]:
        """The report without predictions, which are a file of their own."""
        return {
            "title": self.title,
            "run": dict(self.run),
            "rows": self.rows,
            "failed": len(self.failures),
            "skipped": len(self.skipped),
            "scores": [row.to_json() | {"note": self.note(row)} for row in self.scores],
            "metrics": {m.name: {"meaning": m.meaning, "official": m.official} for m in self.info.metrics},
            "notes": list(self.info.notes),
            "remarks": list(self.remarks),
        }


def summarise(
    run: EvaluationRun,
    model: str,
    rows: Sequence[ExampleResult],
    skipped: Sequence[Skipped],
    blind: Sequence[ExampleResult] | None = None,
    baselines: Mapping[str, Mapping[Cell, float]] | None = None,
    remarks: Sequence[str] = (),
) -> Summary:
    """The summary of all results. blind: those of the model with blanked signals. baselines: additional columns."""
    info = run.benchmark.info
    scores = tuple(_score_rows(info, rows, blind, baselines or {}))
    failures = tuple(row for row in rows if row.failure is not None)
    lists = (scores, len(rows), failures, tuple(skipped))
    return Summary(info, run.description(model), *lists, has_baselines=bool(baselines), remarks=tuple(remarks))


def example_value(metric: Metric, row: ExampleResult) -> float | None:
    """A metric of one example alone; None if it is undefined for it."""
    return float(metric.of(*metric.columns([row.metrics]))[0]) if metric.is_defined(row.metrics) else None


def part_score(metric: Metric, rows: Sequence[ExampleResult]) -> Score | None:
    """A metric over some examples with its confidence interval; None if it is undefined for all of them."""
    score = bootstrap_score(metric, [(row.group, row.metrics) for row in rows])
    return score if score.rows else None


def _score_rows(
    info: BenchmarkInfo,
    rows: Sequence[ExampleResult],
    blind: Sequence[ExampleResult] | None,
    baselines: Mapping[str, Mapping[Cell, float]],
) -> Iterator[ScoreRow]:
    by_part, blind_by_part = _by_part(info, rows), _by_part(info, blind or ())
    for part, in_part in by_part.items():
        for metric in info.metrics:
            found = part_score(metric, in_part)
            if found is None:
                continue
            cell = (part, metric.name)
            of_blind = None if blind is None else part_score(metric, blind_by_part.get(part, ()))
            beside = {name: column[cell] for name, column in baselines.items() if cell in column}
            papers = [p for p in info.published if p.part == part and metric.name in p.values]
            published = tuple((paper.system, paper.values[metric.name], paper.source) for paper in papers)
            yield ScoreRow(part, metric, found, of_blind, beside, published)


def _by_part(info: BenchmarkInfo, rows: Sequence[ExampleResult]) -> dict[str, list[ExampleResult]]:
    """The results per part, in order of appearance, then per combined part of which every part is present."""
    parts: dict[str, list[ExampleResult]] = {}
    for row in rows:
        parts.setdefault(row.part, []).append(row)
    present = {name: of for name, of in info.combined_parts.items() if set(of) <= set(parts)}
    return parts | {name: [row for row in rows if row.part in of] for name, of in present.items()}


def _rounded(value: float) -> float:
    return round(float(value), DIGITS)
