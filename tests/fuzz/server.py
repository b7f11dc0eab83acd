"""A server as `deixis serve` starts it, on the toy model of all modalities, and clients that send it one file each.

A client stands in the place of a worker of `pool.py`: it sends the file of a case, by `POST /v1/files` or inside a
question, and tells whether the server answered or refused it in OpenAI's form. Everything else is a failure. What a
run must not leave behind is looked for when it is over: `faults` while the server lives, `stop` once it has ended.
"""

import base64
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import httpx2
import psutil

from deixis.errors import printable
from tests.fuzz.model_seeds import model_files
from tests.fuzz.pool import ROOT, START_S, WALL_S, Outcome
from tests.fuzz.run import Report
from tests.fuzz.seeds import write_files
from tests.fuzz.signal_seeds import RGB, picture, typed_in

IN_A_QUESTION = 4
"""Of so many files one is sent inside a question, the others by `POST /v1/files`."""
ERROR_FIELDS = {"message", "type", "param", "code"}
TOKENS = 2


class Server:
    """A process of `deixis serve` whose files all lie in `folder`."""

    def __init__(self, folder: Path):
        self.temporary, model = folder / "temporary", folder / "model"
        write_files(model_files(), model)
        self.temporary.mkdir()
        self.log = folder / "log"
        words = ["serve", "--model", str(model), "--port", "0", "--requests-per-minute", "1000000"]
        own = {"TMPDIR": str(self.temporary), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deixis", *words], stderr=log, stdout=log, env={**os.environ, **own}
            )
        self.url = self._address()
        self.readers = children(self.process.pid)

    def faults(self, report: Report) -> list[str]:
        """What is wrong with a server that got many files: no answer, failures, or files that should be gone."""
        answered = sum(counts["answered"] for counts in report.counts.values())
        with httpx2.Client(base_url=self.url, timeout=WALL_S) as client:
            sound = sent(client, "sound.png", picture(RGB, format="PNG"), None, None, in_question=True)
            kept = {own["id"] for own in client.get("/v1/files").json()["data"]}
            failed = re.findall(r'^deixis_requests_total\{.*status="5.*$', client.get("/metrics").text, re.MULTILINE)
        (uploads,) = self.temporary.glob("deixis-uploads-*")
        stored = {path.name.partition(".")[0] for path in uploads.iterdir()}
        beside = [path.name for path in self.temporary.iterdir() if path != uploads]
        forks = [len(children(reader)) for reader in self.readers]
        return [
            *([f"a sound question: {sound.text}"] if sound.kind != "answered" else []),
            *([f"{len(kept)} files are kept, {answered} were answered"] if len(kept) > answered + 1 else []),
            *(f"counted: {line}" for line in failed),
            *(f"{name} is stored and not listed" for name in stored - kept),
            *(f"{name} is listed and not stored" for name in kept - stored),
            *(f"{name} was left in the folder of temporary files" for name in beside),
            *(f"a reading process has {count} forks" for count in forks if count > 1),
        ]

    def stop(self) -> list[str]:
        """Ends the server as Ctrl-C does; what is wrong with its end."""
        readers = [pid for reader in self.readers for pid in (reader, *children(reader))]
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=START_S)
        deadline = time.monotonic() + WALL_S
        while any(map(is_alive, readers)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return [
            *([f"it ended with {code}: {self.log.read_text()[-2000:]}"] if code else []),
            *(f"process {pid} reads on" for pid in readers if is_alive(pid)),
            *(f"{path.name} was left behind" for path in self.temporary.iterdir()),
        ]

    def _address(self) -> str:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := re.search(r"the API at (\S+)/v1", self.log.read_text()):
                return found[1]
            time.sleep(0.05)
        self.process.kill()
        raise RuntimeError(f"the server of the fuzz tests did not start:\n{self.log.read_text()}")


class HttpWorker:
    """One client of a server, who sends the file of a case."""

    def __init__(self, url: str):
        self.client = httpx2.Client(base_url=url, timeout=WALL_S)

    def run(self, target: str, folder: Path, arguments: dict[str, Any]) -> Outcome:
        """What came of a case whose target opens a file."""
        assert target == "open_and_draw", "the other targets are no files of a server"
        name, modality, number = typed_in(arguments)
        content = (folder / name).read_bytes()
        return sent(self.client, name, content, modality, number, in_question=crc32(content) % IN_A_QUESTION == 0)


@contextlib.contextmanager
def open_clients(url: str, count: int) -> Iterator[list[HttpWorker]]:
    """So many clients of a server."""
    with contextlib.ExitStack() as stack:
        clients = [HttpWorker(url) for _ in range(count)]
        for own in clients:
            stack.enter_context(own.client)
        yield clients


def sent(
    client: httpx2.Client, name: str, content: bytes, modality: str | None, number: float | None, in_question: bool
) -> Outcome:
    """What the server says to a file that is sent."""
    says = {key: value for key, value in (("modality", modality), ("number", number)) if value is not None}
    try:
        if in_question:
            file = {"file_data": base64.b64encode(content).decode(), "filename": name}
            parts = [{"type": "file", "file": file, **says}, {"type": "text", "text": "What is this?"}]
            body = {"messages": [{"role": "user", "content": parts}], "max_tokens": TOKENS}
            response = client.post("/v1/chat/completions", json=body)
        else:
            response = client.post("/v1/files", files={"file": (name, content)}, data={"purpose": "user_data", **says})
            if response.is_success:
                return drawn(client, response.json()["id"])
    except httpx2.TimeoutException:
        return Outcome("hang", f"no response in {WALL_S:g} s")
    except httpx2.HTTPError as error:
        return Outcome("crash", f"{type(error).__name__}: {error}")
    return outcome_of(response)


def drawn(client: httpx2.Client, identity: str) -> Outcome:
    """What the server says when the studio draws a file: "answered" if every part of it is there."""
    path = f"/studio/api/signals/{identity}"
    view = client.get(path)
    names = [own["name"] for own in view.json()["parts"]] if view.is_success else []
    responses = [view, *(client.get(f"{path}/{name}") for name in names)]
    failed = [f"{own.url.path}: {own.status_code} {own.text}" for own in responses if not own.is_success]
    return Outcome("failed", failed[0]) if failed else Outcome("answered", "")


def outcome_of(response: httpx2.Response) -> Outcome:
    """ "answered" for 2xx and "refused" for 4xx in OpenAI's form with one printable sentence; else "failed"."""
    text = f"{response.status_code} {response.text}"
    try:
        body = response.json()
    except json.JSONDecodeError:
        return Outcome("failed", text)
    if response.is_success:
        return Outcome("answered", "")
    error = body.get("error", {})
    if not response.is_client_error or error.keys() != ERROR_FIELDS:
        return Outcome("failed", text)
    sentence = str(error["message"])
    return Outcome("refused" if printable(sentence) == sentence and "\n" not in sentence else "sentence", sentence)


def children(pid: int) -> list[int]:
    """The processes that a process started and that live."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [own.pid for own in psutil.Process(pid).children() if is_alive(own.pid)]
    return []


def is_alive(pid: int) -> bool:
    """Whether a process has not ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False
