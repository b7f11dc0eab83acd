"""Which exceptions are the user's to mend, and the one sentence each becomes.

ValueError and OSError are: the library raises them with a sentence that names what was expected. So are the command
line parser's own complaints and a package of an extra that is not installed. Every other exception is a fault of ours.
"""

import contextlib
import os
import sys

USER_ERROR = 2
INTERRUPTED = 130


def user_sentence(error: Exception) -> str | None:
    """The sentence, on one line, that tells the user what to mend; None if the fault is ours.

    >>> user_sentence(ValueError("the box lies outside the picture:\\n x2 is 900 and the picture is 640 wide"))
    'the box lies outside the picture: x2 is 900 and the picture is 640 wide'
    >>> user_sentence(FileNotFoundError(2, "No such file or directory", "scene.png"))
    'scene.png: no such file or directory'
    >>> user_sentence(KeyError("phrase")) is None
    True
    """
    parser_message = getattr(error, "format_message", None)  # the parser's errors have no public common class
    if callable(parser_message):
        context = getattr(error, "ctx", None)
        command = "deixis" if context is None else context.command_path
        return f"{_one_line(str(parser_message()))} ({command} --help lists what there is)"
    if isinstance(error, ModuleNotFoundError):
        return _missing_package(error)
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror[:1].lower()}{error.strerror[1:]}"
    if isinstance(error, ValueError | OSError):
        return _one_line(str(error)) or type(error).__name__
    return None


def _missing_package(error: ModuleNotFoundError) -> str | None:
    from deixis.cli.environment import extras_of_this_package

    for extra in sorted(extras_of_this_package(), key=lambda extra: len(extra.packages)):  # the least that will do
        for package in extra.packages:
            if error.name and package.import_name == error.name.split(".")[0]:
                return f"this needs the package {package.name}, of the extra '{extra.name}': {extra.pip_line}"
    return None


def _one_line(text: str) -> str:
    return " ".join(text.split())


def quiet_stdout() -> None:
    """Points stdout at nothing, so that the interpreter's last flush does not complain about a closed pipe."""
    with contextlib.suppress(OSError, ValueError):  # a captured stdout has no file descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
