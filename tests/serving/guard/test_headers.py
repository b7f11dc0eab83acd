"""Headers of every response, and the hosts and origins of requests."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from deixis.serving.guard.headers import HEADERS, HeadersMiddleware, OriginMiddleware
from tests.serving.guard.small_app import application, error


def test_every_response_has_them():
    response = application((HeadersMiddleware, {})).get("/owner/a")
    assert {name: response.headers[name] for name in HEADERS} == dict(HEADERS)
    policy = response.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "frame-ancestors 'none'" in policy


def test_a_response_may_have_its_own():
    async def app(scope, receive, send):
        await PlainTextResponse("x", headers={"Cache-Control": "max-age=60"})(scope, receive, send)

    response = TestClient(HeadersMiddleware(app)).get("/")
    assert response.headers["Cache-Control"] == "max-age=60"


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST", "localhost"])
def test_names_of_this_machine(host):
    assert application((OriginMiddleware, {})).get("/owner/a", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example:8000", "localhost.evil.example", "", "[", "a@localhost.x", "0.0.0.0"])
def test_a_name_that_was_made_to_lead_here(host):
    response = application((OriginMiddleware, {})).get("/owner/a", headers={"Host": host})
    assert error(response, 403).startswith("Host: expected 127.0.0.1 or ::1 or localhost, got ")
    anywhere = application((OriginMiddleware, {"hosts": None})).get("/owner/a", headers={"Host": host})
    assert anywhere.status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:9", "file://", "http://["])
def test_a_page_of_somebody_else(origin):
    headers = {"Origin": origin, "Host": "localhost:8000"}
    client = application((OriginMiddleware, {"allow_origins": ("https://app.example",)}))
    response = client.post("/size", content=b"a", headers=headers)
    assert error(response, 403).startswith(f"Origin: expected a page of this server, got one of '{origin}'")
    for own in ("http://localhost:8000", "https://app.example"):
        assert client.post("/size", content=b"a", headers=headers | {"Origin": own}).json() == {"size": 1}
