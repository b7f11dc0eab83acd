"""The report of a run in a terminal: a table by part and metric, and under it what its numbers mean."""

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.table import Table

from deixis.evaluation.reports.summary import Line, Summary

SHOWN = 5
"""Failures that are named; the rest is in a file."""
PUBLISHED_SHOWN = 2


def table(summary: Summary) -> Table:
    """Score with its interval, the papers' numbers and the columns of answers that do not look, where there are any."""
    lines, further = summary.lines, summary.columns
    kinds = len({line.kind for line in lines}) > 1
    blind = any(line.blind is not None for line in lines)
    published = any(line.published for line in lines)
    noted = any(map(summary.note, lines))
    shown = Table(title=summary.title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for column in ("part", "metric", *["kind"] * kinds):
        shown.add_column(column, no_wrap=True)
    for column in ("score", "95 %", "n", *["blind"] * blind, *further):
        shown.add_column(column, justify="right", no_wrap=True)
    for column in (*["published"] * published, *["note"] * noted):
        shown.add_column(column)
    for line in lines:
        shown.add_row(
            line.part,
            line.metric.name,
            *[line.kind] * kinds,
            *numbers(line),
            *[number(line, None if line.blind is None else line.blind.value)] * blind,
            *[number(line, line.beside.get(name)) for name in further],
            *[_published(line)] * published,
            *[summary.note(line)] * noted,
        )
    return shown


def numbers(line: Line) -> tuple[str, str, str]:
    """Score, interval and number of rows as they are shown: shares with three digits, per cent with one."""
    low, high = line.score.ci95
    exact = f"{line.score.value:.3f}" if line.metric.scale == 1 else number(line, line.score.value)
    return exact, f"{number(line, low)}–{number(line, high)}", str(line.score.rows)


def number(line: Line, value: float | None) -> str:
    """A value of the line's metric as it is shown; nothing for None."""
    if value is None:
        return ""
    return f"{value:.2f}" if line.metric.scale == 1 else f"{value * line.metric.scale:.1f}"


def below(summary: Summary) -> Iterator[str]:
    """The sentences under the table: what a score means, then the metrics."""
    yield from summary.facts.means
    for metric in summary.facts.metrics:
        if any(line.metric is metric for line in summary.lines):
            kind = "" if metric.official else " (ours, beside the official)"
            yield f"{metric.name}{kind}: {metric.meaning}"


def left_out_lines(summary: Summary, file: str) -> Iterator[str]:
    """What a judge could not do; how many examples failed or could not be read, the first few named."""
    yield from summary.remarks
    for what, count in (("failed", len(summary.failures)), ("skipped", len(summary.skipped))):
        if count:
            some = [one for one in summary.left_out() if one["what"] == what][:SHOWN]
            more = f"; and {count - SHOWN} more, all in {file}" if count > SHOWN else ""
            named = "; ".join(f"{one['where']}: {one['why']}" for one in some)
            words = "failed, counted as empty answers" if what == "failed" else "could not be read, counted nowhere"
            yield f"{count} {'example' if count == 1 else 'examples'} {words}: {named}{more}"


def _published(line: Line) -> str:
    some = [f"{system} {value:g}" for system, value, _ in line.published[:PUBLISHED_SHOWN]]
    more = len(line.published) - PUBLISHED_SHOWN
    return ", ".join(some) + (f", and {more} more" if more > 0 else "")
