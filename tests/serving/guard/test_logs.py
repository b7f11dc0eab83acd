"""Lines of the log: what is in them and what is not."""

import json
import logging
import re

import pytest

from deixis.serving.guard.keys import Keys, KeysMiddleware
from deixis.serving.guard.logs import JsonFormatter, LogMiddleware
from tests.serving.guard.small_app import application


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, "deixis.serving.requests")
    formatter = JsonFormatter()
    return lambda: [json.loads(formatter.format(own)) for own in caplog.records if hasattr(own, "fields")]


def test_a_line_for_each_request_without_contents(lines, keys):
    client = application((LogMiddleware, {}), (KeysMiddleware, {"keys": Keys(keys[1])}))
    headers = {"Authorization": f"Bearer {keys[0]}", "X-Request-ID": "mine-1"}
    response = client.get("/owner/secret.png?question=why", headers=headers)
    assert response.headers["X-Request-ID"] == "mine-1"
    client.get("/nowhere/secret", headers=headers)
    client.request("GUESS", "/stream")
    first, second, third = lines()
    assert (first["route"], first["status"], first["key"], first["method"]) == ("/owner/{name}", 200, "ann", "GET")
    assert (second["route"], second["status"]) == ("unknown", 404)
    assert (third["method"], third["status"], third["key"]) == ("OTHER", 401, None)
    assert 0 <= first["seconds"] < 60
    assert not [word for word in ("secret", "why", keys[0], "Bearer") if word in json.dumps(lines())]


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, 'a"b', "ä", "a\tb"])
def test_an_id_that_is_not_plain_is_replaced(given):
    response = application((LogMiddleware, {})).get("/healthz", headers={"X-Request-ID": given.encode()})
    assert re.fullmatch(r"req-[0-9a-f]{24}", response.headers["X-Request-ID"])


def test_an_exception_is_its_class_and_places():
    try:
        raise KeyError("what a stranger said")
    except KeyError as caught:
        record = logging.LogRecord("deixis", logging.ERROR, "x.py", 1, "failed", (), (KeyError, caught, None))
    line = JsonFormatter().format(record)
    assert "what a stranger said" not in line
    assert re.search(r"KeyError at .*test_logs\.py:\d+ test_an_exception", json.loads(line)["error"][0])
