"""Progress where stderr is no terminal: lines now and then, none for a short run."""

import time

from deixis.cli import progress
from deixis.cli.progress import Bars, Stages


def test_a_line_is_printed_now_and_then(monkeypatch, capsys):
    monkeypatch.setattr(progress, "EVERY_S", 0.02)
    with Stages() as stages:
        stages.stage("questions", 70)
        stages.advance(3)
        time.sleep(0.3)
    with Bars(in_bytes=True) as bars:
        bars.update(bars.add_task("weights", total=13_500_000_000), completed=1_200_000_000)
        bars.add_task("opening", total=None)
        time.sleep(0.3)
    out, err = capsys.readouterr()
    assert out == ""
    assert set(err.splitlines()) == {"questions: 3 of 70", "weights: 1.2 GB of 13.5 GB, opening"}


def test_a_short_run_prints_nothing(capsys):
    with Stages() as stages:
        stages.stage("questions", 70)
        stages.advance(70)
    assert capsys.readouterr() == ("", "")
