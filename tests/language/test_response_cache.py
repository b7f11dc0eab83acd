"""The file in which answers of language models are kept: another file, a locked one, a full disk, two answers."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from deixis.errors import OutputError
from deixis.language.response_cache import ResponseCache
from tests.language.language_server import echo, endpoint, language_server, question


@pytest.mark.parametrize(
    "content", [pytest.param(b"no database" * 99, id="text"), pytest.param(b"\x00" * 4096, id="zeros")]
)
def test_another_file_is_no_cache(content, tmp_path):
    (tmp_path / "a.sqlite").write_bytes(content)
    with pytest.raises(ValueError, match="expected a response cache or no file, got another kind"):
        endpoint("http://127.0.0.1:9/v1", tmp_path).open()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """The file within another process's transaction, as it seems to a process that waits for it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def test_a_cache_that_stays_locked_stops_all(tmp_path, monkeypatch):
    monkeypatch.setattr("deixis.language.response_cache.BUSY_S", 0.05)
    with language_server(echo) as server:
        model = endpoint(server.url, tmp_path).open()
        with locked(tmp_path / "a.sqlite"):
            with pytest.raises(OutputError, match=r"a\.sqlite': expected a response cache .* got: database is locked"):
                model(question("a"))
            with pytest.raises(OutputError, match="database is locked"):
                endpoint(server.url, tmp_path).open()
            assert {type(answer) for answer in model.query_many([question("b"), question("c")])} == {OutputError}
        assert server.requests == []
        assert model(question("a")) == "a!"


def test_a_cache_on_a_full_disk_stops_all_and_is_of_use_again(tmp_path, monkeypatch):
    small = partial(sqlite3.connect, factory=SmallFile)
    with monkeypatch.context() as patch, language_server(lambda request, number: "long " * 9_999) as server:
        patch.setattr(sqlite3, "connect", small)
        with pytest.raises(OutputError, match=r"a\.sqlite': the disk is full: expected room"):
            endpoint(server.url, tmp_path).open()(question("a"))
        patch.undo()
        assert endpoint(server.url, tmp_path).open()(question("a")) == "long " * 9_999


class SmallFile(sqlite3.Connection):
    """SQLite's own limit on the size of a file, which it tells as it tells a full disk."""

    def __init__(self, *values, **named):
        super().__init__(*values, **named)
        self.execute("PRAGMA max_page_count = 8")


def test_the_first_of_two_answers_to_one_question_stays(tmp_path):
    kept = ResponseCache(tmp_path / "a.sqlite")
    kept.reserve(200, 1.0)
    assert kept.settle("k", "one", (1, 1), 100, 10) == "one"
    assert kept.settle("k", "two", (1, 1), 100, 20) == "one"
    assert kept.spent_usd == pytest.approx(30e-9)
    with sqlite3.connect(tmp_path / "a.sqlite") as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    file.close()
