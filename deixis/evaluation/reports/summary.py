"""What a run says: every metric of every part with its interval, what stands beside it, and what is missing.

Scores are in the numbers a paper prints (per cent, or shares of one), as `Metric.scale` has it. It asks nobody and
draws nothing: `report` shows it in a terminal, `report_page` as a page.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from deixis.evaluation.benchmark import FORCED, Example, Facts, Row
from deixis.evaluation.metrics.scores import Metric, Score, score
from deixis.evaluation.runner import Play
from deixis.samples.skipped import Skipped

DIGITS = 4
NOT_LEARNT_WITHIN = 0.10  # of what a blind or a constant answer scores, in shares
OFFICIAL, OURS = "official", "ours"

Cell = tuple[str, str]
"""A part and the name of a metric: what one number is of."""


@runtime_checkable
class WithBaselines(Protocol):
    """A benchmark that knows what answers score that do not look at the signal, or what was promised."""

    def baselines(self, examples: Sequence[Example]) -> Mapping[str, Mapping[Cell, float]]:
        """Further columns by name, such as "majority" and "floor": the values, as `Score.value` has them, by cell."""
        ...


@dataclass(frozen=True)
class Line:
    """One number of the table. blind: the same of a model that sees nothing. beside: further columns by name."""

    part: str
    metric: Metric
    score: Score
    blind: Score | None = None
    beside: Mapping[str, float] = field(default_factory=dict)
    published: tuple[tuple[str, float, str], ...] = ()
    """(system, value as printed, source) of papers."""

    @property
    def kind(self) -> str:
        """Whether the number is made as the official script makes it, or is ours beside it."""
        return OFFICIAL if self.metric.official else OURS

    @property
    def near(self) -> list[str]:
        """The columns of answers that do not look which the score is within 0.10 of, or below."""
        blind = {} if self.blind is None else {"blind": self.blind.value}
        others = blind | {name: value for name, value in self.beside.items() if name != "floor"}
        return [name for name, value in others.items() if self.score.value - value <= NOT_LEARNT_WITHIN]

    def to_json(self) -> dict[str, Any]:
        """Plain values, in the numbers that papers print."""
        scale = self.metric.scale
        low, high = self.score.ci95
        return {
            "part": self.part,
            "metric": self.metric.name,
            "kind": self.kind,
            "score": _rounded(self.score.value * scale),
            "ci95": [_rounded(low * scale), _rounded(high * scale)],
            "n": self.score.rows,
            "groups": self.score.groups,
            "blind": None if self.blind is None else _rounded(self.blind.value * scale),
            **{name: _rounded(value * scale) for name, value in self.beside.items()},
            "published": [{"system": s, "value": value, "source": source} for s, value, source in self.published],
        }


@dataclass(frozen=True)
class Summary:
    """A run's numbers, and what they are of. skipped: what the benchmark could not read."""

    facts: Facts
    run: Mapping[str, Any]
    """What was asked of whom, `Play.description`."""
    lines: tuple[Line, ...]
    rows: int
    failures: tuple[Row, ...] = field(repr=False)
    skipped: tuple[Skipped, ...] = field(repr=False)
    not_learnt: bool = False
    """Whether a score near a baseline is called not learnt: only where a benchmark has baselines of its own."""
    remarks: tuple[str, ...] = ()
    """What a judge could not do."""

    @property
    def title(self) -> str:
        """The benchmark, the model and how it was asked, in words."""
        limit = "" if self.run["limit"] is None else f", at most {self.run['limit']} questions of each part"
        options = ", ".join(f"{name} {value}" for name, value in self.run["options"].items() if name != "notation")
        how = "given the right answers" if self.run["mode"] == FORCED else "answers generated"
        return f"{self.facts.title}: {self.run['model']}{', ' if options else ''}{options}{limit}, {how}"

    @property
    def columns(self) -> list[str]:
        """The names of the further columns, in order."""
        return list(dict.fromkeys(name for line in self.lines for name in line.beside))

    def note(self, line: Line) -> str:
        """What is to be said of a line: a floor reached or missed, a score near that of answers that do not look."""
        notes = []
        if (floor := line.beside.get("floor")) is not None:
            missed = floor - line.score.value
            notes.append("reached" if missed <= 0 else f"missed by {missed:.3f}")
        if self.not_learnt and line.near:
            notes.append(f"not learnt: near {', '.join(line.near)}")
        return "; ".join(notes)

    def left_out(self) -> Iterator[dict[str, str]]:
        """Every example that got no answer or could not be read, with the reason."""
        yield from ({"what": "failed", "where": row.id, "why": row.failure or ""} for row in self.failures)
        yield from ({"what": "skipped", "where": skipped.where, "why": skipped.why} for skipped in self.skipped)

    def to_json(self) -> dict[str, Any]:
        """All of it but the predictions, which are a file of their own beside the report."""
        return {
            "title": self.title,
            "run": dict(self.run),
            "rows": self.rows,
            "failed": len(self.failures),
            "skipped": len(self.skipped),
            "lines": [line.to_json() | {"note": self.note(line)} for line in self.lines],
            "metrics": {m.name: {"meaning": m.meaning, "official": m.official} for m in self.facts.metrics},
            "means": list(self.facts.means),
            "remarks": list(self.remarks),
        }


