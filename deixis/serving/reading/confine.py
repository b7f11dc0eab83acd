"""What a reading process gives up before it sees a file: memory, time, files to write, the network.

Each step is taken where the system has it: all on Linux; elsewhere the time that the server waits is the limit.
"""

import ctypes
import math
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from deixis.files.budget import MB
from deixis.serving.reading.limits import ReadingLimits

try:
    import resource
except ImportError:  # Windows
    resource = None

IS_LINUX = sys.platform == "linux"
OPEN_FILES = 64
"""Descriptors: the file, those of the process itself, and what a library opens of its own."""
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
"""Of prctl(2)."""
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
"""Of unshare(2)."""


def leave_network() -> None:
    """Moves this process, and those it starts, into a network of its own, in which there is nothing to reach.

    Systems that let no user make one leave it where it is. No program that it might start gets more rights than it has.
    """
    if IS_LINUX:
        system = ctypes.CDLL(None)
        system.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        system.unshare(CLONE_NEWUSER | CLONE_NEWNET)


def end_with(parent: int) -> None:
    """Has the system kill this process when its parent ends."""
    if IS_LINUX:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended before that
            os._exit(1)


def limit_memory(limits: ReadingLimits) -> None:
    """Sets by how much the memory of this process may grow; it writes neither files nor a dump of its memory."""
    if resource is not None:
        _set(resource.RLIMIT_CORE, 0)
        _set(resource.RLIMIT_FSIZE, 0)
        _set(resource.RLIMIT_NOFILE, OPEN_FILES)
        if IS_LINUX:  # elsewhere the system ignores it
            _set(resource.RLIMIT_AS, address_space() + limits.memory_mb * MB)


def limit_time(limits: ReadingLimits) -> None:
    """Sets by how much the processor time of this process may grow from now on."""
    if resource is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = math.ceil(used.ru_utime + used.ru_stime + limits.seconds)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def address_space() -> int:
    """Bytes of address space of this process; 0 where the system does not tell."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[0]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _set(kind: int, limit: int) -> None:
    if resource is not None:
        with suppress(OSError, ValueError):  # a container may have set less
            resource.setrlimit(kind, (limit, limit))
