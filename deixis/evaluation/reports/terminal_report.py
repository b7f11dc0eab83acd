"""The report of a run in a terminal: a table by part and metric, and below it what its numbers mean."""

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.table import Table

from deixis.evaluation.reports.summary import ScoreRow, Summary

MAX_NAMED = 5
"""Failed and skipped examples that are named; the others are in a file."""
MAX_PUBLISHED = 2


def score_table(summary: Summary) -> Table:
    """Scores with 95 % confidence intervals; blind scores, baselines and published scores if there are any."""
    rows, baselines = summary.scores, summary.columns
    origins = len({row.origin for row in rows}) > 1
    blind = any(row.blind is not None for row in rows)
    published = any(row.published for row in rows)
    noted = any(map(summary.note, rows))
    table = Table(title=summary.title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("part", "metric", *["origin"] * origins):
        table.add_column(column, no_wrap=True)
    for column in ("score", "95 % CI", "n", *["blind"] * blind, *baselines):
        table.add_column(column, justify="right", no_wrap=True)
    for column in (*["published"] * published, *["note"] * noted):
        table.add_column(column)
    for row in rows:
        table.add_row(
            row.part,
            row.metric.name,
            *[row.origin] * origins,
            *score_texts(row),
            *[value_text(row, None if row.blind is None else row.blind.value)] * blind,
            *[value_text(row, row.baselines.get(name)) for name in baselines],
            *[_published(row)] * published,
            *[summary.note(row)] * noted,
        )
    return table


def score_texts(row: ScoreRow) -> tuple[str, str, str]:
    """Score, confidence interval and number of examples as printed: fractions with 3 digits, per cent with 1."""
    low, high = row.score.ci95
    score = f"{row.score.value:.3f}" if row.metric.scale == 1 else value_text(row, row.score.value)
    return score, f"{value_text(row, low)}–{value_text(row, high)}", str(row.score.rows)


def value_text(row: ScoreRow, value: float | None) -> str:
    """A value of the row's metric as printed; empty for None."""
    if value is None:
        return ""
    return f"{value:.2f}" if row.metric.scale == 1 else f"{value * row.metric.scale:.1f}"


def notes_below(summary: Summary) -> Iterator[str]:
    """The sentences under the table: the benchmark's notes, then the meaning of each metric."""
    yield from summary.info.notes
    for metric in summary.info.metrics:
        if any(row.metric is metric for row in summary.scores):
            origin = "" if metric.official else " (ours, not in the official script)"
            yield f"{metric.name}{origin}: {metric.meaning}"


def skipped_lines(summary: Summary, file: str) -> Iterator[str]:
    """The judge's remarks; the numbers of failed and of skipped examples, the first few with reasons."""
    yield from summary.remarks
    failed = ("failed", "failed, scored as empty answers", len(summary.failures))
    skipped = ("skipped", "could not be read, excluded from all scores", len(summary.skipped))
    for what, how, count in (failed, skipped):
        if count:
            first = [record for record in summary.skipped_records() if record["what"] == what][:MAX_NAMED]
            more = f"; and {count - MAX_NAMED} more, all in {file}" if count > MAX_NAMED else ""
            named = "; ".join(f"{record['where']}: {record['why']}" for record in first)
            yield f"{count} {'example' if count == 1 else 'examples'} {how}: {named}{more}"


def _published(row: ScoreRow) -> str:
    first = [f"{system} {value:g}" for system, value, _ in row.published[:MAX_PUBLISHED]]
    more = len(row.published) - MAX_PUBLISHED
    return ", ".join(first) + (f", and {more} more" if more > 0 else "")
