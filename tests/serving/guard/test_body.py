"""Bodies that are too large or stall, over the ASGI interface."""

import asyncio

import pytest

from deixis.serving.guard.body import BodyMiddleware
from tests.serving.guard.small_app import application


def test_up_to_the_limit():
    client = application((BodyMiddleware, {"max_bytes": 1000}))
    assert client.post("/size", content=bytes(1000)).json() == {"size": 1000}


@pytest.mark.parametrize("announced", [None, "10", "1001", "999999999999999999999999999999", "x"])
def test_beyond_it_whatever_is_announced(announced):
    sent, messages = [], [{"type": "http.request", "body": bytes(600), "more_body": True}] * 5
    left = list(messages)

    async def receive():
        return left.pop(0) if left else {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    headers = [] if announced is None else [(b"content-length", announced.encode())]
    app = application((BodyMiddleware, {"max_bytes": 1000})).app
    scope = {"type": "http", "method": "POST", "path": "/size", "headers": headers, "query_string": b""}
    asyncio.run(app(scope, receive, send))
    assert [message["status"] for message in sent if "status" in message] == [413]
    assert b"the body: expected at most 0.000953674 MB, got more" in sent[-1]["body"]
    assert len(left) >= 3  # what was beyond the limit was not taken


@pytest.mark.parametrize("wait_s", [pytest.param(60.0, id="nothing"), pytest.param(0.01, id="a-byte-now-and-then")])
def test_a_body_that_stalls(wait_s):
    sent, count = [], 0

    async def receive():
        nonlocal count
        await asyncio.sleep(wait_s if count else 0.0)
        count += 1
        return {"type": "http.request", "body": b"a", "more_body": True}

    async def send(message):
        sent.append(message)

    app = application((BodyMiddleware, {"max_bytes": 1000, "stall_s": 0.05})).app
    scope = {"type": "http", "method": "POST", "path": "/size", "headers": [], "query_string": b""}
    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 408
    assert count < 1000


def test_many_bodies_at_once():
    """Two that grow together beyond what may be held: one is refused, and its place is free for the next."""
    limits = {"max_bytes": 1000, "max_held_bytes": 1000}
    app = application((BodyMiddleware, limits)).app
    scope = {"type": "http", "method": "POST", "path": "/size", "headers": [], "query_string": b""}

    async def ask() -> int:
        sent, left = [], [{"type": "http.request", "body": bytes(300), "more_body": own < 2} for own in range(3)]

        async def receive():
            await asyncio.sleep(0)
            return left.pop(0)

        async def send(message):
            sent.append(message)

        await app(scope, receive, send)
        return sent[0]["status"]

    async def ask_together(count: int) -> list[int]:
        return sorted(await asyncio.gather(*(ask() for _ in range(count))))

    assert asyncio.run(ask_together(2)) == [200, 429]
    assert asyncio.run(ask_together(1)) == [200]


def test_streams_flow_and_the_end_of_a_client_is_seen():
    assert application((BodyMiddleware, {"max_bytes": 1000})).get("/stream").text.count("data:") == 3
