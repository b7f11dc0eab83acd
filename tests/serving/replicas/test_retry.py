"""What a client gets where replicas are lost: a scripted one stands for the proxy of Ray Serve, which just ends."""

import asyncio
import json
from collections.abc import Sequence

import pytest

from deixis.serving.replicas import ROUTE
from deixis.serving.replicas.retry import TRIES, RetryMiddleware

EVENTS, JSON = b"text/event-stream", b"application/json"


def start(status: int = 200, kind: bytes = JSON, route: bytes | None = b"/ask") -> dict:
    headers = [(b"content-type", kind), *([] if route is None else [(ROUTE.encode(), route)])]
    return {"type": "http.response.start", "status": status, "headers": headers}


def body(content: bytes, more: bool = False) -> dict:
    return {"type": "http.response.body", "body": content, "more_body": more}


def event(delta: dict, identity: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({'id': identity, 'created': 1, 'choices': [choice]})}\n\n".encode()


def stream(identity: str, *deltas: dict, ends: bool = True) -> list[dict]:
    """The messages of a streamed answer, or of the beginning of one."""
    role = {"role": "assistant", "content": ""}
    pieces = [event(delta, identity) for delta in (role, *deltas)]
    if ends:
        pieces += [event({"warnings": []}, identity, "stop"), b"data: [DONE]\n\n"]
    return [start(kind=EVENTS), *(body(piece, True) for piece in pieces), *([body(b"")] if ends else [])]


class Asked:
    """What came of one request that replicas answered with these messages, one after the other."""

    def __init__(self, *replicas: Sequence[dict]):
        self.bodies: list[bytes] = []
        self.sent: list[dict] = []
        self.losses = 0
        self.scope = {"type": "http", "method": "POST", "path": "/ask", "headers": []}
        asyncio.run(self._ask(iter(replicas)))

    async def _ask(self, replicas) -> None:
        async def proxy(scope, receive, send):
            self.bodies.append((await receive())["body"])
            for message in next(replicas):
                await send(message)

        def lost() -> None:
            self.losses += 1

        unread = iter([{"type": "http.request", "body": own, "more_body": own == b"que"} for own in (b"que", b"stion")])

        async def receive():
            return next(unread)

        async def send(message):
            self.sent.append(message)

        await RetryMiddleware(proxy, 7, lost)(self.scope, receive, send)

    @property
    def status(self) -> int:
        (first, *_) = self.sent
        assert ROUTE.encode() not in dict(first["headers"])
        return first["status"]

    @property
    def content(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def events(self) -> list[dict]:
        lines = self.content.decode().split("\n\n")
        assert lines[-2:] == ["data: [DONE]", ""]
        return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


@pytest.mark.parametrize(
    ("lost", "losses"),
    [
        pytest.param([], 0, id="none"),
        pytest.param([[]], 1, id="before-it-answers"),
        pytest.param([[start()], [start(), body(b'{"a', True)]], 2, id="in-the-middle"),
    ],
)
def test_another_replica_gets_the_whole_request_and_the_client_one_answer(lost, losses):
    asked = Asked(*lost, [start(), body(b'{"b"', True), body(b": 1}")])
    assert (asked.status, asked.content, asked.losses) == (200, b'{"b": 1}', losses)
    assert asked.bodies == [b"question"] * (losses + 1)
    assert asked.scope["route"].path == "/ask"


def test_a_request_that_ends_every_replica_is_refused():
    asked = Asked(*[[]] * TRIES, [start(), body(b"{}")])
    assert (asked.status, asked.losses) == (503, TRIES)
    assert json.loads(asked.content)["error"]["code"] == "replica_lost"


FIRST = ({"content": "A b"}, {"content": "lue mug"}, {"regions": [{"box": 1}]}, {"content": " and"})
OTHER = ({"content": "A blue mug"}, {"regions": [{"box": 1}]}, {"content": " and a ca"}, {"content": "r"})


@pytest.mark.parametrize("count", [pytest.param(count, id=f"after-{count}-pieces") for count in range(len(FIRST) + 1)])
def test_a_stream_goes_on_where_it_was_lost_whatever_its_pieces(count):
    asked = Asked(stream("one", *FIRST[:count], ends=False), stream("two", *OTHER, {"regions": [{"box": 2}]}))
    deltas = [own["choices"][0]["delta"] for own in asked.events]
    assert "".join(delta.get("content", "") for delta in deltas) == "A blue mug and a car"
    assert [own for delta in deltas for own in delta.get("regions", [])] == [{"box": 1}, {"box": 2}]
    assert [delta for delta in deltas if "role" in delta] == [{"role": "assistant", "content": ""}]
    assert {own["id"] for own in asked.events} == {"one"}
    assert asked.events[-1]["choices"][0] == {"index": 0, "delta": {"warnings": []}, "finish_reason": "stop"}


@pytest.mark.parametrize(
    ("second", "code"),
    [
        pytest.param(stream("two", {"content": "A red"}), "replica_lost", id="another-answer"),
        pytest.param([start(429), body(b'{"error": {"code": "queue_full"}}')], "queue_full", id="a-refusal"),
        pytest.param([start(429, route=None), body(b"busy")], "queue_full", id="a-refusal-of-serve"),
    ],
)
def test_a_stream_that_cannot_go_on_ends_with_an_error(second, code):
    asked = Asked(stream("one", {"content": "A blue"}, ends=False), second)
    assert asked.events[-1]["error"]["code"] == code


@pytest.mark.parametrize(
    ("status", "expected", "code"),
    [
        pytest.param(429, 429, "queue_full", id="queue-full"),
        pytest.param(503, 503, "no_replica", id="unavailable"),
        pytest.param(404, 503, "no_replica", id="no-application"),
    ],
)
def test_what_ray_serve_refuses_is_said_in_our_form(status, expected, code):
    asked = Asked([start(status, b"text/plain", None), body(b"Path '/ask' not found. Ping http://.../-/routes")])
    assert asked.status == expected
    assert json.loads(asked.content)["error"]["code"] == code
    assert b"retry-after" in dict(asked.sent[0]["headers"])
    assert len(asked.bodies) == 1
