"""A real server on the loopback that responds as an OpenAI-compatible one, and a model behind it, for tests."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from deixis.language.endpoint import Endpoint


@dataclass
class Reply:
    """What the server sends back. text: of the answer. body: in place of a completion, as it is."""

    text: str | None = None
    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    tokens: tuple[int, int] | None = (10, 5)
    wait_for: threading.Event | None = None

    def content(self) -> bytes:
        if self.body is not None:
            return self.body
        if self.status != 200:
            return json.dumps({"error": {"message": self.text, "type": "error", "param": None, "code": None}}).encode()
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": self.text}}
        answer = {"id": "a", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
        if self.tokens:
            names = ("prompt_tokens", "completion_tokens", "total_tokens")
            answer["usage"] = dict(zip(names, (*self.tokens, sum(self.tokens)), strict=True))
        return json.dumps(answer).encode()


@dataclass
class Server:
    """url: of the server. requests: the bodies that it got, in order. most_at_once: requests in work at a time."""

    reply: Callable[[dict, int], Reply | str]
    url: str = ""
    requests: list[dict] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    most_at_once: int = 0
    _at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, request: dict, key: str | None) -> Reply:
        with self._lock:
            number = len(self.requests)
            self.requests.append(request)
            self.keys.append(key)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            reply = self.reply(request, number)
            reply = Reply(reply) if isinstance(reply, str) else reply
            if reply.wait_for is not None:
                reply.wait_for.wait(10)
            return reply
        finally:
            with self._lock:
                self._at_once -= 1


@contextmanager
def language_server(reply: Callable[[dict, int], Reply | str]) -> Iterator[Server]:
    """A running server; `reply` is called with a request's body and its number from 0, and may be called by threads."""
    server = Server(reply)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reply = server.handle(request, self.headers["Authorization"])
            content = reply.content()
            try:
                self.send_response(reply.status)
                for name, value in ({"Content-Type": "application/json"} | reply.headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:  # the client has given up
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Logs nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def question(text: str) -> list[dict]:
    return [{"role": "user", "content": text}]


def echo(request: dict, number: int) -> str:
    return f"{request['messages'][-1]['content']}!"


def endpoint(url: str, folder: Path, **fields) -> Endpoint:
    return Endpoint(
        **{"url": url, "model": "m", "max_cost_usd": 1.0, "cache": folder / "a.sqlite", "retries": 0} | fields
    )
