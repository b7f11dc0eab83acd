"""How large the body of a request may be, how slow, and all that are held at once: counted as they come, whatever they
announce."""

import time

from anyio import fail_after
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deixis.files.budget import MB
from deixis.serving.errors import RequestError, respond

STALL_S = 30.0
"""Without a byte, while more of a body is to come."""
LEAST_BYTES_PER_S = 4096
"""Of a whole body, after a first `STALL_S`."""
HELD = 4
"""Bodies of the largest size that may be held at once; or more, of smaller ones."""
RETRY_S = 10
"""After which a body may be sent again where too many are held."""


class BodyMiddleware:
    """Refuses bodies of more than `max_bytes` with 413, and those of which nothing comes for `stall_s` with 408, or too
    little. Where the requests that are being answered hold more than `max_held_bytes`, those that grow get 429.

    What the application answers to a body that was cut off so is not sent.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, stall_s: float = STALL_S, max_held_bytes: int | None = None):
        self.app, self.max_bytes, self.stall_s = app, max_bytes, stall_s
        self.max_held_bytes = HELD * max_bytes if max_held_bytes is None else max_held_bytes
        self.held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isascii() and announced.isdigit() and int(announced[:20]) > self.max_bytes:
            return await respond(self._too_large())(scope, receive, send)
        body = _Body(self, receive, send)
        try:
            await self.app(scope, body.receive, body.send)
        except Exception:
            if body.refusal is None:
                raise
        finally:
            self.held_bytes -= body.received_bytes
        if body.refusal is not None and not body.has_started:
            await respond(body.refusal)(scope, receive, send)
        return None

    def _too_large(self) -> RequestError:
        message = f"the body: expected at most {self.max_bytes / MB:g} MB, got more; send less, or files one by one"
        return RequestError(message, 413)

    def _too_many(self) -> RequestError:
        message = f"the body: expected at most {self.max_held_bytes / MB:g} MB in all requests, got more; send it later"
        return RequestError(message, 429, code="too_many_bytes", headers={"Retry-After": str(RETRY_S)})

    def _too_slow(self) -> RequestError:
        message = f"the body: expected more of it within {self.stall_s:g} s, got too little; send it again"
        return RequestError(message, 408, code="timeout")


class _Body:
    """The body of one request, and whether it was refused."""

    def __init__(self, limits: BodyMiddleware, receive: Receive, send: Send):
        self.limits, self._receive, self._send = limits, receive, send
        self.received_bytes, self.began_s = 0, time.monotonic()
        self.is_whole = self.has_started = False
        self.refusal: RequestError | None = None

    async def receive(self) -> Message:
        if self.is_whole:  # from here on it waits for the end of the connection
            return await self._receive()
        if self.refusal is not None:
            return {"type": "http.disconnect"}
        limits = self.limits
        due_s = limits.stall_s + self.received_bytes / LEAST_BYTES_PER_S - (time.monotonic() - self.began_s)
        try:
            with fail_after(max(min(limits.stall_s, due_s), 0.0)):
                message = await self._receive()
        except TimeoutError:
            return self._cut(limits._too_slow())
        size = len(message.get("body", b""))
        self.received_bytes += size
        limits.held_bytes += size
        self.is_whole = not message.get("more_body", False)
        if self.received_bytes > limits.max_bytes:
            return self._cut(limits._too_large())
        if limits.held_bytes > limits.max_held_bytes:
            return self._cut(limits._too_many())
        return message

    def _cut(self, refusal: RequestError) -> Message:
        """The end of a body that is refused."""
        self.refusal = refusal
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if self.refusal is not None and not self.has_started:
            return
        self.has_started = True
        await self._send(message)
