"""Files made of arrays: refused where they do not fit, and the same numbers when opened again."""

import numpy as np
import pytest

from deixis.data.media_files import write_brain, write_depth, write_trace
from deixis.signals import open_signal

NUMBERS = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("write", "values", "message"),
    [
        pytest.param(write_trace, np.zeros((6, 40)), "expected a motion trace as floats", id="trace_turned"),
        pytest.param(write_trace, np.zeros((40, 6), int), "got int64", id="trace_of_whole_numbers"),
        pytest.param(write_brain, np.zeros((2, 3)), "expected a brain response as floats", id="brain_of_repeats"),
        pytest.param(write_depth, np.zeros((2, 3, 3)), "expected a depth map as floats", id="depth_of_colours"),
        pytest.param(write_depth, np.full((2, 3), 66.0), "expected depths from 0 to 65.535 m", id="depth_too_far"),
        pytest.param(write_depth, np.full((2, 3), np.nan), "expected depths from 0 to 65.535 m", id="depth_unknown"),
    ],
)
def test_refuses(tmp_path, write, values, message):
    with pytest.raises(ValueError, match=message):
        write(values, tmp_path / "a")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("write", "values", "name", "kind", "options"),
    [
        pytest.param(write_trace, NUMBERS.normal(size=(40, 6)).astype(np.float32), "a.npy", "imu", {"rate_hz": 100},
                     id="imu"),
        pytest.param(write_brain, NUMBERS.normal(size=50).astype(np.float32), "a.npy", "fmri", {}, id="fmri"),
        pytest.param(write_depth, NUMBERS.integers(0, 65536, (5, 7)) / np.float32(1000), "a.png", "depth", {},
                     id="depth"),
    ],
)  # fmt: skip
def test_the_same_numbers_come_back(tmp_path, write, values, name, kind, options):
    write(values, tmp_path / name)
    assert open_signal(tmp_path / name, kind, **options).values == pytest.approx(values, abs=1e-5)
