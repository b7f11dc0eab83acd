"""Files of media: compared without being read where sizes tell, read once, and never a reason to stop."""

import sys

import pytest

from deixis.samples import same_files
from deixis.samples.same_files import MediaFile, are_other_files

UNREADABLE = "/proc/self/mem"  # a regular file for everybody, whose first byte nobody can read


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_file_that_cannot_be_read_is_tried_once(monkeypatch):
    opened, own = [], same_files.open_regular
    monkeypatch.setattr(same_files, "open_regular", lambda path: opened.append(path) or own(path))
    assert [MediaFile(0, UNREADABLE).digest for _ in range(3)] == [None] * 3
    assert opened == [UNREADABLE]


def test_a_file_that_is_gone_has_no_digest(tmp_path):
    assert MediaFile(3, str(tmp_path / "gone.png")).digest is None


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        pytest.param((b"one", b"one"), False, id="same"),
        pytest.param((b"one", b"two"), True, id="other_content"),
        pytest.param((b"one", b"three"), True, id="other_size"),
        pytest.param((b"one", None), False, id="one_is_gone"),
        pytest.param((None, None), False, id="both_are_gone"),
    ],
)
def test_files_of_one_name_are_compared(tmp_path, contents, expected):
    files = []
    for number, content in enumerate(contents):
        path = tmp_path / f"{number}.png"
        if content is not None:
            path.write_bytes(content)
        files.append(MediaFile(len(content or b"one"), str(path)))
    assert are_other_files("photos/1.png", *files) == expected
    assert not are_other_files("coco/1", *files)
