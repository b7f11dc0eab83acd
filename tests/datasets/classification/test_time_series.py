"""Windows in .ts files as IMU recordings with a class; headers and lines that do not fit."""

import re

import numpy as np
import pytest

from deixis.datasets.classification.time_series import TIME_SERIES
from deixis.errors import DataError
from tests.datasets.reading import read_all

HEADER = "#a comment\n@problemName Toy\n@timeStamps false\n@dimensions 6\n@classLabel true Standing Running\n@data\n"
CHANNELS = ":".join(",".join(str(10 * axis + row) for row in range(12)) for axis in range(6))
RATE = {"options": {"rate_hz": "4"}}


def lay(folder, text=f"{HEADER}{CHANNELS}:Standing\n\n{CHANNELS}:Running\n", name="Toy_TRAIN.ts"):
    (folder / name).write_text(text)
    return folder


def test_windows(tmp_path):
    lay(tmp_path)
    lay(tmp_path, f"{HEADER}{CHANNELS}:Lying\n", "Toy_TEST.ts")
    (tested, first, second), skipped = read_all(TIME_SERIES, tmp_path, options={"rate_hz": "4", "source": "toy"})
    assert not skipped
    assert (tested.id, tested.split, first.split, second.task) == ("toy/Toy_TEST/000000", "test", "train", "classify")
    (medium,), (turn,) = first.signals, first.turns
    assert (medium.modality, medium.rate_hz, medium.duration_s) == ("imu", 4.0, 3.0)
    np.testing.assert_array_equal(medium.values, [[10 * axis + row for axis in range(6)] for row in range(12)])
    assert (turn.assistant, turn.choices) == ("Standing", ("Lying", "Running", "Standing"))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        pytest.param("1,2:3,4:Standing", "expected 6 channels, acc_x, acc_y, acc_z, gyro_x, .*, got 2", id="channels"),
        pytest.param(CHANNELS.replace("11:", "11,12:", 1) + ":Standing", "one length, got 12 to 13", id="lengths"),
        pytest.param(CHANNELS.replace("11:", "?:", 1) + ":Standing", r"'\?' is a gap", id="gap"),
        pytest.param("1,2,3", "expected channels and a class, apart by colons, got '1,2,3'", id="no_class"),
    ],
)
def test_a_bad_line_is_counted(line, why, tmp_path):
    lay(tmp_path, f"{HEADER}{CHANNELS}:Running\n{line}\n")
    (sample,), (skipped,) = read_all(TIME_SERIES, tmp_path, **RATE)
    assert sample.turns[0].assistant == "Running"
    assert skipped.where == "Toy_TRAIN.ts:8"
    assert re.search(why, skipped.why)


@pytest.mark.parametrize(
    ("text", "options", "match"),
    [
        pytest.param(f"{HEADER}{CHANNELS}:a\n", {}, "rate_hz: expected the values a second, .* got none", id="no_rate"),
        pytest.param(f"{HEADER}{CHANNELS}:a\n", {"rate_hz": "-1"}, "rate_hz: expected .*; got '-1'", id="rate"),
        pytest.param(HEADER.replace("@timeStamps false", "@timeStamps true"), RATE["options"], "@timestamps: expected",
                     id="times"),
        pytest.param(HEADER.replace("true Standing Running", "false"), RATE["options"], "@classlabel: expected true",
                     id="no_classes"),
        pytest.param("G\x00@\x11", RATE["options"], "a header that ends in @data, got", id="a_video"),
        pytest.param("", RATE["options"], "a header that ends in @data, got none", id="empty"),
    ],
)  # fmt: skip
def test_another_file_is_refused(text, options, match, tmp_path):
    with pytest.raises(DataError, match=match):
        read_all(TIME_SERIES, lay(tmp_path, text), options=options)


def test_a_folder_without(tmp_path):
    with pytest.raises(DataError, match=r"expected files ending in \.ts, got none"):
        read_all(TIME_SERIES, tmp_path, **RATE)
