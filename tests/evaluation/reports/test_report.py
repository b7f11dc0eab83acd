"""The summary and the report: what stands beside a score, which notes it gets, and that nothing goes uncounted."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from deixis.evaluation.benchmark import GENERATED, TEACHER_FORCED, BenchmarkInfo, ExampleResult, PublishedScore
from deixis.evaluation.metrics.aggregation import Score, mean
from deixis.evaluation.reports import terminal_report as report
from deixis.evaluation.reports.report_page import write_report_page
from deixis.evaluation.reports.summary import BEFORE, ScoreRow, summarise
from deixis.evaluation.runner import EvaluationRun
from deixis.samples.sample import Skipped

INFO = BenchmarkInfo(
    name="shapes",
    title="Shapes",
    required_files=(),
    metrics=(
        mean("accuracy", "correct", "share of right answers"),
        mean("strict accuracy", "strict", "the same, where the answer holds nothing else", official=False),
        mean("cIoU", "intersection", "all that is shared over all unions", "union"),
    ),
    notes=("The first of several texts is asked.",),
    published=(
        PublishedScore("Paper-7B", "val", {"accuracy": 71.5}, "A paper, table 2"),
        PublishedScore("Other-7B", "test", {"accuracy": 12.0}, "Another paper"),
    ),
    combined_parts={"all of it": ("val", "test"), "with a part that is not here": ("val", "dev")},
)


class Shapes:
    info = INFO

    def examples(self, data, options):
        yield from ()

    def example_metrics(self, example, answer):
        return {}


def row(number, part, failure=None, **metrics):
    return ExampleResult(f"{part}/{number}", part, f"picture {number // 2}", "What?", {}, "", metrics, failure)


ROWS = [
    row(0, "val", correct=True, strict=False),
    row(1, "val", correct=True, strict=True),
    row(2, "val", correct=False, strict=False, failure="the file is broken"),
    row(3, "val", correct=True, strict=False),
    row(4, "test", correct=False, strict=None, intersection=2, union=8),
    row(5, "test", correct=True, strict=None, intersection=2, union=2),
]


def summary(rows=ROWS, mode=GENERATED, limit=None, **others):
    return summarise(
        EvaluationRun(Shapes(), Path("files"), {"text": "first"}, mode, limit), "toy", rows, **{"skipped": ()} | others
    )


def test_rows_of_parts_and_combined_parts():
    lines = {(line.part, line.metric.name): line for line in summary().scores}
    assert list(lines) == [
        ("val", "accuracy"),
        ("val", "strict accuracy"),
        ("test", "accuracy"),
        ("test", "cIoU"),
        ("all of it", "accuracy"),
        ("all of it", "strict accuracy"),
        ("all of it", "cIoU"),
    ]
    assert lines["val", "accuracy"].score.value == 0.75
    assert lines["val", "accuracy"].score.groups == 2
    assert lines["test", "cIoU"].score.value == 0.4
    assert lines["all of it", "accuracy"].score.rows == 6
    assert lines["all of it", "strict accuracy"].score.rows == 4, "rows without the mark are not of the metric"


def test_json_has_scaled_and_published_scores():
    report_json = summary().to_json()
    first = report_json["scores"][0]
    assert first["score"] == 75.0
    assert first["ci95"][0] <= 75.0 <= first["ci95"][1] <= 100
    assert (first["origin"], report_json["scores"][1]["origin"]) == ("official", "ours")
    assert first["published"] == [{"system": "Paper-7B", "value": 71.5, "source": "A paper, table 2"}]
    assert report_json["scores"][1]["published"] == []
    assert (report_json["rows"], report_json["failed"], report_json["skipped"]) == (6, 1, 0)
    assert report_json["notes"] == ["The first of several texts is asked."]


def test_blind_and_baseline_columns():
    blind = [row(n, "val", correct=False, strict=False) for n in range(4)]
    found = summary(
        blind=blind, baselines={"majority": {("val", "accuracy"): 0.7}, "floor": {("val", "accuracy"): 0.8}}
    )
    first = found.scores[0].to_json()
    assert (first["blind"], first["majority"], first["floor"]) == (0.0, 70.0, 80.0)
    assert found.note(found.scores[0]) == "missed by 0.050; not learnt: near majority"
    assert found.scores[2].blind is None, "the blind model was not asked this part"
    assert found.columns == ["majority", "floor"]


@pytest.mark.parametrize(
    ("blind", "baselines", "note"),
    [
        pytest.param(0.1, {"majority": 0.5}, "", id="learnt"),
        pytest.param(0.7, {}, "not learnt: near blind", id="near_blind"),
        pytest.param(0.9, {"majority": 0.95}, "not learnt: near blind, majority", id="worse_than_both"),
        pytest.param(0.1, {"floor": 0.75}, "reached", id="reached"),
        pytest.param(0.1, {"floor": 0.775}, "missed by 0.025", id="missed"),
        pytest.param(0.7, None, "", id="a_benchmark_without_baselines_says_nothing"),
    ],
)
def test_notes(blind, baselines, note):
    unseen = [row(n, "val", correct=n < 100 * blind) for n in range(100)]
    columns = None if baselines is None else {name: {("val", "accuracy"): v} for name, v in baselines.items()}
    columns = {"other": {}} if columns == {} else columns
    found = summary(blind=unseen, baselines=columns)
    assert found.note(found.scores[0]) == note


def printed(found):
    console = Console(width=150, file=io.StringIO(), record=True)
    console.print(report.score_table(found))
    return console.export_text()


def test_terminal_table():
    text = printed(summary(limit=4))
    assert "Shapes: toy, text first, at most 4 questions per part, answers generated" in " ".join(text.split())
    assert summary(mode=TEACHER_FORCED).title.endswith("answers teacher-forced")
    first, second = [line.split() for line in text.splitlines() if line.strip().startswith("val")]
    assert first[:4] == ["val", "accuracy", "official", "75.0"]
    assert first[-2:] == ["Paper-7B", "71.5"]
    assert second[:4] == ["val", "strict", "accuracy", "ours"]
    assert "blind" not in text
    assert "note" not in text


def test_notes_below_the_table():
    assert list(report.notes_below(summary())) == [
        "The first of several texts is asked.",
        "accuracy: share of right answers",
        "strict accuracy (ours, not in the official script): the same, where the answer holds nothing else",
        "cIoU: all that is shared over all unions",
    ]


def test_skipped_and_failed_lines():
    found = summary(skipped=[Skipped(f"val.json record {n}", "no picture") for n in range(7)], remarks=["no judge"])
    lines = list(report.skipped_lines(found, "out/skipped.jsonl"))
    assert lines[0] == "no judge"
    assert lines[1] == "1 example failed, scored as empty answers: val/2: the file is broken"
    assert lines[2].startswith(
        "7 examples could not be read, excluded from all scores: val.json record 0: no picture; "
    )
    assert lines[2].endswith("and 2 more, all in out/skipped.jsonl")
    assert [one["what"] for one in found.skipped_records()] == ["failed"] + ["skipped"] * 7
    assert list(report.skipped_lines(summary(ROWS[:2]), "x")) == []


def test_no_style_of_regions_reaches_the_table(tmp_path):
    """A label of a region is a coloured chip; a cell that shared its class was drawn as one, outside its column."""
    assert list(write_report_page(tmp_path / "report.html", summary(), {}, {})) == []
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    cells = {word for words in re.findall(r'<t[dh] class="([^"]+)"', page) for word in words.split()}
    styled = re.findall(r"^([^{}@\n]*)\{[^}]*\bdisplay:", page, re.MULTILINE)
    assert "number" in cells
    assert any(".chip" in selector for selector in styled)
    assert not any(re.search(rf"\.{cell}\b", selector) for selector in styled for cell in cells)


@pytest.mark.parametrize(
    ("before", "change"),
    [
        pytest.param(0.3, "rose", id="below_the_interval"),
        pytest.param(0.5, "", id="inside"),
        pytest.param(0.9, "fell", id="above"),
        pytest.param(None, "", id="unknown"),
    ],
)
def test_a_change_counts_beyond_the_interval(before, change):
    metric = mean("IoU", "iou", "its meaning", official=False)
    columns = {} if before is None else {BEFORE: before}
    row = ScoreRow("part", metric, Score(0.6, (0.4, 0.8), 10, 10), baselines=columns)
    assert row.change == change
