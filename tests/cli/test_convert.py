"""`deixis convert` as it is typed: a folder that `ask` opens, and sentences for what does not fit."""

import json

import pytest

from tests.checkpoints.checkpoints import write_ferret, write_pointmlp
from tests.cli.typed import typed


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_ferret(tmp_path_factory.mktemp("ferret") / "ferret-toy")


def test_a_checkpoint_becomes_a_folder(source, tmp_path, capsys):
    out = tmp_path / "out"
    assert typed("convert", "ferret", source, out, "--dtype", "bfloat16") == 0
    output, progress = capsys.readouterr()
    assert output == ""
    assert f"converted into {out}" in progress
    config = json.loads((out / "config.json").read_text())
    assert (config["system"], config["dtype"]) == ("ferret", "bfloat16")
    card = (out / "README.md").read_text()
    assert "CC BY-NC" in card
    assert "Signals in: image. Regions in: image. Answers out: text, box." in card
    assert "masks in answers" in card


def test_the_options_arrive(tmp_path, capsys):
    source = write_pointmlp(tmp_path / "source")
    (source / "config.json").unlink()
    assert typed("convert", "pointmlp", source, tmp_path / "out") == 2
    assert "name them by --preset (pointmlp, pointmlp-elite)" in capsys.readouterr().err
    assert typed("convert", "pointmlp", source, tmp_path / "out", "--preset", "pointmlp") == 2
    assert "stages: expected lists of one length" in capsys.readouterr().err
    (tmp_path / "out").mkdir()
    assert typed("convert", "pointmlp", source, tmp_path / "out") == 2
    assert "--overwrite replaces it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(
            ("shikra", "{source}", "{out}"), "SYSTEM: expected one of onellm, ferret, lisa, pointmlp", id="system"
        ),
        pytest.param(("lisa", "{source}", "{out}"), "got a Ferret checkpoint; convert it as ferret", id="wrong_system"),
        pytest.param(("ferret", "nowhere", "{out}"), "source: expected a folder, a file or a hub id", id="source"),
        pytest.param(("ferret", "a" * 300, "{out}"), "source: expected a folder, a file or a hub id", id="long_name"),
        pytest.param(("ferret", "{source}", "{out}/a/b"), "there is no folder", id="out"),
        pytest.param(
            ("ferret", "{source}", "{out}", "--dtype", "int8"), "--dtype: expected one of float32", id="dtype"
        ),
        pytest.param(("ferret", "{source}"), "Missing argument 'OUT'", id="two_words"),
    ],
)
def test_mistakes_are_one_sentence(source, tmp_path, capsys, words, sentence):
    code = typed("convert", *(word.format(source=source, out=tmp_path / "out") for word in words))
    output, progress = capsys.readouterr()
    assert (code, output) == (2, "")
    assert sentence in progress
    assert progress.count("\n") == 1
    assert not list(tmp_path.iterdir())
