"""Failures of the server as responses within its guards: with their headers and an id, and counted in the metrics."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Handler = Callable[[Request, Exception], Awaitable[Response]]


class FailureMiddleware:
    """Answers an exception that the application lets through with what the handler makes of it.

    A response that has begun is broken off, which its reader sees.
    """

    def __init__(self, app: ASGIApp, handler: Handler):
        self.app, self.handler = app, handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def watched(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            if scope["type"] != "http" or has_begun:
                raise
            response = await self.handler(Request(scope), error)
            await response(scope, receive, send)
