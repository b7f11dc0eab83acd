"""All guards around one application."""

import asyncio

from starlette.responses import JSONResponse, StreamingResponse
from starlette.testclient import TestClient

from deixis.serving.guard.failures import FailureMiddleware
from deixis.serving.guard.keys import Keys
from deixis.serving.guard.metrics import Metrics
from deixis.serving.guard.stack import guards
from tests.serving.guard.small_app import application


async def failed(request, error):
    return JSONResponse({"error": "failed"}, 500)


def made(**options) -> TestClient:
    own = guards(**{"metrics": Metrics(), "requests_per_minute": 100, "max_body_bytes": 1000, **options})
    return application(*((each.cls, each.kwargs) for each in own), (FailureMiddleware, {"handler": failed}))


def test_a_failure_has_headers_an_id_and_no_words():
    response = made().get("/fails")
    assert (response.status_code, response.json()) == (500, {"error": "failed"})
    assert response.headers["X-Request-ID"].startswith("req-")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "stranger" not in response.text


def test_refusals_of_every_guard_have_headers_and_an_id(keys):
    client = made(keys=Keys(keys[1]), requests_per_minute=1, open_paths=("/healthz",))
    asked = {"Authorization": f"Bearer {keys[0]}"}
    refused = [
        client.get("/owner/a"),
        client.post("/size", content=bytes(2000), headers=asked),
        client.get("/owner/a", headers=asked),
        client.get("/healthz", headers={"Host": "evil.example"}),
        client.get("/healthz", headers={"Origin": "https://evil.example"}),
    ]
    assert [response.status_code for response in refused] == [401, 413, 429, 403, 403]
    assert all("Content-Security-Policy" in response.headers for response in refused)
    assert all("X-Request-ID" in response.headers for response in refused)


def test_no_origin_is_allowed_unless_it_is_named(keys):
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    response = made().options("/size", headers=asked)
    assert response.status_code == 403
    assert "Access-Control-Allow-Origin" not in response.headers
    client = made(keys=Keys(keys[1]), allow_origins=("https://app.example",))
    response = client.options("/size", headers=asked)
    assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (200, "https://app.example")
    other = client.options("/size", headers=asked | {"Origin": "https://evil.example"})
    assert other.status_code == 403


def test_events_arrive_as_they_are_made():
    """Not when the stream ends: the first is there while the second is not yet made."""
    sent, seen = [], []
    app = made().app

    @app.get("/slow")
    async def slow():
        async def events():
            yield "data: 0\n\n"
            seen.append(len([own for own in sent if own.get("body")]))
            yield "data: 1\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    async def receive():
        await asyncio.sleep(60)

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"localhost")]
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/slow",
        "headers": headers,
        "query_string": b"",
        "http_version": "1.1",
    }

    async def ask():
        await asyncio.wait_for(app({**scope, "client": ("127.0.0.1", 1)}, receive, send), 30)

    asyncio.run(ask())
    assert seen == [1]
