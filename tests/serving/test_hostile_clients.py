"""What clients send who mean harm, to a real server: it is refused in a sentence, or does no harm."""

import gzip
import json
import re
import socket
from urllib.parse import urlsplit

import httpx2
import pytest

from deixis.errors import printable
from deixis.serving import json_body, run
from deixis.serving.chat.schema import EXAMPLE
from deixis.serving.settings import ServerSettings
from tests.serving.conftest import SCENE

QUESTION = json.dumps(EXAMPLE)
BOX = '"box_xyxy": [1, 2, 6, 7]'
JSON = {"Content-Type": "application/json"}


def with_box(values: str) -> str:
    """The body of a question about a region with these values."""
    return QUESTION.replace(BOX, f'"box_xyxy": {values}')


def with_answers(count: int) -> str:
    """The body of a conversation whose earlier answers have a thousand regions each."""
    regions = [{"box_xyxy": [1, 1, 5, 5], "start": 0, "end": 3}] * 1000
    said = [{"role": "assistant", "content": "A mug.", "regions": regions}, {"role": "user", "content": "And?"}]
    return json.dumps({"messages": [*EXAMPLE["messages"], *said * count]})


@pytest.fixture(scope="module")
def client(server):
    with httpx2.Client(base_url=server.url, timeout=60) as own:
        yield own


BODIES = [
    pytest.param("[" * 200_000, "nested at most 100 deep", id="lists-without-end"),
    pytest.param('{"messages":' * 500 + "1" + "}" * 500, "nested at most 100 deep", id="objects-without-end"),
    pytest.param(with_box("[NaN, 1, 2, 3]"), "NaN is no number of JSON", id="nan"),
    pytest.param(with_box("[-Infinity, 1, 2, 3]"), "Infinity is no number of JSON", id="infinity"),
    pytest.param(with_box("[1e999, 1, 2, 3]"), "expected a finite number", id="beyond-doubles"),
    pytest.param(with_box(f"[{9**400}, 1, 2, 3]"), "whole number of 64 bits", id="large-number"),
    pytest.param(with_box(f"[{'9' * 100_000}, 1, 2, 3]"), "expected JSON", id="digits-without-end"),
    pytest.param(with_box('["1", 2, 3, 4]'), "expected a valid number; got '1'", id="text-for-a-number"),
    pytest.param(with_box("[true, 2, 3, 4]"), "expected a valid number; got True", id="truth-for-a-number"),
    pytest.param(QUESTION.replace("What", "\\ud800"), "half of a character", id="half-a-character"),
    pytest.param('{"\\u202e\\n": 1e999}', "expected a finite number", id="key-that-turns-text"),
    pytest.param(QUESTION.encode("utf-16"), "expected JSON", id="another-encoding"),
    pytest.param(gzip.compress(bytes(10**7)), "expected JSON", id="packed-zeros"),
    pytest.param(QUESTION.replace("What", "What " * 100_000), "reads 1024 tokens at most", id="long-text"),
    pytest.param(QUESTION.replace("{0}", "{0}" * 200_000), "218750 or more", id="one-region-without-end"),
    pytest.param(with_answers(60), "got 60020 or more", id="answers-of-many-regions"),
    pytest.param(json.dumps({"messages": EXAMPLE["messages"] * 600}), "at most 512 items", id="messages-without-end"),
    pytest.param(QUESTION.replace("messages", "\\u0000"), "messages: field required", id="zero-in-a-key"),
]


@pytest.mark.parametrize(("body", "sentence"), BODIES)
def test_json_that_does_harm(client, body, sentence):
    response = client.post("/v1/chat/completions", content=body, headers=JSON | {"Content-Encoding": "gzip"})
    message = response.json()["error"]["message"]
    assert (response.status_code, len(message) < 500) == (400, True), message
    assert sentence in message
    assert printable(message) == message


def test_json_of_too_many_values(client, monkeypatch):
    monkeypatch.setattr(json_body, "MAX_VALUES", 1000)
    response = client.post("/v1/chat/completions", content=f"[{'[],' * 1000}[]]", headers=JSON)
    assert response.status_code == 413
    assert "expected at most 1000 values" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, id=kind or "none") for kind in ("text/plain", "application/x-www-form-urlencoded", "")],
)
def test_json_that_a_page_of_somebody_else_could_send_unasked(client, kind):
    response = client.post("/v1/chat/completions", content=QUESTION, headers={"Content-Type": kind})
    assert response.status_code == 400


NAMES = [
    pytest.param('a"; filename="b.png', id="quotes"),
    pytest.param("a\r\nSet-Cookie: b=c\r\n.png", id="lines"),
    pytest.param("../../etc/a.png", id="folders"),
    pytest.param("\u202egnp.a\u2028.png", id="turned-text"),
    pytest.param("写真 é.png", id="letters-of-others"),
    pytest.param("a" * 1000 + ".png", id="long"),
    pytest.param(".png", id="ending-alone"),
    pytest.param("%0d%0aSet-Cookie:b.png", id="escaped-lines"),
]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_files_stay_names(client, name):
    """Written as they are into the head of a part, where honest clients escape them."""
    head = f'--edge\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode() + SCENE.read_bytes() + b"\r\n--edge--\r\n"
    sent = client.post("/v1/files", content=body, headers={"Content-Type": "multipart/form-data; boundary=edge"})
    if "\n" in name:  # the head itself is none
        assert (sent.status_code, sent.json()["error"]["type"]) == (400, "invalid_request_error")
        return
    assert sent.status_code == 200, sent.text
    assert re.fullmatch(r"[\w .,+()\[\]@=-]{1,120}", sent.json()["filename"])
    got = client.get(f"/v1/files/{sent.json()['id']}/content", headers={"Range": "bytes=" + "0-1," * 500 + "5-2"})
    assert (got.status_code, got.content) == (200, SCENE.read_bytes())
    assert re.fullmatch(r"attachment; filename\*=UTF-8''[\w.~%-]+", got.headers["Content-Disposition"], re.ASCII)
    assert "Set-Cookie" not in got.headers


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system ends no connection that is not read")
def test_a_client_who_never_reads_holds_no_connection(monkeypatch):
    monkeypatch.setattr(run, "UNREAD_S", 1)
    with run.listening(ServerSettings(port=0)) as (listener, url):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((urlsplit(url).hostname, urlsplit(url).port))
        connection, _ = listener.accept()
        connection.settimeout(60)
        with client, connection, pytest.raises(OSError, match="timed out") as ended:
            connection.sendall(bytes(1 << 26))
    assert ended.value.errno  # of the system, not of the wait above
