"""A folder is whole or not there, however the run that writes it ends."""

import signal
import subprocess
import sys

import pytest

from deixis.checkpoints.new_folder import new_folder

WRITES = """
import signal, sys
from pathlib import Path
from deixis.checkpoints.new_folder import new_folder
from deixis.cli.termination import ended_cleanly

if sys.argv[2] != "SIGKILL":  # a test run under nohup hands an ignored SIGHUP on
    signal.signal(getattr(signal, sys.argv[2]), signal.SIG_DFL)
with ended_cleanly(), new_folder(Path(sys.argv[1]), overwrite=True) as part:
    (part / "weights").write_text("new")
    signal.raise_signal(getattr(signal, sys.argv[2]))
"""


def killed(out, name):
    """The exit code of a run that ends by this signal while it writes."""
    return subprocess.run([sys.executable, "-c", WRITES, str(out), name], capture_output=True, check=False).returncode


@pytest.fixture
def out(tmp_path):
    with new_folder(tmp_path / "out") as part:
        (part / "weights").write_text("old")
    return tmp_path / "out"


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signals")
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_leaves_nothing_and_keeps_what_was(out, name, code):
    assert killed(out, name) == code
    assert list(out.parent.iterdir()) == [out]
    assert (out / "weights").read_text() == "old"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no such signal")
def test_the_next_run_removes_what_a_killed_one_left(out):
    assert killed(out, "SIGKILL") == -signal.SIGKILL
    assert (out.parent / ".out.part" / "weights").is_file()
    with new_folder(out, overwrite=True) as part:
        assert not list(part.iterdir())
        (part / "weights").write_text("new")
    assert list(out.parent.iterdir()) == [out]
    assert (out / "weights").read_text() == "new"


def test_a_run_killed_between_the_renames_loses_nothing(out):
    out.rename(out.with_name(".out.old"))
    with pytest.raises(ValueError, match="expected a folder that is not there yet"), new_folder(out):
        pass
    assert (out / "weights").read_text() == "old"


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "out").mkdir()
    with new_folder(tmp_path / "out") as part:
        (part / "weights").write_text("new")
    assert [file.name for file in tmp_path.rglob("*")] == ["out", "weights"]


def test_two_runs_do_not_write_one_folder(tmp_path):
    out = tmp_path / "out"
    with new_folder(out) as part:
        with pytest.raises(ValueError, match="another run is writing this folder now"), new_folder(out):
            pass
        assert part.is_dir()
    assert list(tmp_path.iterdir()) == [out]
