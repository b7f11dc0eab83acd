"""Tables of IMU recordings: which columns of a CSV are time and the six axes, and in which unit the time is.

Knows files and names of columns; what a recording is used for is in `imu.py`.
"""

import csv
import math
import re
from array import array
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import Float

from deixis.errors import InputError
from deixis.files.budget import check_decoded
from deixis.files.lines import bounded_lines
from deixis.files.regular import open_regular

AXES = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
"""The order of the six columns: accelerometer, then gyroscope, as in OneLLM's and IMU2CLIP's files."""
MAX_BYTES = 512 * 2**20
MAX_LINE = 2**20
"""Letters of a row, which is several of Python's objects for each of its cells."""
ROWS_BETWEEN_CHECKS = 100_000
ROW_BYTES = 240
"""What the six axes and the time of a row take besides, while they become a recording."""
LOWEST_RATE_HZ, HIGHEST_RATE_HZ = 5.0, 5000.0
"""Rates of motion sensors; three decades, so that exactly one of s, ms, us and ns fits the steps of a time column."""
TIME_UNITS_S = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_TIME = re.compile(r"(?:elapsed[ _.\-]*)?(?:time\w*|t|ts|secs?|seconds?|millis|ms)(?:[ _.\-(\[].*)?")
_SENSOR = {"acc": re.compile(r"a|acc\w*|linear\w*|.*acc.*"), "gyro": re.compile(r"g|w|r|.*(?:gyr|rot|angular).*")}
_AXIS = re.compile(r"(?P<sensor>.*?)[ _.\-(\[]*(?P<axis>[xyz])[)\]]?(?:[ _.\-(\[].*)?")


def read_csv(path: Path, name: str) -> tuple[Float[np.ndarray, "row 6"], Float[np.ndarray, " row"] | None]:
    """The six axes of a CSV, and the seconds of its rows from the first; None where it has no time column.

    With a header, columns are found by name; without, six columns are the axes and a seventh before them the time.
    Raises: InputError for text that is no table of numbers, other columns, or a time that stands still or runs back.
    """
    header, rows = _table(path, name)
    if header is None:
        if rows.shape[1] not in (6, 7):
            raise InputError(
                f"'{name}': expected six columns ({', '.join(AXES)}), perhaps with the time before them, got "
                f"{rows.shape[1]} and no header; write the names of the columns into the first row."
            )
        time, axes = (0 if rows.shape[1] == 7 else None), list(range(rows.shape[1] - 6, rows.shape[1]))
    else:
        time, axes = _columns(header, name)
    return rows[:, axes], None if time is None else seconds(rows[:, time], name)


def seconds(stamps: Float[np.ndarray, " row"], name: str) -> Float[np.ndarray, " row"]:
    """Seconds from the first of rising time stamps in s, ms, us or ns, told by their steps.

    Raises: InputError where they do not rise, or no unit gives a rate of motion sensors.
    """
    steps = np.diff(stamps)
    if len(stamps) < 2 or not np.isfinite(stamps).all() or not (steps > 0).all():
        row = 1 + int(np.argmax(~(steps > 0))) if len(stamps) > 1 else 0
        raise InputError(f"'{name}': expected a time that rises from row to row, got one that does not at row {row}.")
    step = float(np.median(steps))
    for unit_s in TIME_UNITS_S.values():
        if 1 / HIGHEST_RATE_HZ < step * unit_s <= 1 / LOWEST_RATE_HZ:
            return (stamps - stamps[0]) * unit_s
    raise InputError(
        f"'{name}': expected a time in s, ms, us or ns, got steps of {step:g}, which in none of them is a rate of "
        f"{LOWEST_RATE_HZ:g} to {HIGHEST_RATE_HZ:g} Hz."
    )


