"""One reading process as the server sees it: started once, asked through its fork, which is replaced where it ended."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from typing import Any

from deixis.errors import DataError
from deixis.files.budget import MB, VARIABLE
from deixis.serving.reading.limits import ReadingLimits
from deixis.serving.reading.wire import Message, receive, send
from deixis.signals import MODALITIES

START_S = 300.0
"""For a process to import what decodes files; seconds on an idle machine."""
END_S = 10.0
"""For it to say how its fork ended."""
PASSED = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
"""All that it gets of the environment, which may hold keys: where the system finds its libraries and room for files."""
ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
"""One thread, for a process with more cannot be forked; few heaps, for the address space is limited."""
FORK, END = b"f", b"e"
"""Orders to the process: serve the socket that comes with it, in a fork; end that fork, and say how it ended."""
UNREADABLE = 1
"""The exit code that stands for an answer that is none."""


@dataclass(frozen=True)
class Death:
    """How a fork ended without an answer: the exit code, None where it was killed for its time.

    was_new: it had read no other file before.
    """

    code: int | None
    was_new: bool


class ReadingProcess:
    """A process of `worker.py`. One thread at a time asks it; any may close it."""

    def __init__(self, limits: ReadingLimits, specs: Mapping[str, Any]):
        self.limits, self.words = limits, _words(limits, specs)
        self.restarts = 0
        self.is_closed = self.is_ready = False
        self._lock = threading.Lock()
        self.channel = socket.socket()  # until there is a fork
        self._start()

    @property
    def pid(self) -> int:
        """Of the process; its fork, which reads the files, is its child."""
        return self.process.pid

    def ask(self, request: Message) -> Message | Death:
        """The answer, or how the fork ended instead; then there is another already.

        Raises: RuntimeError where the process does not start.
        """
        self._await_ready()
        if not self.is_ready:  # closed meanwhile
            return Death(None, was_new=True)
        channel, was_new = _Channel(self.channel, self.limits.seconds), self.is_new
        self.is_new = False
        try:
            send(request, channel)
            answer = receive(channel, self.limits.memory_mb * MB)
        except DataError:
            self._replace_fork()
            death = Death(UNREADABLE, was_new)
        except TimeoutError:
            self._replace_fork()
            death = Death(None, was_new)
        except (EOFError, OSError):
            death = Death(self._replace_fork(), was_new)
        else:
            if answer.header.get("last"):
                self._replace_fork()
            return answer
        self.restarts += 1
        return death

    def close(self) -> None:
        """Ends the process, and what it reads, for good."""
        with self._lock:
            self.is_closed = True
            self._kill()
            self.process.wait()
            self.control.close()
            self.channel.close()

    def _start(self) -> None:
        with self._lock:
            if self.is_closed:
                return
            self.is_ready = False
            self.control, theirs = socket.socketpair()
            with theirs:
                self.process = subprocess.Popen(
                    [*self.words, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env=_environment(self.limits),
                    cwd=tempfile.gettempdir(),
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # Ctrl-C is for the server, which finishes what it accepted
                )

    def _await_ready(self) -> None:
        """Returns once there is a fork to ask."""
        if self.is_ready and self.process.poll() is not None:  # it ended while nothing was asked
            self._restart()
        if self.is_ready or self.is_closed:
            return
        self.control.settimeout(START_S)
        try:
            self.is_ready = bool(self.control.recv(1))
        except OSError:
            self._kill()
        if self.is_ready:
            self._fork()
        elif not self.is_closed:
            raise RuntimeError(f"a process that reads files did not start, exit code {self.process.wait()}")

    def _fork(self) -> None:
        self.channel.close()
        self.channel, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.control, [FORK], [theirs.fileno()])
        self.is_new = True

    def _replace_fork(self) -> int:
        """How the fork ended, which is killed if it had not; there is another then."""
        self.channel.close()
        try:
            self.control.settimeout(END_S)
            self.control.sendall(END)
            (code,) = self.control.recv(1)
            self._fork()
        except (OSError, ValueError):  # the process itself is gone
            self._kill()
            code = self.process.wait()
            self._restart()
        return code

    def _restart(self) -> None:
        self.control.close()
        self.channel.close()
        self._start()

    def _kill(self) -> None:
        """Kills the process and its fork, which are a session of their own."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)


class _Channel:
    """A socket as a stream that ends with TimeoutError after so many seconds, however it is filled."""

    def __init__(self, own: socket.socket, seconds: float):
        self.socket, self.ends_s = own, time.monotonic() + seconds

    def readinto(self, room: memoryview) -> int:
        self.socket.settimeout(self._left_s())
        return self.socket.recv_into(room)

    def write(self, content: Any) -> None:
        self.socket.settimeout(self._left_s())
        self.socket.sendall(content)

    def flush(self) -> None:
        """Nothing is held back."""

    def _left_s(self) -> float:
        left_s = self.ends_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s


def _words(limits: ReadingLimits, specs: Mapping[str, Any]) -> list[str]:
    """How a process is started: a clean interpreter, without modules that lie in the working folder."""
    own = {name: _fields(spec, MODALITIES[name].spec) for name, spec in specs.items() if MODALITIES[name].complete}
    module = "deixis.serving.reading.worker"
    return [sys.executable, "-P", "-m", module, json.dumps(asdict(limits)), json.dumps(own)]


def _fields(options: Any, spec: Any) -> dict[str, Any]:
    """The fields of the dataclass `spec` in options that have more."""
    return {field.name: getattr(options, field.name) for field in fields(spec)}


def _environment(limits: ReadingLimits) -> dict[str, str]:
    """What a process needs of the environment; modules are where this process has them."""
    path = os.pathsep.join(os.path.abspath(folder) for folder in sys.path)
    passed = {name: os.environ[name] for name in PASSED if name in os.environ}
    return {**passed, **ALONE, "PYTHONPATH": path, "PYTHONUTF8": "1", VARIABLE: str(limits.decoded_mb)}
