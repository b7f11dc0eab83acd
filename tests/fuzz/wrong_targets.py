"""Targets that do what no reader may do, by which the harness is tested."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from deixis.errors import InputError

GIB = 2**30


def wrong(folder: Path, way: str) -> None:
    """Does one wrong thing, or a right one."""
    ways: dict[str, Any] = {
        "answers": lambda: None,
        "refuses": lambda: _refuse("expected a file, got none"),
        "raises": lambda: {}["size"],
        "counts": _count,
        "waits": _wait,
        "fills": lambda: _fill(100 * GIB),
        "fills_and_says_so": _fill_and_refuse,
        "grows": lambda: _fill(2 * GIB + GIB // 8),
        "exits": lambda: os._exit(3),
        "runs": lambda: subprocess.run([sys.executable, "--version"], check=False),
        "connects": lambda: socket.create_connection(("localhost", 9), timeout=1),
        "prompts": lambda: input("y/N?"),
        "rings": lambda: _refuse("\a rings"),
        "talks": lambda: _refuse("a" * 9000),
        "names": lambda: (folder / ("a" * 9000)).read_bytes(),
    }
    ways[way]()


def _refuse(sentence: str) -> None:
    raise InputError(sentence)


def _count() -> None:
    while True:
        pass


def _wait() -> None:
    time.sleep(3600)


def _fill(size: int) -> None:
    assert len(b"\1" * size) == size


def _fill_and_refuse() -> None:
    try:
        _fill(100 * GIB)
    except MemoryError as error:
        raise InputError("too large") from error
