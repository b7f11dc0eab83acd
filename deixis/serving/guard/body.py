"""How large the body of a request may be, and how long it may stall: counted as it comes, whatever it announces."""

from anyio import fail_after
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deixis.files.budget import MB
from deixis.serving.errors import RequestError, respond

STALL_S = 30.0
"""Without a byte, while more of a body is to come."""


class BodyMiddleware:
    """Refuses bodies of more than `max_bytes` with 413, and those of which nothing comes for `stall_s` with 408.

    What the application answers to a body that was cut off so is not sent.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, stall_s: float = STALL_S):
        self.app, self.max_bytes, self.stall_s = app, max_bytes, stall_s

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
        if body.refusal is not None and not body.has_started:
            await respond(body.refusal)(scope, receive, send)
        return None

    def _too_large(self) -> RequestError:
        message = f"the body: expected at most {self.max_bytes / MB:g} MB, got more; send less, or files one by one"
        return RequestError(message, 413)

    def _too_slow(self) -> RequestError:
        message = f"the body: expected more of it within {self.stall_s:g} s, got nothing; send it again"
        return RequestError(message, 408, code="timeout")


class _Body:
    """The body of one request, and whether it was refused."""

    def __init__(self, limits: BodyMiddleware, receive: Receive, send: Send):
        self.limits, self._receive, self._send = limits, receive, send
        self.received_bytes = 0
        self.is_whole = self.has_started = False
        self.refusal: RequestError | None = None

    async def receive(self) -> Message:
        if self.is_whole:  # from here on it waits for the end of the connection
            return await self._receive()
        if self.refusal is not None:
            return {"type": "http.disconnect"}
        try:
            with fail_after(self.limits.stall_s):
                message = await self._receive()
        except TimeoutError:
            self.refusal = self.limits._too_slow()
            return {"type": "http.disconnect"}
        self.received_bytes += len(message.get("body", b""))
        self.is_whole = not message.get("more_body", False)
        if self.received_bytes > self.limits.max_bytes:
            self.refusal = self.limits._too_large()
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        if self.refusal is not None and not self.has_started:
            return
        self.has_started = True
        await self._send(message)
