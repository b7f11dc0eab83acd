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
    monkeypatch.setattr("deixis.inference.model.Chat.ask", fail)
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


def write(name, content):
    def make(folder):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


LATIN = "caf\xe9 \xfc".encode("latin-1")
RECIPE = "model: {text_config: {hidden_size: wide}, image: {}}\nstages: [{name: a, task: instruct, steps: 1}]\n"
DATA_ERRORS = [
    pytest.param(("ask", "a.png", "What?"), write("a.png", b"\x89PNG cut"), "a.png", id="damaged_image"),
    pytest.param(("ask", "a.csv", "What?"), write("a.csv", LATIN), "a.csv", id="csv_of_another_encoding"),
    pytest.param(
        ("ask", "--batch", "q.jsonl"), write("q.jsonl", LATIN), "1 of 1 questions", id="questions_of_another_encoding"
    ),
    pytest.param(("data", "check", "s.jsonl"), write("s.jsonl", LATIN), "1 samples are invalid", id="samples"),
    pytest.param(("data", "check", "s.tar"), write("s.tar", b"no tar" * 99), "samples are invalid", id="tar"),
    pytest.param(("train", "r.yaml"), write("r.yaml", LATIN), "text in UTF-8", id="recipe_of_another_encoding"),
    pytest.param(("train", "r.yaml"), write("r.yaml", "a: [b"), "r.yaml:1: expected YAML", id="recipe_not_yaml"),
    pytest.param(("train", "r.yaml"), write("r.yaml", RECIPE), "r.yaml", id="recipe_of_wrong_types"),
    pytest.param(("data", "build", "r.yaml", "out"), write("r.yaml", "1"), "r.yaml", id="build_recipe"),
    pytest.param(("data", "read", "coco", "c.json", "out"), write("c.json", LATIN), "", id="annotations"),
    pytest.param(("convert", "lisa", "m", "out"), write("m/pytorch_model.bin", b"no pickle"), "m", id="weights"),
    pytest.param(("convert", "lisa", "m", "out"), write("m/model.safetensors", b"\xff" * 64), "m", id="safetensors"),
]


@pytest.mark.parametrize(("words", "make", "sentence"), DATA_ERRORS)
def test_a_damaged_file_of_the_user_is_one_sentence(words, make, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    make(tmp_path)
    with pytest.raises(SystemExit, match=r"^2$"):
        main(list(words))
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("deixis: ")
    assert sentence in err


def test_a_question_longer_than_a_file_name_is_a_question(command, scene):
    assert command("ask", scene, "What is this? " * 25)[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["data", "read", "coco", "caf\udce9", "out"], id="data"),
        pytest.param(["finetune", "set", "--out=caf\udce9"], id="finetune"),
        pytest.param(["export", "caf\udce9", "out"], id="export"),
    ],
)
def test_paths_that_are_written_into_files_are_text(refused, words):
    assert r"caf\udce9': expected a path in UTF-8, as it is written into files" in refused(*words)
