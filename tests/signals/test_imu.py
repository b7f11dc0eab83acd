"""IMU recordings: tables of every make give the same six channels, and the network's are resampled as written."""

import math

import numpy as np
import pytest

from deixis.signals import ImuSpec, open_signal, to_tensor
from deixis.signals.imu import resample_sinc
from deixis.signals.imu_tables import AXES


def motion(count=100, rate_hz=50.0):
    """Six slow waves."""
    times = np.arange(count) / rate_hz
    return np.stack([np.sin(2 * np.pi * (1 + i) * times + i) for i in range(6)], axis=1)


def write(path, header, rows, separator=","):
    lines = [separator.join(header)] if header else []
    lines += [separator.join(f"{value:.9g}" if np.isfinite(value) else "" for value in row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(motion(), "with a time column or a rate, got neither; pass rate_hz=, or imu@50:", id="no_rate"),
        pytest.param((motion()[:, :5], 50), r"of shape \(n, 6\) or \(6, n\), got \(100, 5\)", id="five"),
        pytest.param((motion(9), 50), "at least 10 rows, got 9", id="short"),
        pytest.param((np.full((50, 6), np.nan), 50), "in 50 of 50 rows, the first of them row 1", id="nan"),
        pytest.param((np.ones((50, 6)), 50), "six constant columns; nothing was recorded", id="still"),
        pytest.param((motion(), 10**5000), "rate: expected a number, got a whole number of 16610 bits", id="huge_rate"),
        pytest.param((motion(), 0.1), "expected a rate of 1 to 20000 Hz, got 0.1", id="slow"),
    ],
)
def test_bad_arrays_are_one_sentence(value, message):
    with pytest.raises(ValueError, match=message):
        open_signal(value, modality="imu")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("ax,ay,az,gx,gy\n1,2,3,4,5\n", "gyro_z is there not at all", id="five_columns"),
        pytest.param(
            "t,ax,ax,ay,az,gx,gy,gz\n" + "0,1,2,3,4,5,6,7\n" * 12, "acc_x is there more than once", id="twice"
        ),
        pytest.param("1,2,3\n4,5,6\n", "expected six columns .*, got 3 and no header", id="three_numbers"),
        pytest.param("ax,ay,az,gx,gy,gz\n1,2,3,4,5\n", "expected 6 columns in every row, got 5 in row 2", id="ragged"),
        pytest.param("ax,ay,az,gx,gy,gz\n1,2,x,4,5,6\n", "expected numbers, got 'x' in row 1", id="word"),
        pytest.param("ax,ay,az,gx,gy,gz\n", "a header and no rows", id="no_rows"),
        pytest.param("# nothing\n", "got no rows", id="comment"),
        pytest.param("ax,ay,az,gx,gy,gz\n" + "1,2,3,4,5,6\n" * 12, "time column or a rate, got neither", id="no_time"),
        pytest.param("t,ax,ay,az,gx,gy,gz\n" + "1,1,2,3,4,5,6\n" * 12, "time that rises .* at row 1", id="still_time"),
        pytest.param(
            "t,ax,ay,az,gx,gy,gz\n" + "".join(f"{60 * i},1,2,3,4,5,{i}\n" for i in range(12)),
            None,
            id="a_minute_in_ms",
        ),
        pytest.param(
            "t,ax,ay,az,gx,gy,gz\n" + "".join(f"{i / 9e3},1,2,3,4,5,{i}\n" for i in range(12)),
            "steps of 0.000111111, which in none of them is a rate",
            id="too_fast",
        ),
    ],
)
def test_bad_tables_are_one_sentence(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    if message is None:
        assert abs(open_signal(tmp_path / "a.csv").info["source_rate_hz"] - 1000 / 60) < 1e-6
        return
    with pytest.raises(ValueError, match=rf"'a.csv': expected .*{message.removeprefix('expected ')}"):
        open_signal(tmp_path / "a.csv")


HEADS = [
    pytest.param(("time", "ax", "ay", "az", "gx", "gy", "gz"), id="short"),
    pytest.param(("timestamp_ms", *AXES), id="ours"),
    pytest.param(("Time (s)", *(f"{s} {a} (SI)" for s in ("Accelerometer", "Gyroscope") for a in "XYZ")), id="long"),
    pytest.param(("ts", *(f"{s}.{a}" for s in ("userAcceleration", "rotationRate") for a in "xyz")), id="ios"),
    pytest.param(("seconds_elapsed", "a", "b", "c", "d", "e", "f"), id="unknown_names"),
]


@pytest.mark.parametrize("header", HEADS)
@pytest.mark.parametrize(("unit", "separator"), [(1.0, ","), (1e3, ";"), (1e6, "\t"), (1e9, " ")])
def test_columns_are_found_by_name_and_time_in_any_unit(tmp_path, header, unit, separator):
    if separator == " ":
        header = tuple(name.replace(" ", "_") for name in header)
    rows = np.column_stack([(17 + np.arange(100) / 50) * unit, motion()])
    order = [0, 4, 5, 6, 1, 2, 3] if header[1] != "a" else list(range(7))  # the gyroscope first
    path = write(tmp_path / "a.csv", [header[i] for i in order], rows[:, order], separator)
    signal = open_signal(path)
    assert (signal.modality, signal.extent.axes) == ("imu", "t")
    np.testing.assert_allclose(signal.values, motion(), atol=1e-5)
    np.testing.assert_allclose(signal.info["times_s"], np.arange(100) / 50, atol=1e-5)
    np.testing.assert_allclose(signal.extent.duration_s, 2.0, atol=1e-5)


def test_without_a_header_and_with_a_rate(tmp_path):
    np.save(tmp_path / "a.npy", motion().T)
    six = write(tmp_path / "six.csv", None, motion())
    seven = write(tmp_path / "seven.csv", None, np.column_stack([np.arange(100) / 50, motion()]))
    signals = [
        open_signal((motion(), 50)),
        open_signal(motion().T, modality="imu", rate_hz=50),
        open_signal(f"imu@50:{tmp_path / 'a.npy'}"),
        open_signal(six, rate_hz=50),
        open_signal(seven),
    ]
    assert {signal.modality for signal in signals} == {"imu"}
    for signal in signals:
        np.testing.assert_allclose(signal.values, motion(), atol=1e-6)
    assert signals[0].digest == signals[1].digest == signals[2].digest
    gap = write(tmp_path / "gap.csv", None, np.where(np.arange(600).reshape(100, 6) == 45, np.nan, motion()))
    with pytest.raises(ValueError, match="got NaN, infinity or nothing in 1 of 100 rows, the first of them row 8"):
        open_signal(gap, rate_hz=50)


def test_linear_resampling_at_the_files_own_times(tmp_path):
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.03, 90)) * 1.0
    rows = np.stack([i + times * (i + 1) for i in range(6)], axis=1)  # straight lines: linear between any rows
    path = write(tmp_path / "a.csv", ("t", *AXES), np.column_stack([times, rows]))
    values, frame = to_tensor(open_signal(path))
    assert (values.shape, values.dtype) == ((6, 400), np.float32)
    end = int((times[-1] - times[0]) * 200)
    grid = times[0] + np.arange(end) / 200
    np.testing.assert_allclose(values[:, :end], np.stack([i + grid * (i + 1) for i in range(6)]), atol=1e-4)
    assert (values[:, -10:] == 0).all()
    np.testing.assert_allclose(frame.to_unit([1.0]), [0.5])


