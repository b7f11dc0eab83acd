"""One pass over the sets of a run before the work: which images are held out, what is named, where an image lies.

Held out are all images of the splits that are not trained on, by every id that any of the sets has for them: the same
image in the train split of another set would leak what is measured. (Visual Genome says that its vg/1 is COCO's
coco/5, which is held out; then a dialogue about vg/1 is, though its own set knows nothing of COCO.) Whatever it is
called, a file of the same bytes is held out too; and an id that is only a path, as in sets of one's own, holds nothing
out where the files can be compared. Kept in one SQLite file, which the workers look up.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deixis.datasets.annotated import Annotated, Object
from deixis.datasets.runs.pool import Workers, map_ordered
from deixis.datasets.runs.sources import Record, Source, open_once
from deixis.files.state import fields_of, read_state, stored
from deixis.files.whole import whole_file
from deixis.options import check_value
from deixis.samples.same_files import MediaFile, are_other_files, media_file, names_a_file
from deixis.samples.sample import MediaReference, Skipped, is_train

CHUNK_ITEMS = 2_000
MAX_NAMES = 20_000  # of a set, the most frequent ones
FOUND = {
    "held": dict[str, str],
    "media": dict[str, int],
    "same": list[tuple[str, str]],
    "names": list[tuple[str, int]],
    "files": list[tuple[int, str, str, str]],
}


@dataclass(frozen=True)
class Chunk:
    """Some items of a source to be looked at, and where what is found is written."""

    source: Source
    start: int
    stop: int
    target: Path


def ids_of(record: Record) -> tuple[str, ...]:
    """Every id of the media of a record."""
    aliases = record.aliases if isinstance(record, Annotated) else ()
    return tuple(dict.fromkeys((*(medium.id for medium in record.signals), *aliases)))


def _files_of(record: Record) -> dict[str, MediaFile]:
    """The files of a record that matter, by the id of their medium: held-out ones, which must be readable to be
    compared, and those whose ids are paths.
    """
    is_held = not is_train(record.split)
    media = (medium for medium in record.signals if is_held or names_a_file(medium.id))
    found = {medium.id: file for medium in media if (file := media_file(medium)) is not None}
    return {medium_id: file for medium_id, file in found.items() if not is_held or file.digest is not None}


def _known_ids(record: Record, files: Mapping[str, MediaFile]) -> list[str]:
    """The ids that hold of any file: not a path within the set of a file that can be compared."""
    return [medium_id for medium_id in ids_of(record) if medium_id not in files or not names_a_file(medium_id)]


def survey(sources: Sequence[Source], folder: Path, workers: Workers) -> Iterator[int]:
    """Looks through all items of the sources and writes `folder/survey.sqlite`; yields how many items are done."""
    target = folder / "survey.sqlite"
    if target.is_file():
        return
    chunks = [
        Chunk(source, start, min(start + CHUNK_ITEMS, source.count()), folder / f"survey-{source.name}-{start}.json")
        for source in sources
        for start in range(0, source.count(), CHUNK_ITEMS)
    ]
    for chunk, _ in zip(chunks, map_ordered(look, chunks, workers), strict=True):
        yield chunk.stop - chunk.start
    with whole_file(target) as part:
        _join(chunks, part)
    for chunk in chunks:
        chunk.target.unlink(missing_ok=True)


def look(chunk: Chunk) -> None:
    """Writes what a chunk's items are: held-out ids and files, ids of one image, names with counts, the item of each
    medium.
    """
    if chunk.target.is_file():
        return
    held: dict[str, str] = {}
    held_files: dict[tuple[int, str | None, str], str] = {}
    media: dict[str, int] = {}
    same: dict[tuple[str, str], None] = {}
    names: Counter[str] = Counter()
    for number, record in chunk.source.records(chunk.start, chunk.stop):
        if isinstance(record, Skipped):
            continue
        files = _files_of(record)
        if isinstance(record, Annotated) and len(record.signals) == 1:  # of several it is not told whose they are
            first, *others = _known_ids(record, files) or [""]
            same |= {(first, other): None for other in others}
        for medium_id in ids_of(record):
            media.setdefault(medium_id, number)
        if not is_train(record.split):
            for medium_id in _known_ids(record, files):
                held.setdefault(medium_id, record.split)
            for medium_id, file in files.items():
                held_files.setdefault((file.size, file.digest, medium_id), record.split)
        if isinstance(record, Annotated):
            names.update(obj.full_name for obj in record.objects if obj.name)
            names.update(dict.fromkeys(record.absent, 0))
    with whole_file(chunk.target) as part:
        found = {"held": held, "media": media, "same": list(same), "names": names.most_common()}
        found["files"] = [(*file, split) for file, split in held_files.items()]
        part.write_text(json.dumps(found), encoding="utf-8")


def _join(chunks: Iterable[Chunk], path: Path) -> None:
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("CREATE TABLE held (id TEXT PRIMARY KEY, why TEXT) WITHOUT ROWID")
        file.execute(
            "CREATE TABLE files (size INTEGER, digest TEXT, id TEXT, why TEXT, PRIMARY KEY (size, digest, id))"
        )
        file.execute("CREATE INDEX file_ids ON files (id)")
        file.execute("CREATE TABLE media (source TEXT, id TEXT, item INTEGER, PRIMARY KEY (source, id)) WITHOUT ROWID")
        file.execute("CREATE TABLE same (one TEXT, other TEXT, PRIMARY KEY (one, other)) WITHOUT ROWID")
        file.execute("CREATE TABLE names (source TEXT, name TEXT, count INTEGER, PRIMARY KEY (source, name))")
        for chunk in chunks:
            found, name = read_state(chunk.target, _found), chunk.source.name
            why = [(medium, f"it is in {split} of {name}") for medium, split in found["held"].items()]
            file.executemany("INSERT OR IGNORE INTO held VALUES (?, ?)", why)
            files = [(*own, f"it is in {split} of {name}") for *own, split in found["files"]]
            file.executemany("INSERT OR IGNORE INTO files VALUES (?, ?, ?, ?)", files)
            file.executemany(
                "INSERT OR IGNORE INTO media VALUES (?, ?, ?)", [(name, *m) for m in found["media"].items()]
            )
            pairs = [pair for one, other in found["same"] for pair in ((one, other), (other, one))]
            file.executemany("INSERT OR IGNORE INTO same VALUES (?, ?)", pairs)
            file.executemany(
                "INSERT INTO names VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
                [(name, *pair) for pair in found["names"]],
            )
        while file.execute(_HOLD_ALIASES).rowcount > 0:  # an alias may have aliases
            pass
        file.execute("DROP TABLE same")


def _found(values: Any) -> dict[str, Any]:
    """What `look` wrote."""
    found = fields_of(values)
    found |= {name: [tuple(pair) for pair in found[name]] for name in ("same", "names", "files")}
    for name, hint in FOUND.items():
        check_value(name, found[name], hint)
    return found


_HOLD_ALIASES = "INSERT OR IGNORE INTO held SELECT other, why FROM same JOIN held ON held.id = same.one"


class Survey:
    """What the pass found, looked up on disk; without a file nothing is held out."""

    def __init__(self, folder: Path):
        self.path = folder / "survey.sqlite"

    def leak(self, record: Record) -> str | None:
        """Why a record of a train split may not be trained on; None if it may."""
        if not self.path.is_file() or not is_train(record.split):
            return None
        for medium_id in ids_of(record):
            if found := self._first("SELECT why FROM held WHERE id = ?", medium_id):
                return f"held out: {medium_id} may not be trained on, {found[0]}"
        for medium in record.signals:
            if found := self._held_file(medium):
                return f"held out: {medium.id} may not be trained on, {found}"
        return None

    def _held_file(self, medium: MediaReference) -> str | None:
        """Why the file of a medium is held out: by its bytes, or by its id where there is no file to compare."""
        file = media_file(medium)
        if file is None:
            found = self._first("SELECT why FROM files WHERE id = ?", medium.id)
            return found[0] if found else None
        if not self._first("SELECT 1 FROM files WHERE size = ?", file.size):
            return None
        found = self._first("SELECT why, id FROM files WHERE size = ? AND digest = ?", file.size, file.digest)
        if not found:
            return None
        return found[0] if found[1] == medium.id else f"{found[0]} as '{found[1]}'"

    def vocabulary(self, sources: Sequence[str]) -> tuple[str, ...]:
        """Names of the sources' objects, the most frequent first; those surely absent somewhere too."""
        marks = ",".join("?" * len(sources))
        query = f"SELECT name FROM names WHERE source IN ({marks}) GROUP BY name ORDER BY sum(count) DESC, name LIMIT ?"
        return tuple(name for (name,) in self._rows(query, *sources, MAX_NAMES))

    def item_of(self, source: str, medium_id: str) -> int | None:
        """The number of the item of a source that is about a medium."""
        query = "SELECT item FROM media WHERE source = ? AND id = ?"
        found = self._first(query, source, medium_id)
        return found[0] if found else None

    def _first(self, query: str, *values: str | int | None) -> tuple | None:
        return next(iter(self._rows(f"{query} LIMIT 1", *values)), None)

    def _rows(self, query: str, *values: str | int | None) -> list[tuple]:
        with stored(self.path):
            return _opened(self.path).execute(query, values).fetchall()


@dataclass(frozen=True)
class ObjectsOf:
    """What a source marks in a medium, and vague names as objects without a place; picklable."""

    source: Source
    folder: Path

    def __call__(self, medium: MediaReference) -> Sequence[Object]:
        number = Survey(self.folder).item_of(self.source.name, medium.id)
        records = [] if number is None else self.source.records_of(number)
        return [
            obj
            for record in records
            if isinstance(record, Annotated) and medium.id in ids_of(record)
            if not any(
                own.id == medium.id and are_other_files(own.id, media_file(own), media_file(medium))
                for own in record.signals
            )
            for obj in (*record.objects, *map(Object, record.vague))
        ]


@open_once
def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