def _table(path: Path, name: str) -> tuple[list[str] | None, Float[np.ndarray, "row column"]]:
    """(header or None, numbers) of a comma-, semicolon- or tab-separated text."""
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"'{name}': expected a recording of at most {MAX_BYTES >> 20} MB, got more; cut it.")
    try:
        with open_regular(path) as stream, TextIOWrapper(stream, encoding="utf-8-sig") as text:
            return _read_rows(_lines(text, name), name)
    except UnicodeDecodeError as error:
        raise InputError(f"'{name}': expected a CSV of IMU recordings, got a file that is no text.") from error
    except csv.Error as error:
        raise InputError(f"'{name}': expected a CSV of IMU recordings, got a damaged table ({error}).") from error


def _lines(text: TextIOWrapper, name: str) -> Iterator[str]:
    """The lines that are neither blank nor a comment."""
    for line, length in bounded_lines(text.readline, MAX_LINE):
        if length > MAX_LINE:
            raise InputError(
                f"'{name}': expected rows of at most {MAX_LINE} letters, got one of {length}; is it a CSV?"
            )
        if line.strip() and not line.startswith("#"):
            yield line


def _read_rows(lines: Iterator[str], name: str) -> tuple[list[str] | None, Float[np.ndarray, "row column"]]:
    """The same of its lines that are not blank, one after the other: as Python's objects cells take twenty times more.

    Raises: csv.Error for what is no table.
    """
    first = next(lines, None)
    if first is None:
        raise InputError(f"'{name}': expected a CSV of IMU recordings, got no rows.")
    separator = max(",;\t", key=first.count)
    if not first.count(separator):
        separator = " "
    table = csv.reader(chain([first], lines), delimiter=separator, skipinitialspace=True)
    cells = next(table)
    header = None if all(map(_is_number, cells)) else [cell.strip().lower() for cell in cells]
    width, numbers = len(cells), array("d")
    for number, row in enumerate(table if header else chain([cells], table), start=1 + bool(header)):
        if len(row) != width:
            raise InputError(
                f"'{name}': expected {width} columns in every row, got {len(row)} in row {number}; the file is cut "
                "short or damaged."
            )
        try:
            numbers.extend([float(cell) if cell.strip() else math.nan for cell in row])
        except ValueError as error:
            bad = next(cell for cell in row if not _is_number(cell))
            raise InputError(
                f"'{name}': expected numbers, got {bad!r:.40} in row {number - bool(header)} of the table."
            ) from error
        if not number % ROWS_BETWEEN_CHECKS:
            check_decoded(name, number * (2 * numbers.itemsize * width + ROW_BYTES), f"{number} rows and more")
    rows = np.frombuffer(numbers, dtype=np.float64).reshape(-1, width)
    if not len(rows):
        raise InputError(f"'{name}': expected a CSV of IMU recordings, got a header and no rows.")
    return header, rows


def _columns(header: Sequence[str], name: str) -> tuple[int | None, list[int]]:
    """(number of the time column or None, numbers of the six axes in their order)."""
    times = [number for number, word in enumerate(header) if _TIME.fullmatch(word)]
    found: dict[str, list[int]] = {axis: [] for axis in AXES}
    for number, word in enumerate(header):
        match = _AXIS.fullmatch(word)
        if number in times[:1] or match is None:
            continue
        sensor = next((key for key, pattern in _SENSOR.items() if pattern.fullmatch(match["sensor"])), None)
        if sensor is not None:
            found[f"{sensor}_{match['axis']}"].append(number)
    if all(len(numbers) == 1 for numbers in found.values()):
        return (times[0] if times else None), [found[axis][0] for axis in AXES]
    others = [number for number in range(len(header)) if number not in times[:1]]
    missing = [axis for axis, numbers in found.items() if len(numbers) != 1]
    if len(others) == 6 and len(missing) == 6:  # six columns of names we do not know: in the usual order
        return (times[0] if times else None), others
    raise InputError(
        f"'{name}': expected columns {', '.join(AXES)} and perhaps time, got {', '.join(header)[:120]}; "
        f"{missing[0]} is there {'more than once' if found[missing[0]] else 'not at all'}."
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return not text.strip()  # an empty cell is a missing number
    return True
