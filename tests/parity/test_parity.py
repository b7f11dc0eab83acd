"""Everything that an official system computed, computed by ours from the same weights, through `deixis convert`.

One loop for all systems. A system is one file beside this one: SOURCES (files that a conversion reads), GIVEN (entries
that are inputs), LEFT (entries that are not recomputed, with the reason) and `checks`. The report ends the run.
"""

import json
from pathlib import Path

import pytest

from tests.parity import ferret, lisa, onellm, pointmlp
from tests.parity.golden import Check, Golden

SYSTEMS = {"onellm": onellm, "ferret": ferret, "lisa": lisa, "pointmlp": pointmlp}


def test_recorded_results_are_reproduced(golden_folder: Path, tmp_path: Path, report: list[str]):
    name = json.loads((golden_folder / "golden.json").read_text(encoding="utf-8"))["system"]
    system = SYSTEMS[name]
    golden = Golden(golden_folder, system.SOURCES)
    report += ["", f"parity: {golden_folder} ({name})", f"{'name':<52} {'shape':<18} {'error':<9} {'tolerance':<9}"]
    lines = []
    try:
        for check in system.checks(golden, tmp_path):
            if isinstance(check, str):
                report.append(check)
                continue
            lines.append(golden.compare(check))
            report.append(str(lines[-1]))
    finally:
        uncovered = golden.uncovered(system.GIVEN, system.LEFT)
        report.append(
            f"{len(lines)} checks, {sum(line.passed for line in lines)} passed; {len(golden.entries)} entries"
        )
        report += [f"  input: {_short(names)} ({why})" for why, names in golden.listed(system.GIVEN).items()]
        report += [f"  not recomputed: {_short(names)} ({why})" for why, names in golden.listed(system.LEFT).items()]
        report += [f"  NOT COVERED: {entry}" for entry in uncovered]
    failed = [str(line) for line in lines if not line.passed]
    assert lines
    assert not failed, "\n".join(failed)
    assert not uncovered, f"entries that nothing recomputes: {', '.join(uncovered)}"


def _short(names: list[str]) -> str:
    return ", ".join(names if len(names) <= 4 else [*names[:3], f"and {len(names) - 3} more"])


@pytest.fixture
def small(tmp_path) -> Golden:
    (tmp_path / "golden.json").write_text('{"system": "none"}')
    stored = {"a": {"b": [1, 2.5], "c": "text"}, "rows": [{"x": 1}, {"x": None}], "note": "why"}
    (tmp_path / "cases.json").write_text(json.dumps(stored))
    return Golden(tmp_path, ())


@pytest.mark.parametrize(
    ("check", "passed"),
    [
        pytest.param(Check("cases/a/c", "text"), True, id="text"),
        pytest.param(Check("cases/a/c", "Text"), False, id="other_text"),
        pytest.param(Check("cases/a", {"b": [1, 2.5], "c": "text"}), True, id="all_below"),
        pytest.param(Check("cases/rows/0/x", 1.05, 0.1), True, id="near_enough"),
        pytest.param(Check("cases/rows/0/x", 1.2, 0.1), False, id="too_far"),
        pytest.param(Check("cases/rows/0/x", float("nan"), 0.1), False, id="not_a_number"),
        pytest.param(Check("cases/rows/0/x", [1.0, 1.0], 0.1), False, id="another_shape"),
        pytest.param(Check("cases/rows/2/x", 1), False, id="no_such_entry"),
    ],
)
def test_comparing(small, check, passed):
    assert small.compare(check).passed is passed


def test_what_is_not_recomputed_is_noticed(small):
    small.compare(Check("cases/a", {"b": [1, 2.5], "c": "text"}))
    assert small.uncovered({"cases/rows/*": "an input"}, {}) == ["cases/note"]
    assert small.uncovered({"cases/rows/*": "an input"}, {"cases/note": "words"}) == []
    assert small.listed({"cases/*": "an input"}) == {"an input": ["cases/rows/0/x", "cases/rows/1/x", "cases/note"]}
