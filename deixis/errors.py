"""The errors that the user can fix: each message is one sentence that names what to change.

Every class is a `ValueError` too, so callers may catch that. Any other exception is a bug of Deixis, a plain
`ValueError` included: nothing counts it as an answer, a skipped sample or a mistake of the user. An error of a library
is therefore caught at the call of the library and raised again as one of these; an `OSError` of a file of the user
stays as it is.
"""

import re

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
# Cc but newline and tab; line and paragraph separators; marks that reverse what follows them; halves of characters
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was exhausted: PyTorch, safetensors and the system each have a class or words of their own."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return "t allocate memory" in str(error)


def one_line(error: object, longest: int | None = None) -> str:
    """What an error of a library says, as a part of a sentence: in one line, of at most `longest` characters, without
    its full stop or where its objects lie in memory; the name of its class where it says nothing."""
    text = _ADDRESS.sub("", " ".join(str(error).split()))
    return text[:longest].rstrip(". ") or type(error).__name__


def printable(text: str) -> str:
    r"""A text with every control character written out.

    >>> print(printable("a\x1b[2J\nb\u202egnp.exe"))
    a\x1b[2J
    b\u202egnp.exe
    """
    return UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


class DeixisError(ValueError):
    """One sentence that names the field, what was expected, what was given and the likely cause. CLI exit code 2."""


class InputError(DeixisError):
    """A question, file, region or option that cannot be used."""


class OutputError(DeixisError):
    """What cannot be written, whatever the input is: the disk is full, or another process is writing it now."""


class DataError(DeixisError):
    """A dataset, annotation file or sample that cannot be read or contradicts its signals."""


class ConfigError(DeixisError):
    """A configuration or recipe with an unknown, missing or contradictory field."""


class CheckpointError(DeixisError):
    """Weights that are missing, damaged, unsafe to load, or of another system or size."""


class UnsupportedError(DeixisError):
    """What this model, device or installation cannot do; the message names what can."""
