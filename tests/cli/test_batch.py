"""`deixis ask --batch`: answers line by line, failures beside them, and no question asked twice."""

import json
import os
import re
from xml.etree import ElementTree

import pytest

from deixis.files.locks import alone, lock_beside


@pytest.fixture
def batch(tmp_path, scene, sound):
    """Writes records (or raw lines) into a questions file beside copies of two files; its path."""
    (tmp_path / "scene.png").write_bytes(scene.read_bytes())
    (tmp_path / "sound.wav").write_bytes(sound.read_bytes())

    def write(*records):
        lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
        (tmp_path / "questions.jsonl").write_text("\n".join(lines) + "\n")
        return tmp_path / "questions.jsonl"

    return write


SEE = {"files": ["scene.png"], "question": "What is {0}?", "regions": [{"box": [33, 329, 143, 434]}]}
HEAR = {"id": "bell", "files": ["sound.wav"], "question": "When do you hear the bell?"}
BOTH = {"files": ["scene.png", "sound.wav"], "question": "What is this?", "regions": [{"span": [1, 2], "signal": 1}]}


def read(text):
    return [json.loads(line) for line in text.splitlines()]


def test_questions_are_answered_in_order_on_stdout(command, batch):
    code, out, err = command("ask", "--batch", batch(SEE, HEAR, "", BOTH, SEE))
    assert (code, err) == (0, "4 answered, 0 failed, 0 answered before\n")
    answers = read(out)
    assert [answer["line"] for answer in answers] == [1, 2, 4, 5]
    assert [answer.get("id") for answer in answers] == [None, "bell", None, None]
    assert [len(answer["signals"]) for answer in answers] == [1, 1, 2, 1]
    assert answers[0]["key"] == answers[3]["key"] != answers[1]["key"]
    assert all({"version", "text", "phrases", "model", "seconds"} <= set(answer) for answer in answers)


def test_what_fails_is_counted_and_ends_nothing(command, batch, tmp_path):
    bad = [
        "{not json",
        "[]",
        {"files": [], "question": "What?"},
        {"files": ["none.png"], "question": "What?"},
        {"files": ["scene.png"]},
        {"files": ["scene.png"], "question": "What?", "region": []},
        {"files": ["scene.png"], "question": "What is {1}?", "regions": [{"point": [5, 5]}]},
        {"files": ["scene.png"], "question": "What?", "regions": [{"box": [5, 5, 900, 9]}]},
        {"files": ["scene.png"], "question": "What?", "want": "film"},
        {"files": ["scene.png"], "question": "What?", "want": ["mask"]},
        {"files": ["scene.png"], "question": "Say <seg>."},  # refused only where the model's text is written
    ]
    code, out, err = command("ask", "--batch", batch(SEE, *bad, HEAR), "--out", tmp_path / "a.jsonl")
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "2 answered, 11 failed, 0 answered before",
        'deixis: 11 of 13 questions could not be answered: their lines say why, as "error"',
    ]
    answers = read((tmp_path / "a.jsonl").read_text())
    assert [set(answer) - {"id"} == {"line", "key", "error"} for answer in answers] == [False, *[True] * 11, False]
    sentences = [answer["error"] for answer in answers[1:-1]]
    assert all("\n" not in sentence for sentence in sentences)
    for part, sentence in zip(
        ["JSON", "object", "files", "no such", "question", "region", "{1}", "outside"], sentences, strict=False
    ):
        assert part in sentence


def test_answers_are_drawn_into_a_folder(command, batch, tmp_path):
    folder = tmp_path / "drawn"
    _, out, err = command("ask", "--batch", batch(SEE, HEAR), "--draw-dir", folder)
    answers = read(out)
    drawn = {answer["line"]: answer["drawing"] for answer in answers if "text" in answer}
    assert drawn == {line: str(folder / f"line-{line}.png") for line in drawn}
    assert sorted(map(str, folder.iterdir())) == sorted(drawn.values())
    assert err.splitlines()[-1].endswith(f"; {len(drawn)} drawn in {folder}")


