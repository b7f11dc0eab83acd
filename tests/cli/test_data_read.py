"""`deixis data read` through its entry point, on real sets and with wrong arguments."""

import csv
import json
import sys

import pytest

from deixis.cli import main
from deixis.datasets.formats import FORMATS
from deixis.samples.shards import open_samples
from tests.datasets.coco_sets import coco_set


@pytest.fixture
def command(capsys):
    """Runs `deixis data read WORDS` in this process; returns (exit code, stdout, stderr)."""

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main(["data", "read", *map(str, words)])
        return ended.value.code, *capsys.readouterr()

    return run


def test_the_list_names_every_format_with_what_it_wants(command):
    code, out, _ = command("--list")
    assert code == 0
    words = " ".join(out.split())
    for known in FORMATS.values():
        assert f"{known.name} {known.title}" in words
        assert known.home in words.replace(" ", "") or known.home in words


def test_the_list_of_one_format_names_no_other(command):
    code, out, _ = command("coco", "--list")
    assert (code, "COCO instances" in out, "--option captions" in out, "voc" in out.lower()) == (0, True, True, False)
    code, _, err = command("cocoa", "--list")
    assert code == 2
    assert "FORMAT: expected one of" in err


def test_without_a_format_the_files_tell_it(command, shared_data, tmp_path):
    code, told, err = command(shared_data / "labelme_examples" / "bbox_detection", tmp_path / "set")
    assert (code, "2 samples in 1 shard in" in told) == (0, True)
    assert err.startswith("read as labelme; deixis data read FORMAT ")


def test_a_real_set_is_read_and_counted(command, shared_data, tmp_path):
    out = tmp_path / "set"
    code, told, _ = command("coco", shared_data / "nuts_coco", out)
    assert code == 0
    assert "10 samples in 1 shard in" in told
    samples = [sample for _, sample in open_samples(out)]
    annotations = json.loads((shared_data / "nuts_coco" / "annotations.json").read_text())
    assert len(samples) == len(annotations["images"])
    assert sum(len(sample.regions) for sample in samples) == len(annotations["annotations"])
    assert "was there before" not in told
    code, told, _ = command("coco", shared_data / "nuts_coco", out)
    assert code == 0
    assert "10 samples in 1 shard in" in told
    assert "was there before" in told


@pytest.mark.parametrize("form", [pytest.param(form, id=form) for form in ("jsonl", "tar", "parquet")])
def test_every_form_of_shard_holds_the_same(command, tmp_path, form):
    path = coco_set(tmp_path / "set", 7)
    code, _, _ = command("coco", path, tmp_path / "out", "--images", path.parent / "train", "--to", form)
    assert code == 0
    assert (tmp_path / "out" / f"train-00000.{form}").is_file()
    assert [sample.id for _, sample in open_samples(tmp_path / "out")][-1] == "coco/000000000007/detect"


def test_what_is_skipped_is_shown_by_reason_and_listed(command, tmp_path):
    path = coco_set(tmp_path / "set", 6, broken=(3,))
    (path.parent / "train" / f"{5:012d}.jpg").unlink()
    code, told, _ = command("coco", path, tmp_path / "out", "--images", path.parent / "train")
    assert code == 0
    assert "skipped: 3, listed in" in told
    with (tmp_path / "out" / "skipped.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [set(row) for row in rows] == [{"where", "why"}] * 3
    assert any("000000000005" in row["where"] + row["why"] for row in rows)


def test_a_set_of_which_nothing_can_be_used_is_a_mistake_that_can_be_mended(command, tmp_path):
    path = coco_set(tmp_path / "set", 2)
    code, told, wrong = command("coco", path, tmp_path / "out", "--images", tmp_path)  # no images there
    assert code == 2
    assert "2 × " in told
    assert "no samples: got none of 2 items" in wrong
    assert command("coco", path, tmp_path / "out", "--images", path.parent / "train")[0] == 0
    assert len(list(open_samples(tmp_path / "out"))) == 2


def test_held_out_sets_are_named_with_their_format(command, tmp_path):
    path = coco_set(tmp_path / "set", 6)
    held = coco_set(tmp_path / "held", 2, split="val", first=5)
    code, told, _ = command(
        "coco", path, tmp_path / "out", "--images", path.parent / "train", "--held-out", f"coco:{held}"
    )
    assert code == 0
    assert "4 samples" in told
    assert "2 × held out" in told


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param([], "expected FORMAT PATH OUT, as in", id="nothing"),
        pytest.param(["coco", "SET"], "expected FORMAT PATH OUT", id="no_out"),
        pytest.param(
            ["none", "OUT"], "PATH: expected a file or folder, got 'none', which does not exist", id="no_path"
        ),
        pytest.param(["NOT_JSON", "OUT"], "got none that is recognised; FORMAT names it", id="no_form"),
        pytest.param(["cocoa", "SET", "OUT"], "FORMAT: expected a format among", id="format"),
        pytest.param(
            ["coco", "nowhere.json", "OUT"],
            "path: got nowhere.json, which is not there; expec",
            id="path",
        ),
        pytest.param(["coco", "SET", "OUT", "--to", "zip"], "--to: expected one of jsonl, tar, parquet", id="to"),
        pytest.param(
            ["coco", "SET", "OUT", "--media", "move"], "--media: expected one of link, copy, none", id="media"
        ),
        pytest.param(
            ["coco", "SET", "OUT", "--option", "form"], "--option: expected NAME=VALUE, got 'form'", id="pair"
        ),
        pytest.param(["coco", "SET", "OUT", "--option", "fork=box"], "has no option 'fork'; it has", id="option"),
        pytest.param(["coco", "SET", "OUT", "--held-out", "refcoco"], "--held-out: expected FORMAT:PATH", id="held"),
        pytest.param(["coco", "SET", "OUT", "--workers", "0"], "--workers", id="workers"),
        pytest.param(["coco", "NOT_JSON", "OUT"], "expected JSON", id="not_json"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(command, tmp_path, words, sentence):
    (tmp_path / "not.json").write_text("<html>")
    places = {"SET": coco_set(tmp_path / "set", 2), "OUT": tmp_path / "out", "NOT_JSON": tmp_path / "not.json"}
    code, out, err = command(*[places.get(word, word) for word in words])
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("out/*.jsonl"))


@pytest.mark.parametrize(
    ("package", "words"),
    [
        pytest.param("ijson", [], id="of_the_format"),
        pytest.param("pyarrow", ["--to", "parquet"], id="of_the_shards"),
        pytest.param("ray", ["--ray-address", "local"], id="of_the_cluster"),
    ],
)
def test_without_an_extra_no_folder_is_left(command, tmp_path, monkeypatch, package, words):
    path = coco_set(tmp_path / "set", 2)
    monkeypatch.setitem(sys.modules, package, None)
    code, told, wrong = command("coco", path, tmp_path / "out", *words)
    assert (code, told) == (2, "")
    assert package in wrong
    assert wrong.count("\n") == 1
    assert not (tmp_path / "out").exists()