@pytest.mark.parametrize(("rate_hz", "new_rate_hz"), [(50, 200), (199, 200), (500, 200), (100, 200)])
def test_sinc_resampling_is_torchaudios_filter_bank(rate_hz, new_rate_hz):
    """Its other form: one kernel for each phase of the new rate, and a strided convolution of the padded recording."""
    torch = pytest.importorskip("torch")
    rows = np.random.default_rng(0).normal(size=(77, 6))
    divisor = math.gcd(rate_hz, new_rate_hz)
    old, new = rate_hz // divisor, new_rate_hz // divisor
    base = min(old, new) * 0.99
    width = math.ceil(6 * old / base)
    phases, taps = (torch.arange(*ends, dtype=torch.float64) for ends in ((0, -new, -1), (-width, width + old)))
    t = (phases[:, None] / new + taps / old) * base
    t = t.clamp(-6, 6)
    kernels = torch.sinc(t) * torch.cos(t * math.pi / 12) ** 2 * base / old
    padded = torch.nn.functional.pad(torch.from_numpy(rows.T), (width, width + old))
    bank = torch.nn.functional.conv1d(padded[:, None], kernels[:, None], stride=old)
    expected = bank.transpose(1, 2).reshape(6, -1)[:, : math.ceil(new * 77 / old)].numpy()
    np.testing.assert_allclose(resample_sinc(rows, rate_hz, new_rate_hz).T, expected, atol=1e-9)


