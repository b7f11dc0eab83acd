"""A run as a page: its numbers beside the papers', what they mean, and the worst and the best cases as pictures.

One HTML file that needs nothing else, in light and dark. Of a case, truth and answer are drawn side by side. What a
model or a data set says is text, never markup of the page.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from html import escape
from itertools import zip_longest
from pathlib import Path

from deixis.evaluation.benchmark import Example, Row
from deixis.evaluation.reports.example_samples import answer_sample, truth_sample
from deixis.evaluation.reports.summary import Line, Summary, value_of
from deixis.evaluation.reports.terminal_report import left_out_lines, number, numbers
from deixis.samples.media import in_its_place
from deixis.samples.sample import Sample
from deixis.visualize.samples.html_page import figures, marked_html, start_of_page

CASES = 12
"""So many of the worst, and of the best."""
CSS = """
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
th, td { padding: .3rem .8rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: normal; font-size: .85rem; }
td.number, th.number { text-align: right; white-space: nowrap; }
td.strong { font-weight: 600; }
td .number { background: none; color: inherit; }
ul { margin: .4rem 0; padding-left: 1.2rem; max-width: 60rem; }
.cards.cases { columns: 34rem; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .7rem; }
.pair h3, .marks { margin: 0 0 .3rem; font-size: .8rem; font-weight: 600; color: var(--soft); }
"""


@dataclass(frozen=True)
class Case:
    """One row that is drawn, with its example and its value of the part's first metric, as the table shows it."""

    example: Example
    row: Row
    marks: str


