"""The reading process: it imports what decodes files, once, and reads files in a fork of itself; see `process.py`.

Limits are those of the fork. One that refused a file, or holds much memory, is not used again, and one that crashed is
replaced within milliseconds: nothing has to be imported. It imports no torch.
"""

import gc
import importlib
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from deixis.errors import DeixisError
from deixis.files.budget import MB, within_memory
from deixis.options import read_options
from deixis.serving.reading.confine import address_space, end_with, leave_network, limit_memory, limit_time
from deixis.serving.reading.deaths import exit_code
from deixis.serving.reading.limits import ReadingLimits
from deixis.serving.reading.wire import Message, of_signal, receive, send
from deixis.signals import MODALITIES, Signal, open_signal

DECODERS = ("PIL.Image", "soundfile", "scipy.signal", "av", "trimesh", "nibabel")
"""What readers import when they first need it, some of it optional; here before, so that no file pays for it."""
FILES_PER_FORK = 64
KEPT_SHARE = 0.25
"""Of its memory: a fork that holds more once a file is read is not used again."""


def main() -> None:
    """Obeys the orders that come over a socket until it ends.

    argv: the fields of `ReadingLimits`, those of specs by modality, as JSON; the descriptor of the socket.
    """
    limits = ReadingLimits(**json.loads(sys.argv[1]))
    specs = {
        name: read_options(MODALITIES[name].spec, own, f"{name}.") for name, own in json.loads(sys.argv[2]).items()
    }
    control = socket.socket(fileno=int(sys.argv[3]))
    for name in DECODERS:
        with suppress(ImportError):
            importlib.import_module(name)
    importlib.import_module("PIL.Image").init()
    leave_network()
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # libraries quote files, which no log is for
    gc.collect()
    gc.freeze()  # else the collector would touch, and the system copy, all that forks share
    control.sendall(b"r")
    child = 0
    while True:
        order, descriptors, *_ = socket.recv_fds(control, 1, 1)
        if not order:  # the server is gone
            os._exit(0)
        if descriptors:
            child = _forked(socket.socket(fileno=descriptors[0]), control, limits, specs)
        else:
            os.kill(child, signal.SIGKILL)  # one that ended is there until it is waited for
            control.sendall(bytes([exit_code(os.waitpid(child, 0)[1])]))


def _forked(channel: socket.socket, control: socket.socket, limits: ReadingLimits, specs: Mapping[str, Any]) -> int:
    """The number of a new process that answers the requests of a channel."""
    parent = os.getpid()
    child = os.fork()
    if child:
        channel.close()
        return child
    try:
        end_with(parent)
        control.close()
        limit_memory(limits)
        _serve(channel, limits, specs)
        os._exit(0)
    finally:
        os._exit(1)


def _serve(channel: socket.socket, limits: ReadingLimits, specs: Mapping[str, Any]) -> None:
    """Answers requests until there are no more, or this process is better not used again."""
    before = address_space()
    with channel.makefile("rb", buffering=0) as requests, channel.makefile("wb") as answers:
        for count in range(1, FILES_PER_FORK + 1):
            try:
                request = receive(requests).header
            except EOFError:
                return
            limit_time(limits)
            answer = _answer(request, specs)
            is_full = address_space() - before > KEPT_SHARE * limits.memory_mb * MB
            is_last = is_full or count == FILES_PER_FORK or "signal" not in answer.header
            send(Message({**answer.header, "last": is_last}, answer.arrays), answers)
            if is_last:
                return


def _answer(request: Mapping[str, Any], specs: Mapping[str, Any]) -> Message:
    """The signal, the sentence that refuses it, or the place of a failure."""
    try:
        with within_memory(request["name"]):
            return of_signal(_opened(request, specs))
    except DeixisError as error:
        text = str(error).encode(errors="replace").decode()
        return Message({"refusal": text, "class": type(error).__name__})
    except Exception as error:
        return Message({"failure": _place(error)})


def _opened(request: Mapping[str, Any], specs: Mapping[str, Any]) -> Signal:
    options = {} if request["number"] is None else {request["parameter"]: request["number"]}
    opened = open_signal(Path(request["path"]), request["modality"], **options)
    complete = MODALITIES[opened.modality].complete
    if complete is None or opened.modality not in specs:
        return opened
    return complete(opened, specs[opened.modality])


def _place(error: Exception) -> str:
    """Class and place of a failure, without its words, which may quote the file."""
    frames = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    return f"{type(error).__name__} at {' < '.join(reversed(frames))}"


if __name__ == "__main__":
    main()
