"""Reads files of strangers in processes with limits: `SignalReader`.

A decoder that crashes, hangs or takes too much memory is one sentence about its file; its process is replaced at once,
and the process of the server, with the model, has never seen the file.
"""

import logging
import os
import socket
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import LifoQueue
from typing import Any

import deixis.errors
from deixis.errors import DataError, DeixisError, InputError, UnsupportedError
from deixis.files.budget import MB
from deixis.options import shown
from deixis.serving.reading.deaths import sentence_of_death
from deixis.serving.reading.limits import ReadingLimits
from deixis.serving.reading.process import Death, ReadingProcess
from deixis.serving.reading.wire import Message, to_signal
from deixis.signals import MODALITIES, Signal

MAX_NAME_BYTES = 200
"""Of a file's name; systems take 255."""
logger = logging.getLogger(__name__)


class SignalReader:
    """Signals of files, parsed in `workers` processes; may be used from any number of threads.

    specs: how a model prepares each modality (`DeixisConfig.signals`); what it takes of a file that an opened signal
    does not hold, such as further frames of a video, is read with it, so that no file is opened again.
    """

    def __init__(self, limits: ReadingLimits | None = None, workers: int = 1, specs: Mapping[str, Any] | None = None):
        if not hasattr(socket, "send_fds"):
            raise UnsupportedError("reading files of strangers: expected Linux or macOS, got a system without forks.")
        self.limits = limits or ReadingLimits()
        self.is_closed = False
        self._processes = [ReadingProcess(self.limits, specs or {}) for _ in range(workers)]
        self._idle: LifoQueue[ReadingProcess] = LifoQueue()
        for process in self._processes:
            self._idle.put(process)

    @property
    def restarts(self) -> int:
        """How many processes were replaced so far."""
        return sum(process.restarts for process in self._processes)

    @property
    def pids(self) -> list[int]:
        """The processes that read now."""
        return [process.pid for process in self._processes]

    def read(self, path: Path, name: str, modality: str | None = None, number: float | None = None) -> Signal:
        """The signal of a file, as `open_signal` gives it, without its path; waits while all processes read.

        name: of the file in sentences, and for its ending, whatever `path` is called. number: what such a file may lack
        (`Modality.parameter`).

        Raises: InputError, one sentence as `open_signal` has it, for a bad file, one beyond the limits, and one whose
        decoder crashes; other errors of Deixis as they are.
        """
        name = _file_name(name)
        parameter = _parameter(name, modality, number)
        self._check_size(path, name)
        with _linked(path, name) as link:
            request = {"path": str(link), "name": name, "modality": modality, "parameter": parameter, "number": number}
            answer = self._answer(Message(request), name)
            if "refusal" in answer.header:  # some name the path
                answer.header["refusal"] = str(answer.header["refusal"]).replace(f"{link.parent}{os.sep}", "")
        return _signal(answer, name)

    def close(self) -> None:
        """Ends the processes; what they read now is refused."""
        self.is_closed = True
        for process in self._processes:
            process.close()

    def _check_size(self, path: Path, name: str) -> None:
        try:
            size = path.stat().st_size
        except OSError as error:
            raise InputError(f"'{name}': expected a file, but it is gone ({error.strerror}); send it again.") from None
        if size > self.limits.file_bytes:
            raise InputError(
                f"'{name}': expected a file of at most {self.limits.file_bytes / MB:.0f} MB, got {size / MB:.0f} MB; "
                "give less of it."
            )

    def _answer(self, request: Message, name: str) -> Message:
        """What a process answers. Raises InputError where it ends instead, and where it is to end."""
        process = self._idle.get()
        try:
            answer = self._asked(process, request, name)
            if isinstance(answer, Death) and answer.code is not None and not answer.was_new:
                answer = self._asked(process, request, name)  # what it read before may be to blame
        finally:
            self._idle.put(process)
        if isinstance(answer, Death):
            logger.warning("a reading process ended with code %s and was replaced", answer.code)
            raise InputError(sentence_of_death(answer.code, name, self.limits))
        return answer

    def _asked(self, process: ReadingProcess, request: Message, name: str) -> Message | Death:
        answer = None if self.is_closed else process.ask(request)
        if answer is None or (isinstance(answer, Death) and self.is_closed):
            raise InputError(f"'{name}': expected to be read, but the server is stopping; send it again later.")
        return answer


def _signal(answer: Message, name: str) -> Signal:
    """The signal of an answer. Raises what its refusal says, InputError where a parser failed or gave no signal."""
    if "refusal" in answer.header:
        raise _refusal(str(answer.header.get("class")), str(answer.header["refusal"]))
    try:
        if "failure" not in answer.header:
            return to_signal(answer)
        logger.error("a parser failed: %s", answer.header["failure"])
    except DataError as error:
        logger.error("a reading process gave no signal: %s", error)
    raise InputError(f"'{name}': expected a whole file of its format, but its parser failed; it is probably damaged.")


def _parameter(name: str, modality: str | None, number: float | None) -> str | None:
    """What the number is called. Raises InputError where nothing takes it, and for an unknown modality."""
    if modality is not None and modality not in MODALITIES:
        raise InputError(f"modality: expected one of {', '.join(MODALITIES)}, got {shown(modality)}.")
    parameter = MODALITIES[modality].parameter if modality else None
    if number is not None and parameter is None:
        takers = ", ".join(f"{key} ({own.parameter})" for key, own in MODALITIES.items() if own.parameter)
        raise InputError(
            f"'{name}': expected a number beside a modality that takes one, {takers}, got one beside "
            f"{modality or 'none'}; leave it out."
        )
    return parameter


def _file_name(name: str) -> str:
    """A name of a client as a file can have it, without folders."""
    plain = "".join(sign if sign.isprintable() and sign not in '/\\:"' else "_" for sign in name)
    return plain.encode(errors="replace")[-MAX_NAME_BYTES:].decode(errors="ignore").strip(". ") or "file"


@contextmanager
def _linked(path: Path, name: str) -> Generator[Path]:
    """A link to the file under its name: readers tell formats from endings, and say what a file is called."""
    with tempfile.TemporaryDirectory(prefix="deixis-") as folder:
        link = Path(folder) / name
        link.symlink_to(path.absolute())
        yield link


def _refusal(kind: str, sentence: str) -> DeixisError:
    """The error of a class of `deixis.errors`, by its name."""
    own = getattr(deixis.errors, kind, InputError)
    return own(sentence) if isinstance(own, type) and issubclass(own, DeixisError) else InputError(sentence)
