"""`deixis world` through the command's own entrance: sets, contact sheets, and mistakes in one sentence."""

import os

import pytest
from PIL import Image

from deixis.cli import main
from deixis.files.locks import alone
from deixis.samples.shards import open_samples


@pytest.fixture
def command(capsys):
    """Runs `deixis world WORDS` in this process; returns (exit code, stdout, stderr)."""

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main(["world", *map(str, words)])
        return ended.value.code, *capsys.readouterr()

    return run


def test_writes_a_set(command, tmp_path):
    code, out, _ = command(
        tmp_path / "set", "--split", "val", "--count", 2, "--seed", 7, "--modalities", "image, audio"
    )
    path = tmp_path / "set" / "val.jsonl"
    assert (code, out) == (0, f"2 scenes in {path}\n")
    samples = [sample for _, sample in open_samples(path)]
    assert {sample.signals[0].modality for sample in samples} == {"image", "audio"}
    assert {sample.signals[0].id.split("/")[2] for sample in samples} == {"7", "8"}


def test_draws_a_contact_sheet(command, tmp_path):
    assert command("--show", tmp_path / "sheet.png", "--count", 1, "--modalities", "audio")[0] == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert min(sheet.size) > 200


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param([], "expected a folder to write to or --show SHEET.png, got neither", id="nothing"),
        pytest.param(["OUT", "--split", "dev"], "--split: expected one of train, val, test; got 'dev'", id="split"),
        pytest.param(
            ["OUT", "--modalities", "image,smell"],
            "--modalities: expected one of image, audio, point_cloud, ",
            id="modality",
        ),
        pytest.param(["OUT", "--count", "0"], "--count", id="no_scene"),
        pytest.param(["OUT", "--seed", "-1"], "--seed", id="negative_seed"),
    ],
)
def test_user_error_is_one_sentence_and_writes_nothing(command, words, sentence, tmp_path):
    out_folder = tmp_path / "out"
    code, out, err = command(*(word.replace("OUT", str(out_folder)) for word in words))
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert not out_folder.exists()


def test_only_its_own_set_is_replaced(command, tmp_path):
    words = (tmp_path, "--count", 1, "--modalities", "audio")
    (tmp_path / "train.jsonl").write_text('{"mine": 1}\n')
    code, _, err = command(*words)
    assert (code, (tmp_path / "train.jsonl").read_text()) == (2, '{"mine": 1}\n')
    assert "expected no such file, or one that deixis wrote as such; got another" in err
    (tmp_path / "train.jsonl").unlink()
    assert command(*words)[0] == command(*words)[0] == 0


def test_another_image_is_not_replaced_by_a_contact_sheet(command, tmp_path):
    words = ("--show", tmp_path / "sheet.png", "--count", 1, "--modalities", "audio")
    assert command(*words)[0] == command(*words)[0] == 0
    Image.new("RGB", (4, 4)).save(tmp_path / "sheet.png")
    code, _, err = command(*words)
    assert (code, "which would be lost" in err) == (2, True)


def test_one_process_at_a_time_writes_a_split(command, tmp_path):
    with alone(tmp_path / ".val.lock", tmp_path / "val.jsonl"):
        code, _, err = command(tmp_path, "--count", 1, "--split", "val")
        assert code == 2
        assert f"process {os.getpid()} is writing it now" in err
    assert not list(tmp_path.iterdir())
