"""`deixis data read` as a run: complete, the same however it is done, and gone on with wherever it was stopped."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from deixis.datasets.runs.folder import RunFolder, reason
from deixis.datasets.runs.pool import Workers
from deixis.datasets.runs.read_run import ReadPlan, ReadUnit, read_set, read_unit
from deixis.datasets.runs.sources import Source, check_source
from deixis.datasets.source import DatasetConfig
from deixis.samples.sample import Skipped
from deixis.samples.shards import open_samples
from tests.datasets.coco_sets import coco_set, files_of


class Noted:
    """Progress that is written down."""

    def __init__(self):
        self.stages, self.done = [], []

    def stage(self, title, total):
        self.stages.append((title, total))
        self.done.append(0)

    def advance(self, count):
        self.done[-1] += count


def plan_of(path: Path, out: Path, images: Path | None = None, **options) -> ReadPlan:
    source = Source(
        "source", "coco", DatasetConfig(path, images or path.parent / "train"), out / ".run" / "source.sqlite"
    )
    return ReadPlan(source, **options)


def read(path: Path, out: Path, workers: Workers = Workers(), **options):
    return read_set(plan_of(path, out, **options), RunFolder(out), workers)


def test_a_set_is_read_whole_and_what_is_broken_is_reported(tmp_path):
    path = coco_set(tmp_path / "set", 25, broken=(3, 9))
    (tmp_path / "set" / "train" / f"{11:012d}.jpg").unlink()
    progress = Noted()
    out = tmp_path / "out"
    report = read_set(plan_of(path, out, shard_items=10), RunFolder(out), Workers(), progress)
    # images 3 and 9 have one object each, a broken one; image 11 does not exist
    assert report["samples"] == {"train": 22}
    assert (report["items"], report["shards"], report["skipped"]) == (25, 3, 5)
    assert progress.stages[-1] == ("reading coco", 25)
    assert progress.done[-1] == 25
    samples = [sample for _, sample in open_samples(out)]
    assert not any(isinstance(sample, Skipped) for sample in samples)
    assert [sample.id for sample in samples][:3] == [f"coco/{n:012d}/detect" for n in (1, 2, 4)]
    listed = (out / "skipped.csv").read_text().splitlines()
    assert len(listed) == 1 + report["skipped"]
    assert sum(report["reasons"].values()) == 5
    assert any("000000000011" in line for line in listed)
    assert not list((out / ".run").glob("*.sqlite")), "the catalogue goes when all is done"


@pytest.mark.parametrize(
    ("workers", "form"),
    [
        pytest.param(Workers(2), "jsonl", id="two_processes"),
        pytest.param(Workers(2), "tar", id="tar"),
        pytest.param(Workers(2), "parquet", id="parquet"),
    ],
)
def test_whoever_does_the_work_the_files_are_the_same(tmp_path, workers, form):
    path, at_term = coco_set(tmp_path / "set", 23, broken=(4,)), signal.getsignal(signal.SIGTERM)
    read(path, tmp_path / "one", Workers(1), ending=form, shard_items=5)
    read(path, tmp_path / "two", workers, ending=form, shard_items=5)
    assert signal.getsignal(signal.SIGTERM) == at_term, "what ends this process is not the workers' matter"
    one, two = files_of(tmp_path / "one"), files_of(tmp_path / "two")
    assert len([name for name in one if name.endswith(form)]) == 5
    assert one == two


def test_a_run_resumes_after_any_unit(tmp_path):
    path = coco_set(tmp_path / "set", 12)
    read(path, tmp_path / "whole", shard_items=5)
    out = tmp_path / "stopped"
    plan, folder = plan_of(path, out, shard_items=5), RunFolder(out)
    with folder.opened(plan.description()):
        plan.source.prepare()
        read_unit(plan, folder, ReadUnit(1, 5, 10))
    shard = out / "train-00001.jsonl"
    before = shard.stat().st_mtime_ns
    (out / ".train-00002.jsonl.1.part").write_text("half a sha")  # of a process that was killed while writing
    (out / "train-00000.jsonl").write_text("written, but its unit was not said to be done")
    read(path, out, shard_items=5)
    assert shard.stat().st_mtime_ns == before, "what is done is not done again"
    assert files_of(out) == files_of(tmp_path / "whole"), "and nothing half is left"


def test_a_killed_command_resumes_without_loss_or_repeats(tmp_path):
    path = coco_set(tmp_path / "set", 400)
    words = [sys.executable, "-c", "from deixis.cli import main; main()", "data", "read", "coco", str(path)]
    options = ["--images", str(tmp_path / "set" / "train"), "--shard-items", "8"]
    out = tmp_path / "out"
    process = subprocess.Popen([*words, str(out), *options], stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 60
    while len(list(out.glob(".run/unit-*.json"))) < 5 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was killed while it worked"
    assert not (out / "report.json").exists()
    subprocess.run([*words, str(out), *options], check=True, capture_output=True)
    ids = [sample.id for _, sample in open_samples(out)]
    assert ids == [f"coco/{number:012d}/detect" for number in range(1, 401)]


def test_a_finished_run_says_its_report_again(tmp_path):
    path = coco_set(tmp_path / "set", 3)
    first = read(path, tmp_path / "out")
    before = files_of(tmp_path / "out")
    assert read(path, tmp_path / "out") == json.loads(json.dumps(first))
    assert files_of(tmp_path / "out") == before


def test_images_held_out_of_another_set_are_dropped_by_their_id(tmp_path):
    path = coco_set(tmp_path / "set", 10)
    held = coco_set(tmp_path / "other", 4, split="val", first=8)  # images 8 to 11, of which 8 to 10 are in train
    out = tmp_path / "out"
    other = Source("val_set", "coco", DatasetConfig(held, tmp_path / "other" / "val"), out / ".run" / "held.sqlite")
    report = read(path, out, held_out=(other,))
    assert report["samples"] == {"train": 7}
    assert report["reasons"] == {"held out: … may not be trained on, it is in val of val_set": 3}
    ids = {sample.signals[0].id for _, sample in open_samples(out)}
    assert ids == {f"coco/{number:012d}" for number in range(1, 8)}


def test_a_set_of_the_same_name_that_has_changed_is_looked_at_anew(tmp_path):
    """In one process, as in a notebook: the folder is removed, the set mended, and read again."""
    assert read(coco_set(tmp_path / "set", 5), tmp_path / "out")["items"] == 5
    shutil.rmtree(tmp_path / "out")
    assert read(coco_set(tmp_path / "set", 7), tmp_path / "out")["items"] == 7


@pytest.mark.parametrize(
    ("format_name", "place", "message"),
    [
        pytest.param(
            "cocoa", DatasetConfig(Path(".")), "FORMAT: expected a format among .*coco.*; got 'cocoa'", id="format"
        ),
        pytest.param(
            "coco",
            DatasetConfig(Path("no.json")),
            "FORMAT: path: got no.json, which is not there; expected the JSON",
            id="path",
        ),
        pytest.param(
            "coco",
            DatasetConfig(Path("."), options={"x": "1"}),
            "the format coco has no option 'x'; it has",
            id="option",
        ),
        pytest.param(
            "coco",
            DatasetConfig(Path("."), Path("nowhere")),
            "images: got nowhere, .*expected the folder of the media",
            id="images",
        ),
    ],
)
def test_a_wrong_source_is_refused_before_anything_is_written(format_name, place, message):
    with pytest.raises(ValueError, match=message):
        check_source("FORMAT", format_name, place)


def test_a_folder_of_another_run_or_of_anything_else_is_left_alone(tmp_path):
    path = coco_set(tmp_path / "set", 3)
    read(path, tmp_path / "out")
    with pytest.raises(ValueError, match=r'holds another run .its form is "jsonl", now it is "tar".'):
        read(path, tmp_path / "out", ending="tar")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("text")
    with pytest.raises(ValueError, match=r"OUT: expected a folder that is new or empty, got .*mine"):
        read(path, tmp_path / "mine")
    assert [entry.name for entry in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    with pytest.raises(ValueError, match="OUT: expected a folder, got the file"):
        read(path, tmp_path / "mine" / "thesis.txt")


def test_a_command_that_was_wrong_is_mended_and_given_again(tmp_path):
    for name in ("images/a.png", "masks/a.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 255).save(tmp_path / "set" / name)

    def read_masks(**options: str):
        config = DatasetConfig(tmp_path / "set", options=options)
        return read_set(
            ReadPlan(Source("set", "masks", config, tmp_path / "out" / ".run" / "set.sqlite")),
            RunFolder(tmp_path / "out"),
            Workers(),
        )

    with pytest.raises(ValueError, match="name: expected what the masks show"):
        read_masks()
    assert not (tmp_path / "out").exists(), "a mistake leaves no folder"
    with RunFolder(tmp_path / "out").opened({"run": "read", "options": {"name": "cat"}}):
        pass  # killed before it did anything
    assert read_masks(name="mug")["samples"] == {"train": 1}
    with pytest.raises(ValueError, match=r'another run .its source.options.name is "mug", now it is "cup".'):
        read_masks(name="cup")


def test_a_set_without_anything_is_refused(tmp_path):
    path = tmp_path / "empty.json"
    path.write_text('{"images": [{"id": 1}], "annotations": [], "categories": []}')
    assert read(path, tmp_path / "none", images=tmp_path)["skipped"] == 1
    path.write_text('{"images": [], "annotations": [], "categories": []}')
    with pytest.raises(ValueError, match=r"empty.json: expected a list 'images' as in COCO's files, got none"):
        read(path, tmp_path / "out", images=tmp_path)
    path.write_text('{"images": [{"id": 1')
    with pytest.raises(ValueError, match=r"empty.json: expected JSON; .*is the file whole"):
        read(path, tmp_path / "out2", images=tmp_path)


MEMORY = """
import sys
from pathlib import Path
from deixis.datasets.source import DatasetConfig
from deixis.datasets.runs.folder import RunFolder
from deixis.datasets.runs.pool import Workers
from deixis.datasets.runs.read_run import ReadPlan, read_set
from deixis.datasets.runs.sources import Source

