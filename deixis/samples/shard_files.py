"""The three files that a shard can be, each with its way to write records and to read them in order or one by one.

    .jsonl      one record a line; media beside it
    .tar        WebDataset's: KEY.json and its media KEY.0.jpg, KEY.1.wav, ...; bytes that depend on nothing else
    .parquet    the columns id, source, task, split, json; media beside it

Records are plain JSON values here: it does not know whether they are samples.
"""

import io
import json
import tarfile
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

from deixis.errors import DataError, DeixisError, one_line
from deixis.files.budget import check_decoded
from deixis.files.json_text import json_record, text_lines
from deixis.files.regular import open_regular

COLUMNS = ("id", "source", "task", "split", "json")
GROUP_ROWS = 256  # of a Parquet file: what is read at once for one record
ROW_BYTES = 16  # of memory for the place of a row
GROWTH = 3  # bytes of memory for each that a group of rows announces: the column, its texts, and a record
JSON_ENDING = ".json"
JSON_COLUMN = ("json",)  # of a Parquet file: what is read
REMEMBERED = 64  # Parquet files whose metadata are kept


@dataclass(frozen=True)
class Entry:
    """One record of a shard. place: by which it is found again. where: for a sentence, "train-00001.tar: coco-12.json".
    record: JSON values, or the DataError that says why there are none. contents: files beside it in a tar, by name."""

    place: int
    where: str
    record: Any
    contents: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class ShardForm:
    """A form of shard. write: opens a path, gives what has `add(record, contents, key)` and `close()`. read: all
    entries in order. places: where each entry is, without reading more than that needs. entry: the one at a place."""

    write: Callable[[Path], Any]
    read: Callable[[Path], Iterator[Entry]]
    places: Callable[[Path], Iterator[int]]
    entry: Callable[[Path, int], Entry]


def json_line(record: dict[str, Any]) -> str:
    """A record as it stands in a file, its newline behind it."""
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


class JsonlWriter:
    """Lines."""

    def __init__(self, path: Path):
        self._lines = path.open("w", encoding="utf-8", newline="\n")

    def add(self, record: dict[str, Any], contents: Mapping[str, bytes], key: str) -> None:
        self._lines.write(json_line(record))

    def close(self) -> None:
        self._lines.close()


def read_jsonl(path: Path) -> Iterator[Entry]:
    for number, place, line in text_lines(path):
        yield Entry(place, f"{path}:{number}", line if isinstance(line, DataError) else json_record(line))


def jsonl_entry(path: Path, place: int) -> Entry:
    _, _, line = next(text_lines(path, place), (1, place, b""))
    record = line if isinstance(line, DataError) else json_record(line)
    where = f"{path}: byte {place}"
    if isinstance(record, DataError):  # its line is worth a pass over the file
        number = next((own for own, at, _ in text_lines(path) if at == place), None)
        where = where if number is None else f"{path}:{number}"
    return Entry(place, where, record)


class TarWriter:
    """A tar whose bytes are a function of what is added: no times, no owners."""

    def __init__(self, path: Path):
        self._tar = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 - closed by close()

    def add(self, record: dict[str, Any], contents: Mapping[str, bytes], key: str) -> None:
        for name, content in {key + JSON_ENDING: json_line(record).encode(), **contents}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            self._tar.addfile(member, io.BytesIO(content))
        self._tar.members = []  # ty: ignore[missing-attribute] - else it keeps all that went by

    def close(self) -> None:
        self._tar.close()


def read_tar(path: Path) -> Iterator[Entry]:
    with open_regular(path) as stream:
        yield from _entries_of_tar(path, stream)


def places_of_tar(path: Path) -> Iterator[int]:
    last = None
    with open_regular(path) as stream, _opened(path, stream) as tar:
        while (member := _next_member(tar, stream)) is not None:
            if member.isfile() and _key(member.name) != last:
                last = _key(member.name)
                yield member.offset


def tar_entry(path: Path, place: int) -> Entry:
    with open_regular(path) as stream:
        stream.seek(place)
        entry = next(_entries_of_tar(path, stream), None)
    if entry is None:
        raise DataError(f"{path}: expected a sample at byte {place}, got the end of the tar")
    return entry


def _entries_of_tar(path: Path, stream: BinaryIO) -> Iterator[Entry]:
    """The groups of members with one key, from where the stream stands."""
    key, place = None, 0
    contents: dict[str, bytes] = {}
    with _opened(path, stream) as tar:
        while (member := _next_member(tar, stream)) is not None:
            if not member.isfile():
                continue
            if _key(member.name) != key:
                if key is not None:
                    yield _entry_of_tar(path, place, key, contents)
                key, place, contents = _key(member.name), member.offset, {}
            contents[member.name] = _content(tar, member, path, sum(map(len, contents.values())))
        if key is not None:
            yield _entry_of_tar(path, place, key, contents)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path, taken: int) -> bytes:
    """The content of a plain file. taken: bytes that the sample holds already."""
    # a sparse file stands for zeros without end, and the size in a header for whatever its writer liked
    if member.issparse() or not 0 <= member.size <= path.stat().st_size - member.offset_data:
        raise tarfile.ReadError(
            f"{member.name!r:.80} is sparse, or of {member.size} bytes, which the tar does not hold"
        )
    check_decoded(path.name, taken + member.size, f"a sample of {taken + member.size} bytes")
    content = tar.extractfile(member)
    assert content is not None, "a plain file has content"
    return content.read()


def _entry_of_tar(path: Path, place: int, key: str, contents: dict[str, bytes]) -> Entry:
    name = key + JSON_ENDING
    where = f"{path}: {name}"
    if name not in contents:
        return Entry(place, where, DataError(f"expected {name} with the sample, got only {', '.join(contents)}"))
    return Entry(place, where, json_record(contents.pop(name)), contents)


