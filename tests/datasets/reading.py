"""What the tests of readers share: a whole set read through the catalogue, as `deixis data read` does it."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from deixis.datasets.annotated import Annotated
from deixis.datasets.plain_questions import plain_samples
from deixis.datasets.runs.catalogue import build_catalogue
from deixis.datasets.source import DatasetConfig, Format
from deixis.samples.sample import Sample, Skipped
from deixis.samples.validate import validate_record


def read_all(form: Format, path: Path, **place: Any) -> tuple[list[Annotated | Sample], list[Skipped]]:
    """The records of a set in its order, and all that was skipped; every plain sample of them passes the schema."""
    where = DatasetConfig(path, **place)
    records, skipped = [], []
    with tempfile.TemporaryDirectory() as folder:
        catalogue = build_catalogue(form.scan(where), Path(folder) / "catalogue.sqlite")
        skipped += catalogue.skipped()
        metadata = catalogue.metadata()
        for item in catalogue.items():
            try:
                for found in form.read(item, metadata, where):
                    (skipped if isinstance(found, Skipped) else records).append(found)
            except ValueError as error:
                skipped.append(Skipped(item.rows[0].where, str(error)))
            skipped += item.repeats.values()
        catalogue.close()
    for record in records:
        for sample in plain_samples(record) if isinstance(record, Annotated) else [record]:
            validate_record(_without_values(sample.to_json()))
    return records, skipped


def _without_values(record: dict[str, Any]) -> dict[str, Any]:
    """A record whose media have the relative paths that written ones have."""
    signals = [medium | {"path": f"x{Path(medium.get('path', '')).suffix}"} for medium in record["signals"]]
    return {**record, "signals": signals}


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def write_picture(path: Path, values: Any, mode: str | None = None) -> Path:
    """An image file of an array, (h, w) or (h, w, 3) uint8, or (h, w) uint16."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(np.asarray(values))
    (picture.convert(mode) if mode else picture).save(path)
    return path
