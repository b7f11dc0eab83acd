"""What reaches the terminal: no control characters of names and answers, and exact JSON; streams may be closed."""

import json
import os
import subprocess
import sys

import pytest

from deixis.cli.terminal import console, json_line, log_lines_said, say_json
from deixis.errors import printable
from deixis.samples.mixtures.mixture import SampleSet
from deixis.samples.sample import Sample, Turn
from deixis.samples.shards import write_shard

HOSTILE = "a\x1b]0;title\x07\x9b31m\u202egnp\r\u2028\udcff b\nc\t\u3000é\u200d"


def test_control_characters_are_written_out_and_words_are_left():
    assert printable(HOSTILE) == r"a\x1b]0;title\x07\x9b31m\u202egnp\r\u2028\udcff b" + "\nc\t\u3000é\u200d"


def test_json_is_printable_and_read_back_exactly():
    text = json_line({"text": HOSTILE})
    assert printable(text) == text
    assert json.loads(text) == {"text": HOSTILE}
    assert "é" in text


def test_tables_and_bars_are_printable(capsys):
    console().print(HOSTILE, markup=False)
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.skipif(sys.platform == "win32", reason="no such letters in the names of files there")
def test_log_lines_are_printable(capsys, tmp_path):
    write_shard([Sample("a", "made up", "talk", "train", (Turn("Hello", "Hello."),))], tmp_path / "a.jsonl")
    (tmp_path / "x\x1b[2J.tar").write_bytes(b"no tar" * 99)
    with log_lines_said():
        assert len(SampleSet(tmp_path)) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert r"/x\x1b[2J.tar" in err
    assert err.endswith("; the 0 samples before that are used\n")


def test_json_of_a_stream_without_unicode_is_ascii(monkeypatch, tmp_path):
    with (tmp_path / "out").open("w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        say_json({"text": "\U0001f600"})
        monkeypatch.undo()
    assert json.loads((tmp_path / "out").read_text()) == {"text": "\U0001f600"}


def test_a_hostile_file_name_is_written_out(refused, tmp_path):
    assert r"x\x1b[2J.png': expected an image, but there is no such file" in refused(
        "ask", tmp_path / "x\x1b[2J.png", "Q"
    )


def test_names_that_are_no_unicode_are_asked_about(command, tmp_path, scene):
    name = os.fsencode(tmp_path) + b"/lat\xe9.png"
    try:
        with open(name, "wb") as file:
            file.write(scene.read_bytes())
    except OSError:
        pytest.skip("this file system takes no such names")
    code, out, _ = command("ask", os.fsdecode(name), "What is it?", "--json")
    assert code == 0
    assert json.loads(out)["signals"][0]["path"] == os.fsdecode(name)


@pytest.mark.parametrize("question", ["这是什么？" * 60, "What is this? " * 100], ids=["chinese", "english"])
@pytest.mark.parametrize("how", [[], ["--each"]], ids=["alone", "each"])
def test_a_long_question_is_no_file(command, scene, question, how):
    code, out, err = command("ask", scene, question, *how)
    assert (code, bool(out)) == (0, True), err


@pytest.mark.skipif(sys.platform == "win32", reason="closes streams as a shell of POSIX does")
@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=["stdin", "stdout", "stderr", "all"])
def test_streams_may_be_closed(closed):
    script = f"import os; [os.close(number) for number in {closed}]; os.execv({sys.executable!r}, " + "{!r})"
    for words, code in ((["--version"], 0), (["ask", "none.png", "What?"], 2)):
        run = [sys.executable, "-c", script.format([sys.executable, "-m", "deixis", *words])]
        assert subprocess.run(run, capture_output=True, timeout=120, check=False).returncode == code