def test_drawings_are_in_the_format_asked_for(command, batch, tmp_path):
    folder = tmp_path / "drawn"
    _, out, _ = command("ask", "--batch", batch(SEE, HEAR), "--draw-dir", folder, "--draw-format", "svg")
    assert [answer["drawing"] for answer in read(out)] == [str(folder / f"line-{line}.svg") for line in (1, 2)]
    assert {ElementTree.parse(file).getroot().tag for file in folder.iterdir()} == {"{http://www.w3.org/2000/svg}svg"}


def test_drawings_need_a_folder_and_a_batch(refused, batch, scene, tmp_path):
    assert "--draw-format: expected one of" in refused(
        "ask", "--batch", batch(SEE), "--draw-dir", tmp_path / "other", "--draw-format", "gif"
    )
    assert not (tmp_path / "other").exists()
    assert "drawings in a folder" in refused("ask", scene, "What?", "--out", tmp_path / "a.svg", "--draw-format", "svg")
    assert "expected a folder for the drawings" in refused(
        "ask", "--batch", batch(SEE), "--draw-dir", tmp_path / "a.png"
    )
    assert "the drawings of --batch" in refused("ask", scene, "What?", "--draw-dir", tmp_path / "drawn")


def test_a_bug_ends_the_batch_and_keeps_what_is_answered(command, batch, tmp_path, bundled, monkeypatch):
    out, answer = tmp_path / "a.jsonl", bundled.answer
    monkeypatch.setattr("deixis.cli.batch.AT_ONCE", 1)

    def fail(questions, *arguments, **options):
        if "bell" in questions[0].turns[-1].user:
            raise ValueError("zip() argument 2 is shorter than argument 1")
        return answer(questions, *arguments, **options)

    monkeypatch.setattr(bundled, "answer", fail)
    code, _, err = command("ask", "--batch", batch(SEE, HEAR, SEE), "--out", out)
    assert code == 1
    assert "ValueError: zip() argument 2 is shorter" in err
    assert err.splitlines()[-1].startswith("deixis: this is a bug of Deixis")
    assert [line["line"] for line in read(out.read_text())] == [1]


def test_what_is_answered_is_not_asked_again(command, batch, tmp_path):
    out = tmp_path / "a.jsonl"
    lost = {"files": ["later.png"], "question": "What?"}
    assert command("ask", "--batch", batch(SEE, lost, HEAR), "--out", out)[0] == 2
    first = out.read_text().splitlines()
    out.write_text("\n".join(first) + '\n{"line": 4, "key": "cut')  # ended in the middle of a line
    (tmp_path / "later.png").write_bytes((tmp_path / "scene.png").read_bytes())
    code, _, err = command("ask", "--batch", batch(SEE, lost, HEAR, SEE), "--out", out)
    assert (code, err) == (0, "2 answered, 0 failed, 2 answered before\n")
    second = out.read_text().splitlines()
    assert second[:2] == [first[0], first[2]]
    assert [answer["line"] for answer in read(out.read_text())] == [1, 3, 2, 4]


def test_a_finished_batch_needs_no_model(command, batch, tmp_path, monkeypatch):
    path = batch(SEE)
    assert command("ask", "--batch", path, "--out", tmp_path / "a.jsonl")[0] == 0
    before = (tmp_path / "a.jsonl").read_text()
    monkeypatch.setattr("deixis.cli.answers.open_model", None)
    code, _, err = command("ask", "--batch", path, "--out", tmp_path / "a.jsonl")
    assert (code, err) == (0, "0 answered, 0 failed, 1 answered before\n")
    assert (tmp_path / "a.jsonl").read_text() == before


