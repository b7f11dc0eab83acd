"""Regular files are opened; what would block or never end is refused at once."""

import os
import sys
import tracemalloc
from pathlib import Path

import pytest

from deixis.errors import InputError
from deixis.files.regular import check_regular, open_regular


def test_regular_file_and_link(tmp_path: Path) -> None:
    file, link = tmp_path / "a.bin", tmp_path / "b.bin"
    file.write_bytes(b"abc")
    link.symlink_to(file)
    with open_regular(link) as stream:
        assert stream.read() == b"abc"
    check_regular(link)


def irregular(name: str, folder: Path) -> Path:
    if name == "pipe":
        os.mkfifo(folder / "x.png")
        return folder / "x.png"
    if name == "link to a device":
        (folder / "x.png").symlink_to("/dev/zero")
        return folder / "x.png"
    return folder if name == "folder" else Path("/dev/urandom")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices of POSIX")
@pytest.mark.parametrize("take", [open_regular, check_regular])
@pytest.mark.parametrize(
    ("name", "found"),
    [("pipe", "a named pipe"), ("device", "a device"), ("link to a device", "a device"), ("folder", "a folder")],
)
def test_refused(name: str, found: str, take, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"expected a regular file, got {found}"):
        take(irregular(name, tmp_path))


def test_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "none")


def test_a_read_takes_no_memory_for_what_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"a" * 100_000)
    with open_regular(path) as stream:
        assert stream.read(10) == b"a" * 10
        tracemalloc.start()
        try:
            assert len(stream.read(2**32)) == 100_000 - 10
            assert tracemalloc.get_traced_memory()[1] < 1_000_000
        finally:
            tracemalloc.stop()
        assert stream.read(2**32) == b""
        stream.seek(99_999)
        assert stream.read() == b"a"
