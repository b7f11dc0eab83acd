"""`Client`: questions to a server as to a `Model`, with the same answers; it has no weights of its own."""

import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import numpy as np

from deixis.errors import InputError, UnsupportedError
from deixis.geometry import Region, as_regions, named_question
from deixis.inference.answer import Answer, AnswerPhrase, answer_region_to_json
from deixis.inference.stream import StreamEvent
from deixis.serving.chat.region_parts import NAMES, region_from_part
from deixis.signals import MODALITIES, Signal, open_all
from deixis.signals.opening import read_name

DEFAULT_URL = "http://127.0.0.1:8000"


class Client:
    """A server that answers: `deixis serve`. Files are sent once, and asked about by their id.

    Args:
        url: the address that `deixis serve` prints.
        api_key: where the server wants one.
        timeout_s: for one answer.
    """

    def __init__(self, url: str = DEFAULT_URL, api_key: str | None = None, timeout_s: float = 300.0):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"url: expected the address of a server, such as {DEFAULT_URL}; got {url!r}")
        self.url, self._parts, self._timeout_s = url, parts, timeout_s
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._sent: dict[str, str] = {}

    @property
    def model(self) -> dict[str, Any]:
        """The model that answers: its id, and its abilities."""
        return self._json("GET", "/v1/models")["data"][0]

    def ask(
        self, question: str, *signals: Any, regions: Iterable[Any] = (), want: str | None = None, **generation: Any
    ) -> Answer:
        """The answer to a question about files and regions of them, as `Model.ask` gives it.

        generation: max_tokens, temperature, top_p, seed. Raises InputError with the server's sentence, UnsupportedError
        for what its model cannot do, ConnectionError where no server answers.
        """
        opened, asked, body = self._request(question, signals, regions, want, generation)
        began = time.perf_counter()
        response = self._json("POST", "/v1/chat/completions", body)
        seconds = time.perf_counter() - began
        return _answer(response["choices"][0]["message"], response["model"], opened, asked, seconds)

    def stream(
        self, question: str, *signals: Any, regions: Iterable[Any] = (), want: str | None = None, **generation: Any
    ) -> Iterator[StreamEvent]:
        """As `ask`, event by event: text as it is generated, regions once complete, last the answer."""
        opened, asked, body = self._request(question, signals, regions, want, generation)
        began = time.perf_counter()
        message: dict[str, Any] = {"content": "", "regions": [], "warnings": []}
        for chunk in self._events("/v1/chat/completions", body | {"stream": True}):
            delta = chunk["choices"][0]["delta"]
            message["warnings"] = delta.get("warnings", message["warnings"])
            if text := delta.get("content"):
                message["content"] += text
                yield StreamEvent("text", text)
            for part in delta.get("regions", ()):
                message["regions"].append(part)
                if not part.get("absent"):
                    yield StreamEvent("region", part["phrase"], _region(part))
        answer = _answer(message, chunk["model"], opened, asked, time.perf_counter() - began)
        yield StreamEvent("answer", answer.text, answer=answer)

    def _request(
        self, question: str, sources: Sequence[Any], places: Iterable[Any], want: str | None, generation: dict[str, Any]
    ) -> tuple[tuple[Signal, ...], tuple[str, tuple[Region, ...]], dict[str, Any]]:
        signals, regions = open_all(sources), as_regions(places)
        markup = named_question(question, regions)
        parts: list[dict[str, Any]] = [{"type": "file", "file": {"file_id": self._send(own)}} for own in signals]
        parts += [{"type": "region", **_part(region, signals)} for region in regions]
        content = [*parts, {"type": "text", "text": markup}]
        body = {"messages": [{"role": "user", "content": content}], "want": want, **generation}
        return signals, (markup, regions), body

    def _send(self, signal: Signal) -> str:
        """The id of a file on the server, which is sent the first time."""
        if signal.digest not in self._sent:
            content, name, fields = _file_of(signal)
            edge, body = uuid4().hex, bytearray()
            for key, value in fields.items():
                body += f'--{edge}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            quoted = name.replace('"', "%22").replace("\r", "").replace("\n", "")
            body += f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{quoted}"\r\n'.encode()
            body += b"Content-Type: application/octet-stream\r\n\r\n" + content + f"\r\n--{edge}--\r\n".encode()
            kind = f"multipart/form-data; boundary={edge}"
            self._sent[signal.digest] = self._json("POST", "/v1/files", bytes(body), kind)["id"]
        return self._sent[signal.digest]

    def _json(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        connection, response = self._response(method, path, body, kind)
        with closing(connection):
            return json.loads(response.read())

    def _events(self, path: str, body: Any) -> Iterator[dict[str, Any]]:
        connection, response = self._response("POST", path, body, "application/json")
        with closing(connection):
            for line in response:
                data = line.decode().removeprefix("data: ").strip()
                if data == "[DONE]":
                    return
                if data:
                    event = json.loads(data)
                    if "error" in event:
                        raise _error(event["error"])
                    yield event

    def _response(self, method: str, path: str, body: Any, kind: str) -> tuple[HTTPConnection, HTTPResponse]:
        """The connection, which is then the caller's to close, and the response; raises what the server refuses."""
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        cls = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        with ExitStack() as failed:
            connection = cls(str(self._parts.hostname), self._parts.port, timeout=self._timeout_s)
            failed.callback(connection.close)
            try:
                where = self._parts.path.rstrip("/") + path
                connection.request(method, where, content, {"Content-Type": kind, **self._headers})
                response = connection.getresponse()
                if response.status < 400:
                    failed.pop_all()
                    return connection, response
                error = json.loads(response.read())["error"]
            except (HTTPException, json.JSONDecodeError, KeyError) as broken:
                got = type(broken).__name__
                raise ConnectionError(f"{self.url}: expected a server of Deixis, got {got}") from None
            raise _error(error)


def _error(error: Mapping[str, Any]) -> Exception:
    cls = UnsupportedError if error.get("code") == "unsupported" else InputError
    return cls(error["message"])


def _file_of(signal: Signal) -> tuple[bytes, str, dict[str, Any]]:
    """(content, name, form fields) of a signal: its file as it is, or one written of its values."""
    modality, fields = MODALITIES[signal.modality], {"modality": signal.modality}
    named = read_name(signal.path, MODALITIES) if signal.path is not None else None
    file = Path(named.path) if named is not None else signal.file
    if file is not None and file.is_file():
        number = named.number if named is not None else None
        return file.read_bytes(), file.name, fields | ({} if number is None else {"number": number})
    if modality.write is None or modality.axes == "xyt":  # of a video some images are in memory
        raise InputError(f"'{signal.name}': expected a file, for {modality.noun} in memory cannot be sent")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (f"signal{modality.file_suffix}" if modality.has_rate else "signal.npy")
        if modality.has_rate:
            modality.write(signal.values, path, None if modality.can_play else signal.info["source_rate_hz"])
        else:  # exactly the values, whatever the modality's usual files round
            np.save(path, signal.values)
        return path.read_bytes(), path.name, fields


def _part(region: Region, signals: Sequence[Signal]) -> dict[str, Any]:
    """A region in its primary form, as a question has it."""
    own = region.only(region.form)
    if own.form in ("scribble", "polygon"):
        values: dict[str, Any] = {own.form: [list(map(float, row)) for row in getattr(own, own.form)]}
    else:
        values = {name: value for name, value in answer_region_to_json(own).items() if value is not None}
    values = {NAMES.get(name, name): value for name, value in values.items() if name in NAMES}
    return {"signal": region.signal, **values}


def _region(part: Mapping[str, Any]) -> Region:
    said = {"label": part.get("label") or "", "score": part.get("score"), "phrase": part.get("phrase")}
    return replace(region_from_part(part), **said)


def _answer(
    message: Mapping[str, Any],
    model: str,
    signals: tuple[Signal, ...],
    asked: tuple[str, tuple[Region, ...]],
    seconds: float,
) -> Answer:
    def place(part: Mapping[str, Any]) -> tuple[int, int]:
        return part["start"], part["end"]

    text, phrases = message["content"], []
    for (start, end), parts in groupby(sorted(message["regions"], key=place), key=place):
        regions = tuple(_region(part) for part in parts if not part.get("absent"))
        phrases.append(AnswerPhrase(text[start:end], start, end, regions))
    warnings = tuple(message["warnings"])
    return Answer(text, tuple(phrases), signals, model, seconds, "", *asked, warnings)
