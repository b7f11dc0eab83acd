"""A file or folder is whole or not there, however the run that writes it ends; a full disk is one sentence."""

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from deixis.errors import InputError, OutputError
from deixis.files.full_disk import check_room, full_disk, full_disk_named
from deixis.files.whole import remove_leftovers, whole_file, whole_folder

WRITES = """
import signal, sys
from pathlib import Path
from deixis.files.whole import whole_file, whole_folder
from deixis.cli.termination import ended_cleanly

if sys.argv[2] != "SIGKILL":  # a test run under nohup hands an ignored SIGHUP on
    signal.signal(getattr(signal, sys.argv[2]), signal.SIG_DFL)
out = Path(sys.argv[1])
with ended_cleanly(), (whole_file(out) if out.suffix else whole_folder(out, overwrite=True)) as part:
    (part if out.suffix else part / "weights").write_text("new")
    signal.raise_signal(getattr(signal, sys.argv[2]))
"""


def killed(out, name):
    """The exit code of a run that ends by this signal while it writes."""
    return subprocess.run([sys.executable, "-c", WRITES, str(out), name], capture_output=True, check=False).returncode


@pytest.fixture
def out(tmp_path):
    with whole_folder(tmp_path / "out") as part:
        (part / "weights").write_text("old")
    return tmp_path / "out"


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no such signals")
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_leaves_nothing_and_keeps_what_was(out, name, code):
    assert killed(out, name) == code
    assert list(out.parent.iterdir()) == [out]
    assert (out / "weights").read_text() == "old"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no such signal")
def test_the_next_run_removes_the_folder_that_a_killed_one_left(out):
    assert killed(out, "SIGKILL") == -signal.SIGKILL
    assert (out.parent / ".out.part" / "weights").is_file()
    with whole_folder(out, overwrite=True) as part:
        assert not list(part.iterdir())
        (part / "weights").write_text("new")
    assert list(out.parent.iterdir()) == [out]
    assert (out / "weights").read_text() == "new"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no such signal")
@pytest.mark.parametrize("link", [False, True], ids=["file", "link"])
def test_the_next_run_removes_the_file_that_a_killed_one_left(tmp_path, link):
    out = tmp_path / "page.html"
    out.write_text("old")
    assert killed(out, "SIGKILL") == -signal.SIGKILL
    assert (tmp_path / ".page.html.part").read_text() == "new"
    assert out.read_text() == "old"
    with whole_file(out) as part:
        assert not part.exists()
        part.symlink_to(__file__) if link else part.write_text("newer")
    assert list(tmp_path.iterdir()) == [out]
    assert out.is_symlink() == link


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no such signal")
def test_leftovers_of_a_folder_are_removed(tmp_path):
    (tmp_path / "images").mkdir()
    assert killed(tmp_path / "images" / "a.png", "SIGKILL") == -signal.SIGKILL
    (tmp_path / "images" / "b.png").write_text("kept")
    remove_leftovers(tmp_path)
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["b.png"]


def test_folders_are_no_leftovers(tmp_path):
    held = tmp_path / "deep" / ".set.part"  # another process may be writing it
    held.mkdir(parents=True)
    for name in (".a.png.part", ".a.png.lock", ".lock", "a.part"):
        (held / name).touch()
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in held.iterdir()) == [".lock", "a.part"]


def test_a_run_killed_between_the_renames_loses_nothing(out):
    out.rename(out.with_name(".out.old"))
    with pytest.raises(ValueError, match="expected a folder that is not there yet"), whole_folder(out):
        pass
    assert (out / "weights").read_text() == "old"


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "out").mkdir()
    with whole_folder(tmp_path / "out") as part:
        (part / "weights").write_text("new")
    assert [file.name for file in tmp_path.rglob("*")] == ["out", "weights"]


def test_two_runs_do_not_write_one_folder(tmp_path):
    out = tmp_path / "out"
    with whole_folder(out) as part:
        with (
            pytest.raises(OutputError, match=f"'{out}': .* process {os.getpid()} is writing it now"),
            whole_folder(out),
        ):
            pass
        assert part.is_dir()
    assert list(tmp_path.iterdir()) == [out]


def half_written(out, error):
    with whole_file(out) as part:
        part.write_text("half")
        raise error


