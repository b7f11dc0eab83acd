"""Memory of a server and of the processes that read its files, over many mixed requests that are all different.

A server of the bundled model, as `deixis serve` runs one, with caches and a folder of uploads that are full early, and
a few clients at once. Their requests come in turn: a question with its file, one that is streamed, a stream whose
reader leaves after the first words, a file that is sent, asked about and deleted, one that is left to be removed, a
damaged file, and a body that does not fit. Memory is read between equal parts of them, of the server and of all
processes that it started, without the libraries that they map: what a library shares with other programs is theirs too.
Run from the repository, on Linux:

    python -m benchmarks.server_memory --out benchmarks/results/NAME.md
"""

import argparse
import base64
import io
import multiprocessing
import re
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import httpx2
import numpy as np
import psutil
import soundfile
from PIL import Image

from benchmarks.measuring import command_line, publish
from deixis.files.budget import MB

SIDE_PX, RATE_HZ, POINTS = 224, 16000, 2000
CACHE_BYTES, SIGNAL_CACHE_BYTES, STORED_BYTES = 16 * MB, 16 * MB, 32 * MB
TOKENS = 24
READINGS = 10
FLAT_SHARE = 0.02
"""Of the memory at half of the requests: more growth than that is a leak."""
TIMEOUT_S = 300.0

File = tuple[str, bytes]


def image(rng: np.random.Generator) -> File:
    """A picture of a few boxes."""
    pixels = np.full((SIDE_PX, SIDE_PX, 3), rng.integers(0, 256, 3), np.uint8)
    for _ in range(6):
        left, top = rng.integers(0, SIDE_PX - 20, 2)
        pixels[top : top + rng.integers(20, 90), left : left + rng.integers(20, 90)] = rng.integers(0, 256, 3)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return "scene.png", stream.getvalue()


def audio(rng: np.random.Generator) -> File:
    """A second of two tones."""
    times_s = np.arange(RATE_HZ) / RATE_HZ
    samples = sum(np.sin(2 * np.pi * tone * times_s) for tone in rng.uniform(100, 2000, 2)) / 3
    stream = io.BytesIO()
    soundfile.write(stream, samples.astype(np.float32), RATE_HZ, format="WAV")
    return "sound.wav", stream.getvalue()


def cloud(rng: np.random.Generator) -> File:
    """Points in a box."""
    stream = io.BytesIO()
    np.save(stream, rng.uniform(-1, 1, (POINTS, 3)).astype(np.float32))
    return "cloud.npy", stream.getvalue()


