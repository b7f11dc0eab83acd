"""How a reading process ended, as an exit code, and as the sentence that the sender of its file gets."""

import os
import signal

from deixis.serving.reading.limits import ReadingLimits

SIGNALLED = 128
"""Added to the number of the signal that ended a process, as shells do."""


def exit_code(status: int) -> int:
    """The exit code that stands for the status of a process that was waited for: 0 where it ended well."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else SIGNALLED - code


def sentence_of_death(code: int | None, name: str, limits: ReadingLimits) -> str:
    """What became of the file `name`: the exit code of its process, None where that was killed for its time."""
    ended_by = "" if code is None else _signal_name(code)
    if code is None or ended_by == "SIGXCPU":
        return (
            f"'{name}': expected a file that is read within {limits.seconds:g} s, got one that takes longer; give less "
            "of it, or another format."
        )
    if ended_by == "SIGKILL":
        return (
            f"'{name}': expected a file that is read within {limits.memory_mb} MB of memory, but the system ended its "
            "parser, probably for lack of memory; give less of it."
        )
    return (
        f"'{name}': expected a whole file of its format, but its parser crashed ({ended_by or f'exit code {code}'}); "
        f"the file is probably damaged, or takes more than {limits.memory_mb} MB of memory."
    )


def _signal_name(code: int) -> str:
    """The name of the signal in an exit code of ours, or of a process of `subprocess`; "" where there is none."""
    number = -code if code < 0 else code - SIGNALLED
    return signal.Signals(number).name if number in set(signal.Signals) else ""
