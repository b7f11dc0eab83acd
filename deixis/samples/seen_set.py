"""What a pass over many samples has met before, kept on disk, so that the memory it takes does not grow with them.

It is a temporary file of SQLite's own, which is deleted with the set; what fits 64 MB stays in memory.
"""

import sqlite3
from collections.abc import Iterator

from deixis.samples.same_files import MediaFile

CACHE_KIB = 65_536


class SeenSet:
    """Keys, each with what was said of it first."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)
        for setting in (f"cache_size = -{CACHE_KIB}", "journal_mode = OFF", "synchronous = OFF"):
            self._file.execute(f"PRAGMA {setting}")
        self._file.create_function("digest", 3, _digest)
        self._file.execute(
            "CREATE TABLE files (side TEXT, size, place TEXT, in_memory, id TEXT, said TEXT, digest TEXT, "
            "PRIMARY KEY (side, size, place, id)) WITHOUT ROWID"
        )
        self._file.execute("CREATE TABLE first (space TEXT, key, said TEXT, PRIMARY KEY (space, key)) WITHOUT ROWID")

    def first(self, space: str, key: str | int, said: str) -> str | None:
        """What was said of the key before, None if it is new; then `said` is kept. Spaces have keys of their own."""
        if self._file.execute("INSERT OR IGNORE INTO first VALUES (?, ?, ?)", (space, key, said)).rowcount:
            return None
        return self._file.execute("SELECT said FROM first WHERE space = ? AND key = ?", (space, key)).fetchone()[0]

    def count(self, space: str) -> int:
        """How many keys a space has."""
        return self._file.execute("SELECT COUNT(*) FROM first WHERE space = ?", (space,)).fetchone()[0]

    def in_both(self, one: str, other: str) -> Iterator[tuple[str, str, str]]:
        """(key, what one space says of it, what the other says) of every key that two spaces have, in order."""
        yield from self._file.execute(
            "SELECT a.key, a.said, b.said FROM first a JOIN first b ON a.key = b.key "
            "WHERE a.space = ? AND b.space = ? ORDER BY a.key",
            (one, other),
        )

    def add_file(self, side: str, file: MediaFile, medium_id: str, said: str) -> None:
        """Remembers the file of a medium on a side, and what was said of it first."""
        row = (side, file.size, file.place, file.in_memory, medium_id, said, None)
        self._file.execute("INSERT OR IGNORE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def same_files(self, one: str, other: str) -> Iterator[tuple[str, str, str, str]]:
        """(id, what one side says, id, what the other says) of every medium of one side whose file is on the other.

        Only files whose size both sides have are read. Of equal files on the other side one comes, of the same id if
        there is such.
        """
        sizes = "SELECT size FROM files WHERE side = ? INTERSECT SELECT size FROM files WHERE side = ?"
        self._file.execute(
            f"UPDATE files SET digest = digest(size, place, in_memory) WHERE size IN ({sizes})", (one, other)
        )
        self._file.execute("CREATE INDEX IF NOT EXISTS by_digest ON files (side, digest)")
        found = self._file.execute(
            "SELECT a.id, a.said, b.id, b.said, MIN((a.id <> b.id) || b.id) FROM files a JOIN files b "
            "ON a.digest = b.digest WHERE a.side = ? AND b.side = ? GROUP BY a.id, a.place ORDER BY a.id, a.place",
            (one, other),
        )
        yield from (row[:4] for row in found)

    def close(self) -> None:
        self._file.close()


def _digest(size: int, place: str, in_memory: int) -> str | None:
    """Of a file; None, which equals nothing, for one that cannot be read any more."""
    return MediaFile(size, place, bool(in_memory)).digest
