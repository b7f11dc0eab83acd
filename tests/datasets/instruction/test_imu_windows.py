"""Windows of motion recordings: cut where OneLLM's code cuts them, and refused where it refuses."""

import re
from pathlib import Path

import numpy as np
import pytest

from deixis.datasets.instruction.onellm_media import read_window
from deixis.samples.media import open_media

RATE_HZ = 200


def recording(folder: Path, rows: np.ndarray, times_ms: np.ndarray, uid: str = "walk") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{uid}.npy", rows)
    np.save(folder / f"{uid}_timestamps.npy", times_ms)
    return folder


def window(start: float = 1.0, end: float = 3.0, uid: str = "walk") -> dict:
    return {"video_uid": uid, "window_start": start, "window_end": end, "text": "C walks"}


@pytest.fixture
def walk(tmp_path) -> Path:
    """Ten seconds, with a gap from 5 to 9.5 s."""
    times_ms = np.arange(10 * RATE_HZ) * (1000 / RATE_HZ)
    kept = (times_ms <= 5000) | (times_ms >= 9500)
    rows = np.random.default_rng(0).normal(size=(6, len(times_ms)))
    return recording(tmp_path, rows[:, kept], times_ms[kept])


@pytest.mark.parametrize(
    ("record", "message"),
    [
        pytest.param({}, "video_uid: expected the name of a recording, got null", id="empty"),
        pytest.param(window(uid="../walk"), "video_uid: expected the name of a recording", id="path"),
        pytest.param(window(uid="run"), "expected the recording run.npy in", id="no_recording"),
        pytest.param(window() | {"window_end": "3"}, "window_end: expected seconds, got '3'", id="text"),
        pytest.param(window(3, 1), "window_end: expected more than window_start, 3 s, got 1 s", id="reversed"),
        pytest.param(window(-1, 1), "window_end: expected more than window_start", id="before_the_start"),
        pytest.param(window(8, 10.5), "window_end: expected at most 9.99 s, where walk.npy ends, got 10.5 s",
                     id="past_the_end"),
        pytest.param(window(5.2, 9.6), "window_start: expected a row of walk.npy within 4 s of 5.2 s", id="gap"),
        pytest.param(window(1, 1.01), "expected at least 10 rows of walk.npy from 1 to 1.01 s, got 2", id="short"),
    ],
)  # fmt: skip
def test_refuses(walk, record, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_window(record, [walk])


@pytest.mark.parametrize(
    ("rows", "times_ms"),
    [
        pytest.param(np.zeros((100, 6)), np.arange(100.0), id="rows_first"),
        pytest.param(np.zeros((6, 100)), np.arange(99.0), id="other_length"),
    ],
)
def test_refuses_recordings(tmp_path, rows, times_ms):
    with pytest.raises(ValueError, match=re.escape("expected an array (6, rows) and (rows,) times beside it")):
        read_window(window(), [recording(tmp_path, rows, times_ms)])


def test_a_window(walk):
    medium = read_window(window(1.0, 3.0), [walk])
    assert (medium.id, medium.modality) == ("onellm/imu/walk/1-3", "imu")
    assert (medium.rate_hz, medium.duration_s) == (pytest.approx(RATE_HZ), pytest.approx(2.0))
    expected = np.load(walk / "walk.npy")[:, 1 * RATE_HZ : 3 * RATE_HZ].T
    assert np.array_equal(medium.values, expected.astype(np.float32))
    with open_media(medium) as signal:
        assert signal.extent.duration_s == pytest.approx(2.0)


@pytest.mark.parametrize("sub", [pytest.param(".", id="itself"), pytest.param("processed_imu", id="processed"),
                                 pytest.param("v2/processed_imu", id="v2")])  # fmt: skip
def test_where_recordings_lie(tmp_path, sub):
    rows, times_ms = np.ones((6, 1000)) * np.arange(1000), np.arange(1000) * 10.0
    recording(tmp_path / "ego4d" / sub, rows, times_ms)
    medium = read_window(window(), [tmp_path / "empty", tmp_path / "ego4d"])
    assert medium.values.shape == (200, 6)
    assert medium.rate_hz == pytest.approx(100)


def test_a_real_recording(shared_data, tmp_path):
    """A phone's recording of half an hour at 50 Hz, as a file of this form."""
    folder = shared_data / "imu_phone"
    rows = np.hstack([np.loadtxt(folder / f"{name}_exp01_user01.txt.gz") for name in ("acc", "gyro")]).T
    recording(tmp_path, rows, np.arange(rows.shape[1]) * 20.0, uid="phone")
    medium = read_window(window(300, 302, uid="phone"), [tmp_path])
    assert np.array_equal(medium.values, rows[:, 15000:15100].T.astype(np.float32))
    with open_media(medium) as signal:
        assert signal.values.shape == (100, 6)


def test_refuses_what_is_no_array(tmp_path):
    recording(tmp_path, np.zeros((6, 9)), np.arange(9.0))
    (tmp_path / "walk.npy").write_bytes(b"")
    with pytest.raises(ValueError, match=re.escape("walk.npy': expected numbers as a NumPy array")):
        read_window(window(), [tmp_path])