def test_the_official_window():
    """200 Hz by the sinc, the first 400 samples, zeros after the end; a recording of 200 Hz as it is."""
    spec = ImuSpec(resampling="sinc", too_long="cut")
    long, short = open_signal((motion(300), 50)), open_signal((motion(50), 50))
    np.testing.assert_allclose(to_tensor(long, spec)[0], resample_sinc(motion(300), 50, 200)[:400].T, atol=1e-5)
    values, _ = to_tensor(short, spec)
    np.testing.assert_allclose(values[:, :200], resample_sinc(motion(50), 50, 200).T, atol=1e-5)
    assert (values[:, 200:] == 0).all()
    as_it_is, _ = to_tensor(open_signal((motion(400, 200), 200)), spec)
    np.testing.assert_allclose(as_it_is, motion(400, 200).T, atol=1e-6)
    with pytest.raises(ValueError, match=r"at most 2 s, got 6.00 s; cut the file or choose"):
        to_tensor(long)


def test_standard_traces_leave_the_padding_alone():
    rows = motion(50) * 7 + 3
    rows[:, 2] = 4.0
    values, _ = to_tensor(open_signal((rows, 50)), ImuSpec(normalise="standard"))
    np.testing.assert_allclose(values[:, :200].mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(np.delete(values, 2, 0)[:, :200].std(1), 1, atol=1e-4)
    assert (values[2] == 0).all()
    assert (values[:, 200:] == 0).all()


@pytest.mark.parametrize("field", ["resampling", "normalise", "too_long"])
def test_choices_that_are_none(field):
    with pytest.raises(ValueError, match=f"{field}: expected one of .*; got 'best'"):
        to_tensor(open_signal((motion(), 50)), ImuSpec(**{field: "best"}))


@pytest.mark.parametrize(
    ("value", "kind"),
    [((motion(), 50), "imu"), ((motion().T, 100.0), "imu"), ((motion(), 48000), None), ((motion()[:, :1], 50), None)],
)
def test_a_rate_tells_a_trace_from_a_sound(value, kind):
    if kind:
        assert open_signal(value).modality == kind
        return
    with pytest.raises(ValueError, match=r"expected (audio of|a rate of 1000)"):
        open_signal(value)


def test_real_watches_and_phones(shared_data, tmp_path):
    text = (shared_data / "imu_basicmotions" / "BasicMotions_TRAIN.ts").read_text()
    line = text.partition("@data\n")[2].splitlines()[0]
    rows = np.array([list(map(float, part.split(","))) for part in line.split(":")[:6]])
    assert rows.shape == (6, 100)
    watch = open_signal((rows, 10))
    path = write(tmp_path / "watch.csv", ("time", *AXES), np.column_stack([np.arange(100) / 10, rows.T]))
    np.testing.assert_allclose(open_signal(path).values, watch.values, atol=1e-6)
    values, _ = to_tensor(watch, ImuSpec(window_s=10))
    np.testing.assert_allclose(values[:, ::20], rows, atol=1e-5)
    folder = shared_data / "imu_phone"
    phone = np.hstack([np.loadtxt(folder / f"{sensor}_exp01_user01.txt.gz") for sensor in ("acc", "gyro")])
    signal = open_signal((phone, 50))
    assert abs(signal.extent.duration_s - len(phone) / 50) < 1e-6
    assert to_tensor(signal, ImuSpec(window_s=600))[0].std() > 0.05
