"""The response cache and cost ledger of language model requests: one SQLite file shared by any number of processes.

A response is stored under the digest of its request, so that it is paid for once. Cost is reserved before a request is
sent, at its upper bound, and corrected to the real cost together with the response in one transaction. So neither a
killed process nor a race can exceed the cap: a request without a response stays reserved in full, as the server may
have billed it. The file must be on a local disk, which write-ahead logging requires.
"""

import math
import sqlite3
import threading
import time
import weakref
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from deixis.errors import DeixisError, OutputError
from deixis.files.full_disk import full_disk_named
from deixis.language.endpoint_errors import EndpointError

NANO = 1_000_000_000
"""Money is counted in whole billionths of a US dollar, so that sums are exact."""
BUSY_S = 60.0  # how long a process waits for another one's transaction
UNAVAILABLE = {
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL),
    *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL),
}
"""Primary result codes of SQLite for a file that is sound, as far as is known, and cannot be used now."""
_TABLES = """
    CREATE TABLE IF NOT EXISTS answers (
        key TEXT PRIMARY KEY, answer TEXT NOT NULL, tokens_in INTEGER, tokens_out INTEGER, cost_nano_usd INTEGER
    );
    CREATE TABLE IF NOT EXISTS spent (one INTEGER PRIMARY KEY CHECK (one = 1), nano_usd INTEGER NOT NULL);
    INSERT OR IGNORE INTO spent VALUES (1, 0);
"""


class CostCapReached(DeixisError):
    """The next request could exceed the cost cap, so nothing more is sent; stored responses stay.

    spent_usd: by all runs that share the file. cap_usd: the limit.
    """

    def __init__(self, spent_usd: float, cap_usd: float, next_usd: float, path: Path):
        super().__init__(
            f"the cap on what a language model may cost is reached: {spent_usd:.4f} of {cap_usd:.4f} USD are spent, "
            f"and the next request may cost {next_usd:.4f}; raise max_cost_usd and run again to resume: "
            f"responses are cached in {path} and cost nothing again"
        )
        self.spent_usd, self.cap_usd, self.next_usd, self.path = spent_usd, cap_usd, next_usd, path

    def __reduce__(self) -> tuple:
        """Pickles with all fields, for errors that cross process boundaries."""
        return type(self), (self.spent_usd, self.cap_usd, self.next_usd, self.path)


class ResponseCache:
    """The cache file, opened once per process for all its threads; created if missing.

    Opening and every use raise EndpointError for a file that is no such file, OutputError for a full disk and for a
    file that cannot be read or written now; opening raises OSError where there is no place.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        with self._used():
            self._file = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            weakref.finalize(self, self._file.close)
            _use_wal(self._file)
            with _transaction(self._file):
                for statement in filter(str.strip, _TABLES.split(";")):
                    self._file.execute(statement)

    def answer(self, key: str) -> str | None:
        """The response stored under a key, or None."""
        with self._used():
            found = self._file.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        return found[0] if found else None

    @property
    def spent_usd(self) -> float:
        """The cost of all requests so far, those in flight at their upper bound."""
        with self._used():
            return self._spent_nano() / NANO

    def reserve(self, max_nano_usd: int, cap_usd: float) -> None:
        """Reserves the upper bound of a request's cost. Raises CostCapReached, and reserves nothing, beyond the cap."""
        with self._used(), _transaction(self._file):
            spent = self._spent_nano()
            if max_nano_usd and spent + max_nano_usd > math.floor(cap_usd * NANO):
                raise CostCapReached(spent / NANO, cap_usd, max_nano_usd / NANO, self.path)
            self._add(max_nano_usd)

    def cancel(self, reserved_nano_usd: int) -> None:
        """Releases the reservation of a request that was certainly not processed."""
        with self._used(), _transaction(self._file):
            self._add(-reserved_nano_usd)

    def settle(self, key: str, answer: str, tokens: tuple[int, int], reserved_nano_usd: int, cost_nano_usd: int) -> str:
        """The stored response: this one, or an earlier one that another process stored under the key.

        The reservation becomes the real cost in the same transaction. tokens: of prompt and completion.
        """
        with self._used(), _transaction(self._file):
            self._add(cost_nano_usd - reserved_nano_usd)
            self._file.execute(
                "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?)", (key, answer, *tokens, cost_nano_usd)
            )
            return self._file.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()[0]

    @contextmanager
    def _used(self) -> Generator[None]:
        """The file for this thread alone; an error of SQLite is one sentence about it."""
        try:
            with self._lock, full_disk_named(self.path):
                yield
        except sqlite3.DatabaseError as error:
            # the low byte is the primary code; errors of Python's own module have none
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in UNAVAILABLE:
                raise OutputError(
                    f"'{self.path}': expected a response cache that can be read and written, got: {error}; see whether "
                    "another process keeps it locked, or its disk is read-only or failing, and run again to resume"
                ) from None
            raise EndpointError(
                f"{self.path}: expected a response cache or no file, got another kind of file, or a damaged one "
                f"({error}); name another, or remove it: responses are then paid for again"
            ) from None

    def _spent_nano(self) -> int:
        return self._file.execute("SELECT nano_usd FROM spent").fetchone()[0]

    def _add(self, nano_usd: int) -> None:
        self._file.execute("UPDATE spent SET nano_usd = nano_usd + ?", (nano_usd,))


@contextmanager
def _transaction(file: sqlite3.Connection) -> Generator[None]:
    """One exclusive transaction; rolled back on any exception."""
    file.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if file.in_transaction:  # SQLite itself has rolled back after some errors, such as a full disk
            file.execute("ROLLBACK")
        raise
    file.execute("COMMIT")


def _use_wal(file: sqlite3.Connection) -> None:
    """Switches to write-ahead logging, retrying: the switch needs an exclusive lock and does not wait for it."""
    until = time.monotonic() + BUSY_S
    while True:
        try:
            file.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
