"""Samples as files: one JSON object a line in `name.jsonl`, and their media beside it.

    folder/train.jsonl
    folder/images/world-train-7.png      lossless, so that what is trained on is what was made
    folder/audio clips/world-train-7.wav      16 bit
    folder/clouds/world-train-7.ply      binary, with colours

Every file is written under a temporary name and then renamed, so that no reader sees half a file. It knows nothing of
where samples come from.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from deixis.errors import DataError, DeixisError
from deixis.samples.media import atomic_path, place_medium
from deixis.samples.sample import MediaReference, Sample
from deixis.samples.validate import read_records, validate_record


def write_samples(samples: Iterable[Sample], folder: str | Path, name: str) -> Path:
    """The path of `folder/name.jsonl`, written with the media of its samples beside it; an older one is replaced.

    A medium in memory (`values`) is written once for each id; one that lies in a file is copied beside the samples.
    Samples may be a generator: one at a time is held. Raises DataError, with the sample's id, for a sample that breaks
    the format or a medium that has neither values nor a file; then no `name.jsonl` is left, and an older one stays.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}.jsonl"
    path_of_id: dict[str, str] = {}
    with atomic_path(target) as part, part.open("w", encoding="utf-8") as lines:
        for sample in samples:
            try:
                for medium in sample.signals:
                    if medium.id not in path_of_id:
                        path_of_id[medium.id] = place_medium(medium, folder)
                record = record_of(sample, [path_of_id[medium.id] for medium in sample.signals])
            except DeixisError as error:
                raise DataError(f"sample {sample.id!r}: {error}") from error
            lines.write(json_line(record))
    return target


def read_samples(path: str | Path) -> Iterator[Sample]:
    """The samples of a JSONL file, in order; paths of media are joined to the file's folder, so they can be opened.

    Raises DataError that begins with `file:line` at the first line that is not a sample of the format, and OSError
    where the file cannot be opened.
    """
    folder = Path(path).parent
    for line, record in read_records(path):
        try:
            yield sample_of(record, folder)
        except DeixisError as error:
            raise DataError(f"{path}:{line}: {error}") from None


def record_of(sample: Sample, paths: Sequence[str]) -> dict[str, Any]:
    """The record of a sample whose media lie at `paths`, relative to the file. Raises DataError if it is none."""
    signals = tuple(replace(m, path=path) for m, path in zip(sample.signals, paths, strict=True))
    record = replace(sample, signals=signals).to_json()
    validate_record(record)
    return record


def sample_of(record: Any, folder: Path) -> Sample:
    """The sample of a record, its media joined to `folder`. Raises DataError, one sentence, if it is none."""
    if isinstance(record, DataError):
        raise record
    validate_record(record)
    sample = Sample.from_json(record)
    return replace(sample, signals=tuple(_joined(medium, folder) for medium in sample.signals))


def json_line(record: dict[str, Any]) -> str:
    """A record as it stands in a file, its newline behind it."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


def _joined(medium: MediaReference, folder: Path) -> MediaReference:
    return medium if medium.path is None else replace(medium, path=str(folder / medium.path))
