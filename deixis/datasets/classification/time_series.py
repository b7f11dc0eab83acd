"""sktime's and the UEA archive's .ts files: windows of six channels with a class each, as IMU recordings.

    @dimensions 6
    @classLabel true Standing Running
    @data
    0.1,0.2,...:...:0.3,0.1,...:Standing       channels apart by colons, values by commas, the class at the end

The channels are acceleration x, y, z, then rotation x, y, z. The files do not tell how fast their values follow, which
the option `rate_hz` does. Files called NAME_TEST.ts are the test split.

Source: sktime.net, "Loading data from .ts files"; timeseriesclassification.com.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from deixis.datasets.classification.class_folders import class_sample
from deixis.datasets.files.class_lists import readable
from deixis.datasets.files.images import set_name, split_of
from deixis.datasets.source import METADATA, DatasetConfig, Format, Item, Metadata, Row
from deixis.errors import DataError
from deixis.files.lines import bounded_lines
from deixis.files.regular import open_regular
from deixis.samples.consistency import shown
from deixis.samples.sample import MediaReference, Sample, Skipped
from deixis.signals.imu_tables import AXES

SUFFIX = ".ts"
MAX_LINE_BYTES = 32 * 2**20
"""Of a window: the longest of the archive, of 1,345 channels, have a few MB."""


def scan_time_series(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """A row for each window, and one for the classes of all files. Raises DataError for files that hold none."""
    _rate_hz(config)
    files = [config.path] if config.path.is_file() else sorted(config.path.glob(f"*{SUFFIX}"))
    if not files:
        raise DataError(f"{config.path}: expected files ending in {SUFFIX}, got none")
    classes: set[str] = set()
    for path in files:
        for number, (where, text) in enumerate(_windows(path)):
            values, _, label = text.rpartition(":")
            name = readable(label)
            if not values or not name:
                yield Skipped(where, f"expected channels and a class, apart by colons, got {shown(text)}")
                continue
            classes.add(name)
            value = {"values": values, "class": name, "split": config.split or split_of(path.stem) or "train"}
            yield Row(f"{path.stem}/{number:06d}", "window", where, value)
    yield Row(METADATA, "classes", "classes", sorted(classes))


def read_time_series(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Sample | Skipped]:
    """The question for the class of an item's window, its values (row, 6) float32 in the file's units."""
    value = item.one("window").value
    rows, rate_hz = _rows(value["values"]), _rate_hz(config)
    medium_id = f"{set_name(config)}/{item.key}"
    medium = MediaReference(medium_id, "imu", duration_s=len(rows) / rate_hz, rate_hz=rate_hz, values=rows)
    yield class_sample(medium, value["class"], metadata["classes"][0].value, value["split"], config)


def is_time_series(path: Path) -> bool:
    """Whether a file begins as the header of such a file does; other .ts files are videos."""
    with open_regular(path) as stream:
        return stream.read(1).strip() in (b"#", b"@", b"")


def _rate_hz(config: DatasetConfig) -> float:
    text = config.options.get("rate_hz")
    try:
        rate_hz = float(text or "")
    except ValueError:
        rate_hz = 0.0
    if not (rate_hz > 0 and math.isfinite(rate_hz)):
        raise DataError(
            f"rate_hz: expected the values a second, which {SUFFIX} files do not tell, as rate_hz=10; got "
            f"{'none' if text is None else shown(text)}"
        )
    return rate_hz


def _windows(path: Path) -> Iterator[tuple[str, str]]:
    """(where, line) of each window behind the header. Raises DataError for a header of another form."""
    header: dict[str, str] = {}
    with open_regular(path) as stream:
        for number, (line, length) in enumerate(bounded_lines(stream.readline, MAX_LINE_BYTES), 1):
            text = line.decode("utf-8", "replace").strip()
            if not text or text.startswith("#"):
                continue
            if text.startswith("@"):
                name, _, value = text[1:].partition(" ")
                header[name.lower()] = value.strip().lower()
                if name.lower() == "data":
                    _check_header(header, path)
                continue
            if "data" not in header:
                raise DataError(f"{path}: expected a {SUFFIX} file with a header that ends in @data, got {shown(text)}")
            yield f"{path.name}:{number}", text if length <= MAX_LINE_BYTES else ""
    if "data" not in header:
        raise DataError(f"{path}: expected a {SUFFIX} file with a header that ends in @data, got none")


def _check_header(header: dict[str, str], path: Path) -> None:
    """Raises DataError for series without classes, or with a time at each value."""
    for field, wanted in (("timestamps", "false"), ("classlabel", "true")):
        if not header.get(field, "false").startswith(wanted):
            raise DataError(f"{path}: @{field}: expected {wanted}, got {header.get(field, 'none')}")


def _rows(text: str) -> Float32[np.ndarray, "row 6"]:
    """The values of a window. Raises DataError unless it has six channels of one length without gaps."""
    channels = [channel.split(",") for channel in text.split(":")]
    if len(channels) != len(AXES):
        raise DataError(f"expected {len(AXES)} channels, {', '.join(AXES)}, got {len(channels)}")
    if len(lengths := {len(channel) for channel in channels}) > 1:
        raise DataError(f"expected channels of one length, got {min(lengths)} to {max(lengths)} values")
    try:
        return np.array(channels, dtype=np.float32).T
    except ValueError:
        raise DataError("expected numbers, got something else in a channel ('?' is a gap: fill it first)") from None


TIME_SERIES = Format(
    name="time_series",
    title="sktime's .ts files of six channels, as IMU recordings with a class",
    wants="a .ts file, or a folder of such",
    home="https://www.timeseriesclassification.com",
    licence="each set has its own",
    scan=scan_time_series,
    read=read_time_series,
    options={
        "rate_hz": "values a second, which the files do not tell; required",
        "question": "what is asked of each",
        "source": "what the set is called in ids (default: the name of its folder)",
    },
)