def test_an_error_keeps_the_older_file(tmp_path):
    out = tmp_path / "a.txt"
    out.write_text("old")
    with pytest.raises(ZeroDivisionError):
        half_written(out, ZeroDivisionError())
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.txt", "old")]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "a.html")
    with pytest.raises(InputError, match="expected a regular file, got a named pipe"), whole_file(tmp_path / "a.html"):
        pass
    assert (tmp_path / "a.html").is_fifo()


FILLS = """
import resource, sys
from pathlib import Path
from deixis.errors import OutputError
from deixis.files.whole import whole_file
from tests.files.test_whole import LIBRARIES

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with whole_file(Path(sys.argv[2])) as part:
        LIBRARIES[sys.argv[1]](part)
except OutputError as error:
    print(error)
"""


def with_sqlite(part: Path) -> None:
    with closing(sqlite3.connect(part)) as file, file:
        file.execute("CREATE TABLE a (b BLOB)")
        file.execute("INSERT INTO a VALUES (?)", (bytes(1_000_000),))


def with_safetensors(part: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"a": np.zeros(1_000_000)}, part)


def with_soundfile(part: Path) -> None:
    import soundfile

    soundfile.write(part, np.zeros(1_000_000), 16_000, format="WAV")


def with_pillow(part: Path) -> None:
    from PIL import Image

    Image.fromarray(np.random.default_rng(0).integers(0, 255, (500, 500, 3), np.uint8)).save(part, format="PNG")


def with_torch(part: Path) -> None:
    import torch

    torch.save(torch.zeros(1_000_000), part)


LIBRARIES = {
    "plain": lambda part: part.write_bytes(bytes(1_000_000)),
    "sqlite": with_sqlite,
    "safetensors": with_safetensors,
    "soundfile": with_soundfile,
    "pillow": with_pillow,
    "torch": with_torch,
    "numpy": lambda part: np.zeros(1_000_000).tofile(part),
}


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("library", LIBRARIES)
def test_no_room_is_one_sentence(tmp_path, library):
    """The limit on the size of files stands for a full disk: libraries pass both on alike."""
    out = tmp_path / "out.bin"
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", FILLS, library, str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=False)
    assert f"'{out}': the file is larger than the system allows" in done.stdout, done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(28, "No space left on device"), "the disk is full"),
        (sqlite3.OperationalError("database or disk is full"), "the disk is full"),
        (RuntimeError("I/O error: No space left on device (os error 28)"), "the disk is full"),
        (OSError(122, "Disk quota exceeded"), "the quota of the disk is used up"),
        (OSError(13, "Permission denied"), None),
        (ValueError("full"), None),
    ],
    ids=["system", "sqlite", "safetensors", "quota", "other", "bug"],
)
def test_what_is_full(error, expected):
    assert full_disk(error) == expected
    outer = RuntimeError("cannot write")
    outer.__cause__ = error
    assert full_disk(outer) == expected


@pytest.mark.parametrize(
    ("part", "number", "needed", "free"),
    [
        pytest.param(".run.part", errno.ENOSPC, "5.0 kB", "5.0 kB", id="what_is_removed_is_free_again"),
        pytest.param(None, errno.ENOSPC, "2.0 kB", "2.0 kB", id="what_stays_is_not"),
        pytest.param(None, errno.EDQUOT, "3.0 kB", "2.0 kB", id="quota_of_what_stays"),
        pytest.param(".run.part", errno.EFBIG, "3.0 kB", "5.0 kB", id="limit_of_what_is_removed"),
    ],
)
def test_the_room_that_is_named(tmp_path, monkeypatch, part, number, needed, free):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2_000))
    written = None if part is None else tmp_path / part
    folder = written or tmp_path / "run"
    folder.mkdir()
    (folder / "weights").write_bytes(bytes(3_000))
    sentence = rf"expected room for more than {needed}, got {free} of free space"
    with pytest.raises(OutputError, match=sentence), full_disk_named(tmp_path / "run", written):
        raise OSError(number, "no room")


def test_an_error_of_another_kind_passes_through(tmp_path):
    with pytest.raises(ValueError, match=r"^a bug$"):
        half_written(tmp_path / "a", ValueError("a bug"))
    assert not list(tmp_path.iterdir())


def test_room_is_checked(tmp_path):
    check_room(tmp_path / "out", 1)
    with pytest.raises(OutputError, match=r"'.*out': expected 1.0 EB of free space to write it, got .*B; free some"):
        check_room(tmp_path / "out", 10**18)
