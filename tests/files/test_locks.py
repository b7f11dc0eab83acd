"""One process has a lock; the next has it as soon as that one ends, however it ends."""

import os
import subprocess
import sys

import pytest

from deixis.errors import OutputError
from deixis.files.locks import alone, alone_in, claimed

HOLDS = """
import sys, time
from pathlib import Path
from deixis.files.locks import alone
with alone(Path(sys.argv[1]), Path("out")):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path / ".lock")], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == b"held"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_another_process_is_named(tmp_path, holder):
    lock, out = tmp_path / ".lock", tmp_path / "out"
    with pytest.raises(OutputError, match=f"'{out}': .* process {holder.pid} is writing it now"), alone(lock, out):
        pass
    with claimed(lock) as mine:
        assert not mine


def test_the_lock_of_a_killed_process_is_free(tmp_path, holder):
    holder.kill()
    holder.wait()
    assert (tmp_path / ".lock").exists()
    with alone(tmp_path / ".lock", tmp_path / "out"):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())
    assert not list(tmp_path.iterdir())


def test_one_that_waits_gets_it(tmp_path, holder):
    holder.kill()
    with claimed(tmp_path / ".lock", wait_s=30) as mine:
        assert mine


def test_a_folder_is_made_and_goes_again_if_it_stays_empty(tmp_path):
    out = tmp_path / "a" / "out"
    with alone_in(out):
        assert [path.name for path in out.iterdir()] == [".lock"]
        with pytest.raises(OutputError, match="is writing it now"), alone_in(out):
            pass
    assert not out.exists()
    with alone_in(out):
        (out / "kept").touch()
    with alone_in(out):
        (out / "kept").unlink()
    assert not list(out.iterdir()), "one that was there stays"