def chosen_rows(summary: Summary, rows: Sequence[Row]) -> dict[str, list[tuple[Row, str]]]:
    """The worst and the best rows, each with its value in words, parts in turns; what is alike by chance of its id.

    A row's value is that of the first metric that it has. Failures are listed elsewhere and not among them.
    """
    valued = [(row, value) for row in rows if row.failure is None and (value := _value(summary, row)) is not None]
    chosen: dict[str, list[tuple[Row, str]]] = {}
    taken: set[str] = set()
    for name, sign in (("worst", 1), ("best", -1)):
        by_part: dict[str, list[tuple[Row, str]]] = {}
        for row, (_, words) in sorted(valued, key=lambda item: (sign * item[1][0], _chance(item[0].id))):
            if row.id not in taken:
                by_part.setdefault(row.part, []).append((row, words))
        turns = (item for turn in zip_longest(*by_part.values()) for item in turn if item is not None)
        chosen[name] = [item for item, _ in zip(turns, range(min(CASES, (len(valued) + 1) // 2)), strict=False)]
        taken |= {row.id for row, _ in chosen[name]}
    return chosen


def write_report_page(
    path: Path, summary: Summary, chosen: Mapping[str, Sequence[tuple[Row, str]]], examples: Mapping[str, Example]
) -> Iterator[Case]:
    """Writes the page, whole or not at all, and yields each case once it is drawn. `examples` by id."""
    with in_its_place(path) as part, part.open("w", encoding="utf-8") as file:
        file.writelines(_head(summary))
        for name, items in chosen.items():
            if not items:
                continue
            file.write(f'<section><h2>{escape(name.capitalize())} cases</h2>\n<div class="cards cases">\n')
            for row, words in items:
                case = Case(examples[row.id], row, words)
                file.writelines(_article(case))
                yield case
            file.write("</div></section>\n")
        file.write("</main></body></html>\n")


def _value(summary: Summary, row: Row) -> tuple[float, str] | None:
    for metric in summary.facts.metrics:
        if (value := value_of(metric, row)) is not None:
            return value, f"{metric.name} {value * metric.scale:.3g}"
    return None


def _chance(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=8).digest()


def _head(summary: Summary) -> Iterator[str]:
    yield f"{start_of_page(summary.title, CSS)}<header>\n<h1>{escape(summary.title)}</h1>\n"
    yield f'<p class="soft">{summary.rows:,} questions; intervals hold 95 % of redraws of whole pictures</p>\n'
    for line in left_out_lines(summary, "left_out.jsonl"):
        yield f'<p class="warning">{escape(line)}</p>\n'
    yield "</header>\n<main>\n"
    yield from _table(summary)
    yield "<h2>What a score means</h2>\n<ul>\n"
    yield from (f"<li>{escape(sentence)}</li>\n" for sentence in summary.facts.means)
    for metric in _metrics(summary.lines):
        kind = "official" if metric.official else "ours"
        yield f"<li><b>{escape(metric.name)}</b> ({kind}): {escape(metric.meaning)}</li>\n"
    yield "</ul>\n"
    yield from _sources(summary.lines)


def _metrics(lines: Iterable[Line]) -> list:
    return list({line.metric.name: line.metric for line in lines}.values())


def _table(summary: Summary) -> Iterator[str]:
    lines, further = summary.lines, summary.columns
    systems = list(dict.fromkeys(system for line in lines for system, _, _ in line.published))
    blind = ["blind"] if any(line.blind is not None for line in lines) else []
    noted = ["note"] if any(map(summary.note, lines)) else []
    yield '<div class="wide"><table><thead><tr><th>part</th><th>metric</th><th></th>'
    yield from (f'<th class="number">{escape(n)}</th>' for n in ("score", "95 %", "n", *blind, *further, *systems))
    yield from (f"<th>{name}</th>" for name in noted)
    yield "</tr></thead>\n<tbody>\n"
    for line in lines:
        score, interval, count = numbers(line)
        printed = {system: f"{value:g}" for system, value, _ in line.published}
        cells = [interval, count]
        cells += [number(line, None if line.blind is None else line.blind.value) for _ in blind]
        cells += [number(line, line.beside.get(name)) for name in further]
        cells += [printed.get(system, "") for system in systems]
        yield f"<tr><td>{escape(line.part)}</td><td>{escape(line.metric.name)}</td><td>{line.kind}</td>"
        yield f'<td class="number strong">{score}</td>'
        yield from (f'<td class="number">{escape(cell)}</td>' for cell in cells)
        yield from (f"<td>{escape(summary.note(line))}</td>" for _ in noted)
        yield "</tr>\n"
    yield "</tbody></table></div>\n"


def _sources(lines: Iterable[Line]) -> Iterator[str]:
    """Where the papers' numbers are from."""
    sources = dict.fromkeys((system, source) for line in lines for system, _, source in line.published)
    if sources:
        yield "<h2>Published numbers</h2>\n<ul>\n"
        yield from (f"<li>{escape(system)}: {escape(source)}</li>\n" for system, source in sources)
        yield "</ul>\n"


def _article(case: Case) -> Iterator[str]:
    truth, answer = truth_sample(case.example), answer_sample(case.example, case.row)
    yield f'<article>\n<p class="marks">{escape(case.marks)}</p>\n'
    if _points(truth) or _points(answer):
        yield '<div class="pair">'
        for name, sample in (("truth", truth), ("answer", answer)):
            yield f"<div><h3>{name}</h3>\n"
            yield from figures(sample, sample.turns)
            yield "</div>\n"
        yield "</div>\n"
    else:
        yield from figures(truth, truth.turns)
    (turn,), (said,) = truth.turns, answer.turns
    yield f'<p class="question">{marked_html(turn.user)}</p>\n'
    yield f'<p class="answer">{marked_html(said.assistant) or "–"}</p>\n'
    right = " | ".join(map(marked_html, (turn.assistant, *turn.references)))
    yield f'<p class="besides">right: {right}</p>\n'
    marks = " · ".join(f"{name} {_short(value)}" for name, value in case.row.marks.items())
    facts = " · ".join((case.row.id, case.row.part))
    yield f'<p class="facts">{escape(facts)}<br>{escape(marks)}</p>\n</article>\n'


def _points(sample: Sample) -> bool:
    """Whether an answer has regions."""
    return "{" in sample.turns[0].assistant.replace("{{", "")


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)[:80]
