"""Shards: files of samples, each whole or not there, that many processes write side by side and a run reads in order.

A sample that cannot be written or read is skipped and said, never stopping the rest. The ending of the path tells the
form (`deixis.samples.shard_files`); media are placed by `deixis.samples.media`. It knows nothing of where
samples come from.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from deixis.errors import DataError, DeixisError, OutputError
from deixis.files.whole import whole_file
from deixis.samples.headers import check_header
from deixis.samples.media import file_ending, place_medium, placed_path, plain_name, read_content
from deixis.samples.sample import MediaReference, Sample, Skipped
from deixis.samples.shard_files import FORMS, Entry, ShardForm
from deixis.samples.validate import validate_record

Placement = Literal["link", "copy", "none"]
REMEMBERED = 4_096  # media
MAX_KEY_LENGTH = 80  # of a tar's members, whose names end with 100 signs


@dataclass(frozen=True)
class ShardReport:
    """How many samples a shard holds, and which were skipped and why."""

    samples: int
    skipped: tuple[Skipped, ...]


def write_shard(samples: Iterable[Sample], path: str | Path, media: Placement = "link") -> ShardReport:
    """Writes the samples as one shard, its media beside it (jsonl, parquet) or in it (tar); an older one is replaced.

    media: "link" or "copy" of files that lie elsewhere (a tar always holds them itself); "none": media are not looked
    for. A sample that breaks the format, repeats an id, or whose medium is missing, no image, or of another size
    than it says, is skipped and comes back as skipped. The same samples give the same bytes. Raises DataError for an
    ending that is no form of shard, OutputError where the disk is full, and what `samples` raises; then no shard is
    left, and an older one stays.
    """
    path = Path(path)
    form = shard_form(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    places = _Inside() if path.suffix == ".tar" and media != "none" else _Beside(path.parent, media)
    count, skipped, keys = 0, [], set()
    with whole_file(path) as part, closing(form.write(part)) as shard:
        for sample in samples:
            try:
                key = plain_name(sample.id, MAX_KEY_LENGTH)
                if key in keys:
                    raise DataError(f"id: expected one that no other sample of the shard has, got {sample.id!r}")
                record = record_of(sample, places.paths(sample, key))
                contents = places.contents(sample, key)
            except OutputError:  # no fault of the sample: the next ones would find the disk full too
                raise
            except (DeixisError, OSError) as error:
                skipped.append(Skipped(f"sample {sample.id!r}", str(error)))
                continue
            keys.add(key)
            shard.add(record, contents, key)
            count += 1
    return ShardReport(count, tuple(skipped))


def shards_of(path: str | Path) -> list[Path]:
    """The shards at a path: itself, those in a folder, or those that a name with a star fits ("out/train-*"), by name;
    hidden ones are skipped.

    Raises DataError where there is none.
    """
    path = Path(path)
    if path.is_dir() or (not path.exists() and "*" in path.name):
        beside = path.iterdir() if path.is_dir() else path.parent.glob(path.name)
        found = sorted(item for item in beside if item.suffix in FORMS and not item.name.startswith("."))
        if not found:
            raise DataError(f"{path}: expected files ending in {', '.join(FORMS)} there, got none")
        return found
    if not path.exists():
        raise DataError(f"{path}: expected a file of samples or a folder of such, got no such file or folder")
    shard_form(path)
    return [path]


def open_samples(path: str | Path) -> Iterator[tuple[str, Sample | Skipped]]:
    """(where, sample) of every sample of a shard or a folder of shards, in order; one at a time is held.

    What cannot be read comes as a Skipped, and the rest goes on. Media that lie in a tar come with their content.
    Raises DataError where there is no shard.
    """
    for shard in shards_of(path):
        where = str(shard)
        try:
            for entry in shard_form(shard).read(shard):
                where = entry.where
                yield where, entry_sample(entry, shard)
        except (DeixisError, OSError) as error:  # of the file, not of an entry: the next shard may be whole
            yield where, Skipped(where, str(error))


def entry_sample(entry: Entry, shard: Path) -> Sample | Skipped:
    """The sample of an entry of a shard; what breaks the format is skipped."""
    try:
        sample = sample_of(entry.record, shard.parent)
    except DeixisError as error:
        return Skipped(entry.where, str(error))
    if not entry.contents:
        return sample
    return replace(sample, signals=tuple(_filled(medium, entry.contents, shard) for medium in sample.signals))


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
    media = (m if m.path is None else replace(m, path=str(folder / m.path)) for m in sample.signals)
    return replace(sample, signals=tuple(media))


def shard_form(path: Path) -> ShardForm:
    """The form that the ending of a path tells. Raises DataError for another ending."""
    if path.suffix not in FORMS:
        raise DataError(f"{path}: expected a path ending in {', '.join(FORMS)}, got {path.suffix or 'no ending'!r}")
    return FORMS[path.suffix]


def _filled(medium: MediaReference, contents: Mapping[str, bytes], shard: Path) -> MediaReference:
    """A medium with its content, if that is in the tar."""
    name = "" if medium.path is None else Path(medium.path).relative_to(shard.parent).as_posix()
    return medium if name not in contents else replace(medium, path=str(shard / name), content=contents[name])


class _Checked:
    """The media whose headers were checked last, so that the many samples of an image cost one look at it."""

    def __init__(self) -> None:
        self._known: set[MediaReference] = set()

    def is_new(self, number: int, medium: MediaReference) -> bool:
        """Whether a medium was not checked yet; it is now. Raises DataError for a header that says something else."""
        known = replace(medium, values=None, content=None)  # what is held must be small
        if known in self._known:
            return False
        check_header(f"signals[{number}]", medium)
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known.add(known)
        return True


class _Beside:
    """Media as files beside the shard."""

    def __init__(self, folder: Path, way: Placement):
        self.folder, self.way = folder, way
        self._placed = _Checked()

    def paths(self, sample: Sample, key: str) -> list[str]:
        return [placed_path(medium, self.folder, self.way) for medium in sample.signals]

    def contents(self, sample: Sample, key: str) -> dict[str, bytes]:
        """Nothing for the shard itself; the media are in their places."""
        for number, medium in enumerate(sample.signals if self.way != "none" else ()):
            if self._placed.is_new(number, medium):
                place_medium(medium, self.folder, self.way)
        return {}


class _Inside:
    """Media as members of a tar: KEY.0.jpg, KEY.1.wav, ..."""

    def __init__(self) -> None:
        self._checked = _Checked()

    def paths(self, sample: Sample, key: str) -> list[str]:
        return [f"{key}.{number}{file_ending(medium)}" for number, medium in enumerate(sample.signals)]

    def contents(self, sample: Sample, key: str) -> dict[str, bytes]:
        found = {}
        for number, (medium, name) in enumerate(zip(sample.signals, self.paths(sample, key), strict=True)):
            self._checked.is_new(number, medium)
            found[name] = read_content(medium)
        return found
