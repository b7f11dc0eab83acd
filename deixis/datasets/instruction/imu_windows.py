"""Windows of long motion recordings, cut as OneLLM and IMU2CLIP cut those of Ego4D.

    processed_imu/UID.npy               (6, rows): acceleration x, y, z, rotation x, y, z
    processed_imu/UID_timestamps.npy    (rows,), milliseconds of the video that was taken along

Of a recording only the window is read. OneLLM then resamples a window to 200 Hz and pads it to whole seconds, which is
the model's affair (`deixis.signals.ImuSpec` with "sinc"); here it keeps its own rate.

Source: csuhan/OneLLM@8587a47 data/imu_utils.py:151-199.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from deixis.errors import DataError
from deixis.samples.consistency import shown
from deixis.samples.sample import MediaReference

MIN_ROWS = 10
MAX_GAP_S = 4.0
"""How far the nearest row may lie from where a window begins or ends."""
SUBFOLDERS = ("", "processed_imu", "v2/processed_imu")


def read_window(record: Mapping[str, Any], folders: list[Path]) -> MediaReference:
    """The trace from `window_start` to `window_end`, in seconds, of the recording `video_uid` in one of the folders.

    values: (rows, 6) float32 at `rate_hz`, that of the window's mean step. Raises DataError for a window that its
    recording does not hold, and OSError for recordings that are not there.
    """
    uid = record.get("video_uid")
    if not isinstance(uid, str) or not uid or "/" in uid:
        raise DataError(f"video_uid: expected the name of a recording, got {shown(uid)}")
    start_s, end_s = (_seconds(record, name) for name in ("window_start", "window_end"))
    if not 0 <= start_s < end_s:
        raise DataError(f"window_end: expected more than window_start, {start_s:g} s, got {end_s:g} s")
    path = _recording(uid, folders)
    rows, times_ms = _arrays(path)
    first, last = _cut(times_ms, start_s, end_s, path)
    values = np.array(rows[:, first:last].T, dtype=np.float32)
    rate_hz = 1000.0 / float(np.diff(times_ms[first:last]).mean())
    return MediaReference(
        f"onellm/imu/{uid}/{start_s:g}-{end_s:g}",
        "imu",
        duration_s=(last - first) / rate_hz,
        rate_hz=rate_hz,
        values=values,
    )


def array_on_disk(path: Path) -> np.ndarray:
    """The numbers of an NPY file, read when they are looked at. Raises DataError for another file."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DataError(f"{path}: expected numbers in an NPY file; {error}") from None


def _seconds(record: Mapping[str, Any], name: str) -> float:
    value = record.get(name)
    if not isinstance(value, int | float):
        raise DataError(f"{name}: expected seconds, got {shown(value)}")
    return float(value)


def _recording(uid: str, folders: list[Path]) -> Path:
    tried = [folder / sub / f"{uid}.npy" for folder in folders for sub in SUBFOLDERS]
    found = next((path for path in tried if path.is_file()), None)
    if found is None:
        raise DataError(
            f"video_uid: expected the recording {uid}.npy in {folders[0]} or its processed_imu, got no such file; "
            "--images is the folder of the recordings"
        )
    return found


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(rows of the six axes, their times in ms), both on disk yet."""
    times_path = path.with_name(f"{path.stem}_timestamps.npy")
    rows, times_ms = array_on_disk(path), array_on_disk(times_path)
    if rows.ndim != 2 or rows.shape[0] != 6 or times_ms.shape != rows.shape[1:]:
        raise DataError(
            f"{path}: expected an array (6, rows) and (rows,) times beside it, got {rows.shape} and {times_ms.shape}"
        )
    return rows, times_ms


def _cut(times_ms: np.ndarray, start_s: float, end_s: float, path: Path) -> tuple[int, int]:
    """First row of a window, and the one behind its last, by the official rules."""
    last_s = float(times_ms[-1]) / 1000
    if end_s > last_s:
        raise DataError(f"window_end: expected at most {last_s:.2f} s, where {path.name} ends, got {end_s:g} s")
    first, last = (int(np.searchsorted(times_ms, second * 1000)) for second in (start_s, end_s))
    for name, second, row in (("window_start", start_s, first), ("window_end", end_s, last)):
        nearest_s = float(times_ms[row]) / 1000
        if abs(nearest_s - second) > MAX_GAP_S:
            raise DataError(
                f"{name}: expected a row of {path.name} within {MAX_GAP_S:g} s of {second:g} s, got the next at "
                f"{nearest_s:.2f} s"
            )
    if last - first < MIN_ROWS:
        raise DataError(
            f"window_start: expected at least {MIN_ROWS} rows of {path.name} from {start_s:g} to {end_s:g} s, "
            f"got {last - first}"
        )
    return first, last
