"""Requests whose replica is lost are asked again of another one.

Ray Serve itself asks again only where a replica has not taken the request yet. Where one is lost later, its HTTP proxy
ends a request without a response, or in the middle of one: that is how it is seen here. Asking again does no harm:
questions change nothing, and a file that is sent again is the same file.
"""

from collections.abc import Callable
from types import SimpleNamespace

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deixis.serving.errors import DONE, RequestError, as_request_error, error_event, respond
from deixis.serving.refusals import QueueFull
from deixis.serving.replicas import ROUTE
from deixis.serving.replicas.continued import ContinuedStream, Diverged

TRIES = 3
"""Replicas that one request may be asked of: what makes one after the other end is the request's fault."""
RETRY_S = 5.0
"""After which a client may ask again where the queue is full."""
EVENTS = "text/event-stream"


class RetryMiddleware:
    """Around the HTTP proxy of Ray Serve.

    queue_size: requests that wait in it. lost: is called whenever a replica is lost that had a request.
    """

    def __init__(self, app: ASGIApp, queue_size: int, lost: Callable[[], None]):
        self.app, self.queue_size, self.lost = app, queue_size, lost

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request = _Request(receive)
        if not await request.read():
            return None
        relay = _Relay(scope, send, self.queue_size)
        for _ in range(TRIES):
            relay.begin()
            await self.app(dict(scope), request.receiver(), relay.send)
            if relay.is_whole or request.has_left:
                return None
            self.lost()
        return await relay.refuse(
            RequestError(
                f"the server: expected an answer, but {TRIES} replicas were lost, one after the other, while they "
                "worked on it; ask again later",
                503,
                code="replica_lost",
            )
        )


class _Request:
    """The body of a request, kept until it is answered, and whether the client is still there."""

    def __init__(self, receive: Receive):
        self._receive, self._pieces = receive, list[bytes]()
        self.has_left = False

    async def read(self) -> bool:
        """Reads the body, which the guards bound; False where the client leaves meanwhile."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return False
            self._pieces.append(message.get("body", b""))
            if not message.get("more_body", False):
                return True

    def receiver(self) -> Receive:
        """What the application receives by: the body from its beginning, then that the client has left."""
        unread = iter([b"".join(self._pieces)])

        async def receive() -> Message:
            for body in unread:
                return {"type": "http.request", "body": body, "more_body": False}
            message = await self._receive()
            self.has_left = True
            return message

        return receive


class _Relay:
    """What the client gets, whichever replicas it comes from: a stream as it comes, anything else once it is whole."""

    def __init__(self, scope: Scope, send: Send, queue_size: int):
        self._scope, self._send, self.queue_size = scope, send, queue_size
        self._stream = ContinuedStream()
        self._has_started = self.is_whole = False

    def begin(self) -> None:
        """Another replica answers from the beginning."""
        self._stream.begin()
        self._start: Message = {}
        self._body: list[bytes] = []
        self._is_stream = False

    async def send(self, message: Message) -> None:
        if self.is_whole:  # what Ray Serve says after it was refused here
            return
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            route, self._start = headers.get(ROUTE), message
            if route is None and message["status"] >= 400:
                return await self.refuse(self._error_of_serve(message["status"]))
            if route is not None:
                self._scope["route"] = SimpleNamespace(path=route)  # for the log and the metrics
                del headers[ROUTE]
            self._is_stream = headers.get("content-type", "").startswith(EVENTS)
        elif self._is_stream:
            await self._send_events(message)
        else:
            self._body.append(message.get("body", b""))
            if not message.get("more_body", False):
                await self._send_whole(b"".join(self._body))

    async def refuse(self, error: RequestError) -> None:
        """Ends the response with an error: as its status, or as the last event of a stream that has begun."""
        self.is_whole = True
        if self._has_started:
            await self._send({"type": "http.response.body", "body": (error_event(error) + DONE).encode()})
        else:
            await respond(error)(self._scope, _nothing, self._send)

    async def _send_events(self, message: Message) -> None:
        try:
            events = self._stream.feed(message.get("body", b""))
        except Diverged:
            return await self.refuse(
                RequestError(
                    "the answer: expected it to its end, but its replica was lost, and another one answers otherwise; "
                    "ask again",
                    503,
                    code="replica_lost",
                )
            )
        if not self._has_started:
            await self._send(self._start)
            self._has_started = True
        self.is_whole = not message.get("more_body", False)
        await self._send({"type": "http.response.body", "body": events, "more_body": not self.is_whole})

    async def _send_whole(self, body: bytes) -> None:
        """A response that is no stream; after a stream has begun it is what another replica refuses with."""
        self.is_whole = True
        if self._has_started:
            events = f"data: {body.decode(errors='replace')}\n\n{DONE}".encode()
            await self._send({"type": "http.response.body", "body": events})
            return
        await self._send(self._start)
        await self._send({"type": "http.response.body", "body": body})

    def _error_of_serve(self, status: int) -> RequestError:
        if status == 429:
            return as_request_error(QueueFull(self.queue_size, RETRY_S))
        message = "the server: expected a replica that answers, but none is running now; ask again later"
        return RequestError(message, 503, code="no_replica", headers={"Retry-After": "30"})


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
