"""API keys: which open, which do not, and what their file holds."""

import base64
import os
import re

import pytest

from deixis.errors import ConfigError, InputError
from deixis.serving.guard.keys import Keys, KeysMiddleware, add_key, check_host, is_local, new_key, read_keys
from tests.serving.guard.small_app import application, error


def test_a_key_opens(keys):
    client = application((KeysMiddleware, {"keys": Keys(keys[1]), "open_paths": ("/healthz",)}))
    headers = {"Authorization": f"Bearer {keys[0]}"}
    assert client.get("/owner/a", headers=headers).json() == {"owner": "ann"}
    basic = base64.b64encode(f"anybody:{keys[0]}".encode()).decode()
    assert client.get("/owner/a", headers={"Authorization": f"basic {basic}"}).json() == {"owner": "ann"}
    assert client.get("/healthz").text == "ok"


@pytest.mark.parametrize(
    ("header", "match"),
    [
        pytest.param(None, "got none", id="without"),
        pytest.param("Bearer ", "got none", id="empty"),
        pytest.param("Bearer dx-guess", "got one that is none, or no longer", id="other"),
        pytest.param("Bearer " + "x" * 10_000, "got none", id="long"),
        pytest.param("Token {}", "got none", id="scheme"),
        pytest.param("Basic é", "got none", id="basic"),
        pytest.param("Bearer \udc80", "got", id="bytes"),
    ],
)
def test_nothing_else_does(keys, header, match):
    client = application((KeysMiddleware, {"keys": Keys(keys[1])}))
    headers = {} if header is None else {"Authorization": header.format(keys[0]).encode(errors="surrogateescape")}
    response = client.get("/owner/a", headers=headers)
    assert re.search(rf"^Authorization: expected 'Bearer KEY' .*{match}", error(response, 401))
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.json()["error"]["code"] == "invalid_api_key"


def test_the_file_holds_no_key_and_the_same_key_has_other_hashes(keys):
    assert keys[0] not in keys[1].read_text()
    assert keys[0].removeprefix("dx-") not in keys[1].read_text()
    first, second = (new_key("ann") for _ in range(2))
    assert first[0] != second[0]
    assert len(first[0]) == len("dx-") + 43
    salts = [salt for salt, _ in read_keys(keys[1]).values()]
    assert len(set(salts)) == 2


def test_a_key_that_is_taken_out_no_longer_opens(keys):
    key, path = keys
    known = Keys(path)
    assert known.owner(key) == "ann"
    path.write_text(new_key("bob")[1])
    assert known.owner(key) is None
    path.write_text("no keys at all")  # half of a file: what was before stays
    assert known.owner(key) is None
    path.write_text(f"{new_key('bob')[1]}\n{new_key('cleo')[1]}\n")
    assert len(known._current()) == 2


@pytest.mark.parametrize(
    ("content", "match"),
    [
        pytest.param("", "at least one API key, got none", id="empty"),
        pytest.param("# nobody\n", "at least one API key, got none", id="comment"),
        pytest.param("ann dx-secret", r"line 1: expected 'NAME SALT:HASH'", id="plain"),
        pytest.param("\nann 00:11", r"line 2: expected 'NAME SALT:HASH'", id="short"),
        pytest.param("{line}\n{line}", r"line 2: expected one key of each name, got a second 'ann'", id="twice"),
        pytest.param("\0\udcff", "cannot be read|NAME SALT:HASH", id="bytes"),
    ],
)
def test_a_bad_file_is_one_sentence_without_its_content(content, match, tmp_path):
    path = tmp_path / "keys"
    path.write_bytes(content.replace("{line}", new_key("ann")[1]).encode(errors="surrogateescape"))
    with pytest.raises(ConfigError, match=match) as refusal:
        Keys(path)
    assert "dx-secret" not in str(refusal.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        Keys(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ä", "x" * 65, "a\n"])
def test_names_of_keys_are_plain(name):
    with pytest.raises(InputError, match="name of a key: expected 1 to 64 letters"):
        new_key(name)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_other_machines_need_keys(host, tmp_path):
    with pytest.raises(InputError, match=f"--host: expected --key-file with it, .* '{re.escape(host)}'"):
        check_host(host, None)
    check_host(host, tmp_path / "keys")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_this_machine_needs_none(host):
    assert is_local(host)
    check_host(host, None)


def test_keys_are_added_to_a_file_that_its_owner_alone_reads(tmp_path):
    path = tmp_path / "keys"
    made = {name: add_key(path, name) for name in ("ann", "bob")}
    assert {Keys(path).owner(key) for key in made.values()} == {"ann", "bob"}
    if os.name == "posix":
        assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(ConfigError, match="expected a name that it has not, got 'ann'"):
        add_key(path, "ann")
