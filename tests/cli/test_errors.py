"""A bug injected at each place that questions and files go through is reported as a bug, never as a user error."""

import io
import json

import pytest

from deixis.cli import main

ZIP = "zip() argument 2 is shorter than argument 1"


def fail(*arguments, **options):
    list(zip([1, 2], [1], strict=True))


PLACES = [
    pytest.param("deixis.geometry.check_region", id="region"),
    pytest.param("deixis.signals.image.upright", id="reading_a_file"),
    pytest.param("deixis.model.processor.DeixisProcessor.prepare", id="preparing"),
]


@pytest.mark.parametrize("place", PLACES)
def test_a_bug_while_asking(place, command, scene, monkeypatch):
    monkeypatch.setattr(place, fail)
    code, out, err = command("ask", scene, "What is {0}?", "--box", "33,329,143,434")
    assert (code, out) == (1, "")
    assert f"ValueError: {ZIP}" in err
    assert err.splitlines()[-1].startswith("deixis: this is a bug of Deixis")


def test_a_bug_of_a_chat_ends_it(command, scene, bundled, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("What is this?\nAnd now?\n"))
    monkeypatch.setattr("deixis.inference.chat.Chat.ask", fail)
    code, _, err = command("chat", scene)
    assert code == 1
    assert err.count(ZIP) == 1


def test_a_bug_of_an_evaluation_stops_it(command, bundled, tmp_path, monkeypatch):
    monkeypatch.setattr(bundled, "answer", fail)
    words = ("eval", "world", "--tasks", "count", "--limit", "2", "--no-blind", "--out", tmp_path / "run")
    code, _, err = command(*words)
    assert code == 1
    assert f"ValueError: {ZIP}" in err
    assert not list((tmp_path / "run").glob("rows/*.jsonl"))


def test_a_bug_while_samples_are_checked(tmp_path, monkeypatch, capsys):
    head = {"version": 1, "id": "a", "source": "mine", "task": "talk", "split": "train", "licence": "CC0-1.0"}
    turns = [{"user": "Hello", "assistant": "Hello."}]
    record = {**head, "author": "person", "signals": [], "regions": [], "turns": turns}
    (tmp_path / "a.jsonl").write_text(json.dumps(record) + "\n")
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["data", "check", str(tmp_path / "a.jsonl")])
    monkeypatch.setattr("deixis.samples.validate.check_turn", fail)
    with pytest.raises(SystemExit, match=r"^1$"):
        main(["data", "check", str(tmp_path / "a.jsonl")])
    assert "this is a bug of Deixis" in capsys.readouterr().err
