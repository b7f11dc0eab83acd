"""API keys: made here, kept as salted hashes in a file, and compared in constant time.

A key file has a line for each key, `NAME SALT:HASH`, and comments behind `#`. The hash is sha256 of the salt and the
key: keys are 256 random bits, which no slow hash has to protect against guessing. A line that is taken out of the file
is a key that no longer works, at once.
"""

import base64
import binascii
import hashlib
import hmac
import ipaddress
import logging
import os
import re
import secrets
import threading
from collections.abc import Mapping
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from deixis.errors import ConfigError, DataError, InputError
from deixis.files.json_text import read_text
from deixis.serving.errors import RequestError, respond
from deixis.serving.guard.paths import is_among

PREFIX = "dx-"
"""Of every key, by which one that was published is recognised."""
KEY_BYTES, SALT_BYTES = 32, 16
MAX_KEY_LETTERS = 200
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LINE = re.compile(r"(?P<name>\S+)\s+(?P<salt>[0-9a-f]{32}):(?P<hash>[0-9a-f]{64})")
logger = logging.getLogger(__name__)


def new_key(name: str) -> tuple[str, str]:
    """(a new key, its line in a key file); the key itself is kept nowhere. Raises InputError for another name."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"name of a key: expected 1 to 64 letters, digits, dots, dashes or underscores, got {name!a:.80}"
        )
    key, salt = PREFIX + secrets.token_urlsafe(KEY_BYTES), secrets.token_bytes(SALT_BYTES)
    return key, f"{name} {salt.hex()}:{_hash(salt, key).hex()}"


def add_key(path: Path, name: str) -> str:
    """A new key, whose line is added to a key file, which only its owner may read; a new file where there is none.

    Raises InputError for a name that is none, ConfigError for one that the file has already, or another file.
    """
    key, line = new_key(name)
    if path.exists() and path.stat().st_size and name in read_keys(path):
        raise ConfigError(f"{path}: expected a name that it has not, got '{name}'; take its line out first")
    with open(path, "a", encoding="utf-8", opener=lambda own, flags: os.open(own, flags, 0o600)) as file:
        file.write(f"{line}\n")
    return key


def read_keys(path: Path) -> dict[str, tuple[bytes, bytes]]:
    """(salt, hash) of each key in a file by its name. Raises ConfigError for a file that is none or has no key."""
    try:
        lines = read_text(path).splitlines()
    except (OSError, DataError, InputError) as error:
        raise ConfigError(f"{path}: expected a file of API keys, but it cannot be read ({error})") from None
    keys: dict[str, tuple[bytes, bytes]] = {}
    for number, line in enumerate((line.partition("#")[0].strip() for line in lines), start=1):
        match = _LINE.fullmatch(line)
        if line and (match is None or not _NAME.fullmatch(match["name"])):
            raise ConfigError(
                f"{path}: line {number}: expected 'NAME SALT:HASH' as made for a new key, got something else"
            )
        if match is not None and match["name"] in keys:
            raise ConfigError(f"{path}: line {number}: expected one key of each name, got a second '{match['name']}'")
        if match is not None:
            keys[match["name"]] = bytes.fromhex(match["salt"]), bytes.fromhex(match["hash"])
    if not keys:
        raise ConfigError(
            f"{path}: expected the line of at least one API key, got none; every request would be refused"
        )
    return keys


class Keys:
    """The keys of a file, read again when it changes. Raises ConfigError where they cannot be read at first."""

    def __init__(self, path: Path):
        self.path = path
        self._lock = threading.Lock()
        self._keys, self._version = read_keys(path), self._file_version()

    def owner(self, key: str) -> str | None:
        """The name of a key, None for what is no key; takes the same time for all that are none."""
        found = None
        for name, (salt, digest) in self._current().items():
            if hmac.compare_digest(_hash(salt, key), digest):
                found = name
        return found

    def _current(self) -> Mapping[str, tuple[bytes, bytes]]:
        """The keys now; those of before where the file cannot be read, for its writer may not be done."""
        with self._lock:
            version = self._file_version()
            if version != self._version:
                self._version = version
                try:
                    self._keys = read_keys(self.path)
                except ConfigError as error:
                    logger.error("the keys are those of before: %s", error)
            return self._keys

    def _file_version(self) -> tuple[int, int, int]:
        try:
            status = self.path.stat()
        except OSError:
            return (0, 0, 0)
        return status.st_ino, status.st_mtime_ns, status.st_size


class KeysMiddleware:
    """Requests with a key, whose name becomes `request.state.owner`; others are refused with 401.

    The key is that of `Authorization: Bearer KEY`, or the password of `Authorization: Basic` for clients that have no
    other way. open_paths: where none is needed; one that ends in a slash stands for all that begin with it.
    """

    def __init__(self, app: ASGIApp, keys: Keys, open_paths: tuple[str, ...] = ()):
        self.app, self.keys, self.open_paths = app, keys, open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or is_among(scope["path"], self.open_paths):
            return await self.app(scope, receive, send)
        key = key_of(Headers(scope=scope).get("authorization", ""))
        owner = self.keys.owner(key) if key else None
        if owner is None:
            got = "one that is none, or no longer" if key else "none"
            message = f"Authorization: expected 'Bearer KEY' with an API key of this server, got {got}"
            error = RequestError(message, 401, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})
            return await respond(error)(scope, receive, send)
        scope.setdefault("state", {})["owner"] = owner
        return await self.app(scope, receive, send)


def key_of(header: str) -> str:
    """The key in the header Authorization, "" where there is none."""
    scheme, _, value = header.strip().partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    elif scheme.lower() != "bearer":
        return ""
    return value.strip() if len(value) <= MAX_KEY_LETTERS else ""


def check_host(host: str, key_file: Path | None) -> None:
    """Raises InputError where other machines could ask without a key."""
    if key_file is None and not is_local(host):
        raise InputError(
            f"--host: expected --key-file with it, for other machines can reach '{host}'; make a key, or listen on "
            "localhost"
        )


def is_local(host: str) -> bool:
    """Whether a host that is listened on can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _hash(salt: bytes, key: str) -> bytes:
    return hashlib.sha256(salt + key.encode(errors="replace")).digest()