@pytest.mark.parametrize(
    ("content", "out", "sentence"),
    [
        pytest.param("", "a.jsonl", "got no line at all", id="no_questions"),
        pytest.param("{}", "a.png", "ending in .jsonl", id="answers_are_no_jsonl"),
        pytest.param("{}", "none/a.jsonl", "no folder", id="no_folder"),
    ],
)
def test_mistakes_are_refused(refused, tmp_path, content, out, sentence):
    (tmp_path / "questions.jsonl").write_text(content)
    before = sorted(tmp_path.iterdir())
    assert sentence in refused("ask", "--batch", tmp_path / "questions.jsonl", "--out", tmp_path / out)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "foreign",
    [
        pytest.param('{"hello": 1}\n', id="json"),
        pytest.param("hello", id="one_line_without_an_end"),
        pytest.param('{"key": "0123456789abcdef", "id": 1}\n', id="key_of_its_own"),
        pytest.param('{"line": 1, "key": "a", "text": "b"}\n', id="another_key"),
        pytest.param('{"line": "1", "key": "0123456789abcdef"}\n', id="without_an_answer"),
        pytest.param("[" * 100_000, id="nested"),
        pytest.param("\n".join(["a"] * 3), id="text"),
    ],
)
def test_a_file_of_someone_else_is_left_as_it_is(refused, tmp_path, foreign):
    (tmp_path / "questions.jsonl").write_text("{}")
    (tmp_path / "old.jsonl").write_text(foreign)
    before = sorted(tmp_path.iterdir())
    words = ("ask", "--batch", tmp_path / "questions.jsonl", "--out", tmp_path / "old.jsonl")
    assert "line 1 is no answer of an earlier batch; name another --out" in refused(*words)
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "old.jsonl").read_text() == foreign


def test_two_runs_do_not_write_one_file(refused, tmp_path):
    (tmp_path / "questions.jsonl").write_text("{}")
    with alone(lock_beside(tmp_path / "a.jsonl"), tmp_path / "a.jsonl"):
        words = ("ask", "--batch", tmp_path / "questions.jsonl", "--out", tmp_path / "a.jsonl")
        assert f"process {os.getpid()} is writing it now" in refused(*words)


BAD_LINES = {
    "surrogate_id": ('{"id": "\\ud800", "files": ["scene.png"], "question": "What?"}', "half of a character"),
    "surrogate_question": ('{"files": ["scene.png"], "question": "\\udfff?"}', "question: expected text, got"),
    "null_in_name": ('{"files": ["a\\u0000.png"], "question": "What?"}', "null character"),
    "many_files": (json.dumps({"files": ["scene.png"] * 5000, "question": "What?"}), "at most 256 .*, got 5000"),
    "many_regions": (json.dumps(SEE | {"regions": [{"box": [1, 2, 3, 4]}] * 2000}), "at most 1000 .*, got 2000"),
    "long_question": (json.dumps(SEE | {"question": "a" * 2_000_000}), "at most 1000000 characters, got 2000000"),
    "huge_box": (json.dumps(SEE | {"regions": [{"box": [1, 2, 1e20, 4]}]}), "outside its image"),
    "huge_index": (json.dumps(SEE | {"regions": [{"points": [10**20]}]}), "whole number of 64 bits"),
    "infinite_box": ('{"files": ["scene.png"], "question": "?", "regions": [{"box": [1, 2, 1e999, 4]}]}', "finite"),
    "nan_id": ('{"id": NaN, "files": ["scene.png"], "question": "What?"}', "NaN is no number of JSON"),
    "nested": ('{"files": ' + "[" * 100_000, "nested at most 100 deep"),
    "too_long": ('{"files": ["scene.png"], "question": "' + "a" * (33 << 20) + '"}', "at most 32 MB, got 33 MB"),
}


def test_a_hostile_line_is_an_error_of_its_own(command, batch, tmp_path):
    path = batch(SEE, *(line for line, _ in BAD_LINES.values()), SEE)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    for done in (0, 2):  # the second run goes over them again
        code, _, err = command("ask", "--batch", path, "--out", tmp_path / "a.jsonl")
        assert code == 2
        assert err.startswith(f"{2 - done} answered, {len(BAD_LINES)} failed, {done} answered before\n")
        answers = {answer["line"]: answer for answer in read((tmp_path / "a.jsonl").read_text())}
        assert "text" in answers[1]
        assert "text" in answers[len(BAD_LINES) + 2]
        for number, (name, (_, sentence)) in enumerate(BAD_LINES.items(), 2):
            assert re.search(sentence, answers[number]["error"]), name


def test_answers_of_two_models_are_not_mixed(command, batch, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"line": 1, "key": "0123456789abcdef", "text": "A mug.", "model": "other"}\n')
    code, _, err = command("ask", "--batch", batch(SEE), "--out", tmp_path / "a.jsonl")
    assert code == 2
    assert "holds answers of other" in err
