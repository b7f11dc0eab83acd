"""A process that does what a person would do with one damaged folder after another, and tells what came of each.

It reads a case per line of JSON on stdin and writes an outcome per line on the stdout it began with. Answered and
refused in one sentence are right; everything else is a failure. What a reader must never do is watched for with an
audit hook: run a program, ask the network or the keyboard.
"""

import builtins
import faulthandler
import json
import os
import resource
import signal
import sys
import threading
import time
import traceback
import unicodedata
import warnings
from pathlib import Path
from typing import Any

GIB = 2**30
MAX_GROWTH = 2 * GIB
"""How much a case may add to the memory of the process."""
ADDRESS_SLACK = GIB
"""Of address space beside it: what libraries reserve and do not fill."""
FORBIDDEN = (
    *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn"),
    *("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request", "builtins.input"),
)
LONGEST_SENTENCE = 4_000
CONTROL, TURNS = ("Cc", "Cs", "Zl", "Zp"), ("RLO", "LRO", "RLE", "LRE", "RLI", "LRI", "FSI", "PDF", "PDI")


class ForbiddenError(BaseException):
    """A reader did what no reader may do; no `except Exception` holds it."""


class Watch:
    """The audit hook, and what it saw since the case began."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in FORBIDDEN:
            self.seen.append(f"{event} {arguments!r:.200}")
            raise ForbiddenError(self.seen[-1])


def outcome_of(target: Any, folder: Path, arguments: dict[str, Any], watch: Watch) -> tuple[str, str]:
    """("answered" or "refused", the sentence), or (kind of the failure, details)."""
    from deixis.cli.errors import user_sentence
    from deixis.errors import printable

    watch.seen.clear()
    builtins.stranger_ran = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the libraries, about what they repair
            target(folder, **arguments)
        kind, text = "answered", ""
    except ForbiddenError as error:
        kind, text = "forbidden", str(error)
    except Exception as error:
        sentence = user_sentence(error)
        if _ran_out_of_memory(error):
            kind, text = "memory", "".join(traceback.format_exception(error))
        elif sentence is None:
            kind, text = "traceback", "".join(traceback.format_exception(error))
        elif _is_control(printed := printable(sentence)) or not 0 < len(printed) <= LONGEST_SENTENCE:
            kind, text = "sentence", f"{len(printed)} characters: {printed[:300]!r}"
        else:
            kind, text = "refused", printed
    if watch.seen:
        kind, text = "forbidden", watch.seen[0]
    if builtins.stranger_ran:
        kind, text = "forbidden", "code in the folder ran"
    return kind, text


def _is_control(sentence: str) -> bool:
    """Whether a sentence, as it is printed, holds what moves a terminal's cursor or turns the text that follows."""
    return any(unicodedata.category(sign) in CONTROL or unicodedata.bidirectional(sign) in TURNS for sign in sentence)


def _ran_out_of_memory(error: BaseException | None) -> bool:
    from deixis.errors import is_out_of_memory

    while error is not None:
        if is_out_of_memory(error):
            return True
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return False


def main() -> None:
    """Answers cases until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)  # what libraries print would be read as an outcome
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    os.dup2(nothing, 0)
    faulthandler.enable()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    faulthandler.register(signal.SIGUSR1)
    from tests.fuzz.targets import TARGETS, prepare

    if len(sys.argv) > 1:
        prepare(Path(sys.argv[1]))
    watch = Watch()
    answers.write("ready\n")
    answers.flush()
    for line in requests:
        case = json.loads(line)
        before = _start_measuring()
        cpu_s = -sum(os.times()[:2])
        kind, text = outcome_of(TARGETS[case["target"]], Path(case["folder"]), case["arguments"], watch)
        cpu_s += sum(os.times()[:2])
        growth = _status("VmHWM") - before
        if growth > MAX_GROWTH and kind in ("answered", "refused"):
            kind, text = "memory", f"{growth / GIB:.1f} GiB; {text}"
        json.dump({"kind": kind, "text": text[-8000:], "cpu_s": cpu_s}, answers)
        answers.write("\n")
        answers.flush()


def _end_with(parent: int) -> None:
    """Ends this process when its parent is gone: a case that never ends would outlive it."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _start_measuring() -> int:
    """Bytes in memory; from here on the peak is measured anew, and the address space may grow by so much."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak becomes what is used now
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + MAX_GROWTH + ADDRESS_SLACK, hard))
    return _status("VmRSS")


def _status(name: str) -> int:
    """Bytes of a line of the process's status."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


if __name__ == "__main__":
    main()
