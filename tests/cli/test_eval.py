"""`deixis eval` through the command's own entrance, on the bundled model: the world, and a benchmark of files."""

import json
import multiprocessing
import re
import time
from contextlib import redirect_stdout

import numpy as np
import pytest
import torch
from PIL import Image

from deixis.checkpoints import bundled_folder
from deixis.cli import main
from deixis.errors import DataError
from deixis.evaluation.benchmark import GENERATED, TEACHER_FORCED, BenchmarkInfo, Example, PublishedScore, RequiredFile
from deixis.evaluation.benchmarks import BENCHMARKS
from deixis.evaluation.metrics.aggregation import mean
from deixis.samples.sample import MediaReference, Skipped

pytestmark = pytest.mark.skipif(not bundled_folder().is_dir(), reason="the bundled model is not trained yet")
WORLD = ("eval", "world", "--model", "bundled", "--device", "cpu")

LIMIT = 24


class Squares:
    """A benchmark of one file per line: image and colour."""

    info = BenchmarkInfo(
        name="squares",
        title="Coloured squares",
        required_files=(
            RequiredFile("squares.txt", "a picture and a colour a line", "https://squares.example", "CC0-1.0"),
        ),
        metrics=(
            mean("accuracy", "correct", "the colour stands in the answer"),
            mean("exact", "exact", "the answer is the colour", official=False),
        ),
        notes=("The model writes its answer.",),
        published=(PublishedScore("Painter-7B", "all", {"accuracy": 55.5}, "A paper, table 1"),),
        modes=(GENERATED, TEACHER_FORCED),
        options={"ask": "the question; what colour it is if not given"},
    )

    def examples(self, data, options):
        path = data / "squares.txt"
        if not path.is_file():
            raise DataError(f"{path}: expected the list of squares, from https://squares.example; got no such file")
        for number, line in enumerate(path.read_text().splitlines()):
            name, _, colour = line.partition(" ")
            if not colour:
                yield Skipped(f"squares.txt line {number + 1}", "expected a colour, got none")
                continue
            medium = MediaReference(name, "image", path=str(data / name), size_hw=(64, 64))
            question = options.get("ask", "What colour is it?")
            yield Example(f"s/{number}", "all", name, question, (medium,), colour, forced_answer=colour)

    def example_metrics(self, example, answer):
        return {"correct": example.ground_truth in answer.text, "exact": answer.text == example.ground_truth}


@pytest.fixture
def squares(tmp_path, monkeypatch):
    monkeypatch.setitem(BENCHMARKS, "squares", Squares())
    folder = tmp_path / "data"
    folder.mkdir()
    lines = ["torn", "gone.png blue"]
    for number, colour in enumerate(("red", "green", "blue")):
        Image.new("RGB", (64, 64), colour).save(folder / f"{number}.png")
        lines.append(f"{number}.png {colour}")
    (folder / "squares.txt").write_text("\n".join(lines))
    return folder


def report_of(folder):
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


