"""The report: what it says of a score, its JSON, and files that are whole or not there."""

import json

import pytest
from rich.console import Console

from deixis.evaluate.loop import TaskResult
from deixis.evaluate.report import Report, floor_note, learning_note, write_json, write_lines


def result(score, blind=None, majority=None, floor=None):
    return TaskResult(score, 4, (score - 0.1, score + 0.1), blind, majority, "name", floor, (), ())


@pytest.mark.parametrize(
    ("score", "blind", "majority", "note"),
    [
        pytest.param(0.9, 0.1, 0.5, "", id="learnt"),
        pytest.param(0.9, None, None, "", id="no_baseline"),
        pytest.param(0.2, 0.1, None, "not learnt: near blind", id="at_the_border"),
        pytest.param(0.5, 0.1, 0.5, "not learnt: near majority", id="as_a_constant"),
        pytest.param(0.1, 0.3, 0.5, "not learnt: near blind, majority", id="worse_than_both"),
    ],
)
def test_what_lies_near_a_baseline_is_not_learnt(score, blind, majority, note):
    assert learning_note(result(score, blind, majority)) == note


@pytest.mark.parametrize(
    ("score", "floor", "note"),
    [
        pytest.param(0.1, None, "", id="no_floor"),
        pytest.param(0.70, 0.70, "reached", id="reached"),
        pytest.param(0.675, 0.70, "missed by 0.025", id="missed"),
    ],
)
def test_floors_are_marked(score, floor, note):
    assert floor_note(result(score, floor=floor)) == note


def test_json_and_table():
    seeds = {"split": "test", "first": 3, "last": 9}
    report = Report({"region_name": result(0.123456, 0.1, None, 0.7)}, seeds, "toy")
    assert report.to_json() == {
        "tasks": {"region_name": {"score": 0.1235, "n": 4, "ci95": [0.0235, 0.2235], "blind": 0.1, "majority": None}},
        "seeds": seeds,
        "model": "toy",
    }
    console = Console(width=144, record=True, quiet=True)
    console.print(report.table())
    assert report.failures() == []


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "out.json"
    write_json({"score": 1}, path)

    def broken():
        yield "half"
        raise KeyError("stop")

    with pytest.raises(KeyError, match="stop"):
        write_lines(broken(), path)
    assert json.loads(path.read_text()) == {"score": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["out.json"]
