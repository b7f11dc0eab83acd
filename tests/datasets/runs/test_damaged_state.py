"""A run whose own files are damaged, or that another process is working on, says so in one sentence."""

import json
import os
from pathlib import Path

import pytest

from deixis.cli.data.read import show_report
from deixis.datasets.runs.catalogue import Catalogue
from deixis.datasets.runs.folder import RunFolder
from deixis.datasets.runs.pool import Workers
from deixis.datasets.runs.read_run import ReadPlan, ReadUnit, read_set, read_unit
from deixis.datasets.runs.sources import Source
from deixis.datasets.runs.survey import survey
from deixis.datasets.source import DatasetConfig
from deixis.errors import DataError, DeixisError, OutputError
from tests.datasets.coco_sets import coco_set
from tests.mutations import mutations

REMOVE_ALL = r"remove the folder '.*out' to begin again"
MAKE_AGAIN = "remove it, and the same command makes it again"


def plan_of(folder: Path) -> tuple[ReadPlan, RunFolder]:
    run = RunFolder(folder / "out")
    places = {name: DatasetConfig(folder / f"instances_{name}.json", folder / name) for name in ("train", "val")}
    train, val = (Source(name, "coco", place, run.hidden / f"{name}.sqlite") for name, place in places.items())
    return ReadPlan(train, (val,), shard_items=3), run


def half_done(folder: Path) -> RunFolder:
    """A run over six items that was killed when the first of two units was done."""
    coco_set(folder, 6)
    coco_set(folder, 2, "val", first=100)
    plan, run = plan_of(folder)
    with run.opened(plan.description()):
        for source in (plan.source, *plan.held_out):
            source.prepare()
        assert sum(survey(plan.held_out, run.hidden, Workers())) == 2
        read_unit(plan, run, ReadUnit(0, 0, 3))
    return run


def resume(folder: Path) -> dict:
    plan, run = plan_of(folder)
    return read_set(plan, run, Workers())


def replace(path: Path, content: bytes) -> None:
    path.unlink()  # not written over: what the file was may be open still
    path.write_bytes(content)


def test_one_process_at_a_time_writes_a_folder(tmp_path):
    run = half_done(tmp_path)
    before = sorted(run.path.rglob("*"))
    with run.opened(plan_of(tmp_path)[0].description()):
        with pytest.raises(OutputError, match=f"'{run.path}': .* process {os.getpid()} is writing it now"):
            resume(tmp_path)
        assert sorted(run.path.rglob("*")) == sorted([*before, run.path / ".lock"])
    assert resume(tmp_path)["samples"] == {"train": 6}
    assert not (run.path / ".lock").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"\x00" * 5_000, b"null"], ids=["empty", "cut", "zeros", "null"])
@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("report.json", REMOVE_ALL),
        (".run/run.json", REMOVE_ALL),
        (".run/unit-00000.json", MAKE_AGAIN),
        (".run/train.sqlite", MAKE_AGAIN),
        (".run/survey.sqlite", MAKE_AGAIN),
    ],
)
def test_a_damaged_file_is_named_and_can_be_removed(tmp_path, name, remedy, content):
    run = half_done(tmp_path)
    if name == "report.json":
        resume(tmp_path)
    replace(run.path / name, content)
    with pytest.raises(ValueError, match=f"'.*{Path(name).name}': .* got a damaged file .*; {remedy}"):
        resume(tmp_path)
    if remedy == MAKE_AGAIN:
        (run.path / name).unlink()
        assert resume(tmp_path)["samples"] == {"train": 6}


def open_files() -> set[str]:
    found = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
    return {os.readlink(link) for link in found if os.path.exists(link)}


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_damaged_files_are_let_go_of(tmp_path):
    """Else Windows lets nobody remove them; the errors are held here, and with them all that their frames hold."""
    coco_set(tmp_path, 2)
    coco_set(tmp_path, 2, "val", first=100)
    plan, run = plan_of(tmp_path)
    run.hidden.mkdir(parents=True)
    plan.source.catalogue.write_bytes(b"no database" * 99)
    with pytest.raises(DataError, match=r"train.sqlite': .* got a damaged file") as catalogue:
        Catalogue(plan.source.catalogue)
    (run.hidden / "survey-val-0.json").write_text("{")
    plan.held_out[0].prepare()
    with pytest.raises(DataError, match=r"survey-val-0.json': .* got a damaged file") as joined:
        list(survey(plan.held_out, run.hidden, Workers()))
    kept = {path for path in open_files() if path.startswith(str(run.hidden))}
    assert kept == {str(plan.held_out[0].catalogue)}
    assert catalogue.tb is not None
    assert joined.tb is not None


def refusal(plan: ReadPlan, run: RunFolder, name: str) -> str:
    """What is said of a file of a run; the run's folder where nothing is."""
    try:
        if name == ".run/unit-00000.json":
            run.report_of("unit-00000")
        else:
            with run.opened(plan.description()):
                if run.is_finished:
                    show_report(run.report(), run.path, was_done=True)
    except DeixisError as error:
        return str(error)
    return str(run.path)


@pytest.mark.parametrize("name", ["report.json", ".run/run.json", ".run/unit-00000.json"])
def test_wrong_values_are_refused_or_do_no_harm(tmp_path, name):
    run = half_done(tmp_path)
    if name == "report.json":
        resume(tmp_path)
    whole = json.loads((run.path / name).read_text())
    for what, wrong in mutations(whole):
        (run.path / name).write_text(json.dumps(wrong))
        assert str(run.path) in refusal(plan_of(tmp_path)[0], run, name), what
