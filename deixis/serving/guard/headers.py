"""Which pages may use the server from a browser: headers of every response, and hosts and origins of every request."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deixis.serving.errors import RequestError, respond

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob: data:",
        "connect-src 'self' blob: data:",  # scripts of the page read the files that were dropped on it
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # frame-ancestors for older browsers
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",  # answers and files are whose they are
}
"""Of a response that does not set its own."""
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


class HeadersMiddleware:
    """Adds `headers` to every response that has not its own."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str] = HEADERS):
        self.app, self.headers = app, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    own.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers if scope["type"] == "http" else send)


class OriginMiddleware:
    """Refuses requests that a page of somebody else sends through the browser of a user.

    hosts: the names that the server is called by, as the header Host has them; None for any, where it is reached under
    names of its own and asks for keys. On localhost they keep out pages whose name was made to lead there after they
    were loaded (DNS rebinding). allow_origins: of pages that may ask, `https://app.example`, beside its own; what the
    browser lets them read is up to CORS.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str] | None = LOCAL_HOSTS, allow_origins: Sequence[str] = ()):
        self.app, self.allow_origins = app, tuple(allow_origins)
        self.hosts = None if hosts is None else {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = self._refusal(Headers(scope=scope)) if scope["type"] in ("http", "websocket") else None
        if error is not None:
            return await respond(error)(scope, receive, send)
        return await self.app(scope, receive, send)

    def _refusal(self, headers: Headers) -> RequestError | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if self.hosts is not None and _name(f"//{host}") not in self.hosts:
            return RequestError(
                f"Host: expected {' or '.join(sorted(self.hosts))}, got '{host:.100}'; the server is reached under "
                "another name than it is meant for",
                403,
                code="host_not_allowed",
            )
        if origin is None or origin in self.allow_origins or _host_of(origin) == host.lower():
            return None
        return RequestError(
            f"Origin: expected a page of this server, got one of '{origin:.100}'; allow it when the server is started",
            403,
            code="origin_not_allowed",
        )


def _host_of(origin: str) -> str | None:
    """The host and port of an origin, None where it has none ("null")."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None


def _name(address: str) -> str | None:
    """The name in `//name:port`, without the port."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
