"""What a pass over many samples has met before, kept on disk, so that the memory it takes does not grow with them.

It is a temporary file of SQLite's own, which is deleted with the set; what fits 64 MB stays in memory.
"""

import sqlite3
from collections.abc import Iterator

CACHE_KIB = 65_536


class SeenSet:
    """Keys, each with what was said of it first."""

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)
        for setting in (f"cache_size = -{CACHE_KIB}", "journal_mode = OFF", "synchronous = OFF"):
            self._file.execute(f"PRAGMA {setting}")
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

    def close(self) -> None:
        self._file.close()
