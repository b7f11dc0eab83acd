"""`deixis world` through the command's own entrance: sets, contact sheets, checks, and mistakes in one sentence."""

import pytest
from PIL import Image

from deixis.cli import main
from deixis.data.files import read_samples


@pytest.fixture
def command(capsys):
    """Runs `deixis world WORDS` in this process; returns (exit code, stdout, stderr)."""

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main(["world", *map(str, words)])
        return ended.value.code, *capsys.readouterr()

    return run


def test_a_set_is_written_and_checked(command, tmp_path):
    code, out, _ = command(tmp_path / "set", "--split", "val", "--count", 2, "--seed", 7, "--kinds", "image, audio")
    path = tmp_path / "set" / "val.jsonl"
    assert (code, out) == (0, f"2 scenes in {path}\n")
    samples = list(read_samples(path))
    assert {sample.signals[0].kind for sample in samples} == {"image", "audio"}
    assert {sample.signals[0].id.split("/")[2] for sample in samples} == {"7", "8"}
    code, out, err = command("--check", path)
    assert (code, out, err) == (0, f"{path}: {len(samples)} samples, all sound\n", "")


def test_a_sheet_is_drawn(command, tmp_path):
    assert command("--show", tmp_path / "sheet.png", "--count", 1, "--kinds", "audio")[0] == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert min(sheet.size) > 200


def test_bad_lines_are_named(command, tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text('{"version": 1}\n{"version": 2}\n' + "[]\n" * 30)
    code, out, err = command("--check", path)
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert lines[1] == f"{path}:2: version: expected 1, got 2"
    assert lines[-1] == f"deixis: {path}: 32 of 32 samples break the format, the first 20 of them above"
    assert len(lines) == 21


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param([], "expected a folder to write to, --show SHEET.png or --check FILE.jsonl", id="nothing"),
        pytest.param(["OUT", "--split", "dev"], "--split: expected train, val, test, got 'dev'", id="split"),
        pytest.param(
            ["OUT", "--kinds", "image,smell"], "--kinds: expected image, audio, point_cloud, got 'smell'", id="kind"
        ),
        pytest.param(["OUT", "--count", "0"], "--count", id="no_scene"),
        pytest.param(["OUT", "--seed", "-1"], "--seed", id="negative_seed"),
        pytest.param(["--check", "OUT/none.jsonl"], "none.jsonl: no such file or directory", id="no_file"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(command, words, sentence, tmp_path):
    out_folder = tmp_path / "out"
    code, out, err = command(*(word.replace("OUT", str(out_folder)) for word in words))
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert not out_folder.exists()


def test_an_empty_file_is_no_set(command, tmp_path):
    (tmp_path / "empty.jsonl").touch()
    code, _, err = command("--check", tmp_path / "empty.jsonl")
    assert code == 2
    assert "expected samples, one JSON object a line, got no line at all" in err