path, out = map(Path, sys.argv[1:])
source = Source("source", "coco", DatasetConfig(path, path.parent / "train"), out / ".run" / "source.sqlite")
read_set(ReadPlan(source, media="none", shard_items=200), RunFolder(out), Workers())
# not getrusage: its peak begins with that of the process that started this one
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the system does not tell a process's peak memory")
def test_memory_does_not_grow_with_the_set(tmp_path):
    """Ten times as many items take at most a tenth more memory: items read are on disk or freed."""
    peaks = []
    for pictures in (300, 3_000):
        folder = tmp_path / str(pictures)
        folder.mkdir()
        path = folder / "instances_train.json"
        outline = [value for corner in range(60) for value in (10 + corner, 10 + corner % 7)]
        numbers = range(1, pictures + 1)
        facts = {
            "images": [{"id": n, "file_name": f"{n:012d}.jpg", "width": 640, "height": 480} for n in numbers],
            "annotations": [
                {"id": 4 * n + k, "image_id": n, "category_id": 1, "bbox": [10, 10, 60, 7], "segmentation": [outline],
                 "remark": "of others " * 40}
                for n in numbers
                for k in range(4)
            ],
            "categories": [{"id": 1, "name": "mug"}],
        }  # fmt: skip
        path.write_text(json.dumps(facts))
        (folder / "train").mkdir()
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(path), str(folder / "out")], capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stdout))
    assert path.stat().st_size > 10e6
    assert peaks[1] < 1.1 * peaks[0], f"{peaks[0]} KiB for 300 pictures, {peaks[1]} KiB for 3,000"