def summarise(
    one: Play,
    model: str,
    rows: Sequence[Row],
    skipped: Sequence[Skipped],
    blind: Sequence[Row] | None = None,
    beside: Mapping[str, Mapping[Cell, float]] | None = None,
    remarks: Sequence[str] = (),
) -> Summary:
    """The summary of all rows. blind: the rows of the model that sees nothing. beside: further columns."""
    facts = one.benchmark.facts
    return Summary(
        facts=facts,
        run=one.description(model),
        lines=tuple(_lines(facts, rows, blind, beside or {})),
        rows=len(rows),
        failures=tuple(row for row in rows if row.failure is not None),
        skipped=tuple(skipped),
        not_learnt=bool(beside),
        remarks=tuple(remarks),
    )


def value_of(metric: Metric, row: Row) -> float | None:
    """A metric of one row alone; None where the row is not of this metric."""
    single = score_of(metric, [row], draws=False)
    return None if single is None else single.value


def score_of(metric: Metric, rows: Sequence[Row], draws: bool = True) -> Score | None:
    """A metric of some rows; None where none of them is of it. draws: with an interval."""
    own = [(row.group, row.marks) for row in rows if all(row.marks.get(k) is not None for k in metric.keys if k)]
    if not own:
        return None
    if draws:
        return score(metric, own)
    (_, marks), *_ = own
    sums = [np.asarray([1.0 if key == "" else float(marks[key])]) for key in metric.keys]
    value = float(metric.of(*sums)[0])
    return Score(value, (value, value), 1, 1)


def _lines(
    facts: Facts, rows: Sequence[Row], blind: Sequence[Row] | None, beside: Mapping[str, Mapping[Cell, float]]
) -> Iterator[Line]:
    own, unseen = _by_part(facts, rows), _by_part(facts, blind or ())
    for part, some in own.items():
        for metric in facts.metrics:
            found = score_of(metric, some)
            if found is None:
                continue
            cell = (part, metric.name)
            yield Line(
                part,
                metric,
                found,
                None if blind is None else score_of(metric, unseen.get(part, ())),
                {name: column[cell] for name, column in beside.items() if cell in column},
                tuple(
                    (one.system, one.values[metric.name], one.source)
                    for one in facts.published
                    if one.part == part and metric.name in one.values
                ),
            )


def _by_part(facts: Facts, rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each part in order of their first, then of each union of parts that has rows of all of them."""
    parts: dict[str, list[Row]] = {}
    for row in rows:
        parts.setdefault(row.part, []).append(row)
    unions = {
        name: [row for row in rows if row.part in of] for name, of in facts.unions.items() if set(of) <= set(parts)
    }
    return parts | unions


def _rounded(value: float) -> float:
    return round(float(value), DIGITS)
