"""What the command line prints: text without control characters, JSON that is exact, streams that may be closed.

Names of files, headers, templates and answers of models may hold sequences that move the cursor, recolour the screen or
type into the terminal. So everything goes through `say` and `say_json`, log lines too; what rich draws is made of
`printable` texts.
"""

import json
import logging
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from deixis.errors import UNPRINTABLE, printable

if TYPE_CHECKING:
    from rich.console import Console


def json_line(value: Any, indent: int | None = None) -> str:
    r"""A value as JSON that a terminal shows as it is and UTF-8 can hold; it is read back exactly.

    >>> json_line("\x1b \x9b \udcff é")
    '"\\u001b \\u009b \\udcff é"'
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def say(text: object = "", err: bool = False, end: str = "\n") -> None:
    """Prints a text to stdout, or to stderr, at once."""
    typer.echo(f"{printable(str(text))}{end}", err=err, nl=False)


def say_json(value: Any, indent: int | None = None) -> None:
    """Prints a value as JSON to stdout, at once; in ASCII where the stream cannot hold more."""
    text = json_line(value, indent)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    typer.echo(text if encoding.lower().replace("-", "") == "utf8" else json.dumps(value, indent=indent))


class _LogLines(logging.Handler):
    """Says log lines on stderr, as `say`."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            say(self.format(record), err=True)
        except Exception:  # a closed pipe: what logs goes on
            self.handleError(record)


@contextmanager
def log_lines_said() -> Generator[None]:
    """While the block runs, log lines of Deixis are printed to stderr; Python's own handlers would print them raw."""
    log, handler = logging.getLogger("deixis"), _LogLines()
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def open_streams() -> None:
    """Gives stdin, stdout and stderr that were closed (`>&-`) a place that is empty and takes everything.

    Characters that a stream's encoding has not are written out, and bytes that are no text are read as half characters.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        stream = getattr(sys, name)
        if stream is None:
            # else the next file that is opened would get this number, and what libraries print
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor > number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace" if mode == "w" else "surrogateescape")


def console(**options: Any) -> "Console":
    """A console of rich for tables and bars, whose own sequences pass and whose texts are made printable."""
    from rich.console import Console
    from rich.segment import Segment

    class PrintableConsole(Console):
        def render(self, renderable: Any, options: Any = None) -> Iterator[Segment]:
            for segment in super().render(renderable, options):
                yield segment if segment.control else Segment(printable(segment.text), segment.style)

    return PrintableConsole(**options)
