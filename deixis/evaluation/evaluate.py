"""A benchmark's run from questions to report: asked, finished, summed up and written down in one folder.

OUT/rows, OUT/blind/rows   the rows, block by block (`playing`)
OUT/predictions.jsonl      all rows in order, with the marks that need all of them
OUT/left_out.jsonl         what failed and what could not be read
OUT/report.json            the numbers
OUT/report.html            the same, with pictures
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deixis.errors import InputError
from deixis.evaluation.benchmark import JUDGE, Example, Judged, Row
from deixis.evaluation.reports.report_page import chosen_rows, write_report_page
from deixis.evaluation.reports.summary import Summary, WithBaselines, summarise
from deixis.evaluation.runner import Asked, Play, examples, play
from deixis.samples.media import in_its_place

PREDICTIONS, LEFT_OUT, REPORT, PAGE = "predictions.jsonl", "left_out.jsonl", "report.json", "report.html"
BLIND = "blind"


def count_examples(one: Play) -> int:
    """How many questions a run asks, in one pass over the files.

    Raises ValueError where there is none, with the first reason why, and where a file that is needed is missing.
    """
    count, skipped, first = 0, 0, None
    for example in examples(one):
        if isinstance(example, Example):
            count += 1
        else:
            skipped, first = skipped + 1, first or example
    if not count:
        why = f"; the first: {first.where}: {first.why}" if first else ""
        raise InputError(f"{one.data}: found no question of {one.benchmark.facts.name}, {skipped} unreadable{why}")
    return count


def evaluate(one: Play, player: Asked, blind: Asked | None, folder: Path, progress: Any, count: int | None) -> Summary:
    """The summary of a run, all its rows asked or found in `folder`; writes the files of the report.

    blind: a player that sees nothing, for a second column. progress: `.stage(title, total)` and `.advance(count)`.
    count: how many questions there are, where that is known.
    """
    progress.stage("asking", count)
    rows, skipped = play(one, player, folder, progress.advance)
    rows, remarks = _finished(one, rows, folder, progress)
    unseen = None
    if blind is not None:
        progress.stage("asking the blind model", count)
        unseen, _ = play(one, blind, folder / BLIND, progress.advance)
        unseen, _ = _finished(one, unseen, folder / BLIND, progress)
    summary = summarise(one, player.name, rows, skipped, unseen, _beside(one, progress), remarks)
    _write_lines(folder / PREDICTIONS, (asdict(row) for row in rows))
    _write_lines(folder / LEFT_OUT, summary.left_out())
    _draw(one, summary, rows, folder, progress)
    _write_lines(folder / REPORT, [summary.to_json()], indent=1)
    return summary


def _finished(one: Play, rows: Sequence[Row], folder: Path, progress: Any) -> tuple[Sequence[Row], Sequence[str]]:
    """The rows with the marks that need all of them, and a judge's where there is one, with what it has to say."""
    rows = one.benchmark.finish(rows)
    if not isinstance(one.benchmark, Judged):
        return rows, ()
    progress.stage("judging", None)
    return one.benchmark.judge(rows, {k: v for k, v in one.options.items() if k.startswith(JUDGE)}, folder)


def _beside(one: Play, progress: Any) -> Mapping[str, Mapping[tuple[str, str], float]]:
    if not isinstance(one.benchmark, WithBaselines):
        return {}
    progress.stage("finding what constant answers score", None)
    return one.benchmark.baselines([example for example in examples(one) if isinstance(example, Example)])


def _draw(one: Play, summary: Summary, rows: Sequence[Row], folder: Path, progress: Any) -> None:
    chosen = chosen_rows(summary, rows)
    wanted = {row.id for items in chosen.values() for row, _ in items}
    progress.stage("drawing the report", len(wanted))
    found = {e.id: e for e in examples(one) if isinstance(e, Example) and e.id in wanted}
    for _ in write_report_page(folder / PAGE, summary, chosen, found):
        progress.advance(1)


def _write_lines(path: Path, records: Iterable[Mapping[str, Any]], indent: int | None = None) -> None:
    with in_its_place(path) as part, part.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(record, ensure_ascii=False, indent=indent) + "\n" for record in records)
