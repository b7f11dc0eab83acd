"""`deixis eval` through the command's own entrance, on a toy model and on the bundled one where it is there."""

import json

import pytest

from deixis.cli import main
from deixis.pretrained import bundled_folder


@pytest.fixture
def command(capsys):
    """Runs `deixis eval WORDS` in this process; returns (exit code, stdout, stderr)."""

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main(["eval", *map(str, words)])
        return ended.value.code, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def toy_folder(toy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    for part in toy:
        part.save_pretrained(folder)
    return folder


def test_json_is_alone_on_stdout_and_in_the_file(command, toy_folder, tmp_path):
    words = ("world", "--model", toy_folder, "--limit", 2, "--tasks", "region_name, event_span,cloud_reasoning")
    files = ("--out", tmp_path / "scores.json", "--predictions", tmp_path / "answers.jsonl", "--seed-offset", 40)
    code, out, _ = command(*words, *files, "--json", "--device", "cpu")
    assert code == 0
    report = json.loads(out)
    assert report == json.loads((tmp_path / "scores.json").read_text())
    assert list(report["tasks"]) == ["region_name", "event_span", "cloud_reasoning"]
    for line in report["tasks"].values():
        assert set(line) == {"score", "n", "ci95", "blind", "majority"}
        assert line["n"] == 2
        assert line["ci95"][0] <= line["score"] <= line["ci95"][1]
        assert None not in line.values()
    assert report["seeds"]["first"] == 40
    assert report["model"] == str(toy_folder)
    answers = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert [row["task"] for row in answers] == [name for name in report["tasks"] for _ in range(2)]


def test_the_table_names_floors(command, toy_folder):
    code, out, _ = command("--model", toy_folder, "--limit", 1, "--tasks", "region_name", "--no-blind")
    assert code == 0
    assert "region_name" in out
    assert "missed by" in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(["moon"], "benchmark: expected world, got 'moon'", id="benchmark"),
        pytest.param(["--split", "dev"], "--split: expected train, val, test, got 'dev'", id="split"),
        pytest.param(["--tasks", "smell"], "got 'smell'", id="task"),
        pytest.param(["--limit", "0"], "--limit", id="limit"),
        pytest.param(["--out", "nowhere/scores.json"], "there is no folder nowhere to write into", id="out"),
        pytest.param(["--model", "no/such/model"], "no/such/model", id="model"),
    ],
)
def test_a_mistake_is_one_sentence(command, words, sentence):
    code, out, err = command(*words)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


@pytest.mark.skipif(not bundled_folder().is_dir(), reason="the bundled model is not trained yet")
def test_the_bundled_model_names_and_marks(command):
    code, out, _ = command("--limit", 16, "--tasks", "span_name,cloud_phrase_mask", "--json")
    assert code == 0
    tasks = json.loads(out)["tasks"]
    for line in tasks.values():
        assert line["score"] > line["blind"]