def test_the_world_as_json_and_as_files(command, tmp_path):
    words = ("--limit", 2, "--tasks", "region_name, event_span,cloud_reasoning", "--seed-offset", 40)
    code, out, err = command(*WORLD, *words, "--out", tmp_path / "run", "--json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report == report_of(tmp_path / "run")
    assert [line["part"] for line in report["scores"]] == ["region_name", "event_span", "cloud_reasoning"]
    for line in report["scores"]:
        assert line["n"] == 2
        assert line["ci95"][0] <= line["score"] <= line["ci95"][1]
        assert None not in (line["blind"], line["majority"])
    assert report["run"]["options"]["seed-offset"] == "40"
    rows = [json.loads(line) for line in (tmp_path / "run" / "predictions.jsonl").read_text().splitlines()]
    assert [row["part"] for row in rows] == [line["part"] for line in report["scores"] for _ in range(2)]
    assert all(row["raw"] and row["failure"] is None for row in rows)


def test_the_table_names_floors(command, tmp_path):
    code, out, _ = command(*WORLD, "--limit", 1, "--tasks", "region_name", "--no-blind", "--out", tmp_path / "run")
    assert code == 0
    assert re.search(r"region_name +name .*(reached|missed by)", out)
    assert "blind " not in out.partition("Answers are generated")[0]


def test_files_are_asked_and_what_is_missing_is_said(command, squares, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = command("eval", "squares", "--data", squares)
    assert code == 0
    assert "accuracy   official" in out
    assert "exact      ours" in out
    assert "Painter-7B 55.5" in out
    assert "The model writes its answer." in out
    assert "1 example failed, scored as empty answers: s/1:" in err
    assert "gone.png" in err
    assert "squares.txt line 1: expected a colour, got none" in err
    (folder,) = (tmp_path / "runs" / "eval").iterdir()
    assert folder.name == "squares-bundled"
    left_out = [json.loads(line) for line in (folder / "skipped.jsonl").read_text().splitlines()]
    assert [one["what"] for one in left_out] == ["failed", "skipped"]
    assert report_of(folder)["scores"][0]["n"] == 4


def test_another_question_is_another_run(command, squares, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command("eval", "squares", "--data", squares, "--limit", 2)[0] == 0
    assert command("eval", "squares", "--data", squares, "--option", "ask=Which colour?", "--blind")[0] == 0
    names = {folder.name for folder in (tmp_path / "runs" / "eval").iterdir()}
    assert names == {"squares-bundled-limit-2", "squares-bundled-ask-Which-colour"}
    report = report_of(tmp_path / "runs" / "eval" / "squares-bundled-ask-Which-colour")
    assert report["scores"][0]["blind"] is not None
    out = tmp_path / "runs" / "eval" / "squares-bundled-limit-2"
    code, _, err = command("eval", "squares", "--data", squares, "--out", out)
    assert code == 2
    assert "holds another run (its limit is 2, now it is None)" in err


def test_given_answers_are_scored(command, squares, tmp_path):
    code, out, _ = command(
        "eval", "squares", "--data", squares, "--mode", "forced", "--out", tmp_path / "run", "--json"
    )
    assert code == 0
    report = json.loads(out)
    assert "answers teacher-forced" in report["title"]
    assert [line["score"] for line in report["scores"]] == [75.0, 75.0], "all but the picture that is not there"


def test_the_list_names_files_homes_and_licences(command, squares):
    code, out, _ = command("eval", "--list", "squares")
    out = " ".join(out.split())
    assert code == 0
    assert "DATA/squares.txt: a picture and a colour a line" in out
    assert "from https://squares.example; licence: CC0-1.0" in out
    assert "metric exact (ours): the answer is the colour" in out
    assert "modes: generated, forced" in out
    assert "--option ask=...: the question" in out
    assert "published, all: Painter-7B accuracy 55.5 (A paper, table 1)" in out
    code, out, _ = command("eval", "--list")
    assert code == 0
    assert all(name in out for name in BENCHMARKS)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(["moon"], r"benchmark: expected one of world, .*; got 'moon'", id="benchmark"),
        pytest.param(["--split", "dev"], "split: expected train or val or test, got 'dev'", id="split"),
        pytest.param(["--tasks", "smell"], "got 'smell'", id="task"),
        pytest.param(["--limit", "0"], "--limit", id="limit"),
        pytest.param(["--mode", "forced"], "--mode of world: expected one of generated; got 'forced'", id="mode"),
        pytest.param(["--option", "text"], "--option: expected NAME=VALUE, got 'text'", id="option_without_value"),
        pytest.param(["--option", "text=1"], r"--option: world takes split, .*; got 'text'", id="option"),
        pytest.param(["squares", "--tasks", "x"], r"--tasks: squares takes ask, .*; got 'tasks'", id="not_of_this"),
        pytest.param(["squares"], r"--data: squares reads squares\.txt; name the folder", id="no_data"),
        pytest.param(
            ["squares", "--data", "none"], r"--data: expected a folder .* got none, which does not exist", id="data"
        ),
        pytest.param(["squares", "--data", "."], r"squares\.txt: expected the list of squares", id="missing_file"),
        pytest.param(["--list", "moon"], r"--list: expected one of world, .*; got 'moon'", id="list"),
        pytest.param(["--model", "no/such/model"], "no/such/model", id="model"),
    ],
)
def test_a_mistake_is_one_sentence_before_any_model(refused, monkeypatch, tmp_path, words, sentence):
    monkeypatch.setitem(BENCHMARKS, "squares", Squares())
    monkeypatch.chdir(tmp_path)
    assert re.search(sentence, refused("eval", *words))
    assert not (tmp_path / "runs").exists()


def test_files_without_a_question_are_said(refused, monkeypatch, tmp_path):
    monkeypatch.setitem(BENCHMARKS, "squares", Squares())
    (tmp_path / "squares.txt").write_text("torn\n")
    sentence = refused("eval", "squares", "--data", tmp_path, "--out", tmp_path / "run")
    assert "found no question of squares, 1 unreadable; the first: squares.txt line 1" in sentence


def _evaluate(out, told):
    torch.set_num_threads(1)  # the threads of the process that it is forked from are not there
    with told.open("w", encoding="utf-8") as file, redirect_stdout(file):
        main([*WORLD, "--limit", str(LIMIT), "--tasks", "colour", "--no-blind", "--out", str(out)])


def started(out, number):
    """(process of the command, the file that it prints into)."""
    told = out.with_name(f"{number}.txt")
    process = multiprocessing.get_context("fork").Process(target=_evaluate, args=(out, told))
    process.start()
    return process, told


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # nothing waits for the threads
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="its processes are forked")
def test_a_killed_run_goes_on_in_two_processes_and_gives_the_same_table(command, tmp_path, monkeypatch):
    monkeypatch.setattr("deixis.evaluation.runner.BLOCK", LIMIT // 4)  # of the forked processes too
    whole, shared = tmp_path / "whole", tmp_path / "intersection"
    code, table, _ = command(*WORLD, "--limit", LIMIT, "--tasks", "colour", "--no-blind", "--out", whole)
    assert code == 0
    first, _ = started(shared, 1)
    while first.is_alive() and not list(shared.glob("rows/*.jsonl")):
        time.sleep(0.05)
    first.kill()
    first.join()
    kept = {path: path.stat().st_mtime_ns for path in shared.glob("rows/*.jsonl")}
    assert kept, "it was killed before it had done anything"
    assert not (shared / "report.json").exists()
    both = [started(shared, number) for number in (2, 3)]
    for process, _ in both:
        process.join()
        assert process.exitcode == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept, "blocks that are done are not asked again"
    assert report_of(shared) == report_of(whole)
    numbers = re.search(r"colour +name +.*", table)[0].split()
    for _, told in both:
        assert re.search(r"colour +name +.*", told.read_text(encoding="utf-8"))[0].split() == numbers
    files = [(folder / "predictions.jsonl").read_text(encoding="utf-8") for folder in (whole, shared)]
    texts = [[json.loads(line)["raw"] for line in file.splitlines()] for file in files]
    assert texts[0] == texts[1]
    assert len(texts[0]) == LIMIT


def test_the_page_draws_truth_beside_answer(command, tmp_path):
    words = ("--limit", 2, "--tasks", "phrase_mask", "--no-blind", "--out", tmp_path)
    assert command(*WORLD, *words)[0] == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<h3>ground truth</h3>") == page.count("<h3>answer</h3>") == 2
    assert page.count('src="data:image/jpeg;base64,') == 4
    assert "prefers-color-scheme: dark" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page), "it needs nothing else"
    assert np.all([name in page for name in ("Worst cases", "Best cases", "What a score means")])
