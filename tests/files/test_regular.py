"""Regular files are opened; what would block or never end is refused at once."""

import os
import sys
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
