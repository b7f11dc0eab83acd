"""No reader of annotations opens a pipe or device, which would block it or feed it without end."""

import sys
from pathlib import Path

import pytest

from deixis.datasets.classification.class_clouds import _read_h5
from deixis.datasets.classification.cloud_files import read_points
from deixis.datasets.files.json_stream import json_items, json_rows
from deixis.datasets.files.safe_pickle import load_pickle
from deixis.datasets.files.safe_xml import read_xml
from deixis.datasets.files.tables import table_rows
from deixis.files.json_text import read_json, read_text
from deixis.files.yaml_text import read_yaml
from deixis.samples.shard_files import places_of_tar, read_jsonl, read_parquet, read_tar

READERS = {
    "table": lambda path: next(table_rows(path)),
    "xml": read_xml,
    "pickle": load_pickle,
    "text": read_text,
    "json": read_json,
    "items": lambda path: next(json_items(path)),
    "rows": json_rows,
    "yaml": read_yaml,
    "jsonl shard": lambda path: next(read_jsonl(path)),
    "tar shard": lambda path: next(read_tar(path)),
    "places of a tar": lambda path: next(places_of_tar(path)),
    "parquet shard": lambda path: next(read_parquet(path)),
    "points as text": lambda path: read_points(path.replace(path.with_suffix(".xyz"))),
    "hdf5": lambda path: _read_h5(path, 4),
}


@pytest.mark.skipif(sys.platform == "win32", reason="devices of POSIX")
@pytest.mark.parametrize("reader", READERS)
def test_a_device_is_refused(tmp_path: Path, reader: str) -> None:
    """/dev/null stands for all of them: it would end at once, and a test that fails does not hang."""
    (tmp_path / "a").symlink_to("/dev/null")
    with pytest.raises(ValueError, match=r"a\w*(\.xyz)?': expected a regular file, got a device"):
        READERS[reader](tmp_path / "a")