def damaged(rng: np.random.Generator) -> File:
    """A picture that is cut in the middle."""
    name, content = image(rng)
    return name, content[: len(content) // 2]


class Client:
    """Sends requests to a server; each method is one kind, and gives the last status."""

    def __init__(self, http: httpx2.Client, rng: np.random.Generator):
        self.http, self.rng = http, rng

    def asked(self) -> int:
        return self.http.post("/v1/chat/completions", json=self._question(*image(self.rng))).status_code

    def asked_about_a_cloud(self) -> int:
        return self.http.post("/v1/chat/completions", json=self._question(*cloud(self.rng))).status_code

    def streamed(self) -> int:
        body = self._question(*audio(self.rng)) | {"stream": True}
        with self.http.stream("POST", "/v1/chat/completions", json=body) as response:
            response.read()
        return response.status_code

    def left(self) -> int:
        body = self._question(*image(self.rng)) | {"stream": True}
        with self.http.stream("POST", "/v1/chat/completions", json=body) as response:
            next(response.iter_raw())
        return response.status_code

    def sent_and_deleted(self) -> int:
        identity = self._sent(audio(self.rng)).json()["id"]
        file = {"type": "file", "file": {"file_id": identity}}
        self.http.post("/v1/chat/completions", json=self._body(file)).raise_for_status()
        return self.http.delete(f"/v1/files/{identity}").status_code

    def sent(self) -> int:
        return self._sent(image(self.rng)).status_code

    def sent_damaged(self) -> int:
        return self._sent(damaged(self.rng)).status_code

    def sent_what_does_not_fit(self) -> int:
        body = {"messages": [{"role": "user", "content": "?" * int(self.rng.integers(1, 100_000))}], "n": 2}
        return self.http.post("/v1/chat/completions", json=body).status_code

    def _sent(self, file: File) -> httpx2.Response:
        modality = {"modality": "point_cloud"} if file[0].endswith(".npy") else {}
        return self.http.post("/v1/files", files={"file": file}, data={"purpose": "user_data", **modality})

    def _question(self, name: str, content: bytes) -> dict:
        value = {"file_data": base64.b64encode(content).decode(), "filename": name}
        modality = {"modality": "point_cloud"} if name.endswith(".npy") else {}
        return self._body({"type": "file", "file": value, **modality})

    def _body(self, file: dict) -> dict:
        parts = [file, {"type": "text", "text": "What is this, and where is it?"}]
        return {"messages": [{"role": "user", "content": parts}], "max_tokens": TOKENS}


EXPECTED = {
    "asked": 200,
    "streamed": 200,
    "left": 200,
    "sent_and_deleted": 200,
    "asked_about_a_cloud": 200,
    "sent": 200,
    "sent_damaged": 400,
    "sent_what_does_not_fit": 400,
}
"""Kinds of requests, methods of `Client` -> the status that each must get."""


def serve_small(address: Connection) -> None:
    """Runs the server, in a process of its own."""
    from deixis.inference import load
    from deixis.serving.app import create_app
    from deixis.serving.run import listening, serve
    from deixis.serving.settings import ServerSettings

    settings = ServerSettings(
        port=0,
        requests_per_minute=10**6,
        signal_cache_bytes=SIGNAL_CACHE_BYTES,
        max_stored_bytes=STORED_BYTES,
    )
    with listening(settings) as (socket, url):
        app = create_app(load(device="cpu", cache_bytes=CACHE_BYTES), settings)
        address.send(url)
        serve(app, socket)


@contextmanager
def running() -> Generator[tuple[str, int]]:
    """(address, process id) of the server, which ends with the block."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    process = spawn.Process(target=serve_small, args=(there,))
    process.start()
    try:
        yield here.recv(), process.pid or 0
    finally:
        process.terminate()
        process.join()


def ask_part(url: str, numbers: range, clients: int) -> Counter[str]:
    """How many requests of each kind were answered as they must be. Raises RuntimeError for another status."""
    with httpx2.Client(base_url=url, timeout=TIMEOUT_S) as http, ThreadPoolExecutor(clients) as pool:
        return Counter(pool.map(lambda number: ask_one(http, number), numbers))


def ask_one(http: httpx2.Client, number: int) -> str:
    """Sends the request of a number, and gives its kind."""
    kind, expected = list(EXPECTED.items())[number % len(EXPECTED)]
    status = getattr(Client(http, np.random.default_rng(number)), kind)()
    if status != expected:
        raise RuntimeError(f"request {number}, {kind}: expected status {expected}, got {status}")
    return kind


def memory_mb(pid: int) -> float:
    """Memory of a process without what it maps of files; pages that several processes have are counted in parts."""
    try:
        (kilobytes,) = re.findall(r"^Pss_Anon:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except (OSError, ValueError):  # it ended
        return 0.0
    return int(kilobytes) / 1024


def measured(options: argparse.Namespace) -> tuple[list[tuple[int, float, float, int]], Counter[str]]:
    """((requests, MB of the server, MB of the processes that read, how many) at every reading, requests by kind)."""
    part, kinds = options.requests // READINGS, Counter[str]()
    readings = []
    with running() as (url, pid):
        for number in range(READINGS + 1):
            kinds += ask_part(url, range(part * number, part * (number + 1)), options.clients) if number else Counter()
            readers = [own.pid for own in psutil.Process(pid).children(recursive=True)]
            readings.append((part * number, memory_mb(pid), sum(map(memory_mb, readers)), len(readers)))
    return readings, kinds


def main() -> None:
    options = command_line(__doc__, requests=2000, clients=4)
    readings, kinds = measured(options)
    half, last = readings[len(readings) // 2], readings[-1]
    growth = (last[1] + last[2]) - (half[1] + half[2])
    share = growth / (half[1] + half[2])
    about = (
        f"{options.requests} requests of {len(kinds)} kinds by {options.clients} clients at once, each about a file of "
        f"its own. From request {half[0]} to {last[0]} memory grew by {growth:.1f} MB, {share:.1%} of what it was: "
        f"{'flat' if share <= FLAT_SHARE else 'a leak'} (at most {FLAT_SHARE:.0%} is expected)."
    )
    table = ["| requests | server, MB | reading processes, MB | how many |", "|---:|---:|---:|---:|"]
    table += [f"| {count} | {server:.1f} | {readers:.1f} | {many} |" for count, server, readers, many in readings]
    caches = f"{CACHE_BYTES // MB} MB of encoded signals and prompts, {SIGNAL_CACHE_BYTES // MB} MB of opened signals"
    asked = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in kinds.items())
    publish(options, "Memory of a server over many requests", about, table, f"requests: {asked}", f"caches: {caches}")


if __name__ == "__main__":
    main()
