"""What a language model has answered and what that cost, in one SQLite file that any number of processes share.

An answer is kept under the digest of its question, so that it is paid for once. Money is counted before it is spent:
a request is booked at the most that it can cost, and corrected to its real cost with the answer, in one step. So no
kill and no race can pass the cap: what was sent and never came back stays booked in full, for the server may have done
the work. It knows nothing of the network. The file must lie on a disk of this machine (write-ahead logging needs that).
"""

import math
import sqlite3
import threading
import time
import weakref
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from deixis.errors import DeixisError, InputError

NANO = 1_000_000_000
"""Money is counted in whole billionths of a US dollar, so that sums are exact."""
BUSY_S = 60.0  # how long a process waits for another one's step
_TABLES = """
    CREATE TABLE IF NOT EXISTS answers (
        key TEXT PRIMARY KEY, answer TEXT NOT NULL, tokens_in INTEGER, tokens_out INTEGER, cost_nano_usd INTEGER
    );
    CREATE TABLE IF NOT EXISTS spent (one INTEGER PRIMARY KEY CHECK (one = 1), nano_usd INTEGER NOT NULL);
    INSERT OR IGNORE INTO spent VALUES (1, 0);
"""


class CostCapReached(DeixisError):
    """The next request could pass the cap, so nothing more is sent; what is answered is kept.

    spent_usd: by everything this file has paid for, in all runs. cap_usd: what may be spent.
    """

    def __init__(self, spent_usd: float, cap_usd: float, next_usd: float, path: Path):
        super().__init__(
            f"the cap on what a language model may cost is reached: {spent_usd:.4f} of {cap_usd:.4f} USD are spent, "
            f"and the next request may cost {next_usd:.4f}; raise max_cost_usd and run again, which goes on from here: "
            f"answers are kept in {path} and cost nothing again"
        )
        self.spent_usd, self.cap_usd, self.next_usd, self.path = spent_usd, cap_usd, next_usd, path

    def __reduce__(self) -> tuple:
        """Comes whole out of another process."""
        return type(self), (self.spent_usd, self.cap_usd, self.next_usd, self.path)


class KeptAnswers:
    """The file, opened by one process for all its threads; made if it is not there.

    Raises ValueError for a file that is no such file, OSError where there is no place for it.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._file = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            weakref.finalize(self, self._file.close)
            _use_wal(self._file)
            with _step(self._file):
                for statement in filter(str.strip, _TABLES.split(";")):
                    self._file.execute(statement)
        except sqlite3.DatabaseError as error:
            raise InputError(
                f"{path}: expected a file of answers, or none yet, got another kind of file ({error})"
            ) from None

    def answer(self, key: str) -> str | None:
        """The answer kept under a key; None if there is none."""
        with self._lock:
            found = self._file.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        return found[0] if found else None

    @property
    def spent_usd(self) -> float:
        """What all requests so far cost, those under way in full."""
        with self._lock:
            return self._spent_nano() / NANO

    def book(self, most_nano_usd: int, cap_usd: float) -> None:
        """Books the most that a request can cost. Raises CostCapReached, and books nothing, if that passes the cap."""
        with self._lock, _step(self._file):
            spent = self._spent_nano()
            if most_nano_usd and spent + most_nano_usd > math.floor(cap_usd * NANO):
                raise CostCapReached(spent / NANO, cap_usd, most_nano_usd / NANO, self.path)
            self._add(most_nano_usd)

    def cancel(self, booked_nano_usd: int) -> None:
        """Takes back a booking whose request was surely not done."""
        with self._lock, _step(self._file):
            self._add(-booked_nano_usd)

    def settle(self, key: str, answer: str, tokens: tuple[int, int], booked_nano_usd: int, cost_nano_usd: int) -> str:
        """The answer as it is kept from now on: this one, or an earlier one that another process had for the key.

        The booking becomes the real cost in the same step. tokens: of question and answer.
        """
        with self._lock, _step(self._file):
            self._add(cost_nano_usd - booked_nano_usd)
            self._file.execute(
                "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?)", (key, answer, *tokens, cost_nano_usd)
            )
            return self._file.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()[0]

    def _spent_nano(self) -> int:
        return self._file.execute("SELECT nano_usd FROM spent").fetchone()[0]

    def _add(self, nano_usd: int) -> None:
        self._file.execute("UPDATE spent SET nano_usd = nano_usd + ?", (nano_usd,))


@contextmanager
def _step(file: sqlite3.Connection) -> Generator[None]:
    """All or nothing, and alone among all processes."""
    file.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        file.execute("ROLLBACK")
        raise
    file.execute("COMMIT")


def _use_wal(file: sqlite3.Connection) -> None:
    """Turns write-ahead logging on. The change needs the file alone and does not wait for it, so it is tried again."""
    until = time.monotonic() + BUSY_S
    while True:
        try:
            file.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.01)
