"""Bodies that are too large or stall, over the ASGI interface."""

import asyncio
import time

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


def test_a_body_that_stalls():
    sent, first = [], [{"type": "http.request", "body": b"a", "more_body": True}]

    async def receive():
        if first:
            return first.pop()
        await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    app = application((BodyMiddleware, {"max_bytes": 1000, "stall_s": 0.05})).app
    scope = {"type": "http", "method": "POST", "path": "/size", "headers": [], "query_string": b""}
    began_s = time.monotonic()
    asyncio.run(app(scope, receive, send))
    assert time.monotonic() - began_s < 30
    assert sent[0]["status"] == 408


def test_streams_flow_and_the_end_of_a_client_is_seen():
    assert application((BodyMiddleware, {"max_bytes": 1000})).get("/stream").text.count("data:") == 3
