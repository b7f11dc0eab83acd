"""What the command line prints of an exception, and its exit code.

The user can fix a `DeixisError`, an `OSError`, a complaint of the command-line parser, a missing package of an extra
and exhausted memory: one sentence, exit code 2. Every other exception is a bug of Deixis: the traceback, then one
sentence on how to report it, exit code 1.
"""

import contextlib
import importlib.metadata
import os
import sys
import traceback

import deixis
from deixis.cli.terminal import say
from deixis.errors import DeixisError, is_out_of_memory

BUG = 1
USER_ERROR = 2
INTERRUPTED = 130
LONGEST_SENTENCE, END_SHOWN = 2_000, 400


def report(error: Exception, debug: bool = False) -> int:
    """The exit code of an error, which is printed to stderr; debug: with the traceback of a user error too."""
    sentence = user_sentence(error)
    if sentence is None or debug:
        say("".join(traceback.format_exception(error)), err=True, end="")
    say(f"deixis: {sentence or bug_sentence()}", err=True)
    return BUG if sentence is None else USER_ERROR


def user_sentence(error: Exception) -> str | None:
    """The sentence, on one line, that names what the user can fix; None for a bug of Deixis.

    >>> from deixis.errors import InputError
    >>> user_sentence(InputError("the box lies outside the image:\\n x2 is 900 and the image is 640 wide"))
    'the box lies outside the image: x2 is 900 and the image is 640 wide'
    >>> user_sentence(FileNotFoundError(2, "No such file or directory", "scene.png"))
    'scene.png: no such file or directory'
    >>> user_sentence(ValueError("zip() argument 2 is shorter than argument 1")) is None
    True
    """
    parser_message = getattr(error, "format_message", None)  # the parser's errors have no public common class
    if callable(parser_message):
        context = getattr(error, "ctx", None)
        command = "deixis" if context is None else context.command_path
        return f"{_one_line(str(parser_message()))} (see {command} --help)"
    if isinstance(error, ModuleNotFoundError):
        return _missing_package(error)
    if is_out_of_memory(error) and not isinstance(error, DeixisError):
        return "out of memory: use a smaller model, batch or file, --dtype bfloat16, --quantization, or --device cpu"
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror[:1].lower()}{error.strerror[1:]}"
    if isinstance(error, DeixisError | OSError):
        return _one_line(str(error)) or type(error).__name__
    return None


def bug_sentence() -> str:
    """The sentence after the traceback of a bug: what it is, and what to report where."""
    return (
        f"this is a bug of Deixis {deixis.__version__}, not a mistake of yours; please report the command, the "
        f"traceback above and the output of `deixis doctor` {_tracker()}"
    )


def _tracker() -> str:
    """Where to report: the address in the package's metadata, if it has one."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for line in importlib.metadata.metadata("deixis").get_all("Project-URL") or ():
            label, _, address = line.partition(", ")
            if label.lower() in ("issues", "tracker", "bug tracker"):
                return f"at {address}"
    return "to the project's issue tracker"


def _missing_package(error: ModuleNotFoundError) -> str | None:
    from deixis.cli.environment import extras_of_this_package

    for extra in sorted(extras_of_this_package(), key=lambda extra: len(extra.packages)):  # the smallest sufficient one
        for package in extra.packages:
            if error.name and package.import_name == error.name.split(".")[0]:
                return f"this requires the package {package.name}, of the extra '{extra.name}': {extra.pip_line}"
    return None


def _one_line(text: str) -> str:
    """The text on one line; of one that quotes a value without end, the beginning and the end."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_SENTENCE else f"{line[: LONGEST_SENTENCE - END_SHOWN]} … {line[-END_SHOWN:]}"


def quiet_stdout() -> None:
    """Points stdout at nothing, so that the interpreter's last flush does not complain about a closed pipe."""
    with contextlib.suppress(OSError, ValueError):  # a captured stdout has no file descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