@pytest.mark.parametrize(
    ("why", "expected"),
    [
        pytest.param("bbox[7]: expected 4 numbers, got 3", "bbox…: expected … numbers, got …", id="numbers"),
        pytest.param("got 'a mug' at images/000001.jpg", "got … at …", id="quoted_and_paths"),
        pytest.param("it is empty", "it is empty", id="plain"),
    ],
)
def test_equal_reasons_are_counted_as_one(why, expected):
    assert reason(why) == expected


def own_set(folder: Path, **colours: str) -> Path:
    """A set of one's own in a folder called photos, in folders of splits and classes."""
    for name, colour in colours.items():
        path = folder / "photos" / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), colour).save(path, "BMP")  # of one size, whatever the colour
    return folder / "photos"


@pytest.mark.parametrize(
    ("held", "kept", "reasons"),
    [
        pytest.param({"val__cat__1_bmp": "blue"}, ["1.bmp", "2.bmp"], {}, id="other_file"),
        pytest.param(
            {"val__cat__1_bmp": "red", "val__cat__2_bmp": "blue"},
            ["2.bmp"],
            {"held out: … may not be trained on, it is in val of val_set as …": 1},
            id="same_file_of_another_path",
        ),
        pytest.param({"train__cat__2_bmp": "blue"}, ["1.bmp", "2.bmp"], {}, id="same_path_and_not_held_out"),
    ],
)
def test_own_files_are_held_out_by_their_content(tmp_path, held, kept, reasons):
    """Two sets in folders of one name: a path says nothing, the bytes do."""
    path = own_set(tmp_path / "a", train__cat__1_bmp="red", train__cat__2_bmp="white")
    other = own_set(tmp_path / "b", **held)
    out = tmp_path / "out"
    source, val_set = (
        Source(name, "class_folders", DatasetConfig(folder), out / ".run" / f"{name}.sqlite")
        for name, folder in (("source", path), ("val_set", other))
    )
    report = read_set(ReadPlan(source, (val_set,)), RunFolder(out), Workers())
    assert report["reasons"] == reasons
    samples = [sample for _, sample in open_samples(out)]
    assert [Path(sample.signals[0].id).name for sample in samples] == kept


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_held_out_files_that_cannot_be_read_stop_nothing(tmp_path):
    coco_set(tmp_path, 3)
    coco_set(tmp_path, 2, "val", first=3)  # the first of them is an image of train too
    for image in (tmp_path / "val").iterdir():
        image.unlink()
        image.symlink_to("/proc/self/mem")  # a regular file whose first byte nobody can read
    out = tmp_path / "out"
    train, val = (
        Source(name, "coco", DatasetConfig(tmp_path / f"instances_{name}.json", tmp_path / name), out / f".run/{name}")
        for name in ("train", "val")
    )
    report = read_set(ReadPlan(train, (val,)), RunFolder(out), Workers())
    assert report["samples"] == {"train": 2}
    assert report["reasons"] == {"held out: … may not be trained on, it is in val of val": 1}


def test_own_files_of_one_path_are_held_out_where_they_are_the_same(tmp_path):
    folders = [own_set(tmp_path / name, cat__1_bmp=colour) for name, colour in (("a", "red"), ("b", "red"))]
    out = tmp_path / "out"
    source = Source("source", "class_folders", DatasetConfig(folders[0]), out / ".run" / "source.sqlite")
    held = Source("held", "class_folders", DatasetConfig(folders[1], split="val"), out / ".run" / "held.sqlite")
    report = read_set(ReadPlan(source, (held,)), RunFolder(out), Workers())
    assert report["reasons"] == {"held out: … may not be trained on, it is in val of held": 1}
