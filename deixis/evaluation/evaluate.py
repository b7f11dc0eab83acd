"""An evaluation from questions to report: ask, score, summarise and write everything into one folder.

OUT/rows, OUT/blind/rows   the results, block by block (`runner`)
OUT/predictions.jsonl      all results in order, with corpus metrics
OUT/skipped.jsonl          failed and skipped examples
OUT/report.json            the scores
OUT/report.html            the same, with drawn cases
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from deixis.errors import InputError
from deixis.evaluation.benchmark import (
    JUDGE_PREFIX,
    BenchmarkWithBaselines,
    Cell,
    Example,
    ExampleResult,
    JudgedBenchmark,
    corpus_metrics,
)
from deixis.evaluation.reports.report_page import select_cases, write_report_page
from deixis.evaluation.reports.summary import Summary, summarise
from deixis.evaluation.runner import EvaluatedModel, EvaluationRun, examples, run_examples, write_json_lines
from deixis.inference import Model
from deixis.model import DeixisProcessor
from deixis.model.prepared import Prepared
from deixis.signals import MODALITIES, Signal

PREDICTIONS, SKIPPED, REPORT, PAGE = "predictions.jsonl", "skipped.jsonl", "report.json", "report.html"
BLIND = "blind"


def count_examples(run: EvaluationRun) -> int:
    """The number of examples of a run, in one pass over the files.

    Raises InputError: there is none (the message holds the first reason), or a required file is missing.
    """
    count, skipped, first = 0, 0, None
    for example in examples(run):
        if isinstance(example, Example):
            count += 1
        else:
            skipped, first = skipped + 1, first or example
    if not count:
        why = f"; the first: {first.where}: {first.why}" if first else ""
        raise InputError(f"{run.data}: found no question of {run.benchmark.info.name}, {skipped} unreadable{why}")
    return count


def evaluate(
    run: EvaluationRun,
    model: EvaluatedModel,
    blind: EvaluatedModel | None,
    folder: Path,
    progress: Any,
    count: int | None,
    columns: Mapping[str, Mapping[Cell, float]] | None = None,
) -> Summary:
    """The summary of a run, all its examples asked or found in `folder`; writes the files of the report.

    blind: the model with its signals blanked, for a second column. progress: `.stage(title, total)` and
    `.advance(count)`. count: the number of examples, if known. columns: further columns of the table, such as scores of
    another model, in place of the benchmark's baselines.
    """
    progress.stage("asking", count)
    rows, skipped = run_examples(run, model, folder, progress.advance)
    rows, remarks = _with_corpus_metrics(run, rows, folder, progress)
    blind_rows = None
    if blind is not None:
        progress.stage("asking the blind model", count)
        blind_rows, _ = run_examples(run, blind, folder / BLIND, progress.advance)
        blind_rows, _ = _with_corpus_metrics(run, blind_rows, folder / BLIND, progress)
    columns = _baselines(run, progress) if columns is None else columns
    summary = summarise(run, model.name, rows, skipped, blind_rows, columns, remarks)
    write_json_lines(folder / PREDICTIONS, (asdict(row) for row in rows))
    write_json_lines(folder / SKIPPED, summary.skipped_records())
    _draw(run, summary, rows, folder, progress)
    write_json_lines(folder / REPORT, [summary.to_json()], indent=1)
    return summary


def _with_corpus_metrics(
    run: EvaluationRun, rows: Sequence[ExampleResult], folder: Path, progress: Any
) -> tuple[Sequence[ExampleResult], Sequence[str]]:
    """The results with the metrics that depend on all of them and a judge's, and the judge's remarks."""
    rows = corpus_metrics(run.benchmark, rows)
    if not isinstance(run.benchmark, JudgedBenchmark):
        return rows, ()
    progress.stage("judging", None)
    options = {name: value for name, value in run.options.items() if name.startswith(JUDGE_PREFIX)}
    return run.benchmark.judge(rows, options, folder)


def _baselines(run: EvaluationRun, progress: Any) -> Mapping[str, Mapping[Cell, float]]:
    if not isinstance(run.benchmark, BenchmarkWithBaselines):
        return {}
    progress.stage("scoring constant answers", None)
    return run.benchmark.baselines([example for example in examples(run) if isinstance(example, Example)])


def _draw(run: EvaluationRun, summary: Summary, rows: Sequence[ExampleResult], folder: Path, progress: Any) -> None:
    cases = select_cases(summary, rows)
    ids = {row.id for chosen in cases.values() for row, _ in chosen}
    progress.stage("drawing the report", len(ids))
    by_id = {e.id: e for e in examples(run) if isinstance(e, Example) and e.id in ids}
    for _ in write_report_page(folder / PAGE, summary, cases, by_id):
        progress.advance(1)


class BlindProcessor(DeixisProcessor):
    """A processor that blanks every signal."""

    def prepare(self, signal: Signal) -> Prepared:
        return blanked(super().prepare(signal), self.spec(signal.modality))


def blanked(prepared: Prepared, spec: Any) -> Prepared:
    """The same preparation with values that carry no information; `spec` is how its modality is prepared."""
    sam = prepared.sam and replace(prepared.sam, values=np.zeros_like(prepared.sam.values))
    values = MODALITIES[prepared.modality].blank(prepared.values, spec)
    return replace(prepared, values=values, sam=sam)


def blind(model: Model) -> Model:
    """The same model with every signal blanked."""
    processor = BlindProcessor.__new__(BlindProcessor)
    processor.__dict__ |= model.processor.__dict__  # shares every field, so that nothing is built or loaded again
    return Model(model.network, processor, model.name)