@contextmanager
def _opened(path: Path, stream: BinaryIO) -> Generator[tarfile.TarFile]:
    """The tar from where the stream stands; what is wrong with it within the block is a DataError."""
    try:
        with tarfile.open(fileobj=stream, mode="r:") as tar:
            yield tar
    except DeixisError:
        raise
    except (tarfile.TarError, MemoryError, OverflowError, ValueError) as error:  # of a header with any size
        reason = str(error) or type(error).__name__
        raise DataError(f"{path}: expected a whole tar, got another file or one cut short ({reason})") from None


def _next_member(tar: tarfile.TarFile, stream: BinaryIO) -> tarfile.TarInfo | None:
    """The next member, None at the end, which is marked by zeros: tarfile takes any damage behind the first for it."""
    tar.members = []  # ty: ignore[missing-attribute] - else it keeps all that went by
    member = tar.next()
    if member is None:
        stream.seek(tar.offset)
        if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("no mark of the end")
    return member


def _key(name: str) -> str:
    """A member's key, as WebDataset has it: its name up to the first dot behind the last slash."""
    folder, slash, base = name.rpartition("/")
    return folder + slash + base.partition(".")[0]


class ParquetWriter:
    """Rows in groups of `GROUP_ROWS`."""

    def __init__(self, path: Path):
        import pyarrow as pa
        from pyarrow import parquet

        self._schema = pa.schema([(name, pa.string()) for name in COLUMNS])
        self._file = parquet.ParquetWriter(path, self._schema)
        self._rows: list[dict[str, str]] = []

    def add(self, record: dict[str, Any], contents: Mapping[str, bytes], key: str) -> None:
        self._rows.append({name: record[name] for name in COLUMNS[:-1]} | {"json": json_line(record).rstrip("\n")})
        if len(self._rows) == GROUP_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        import pyarrow as pa

        if self._rows:
            self._file.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
            self._rows = []


def read_parquet(path: Path) -> Iterator[Entry]:
    with parquet_file(path) as file:
        values = (value for batch in file.iter_batches(GROUP_ROWS, columns=["json"]) for value in batch.column(0))
        for place, value in enumerate(values):
            yield Entry(place, f"{path}: row {place}", _record(value))


def parquet_entry(path: Path, place: int) -> Entry:
    with parquet_file(path) as file:
        ends = _known_metadata(path, JSON_COLUMN).group_ends
        group = bisect_right(ends, place)
        if group == len(ends):
            raise DataError(f"{path}: expected a row below {file.metadata.num_rows}, got {place}")
        row = place - (ends[group - 1] if group else 0)
        value = file.read_row_group(group, columns=["json"])["json"][row]
        return Entry(place, f"{path}: row {place}", _record(value))


def _record(value: Any) -> Any:
    text = value.as_py()
    return json_record(text if isinstance(text, str | bytes) else "")  # a null is no record


def _rows_of_parquet(path: Path) -> Iterator[int]:
    with parquet_file(path) as file:
        yield from range(file.metadata.num_rows)


@contextmanager
def parquet_file(path: Path, columns: tuple[str, ...] = JSON_COLUMN) -> Generator[Any]:
    """A Parquet file, open, which has these columns; damage that shows within the block is a DataError too."""
    import pyarrow as pa
    from pyarrow import parquet

    with open_regular(path) as stream:
        try:
            known = _known_metadata(path, columns)
            # a text that is stored once for many rows is held once
            stored_once = [name for name in known.names if name == "json"]
            with parquet.ParquetFile(stream, metadata=known.metadata, read_dictionary=stored_once) as file:
                yield file
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"{path}: expected a Parquet file, got another or one cut short ({one_line(error, 300)})"
            ) from None


@dataclass(frozen=True)
class _Metadata:
    """What a Parquet file says of itself, checked. group_ends: the number of rows up to the end of each group."""

    metadata: Any
    names: Sequence[str]
    group_ends: Sequence[int]


def _known_metadata(path: Path, columns: tuple[str, ...]) -> _Metadata:
    """The metadata of a file, read and checked once: a record out of many groups of rows costs no look at them all."""
    found = path.stat()
    return _checked_metadata(path, columns, found.st_ino, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=REMEMBERED)
def _checked_metadata(path: Path, columns: tuple[str, ...], inode: int, size: int, mtime_ns: int) -> _Metadata:
    del inode, size, mtime_ns  # another file at the path has others
    from pyarrow import parquet

    with open_regular(path) as stream:
        metadata = parquet.read_metadata(stream)
    names = metadata.schema.to_arrow_schema().names
    if missing := [name for name in columns if name not in names]:
        raise DataError(f"{path}: expected the column {missing[0]!r}, got {', '.join(names):.200}")
    check_decoded(str(path), ROW_BYTES * metadata.num_rows, f"{metadata.num_rows} rows")
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    for number, group in enumerate(groups):
        announced = group.total_byte_size
        check_decoded(str(path), GROWTH * announced, f"{announced} bytes in the group {number} of its rows")
    return _Metadata(metadata, names, list(accumulate(group.num_rows for group in groups)))


FORMS = {
    ".jsonl": ShardForm(JsonlWriter, read_jsonl, lambda path: (place for _, place, _ in text_lines(path)), jsonl_entry),
    ".tar": ShardForm(TarWriter, read_tar, places_of_tar, tar_entry),
    ".parquet": ShardForm(ParquetWriter, read_parquet, _rows_of_parquet, parquet_entry),
}
"""The ending of a path -> its form."""
