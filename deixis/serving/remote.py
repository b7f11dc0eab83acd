"""Files by URL: from hosts that the server allows by name, over https, never from a private address.

The address is resolved once and checked, and the connection goes to that address, so that a name cannot point elsewhere
between the check and the fetch; redirects are refused.
"""

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from anyio.to_thread import run_sync

from deixis.files.budget import MB
from deixis.serving.errors import RequestError
from deixis.serving.settings import ServerSettings

TIMEOUT_S = 20.0
PIECE = 1 << 16


async def fetch(url: str, settings: ServerSettings, field: str) -> tuple[bytes, str]:
    """(content, file name) of a URL. Raises RequestError for a host that is not allowed and for what cannot be had."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
    except ValueError:
        raise RequestError(f"{field}: expected a data: URL; got {url[:60]!r}", param=field) from None
    if parts.scheme != "https" or host not in settings.remote_hosts:
        raise RequestError(
            f"{field}: expected a data: URL, or https of {' or '.join(settings.remote_hosts) or 'no host'}, which this "
            f"server allows; got {url[:60]!r}; send the file itself, or to /v1/files",
            param=field,
            code="remote_url_refused",
        )
    target = parts.path + (f"?{parts.query}" if parts.query else "") or "/"
    content = await run_sync(_get, host, port, target, settings.max_file_bytes, field)
    return content, PurePosixPath(unquote(parts.path)).name or "file"


async def fetch_from(origin: str, target: str, headers: Mapping[str, str], most: int, field: str) -> bytes:
    """The content at a path of a host that the server's owner named, private or not. Raises RequestError as `fetch`."""
    parts = urlsplit(origin)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    return await run_sync(_read, connection, target, headers, most, field)


def public_address(host: str, port: int, field: str) -> str:
    """The address of a host. Raises RequestError where there is none, or any of its addresses is not public."""
    try:
        found = {str(own[4][0]) for own in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError:
        raise RequestError(f"{field}: the host {host} has no address", param=field) from None
    if not found or any(not ipaddress.ip_address(own.partition("%")[0]).is_global for own in found):
        raise RequestError(f"{field}: the host {host} has a private address, which is never asked", param=field)
    return min(found)


def _get(host: str, port: int, target: str, most: int, field: str) -> bytes:
    return _read(_Pinned(public_address(host, port, field), host, port), target, {}, most, field)


def _read(
    connection: http.client.HTTPConnection, target: str, headers: Mapping[str, str], most: int, field: str
) -> bytes:
    host = connection.host
    try:
        connection.request("GET", target, headers={"Accept": "*/*", "User-Agent": "deixis", **headers})
        response = connection.getresponse()
        if response.status != 200:
            raise RequestError(f"{field}: {host} answered {response.status}; redirects are refused", param=field)
        content = bytearray()
        while piece := response.read(PIECE):
            content += piece
            if len(content) > most:
                raise RequestError(f"{field}: expected a file of at most {most // MB} MB", 413, field)
        return bytes(content)
    except (OSError, http.client.HTTPException) as error:
        raise RequestError(f"{field}: {host} could not be read ({type(error).__name__})", param=field) from None
    finally:
        connection.close()


class _Pinned(http.client.HTTPSConnection):
    """A connection to one address, whose certificate must be the host's."""

    def __init__(self, address: str, host: str, port: int):
        self.address, self.tls = address, ssl.create_default_context()
        super().__init__(host, port, timeout=TIMEOUT_S, context=self.tls)

    def connect(self) -> None:
        plain = socket.create_connection((self.address, self.port), self.timeout)
        self.sock = self.tls.wrap_socket(plain, server_hostname=self.host)
