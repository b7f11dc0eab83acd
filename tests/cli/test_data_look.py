"""`deixis data show`, `stats` and `check` through the command's own entrance, on the world and on real files."""

import io
import json
import re
from base64 import b64decode

import pytest
from PIL import Image

from deixis.cli import main
from deixis.geometry import Region
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.samples.shards import write_shard
from tests.scenes import scene_samples

SEEDS = (0, 1)


@pytest.fixture
def data(capsys):
    """Runs `deixis data WORDS` in this process; returns (exit code, stdout, lines of stderr that are not blank)."""

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main(["data", *map(str, words)])
        out, err = capsys.readouterr()
        return ended.value.code, out, [line for line in err.splitlines() if line.strip()]

    return run


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with the samples of two scenes, in train.jsonl."""
    folder = tmp_path_factory.mktemp("world")
    write_shard((sample for seed in SEEDS for sample in scene_samples(seed)), folder / "train.jsonl")
    return folder


@pytest.fixture(scope="module")
def real(tmp_path_factory, shared_data):
    """A folder with a real set of images and polygons, one sample per image with all its regions."""
    annotations = json.loads((shared_data / "nuts_coco" / "annotations.json").read_text())
    samples = []
    for image in annotations["images"]:
        own = [item for item in annotations["annotations"] if item["image_id"] == image["id"]]
        regions = tuple(Region(box=(x, y, x + w, y + h)) for x, y, w, h in (item["bbox"] for item in own))
        path = shared_data / "nuts_coco" / "images" / image["file_name"]
        medium = MediaReference(f"nuts/{image['id']}", "image", str(path), (image["height"], image["width"]))
        answer = " ".join(f"[thing]{{{number}}}" for number in range(len(regions)))
        turn = Turn("Where is everything?", answer)
        samples.append(Sample(f"nuts/{image['id']}", "nuts", "detect", "val", (turn,), (medium,), regions))
    folder = tmp_path_factory.mktemp("real")
    assert write_shard(samples, folder / "val.tar").samples == 10
    return folder


def pictures(page: str) -> list[Image.Image]:
    found = re.findall(r'<img src="data:image/\w+;base64,([^"]+)"', page)
    return [Image.open(io.BytesIO(b64decode(content))) for content in found]


def test_show_writes_a_page_and_a_sheet(data, world, tmp_path):
    code, out, err = data("show", world, "--out", tmp_path / "a" / "b", "--count", 1)
    page = (tmp_path / "a" / "b" / "page.html").read_text("utf-8")
    tasks = {sample.task for seed in SEEDS for sample in scene_samples(seed)}
    assert (code, err) == (0, [])
    assert out.startswith(f"{len(tasks)} samples in ")
    assert len(tasks) == page.count("<section ") <= len(pictures(page))  # some have two signals
    with Image.open(tmp_path / "a" / "b" / "sheet.png") as sheet:
        assert min(sheet.size) > 500


def test_show_of_one_task_and_another_seed(data, world, tmp_path):
    pages = []
    for seed in (0, 0, 1):
        assert data("show", world, "--out", tmp_path, "--task", "phrase_box", "--count", 2, "--seed", seed)[0] == 0
        pages.append((tmp_path / "page.html").read_text("utf-8"))
    assert pages[0] == pages[1] != pages[2]
    assert pages[0].count("<article>") == 2


def test_show_of_real_pictures(data, real, tmp_path):
    code, out, _ = data("show", real, "--out", tmp_path, "--count", 4)
    assert (code, out.startswith("4 samples")) == (0, True)
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "4 of 10 samples" in page
    assert [image.width for image in pictures(page)] == [600] * 4
    assert "cannot be shown" not in page


def test_show_goes_on_where_media_are_missing_and_lines_are_bad(data, world, tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    lines = (world / "train.jsonl").read_text().splitlines()[:5]
    (folder / "train.jsonl").write_text("\n".join([*lines, "{", "7"]))  # its media lie elsewhere
    code, out, _ = data("show", folder, "--out", tmp_path / "out")
    page = (tmp_path / "out" / "page.html").read_text("utf-8")
    assert (code, out.startswith("5 samples")) == (0, True)
    assert page.count("cannot be shown: ") == 5
    assert "2 samples cannot be read" in page
    assert f"{folder}/train.jsonl:6: expected one JSON object a line" in page


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        pytest.param(
            ["show", "NONE"], "expected a file of samples or a folder of such, got no such file", id="no_file"
        ),
        pytest.param(["show", "EMPTY"], "expected files ending in .jsonl, .tar, .parquet", id="empty_folder"),
        pytest.param(
            ["show", "WORLD", "--task", "sing"], "--task: expected one of absence, activity_name, ", id="no_such_task"
        ),
        pytest.param(["show", "WORLD", "--out", "FILE"], "--out: expected a folder, got the file ", id="out_is_a_file"),
        pytest.param(
            ["show", "FILE"], "expected samples to show, got none that can be read; the first: ", id="bad_file"
        ),
        pytest.param(["stats", "NONE"], "got no such file", id="stats_no_file"),
        pytest.param(
            ["stats", "FILE"], "expected samples to count, got none that can be read; the first: ", id="stats_bad"
        ),
        pytest.param(["stats", "WORLD", "--out", "FILE"], "--out: expected a folder", id="stats_out_is_a_file"),
        pytest.param(["check", "NONE"], "got no such file", id="check_no_file"),
        pytest.param(["check", "BLANK"], "expected samples, got none", id="check_blank"),
        pytest.param(["check"], "(see deixis data check --help)", id="check_nothing"),
    ],
)
def test_a_mistake_is_one_sentence(data, words, sentence, world, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.jsonl").write_text("{\n")
    (tmp_path / "blank.jsonl").write_text("\n")
    places = {"WORLD": world, "EMPTY": tmp_path / "empty", "FILE": tmp_path / "bad.jsonl"}
    places |= {"BLANK": tmp_path / "blank.jsonl", "NONE": tmp_path / "none.jsonl"}
    default_out = ["--out", str(tmp_path / "out")] if words[0] == "show" and "--out" not in words else []
    code, out, err = data(*(places.get(word, word) for word in words), *default_out)
    assert (code, out) == (2, "")
    assert sentence in err[-1]
    assert not (tmp_path / "out").exists()


def test_stats_are_told_and_written(data, world, tmp_path):
    count = len((world / "train.jsonl").read_text().splitlines())
    code, out, _ = data("stats", world, "--out", tmp_path / "stats")
    assert code == 0
    for words in (f"│ samples             │ {count}", "phrase_box", "words of an answer", "small", "short answers"):
        assert words in out
    told = json.loads((tmp_path / "stats" / "stats.json").read_text())
    assert told["samples"] == count == told["by"]["task"]["total"]
    names = {path.name for path in (tmp_path / "stats").iterdir()}
    assert names == {"stats.json", "tasks.png", "lengths.png", "regions.png", "names.png"}


def test_stats_of_real_regions_are_those_of_the_annotations(data, real, tmp_path, shared_data):
    annotations = json.loads((shared_data / "nuts_coco" / "annotations.json").read_text())["annotations"]
    areas = [item["bbox"][2] * item["bbox"][3] for item in annotations]
    assert data("stats", real, "--out", tmp_path)[0] == 0
    told = json.loads((tmp_path / "stats.json").read_text())
    assert told["regions"] == len(annotations) == told["phrases"]["top"]["thing"]
    assert told["region_classes"]["top"]["large"] == sum(area >= 96**2 for area in areas) > 0
    assert sum(told["region_classes"]["top"].values()) == len(areas)


def test_stats_say_what_is_odd(data, world, tmp_path):
    lines = (world / "train.jsonl").read_text().splitlines()[:3]
    (tmp_path / "set.jsonl").write_text("\n".join([*lines, lines[0], "{"]))
    code, out, _ = data("stats", tmp_path / "set.jsonl")
    assert code == 0
    assert "cannot be read, and not counted: 1 samples" in out
    assert "repeated ids: 1 samples" in out
    assert "repeated samples: 1 have" in out


def test_a_sound_set_passes(data, world, real):
    code, out, err = data("check", world, real)
    assert (code, err) == (0, [])
    assert out.splitlines()[1] == f"{real}: 10 samples, all valid"
    assert out.endswith("media: no problem found\n")


def test_bad_samples_are_named(data, tmp_path):
    path = tmp_path / "set.jsonl"
    path.write_text('{"version": 1}\n{"version": 2}\n' + "[]\n" * 30)
    code, out, err = data("check", path)
    assert (code, out) == (2, f"{path}: 32 samples, 32 of them invalid\n")
    assert len(err) == 21
    assert err[1] == f"{path}:2: version: expected 1, got 2"
    assert err[-1] == "deixis: 32 of 32 samples are invalid; the first 20 problems are above, --all shows all"
    code, _, err = data("check", path, "--all")
    assert (code, len(err), err[-1]) == (2, 33, "deixis: 32 of 32 samples are invalid")


def test_leaks_between_sets_are_named(data, world, tmp_path):
    records = [json.loads(line) for line in (world / "train.jsonl").read_text().splitlines()[:2]]
    held = tmp_path / "val.jsonl"
    held.write_text("\n".join(json.dumps(r | {"split": "val", "id": r["id"] + "/v"}) for r in records))
    code, out, err = data("check", world, held, "--no-media")
    assert code == 2
    assert out.endswith(f"{held}: 2 samples, all valid\n")
    medium = records[0]["signals"][0]["id"]
    assert err[0].endswith(f"the medium {medium!r} is trained on here, and held out in val, {held}:1")
    assert re.fullmatch(r"deixis: 1 of \d+ media leak from train into other splits", err[-1])
