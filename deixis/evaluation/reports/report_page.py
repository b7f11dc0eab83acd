"""The report of a run as a page: scores beside published ones, what they mean, and the worst and best cases, drawn.

One self-contained HTML file, light and dark. Ground truth and answer of a case are drawn side by side. Text of a model
or a data set is escaped, never markup of the page.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from html import escape
from itertools import zip_longest
from pathlib import Path

from deixis.evaluation.benchmark import Example, ExampleResult
from deixis.evaluation.reports.example_samples import answer_sample, ground_truth_sample
from deixis.evaluation.reports.summary import ScoreRow, Summary, example_value
from deixis.evaluation.reports.terminal_report import score_texts, skipped_lines, value_text
from deixis.files.whole import whole_file
from deixis.samples.sample import Sample
from deixis.visualize.samples.html_page import figures, marked_html, start_of_page

CASES = 12
"""The number of worst and of best cases."""
CSS = """
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
th, td { padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: normal; font-size: .85rem; }
td.number, th.number { text-align: right; white-space: nowrap; }
td.strong { font-weight: 600; }
ul { margin: .4rem 0; padding-left: 1.2rem; max-width: 60rem; }
.cards.cases { columns: 34rem; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .7rem; }
.pair h3, .metrics { margin: 0 0 .3rem; font-size: .8rem; font-weight: 600; color: var(--soft); }
"""


def select_cases(summary: Summary, rows: Sequence[ExampleResult]) -> dict[str, list[tuple[ExampleResult, str]]]:
    """The worst and the best results, each with the text of its score, alternating between the parts.

    A result's score is its value of the first metric that is defined for it; equal scores are ordered by a hash of the
    id. Failures are listed elsewhere.
    """
    scored = [(row, score) for row in rows if row.failure is None and (score := _score(summary, row)) is not None]
    cases: dict[str, list[tuple[ExampleResult, str]]] = {}
    taken: set[str] = set()
    for name, sign in (("worst", 1), ("best", -1)):
        by_part: dict[str, list[tuple[ExampleResult, str]]] = {}
        for row, (_, text) in sorted(scored, key=lambda item: (sign * item[1][0], _hash(item[0].id))):
            if row.id not in taken:
                by_part.setdefault(row.part, []).append((row, text))
        turns = (item for turn in zip_longest(*by_part.values()) for item in turn if item is not None)
        cases[name] = [item for item, _ in zip(turns, range(min(CASES, (len(scored) + 1) // 2)), strict=False)]
        taken |= {row.id for row, _ in cases[name]}
    return cases


def write_report_page(
    path: Path,
    summary: Summary,
    cases: Mapping[str, Sequence[tuple[ExampleResult, str]]],
    examples: Mapping[str, Example],
) -> Iterator[ExampleResult]:
    """Writes the page, complete or not at all, and yields the result of each case once drawn. examples: by id."""
    with whole_file(path) as part, part.open("w", encoding="utf-8") as file:
        file.writelines(_head(summary))
        for name, items in cases.items():
            if not items:
                continue
            file.write(f'<section><h2>{escape(name.capitalize())} cases</h2>\n<div class="cards cases">\n')
            for row, score in items:
                file.writelines(_article(examples[row.id], row, score))
                yield row
            file.write("</div></section>\n")
        file.write("</main></body></html>\n")


def _score(summary: Summary, row: ExampleResult) -> tuple[float, str] | None:
    for metric in summary.info.metrics:
        if (value := example_value(metric, row)) is not None:
            return value, f"{metric.name} {value * metric.scale:.3g}"
    return None


def _hash(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=8).digest()


def _head(summary: Summary) -> Iterator[str]:
    yield f"{start_of_page(summary.title, CSS)}<header>\n<h1>{escape(summary.title)}</h1>\n"
    yield f'<p class="soft">{summary.rows:,} questions; 95 % confidence intervals by bootstrap over groups of examples '
    yield "(such as all questions about one image)</p>\n"
    for line in skipped_lines(summary, "skipped.jsonl"):
        yield f'<p class="warning">{escape(line)}</p>\n'
    yield "</header>\n<main>\n"
    yield from _table(summary)
    yield "<h2>What a score means</h2>\n<ul>\n"
    yield from (f"<li>{escape(sentence)}</li>\n" for sentence in summary.info.notes)
    for metric in {row.metric.name: row.metric for row in summary.scores}.values():
        origin = "official" if metric.official else "ours"
        yield f"<li><b>{escape(metric.name)}</b> ({origin}): {escape(metric.meaning)}</li>\n"
    yield "</ul>\n"
    yield from _sources(summary.scores)


def _table(summary: Summary) -> Iterator[str]:
    rows, baselines = summary.scores, summary.columns
    systems = list(dict.fromkeys(system for row in rows for system, _, _ in row.published))
    blind = ["blind"] if any(row.blind is not None for row in rows) else []
    noted = ["note"] if any(map(summary.note, rows)) else []
    yield '<div class="wide"><table><thead><tr><th>part</th><th>metric</th><th>origin</th>'
    yield from (f'<th class="number">{escape(n)}</th>' for n in ("score", "95 % CI", "n", *blind, *baselines, *systems))
    yield from (f"<th>{name}</th>" for name in noted)
    yield "</tr></thead>\n<tbody>\n"
    for row in rows:
        score, interval, count = score_texts(row)
        printed = {system: f"{value:g}" for system, value, _ in row.published}
        cells = [interval, count]
        cells += [value_text(row, None if row.blind is None else row.blind.value) for _ in blind]
        cells += [value_text(row, row.baselines.get(name)) for name in baselines]
        cells += [printed.get(system, "") for system in systems]
        yield f"<tr><td>{escape(row.part)}</td><td>{escape(row.metric.name)}</td><td>{row.origin}</td>"
        yield f'<td class="number strong">{score}</td>'
        yield from (f'<td class="number">{escape(cell)}</td>' for cell in cells)
        yield from (f"<td>{escape(summary.note(row))}</td>" for _ in noted)
        yield "</tr>\n"
    yield "</tbody></table></div>\n"


def _sources(rows: Iterable[ScoreRow]) -> Iterator[str]:
    sources = dict.fromkeys((system, source) for row in rows for system, _, source in row.published)
    if sources:
        yield "<h2>Published scores</h2>\n<ul>\n"
        yield from (f"<li>{escape(system)}: {escape(source)}</li>\n" for system, source in sources)
        yield "</ul>\n"


def _article(example: Example, row: ExampleResult, score: str) -> Iterator[str]:
    ground_truth, answer = ground_truth_sample(example), answer_sample(example, row)
    yield f'<article>\n<p class="metrics">{escape(score)}</p>\n'
    if _has_regions(ground_truth) or _has_regions(answer):
        yield '<div class="pair">'
        for name, sample in (("ground truth", ground_truth), ("answer", answer)):
            yield f"<div><h3>{name}</h3>\n"
            yield from figures(sample, sample.turns)
            yield "</div>\n"
        yield "</div>\n"
    else:
        yield from figures(ground_truth, ground_truth.turns)
    (expected,), (given,) = ground_truth.turns, answer.turns
    yield f'<p class="question">{marked_html(expected.user)}</p>\n'
    yield f'<p class="answer">{marked_html(given.assistant) or "–"}</p>\n'
    references = " | ".join(map(marked_html, (expected.assistant, *expected.references)))
    yield f'<p class="besides">expected: {references}</p>\n'
    metrics = " · ".join(f"{name} {_short(value)}" for name, value in row.metrics.items())
    yield f'<p class="facts">{escape(f"{row.id} · {row.part}")}<br>{escape(metrics)}</p>\n</article>\n'


def _has_regions(sample: Sample) -> bool:
    return "{" in sample.turns[0].assistant.replace("{{", "")


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:80]
