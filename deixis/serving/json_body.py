"""JSON bodies of strangers as values: parsed beside the server's loop, within limits, safe to compare and to write.

    router = APIRouter(route_class=JsonRoute)

What `deixis.files.json_text` promises of values holds for those that a route of this class gets: finite numbers of 64
bits, text that UTF-8 can hold, lists and objects that are not nested without end.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from anyio.to_thread import run_sync
from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from deixis.errors import DataError
from deixis.files.json_text import parse_json
from deixis.serving.errors import RequestError

MAX_VALUES = 4_000_000
"""Of one body: a value takes up to a hundred bytes of memory for the two that it is written in. Files are one value."""
SEPARATORS = (b",", b"[", b"{")
"""Of which there are as many as values, or more."""


class JsonRequest(Request):
    """A request whose JSON is parsed within limits."""

    async def json(self) -> Any:
        """The values in the body. Raises RequestError for anything else than JSON, and for too many values."""
        return await run_sync(_parsed, await self.body())


class JsonRoute(APIRoute):
    """A route that gets its body from a `JsonRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's own, with another request."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return handler


def _parsed(body: bytes) -> Any:
    if sum(body.count(sign) for sign in SEPARATORS) > MAX_VALUES:
        raise RequestError(f"the body: expected at most {MAX_VALUES} values of JSON, got more", 413)
    try:
        return parse_json(body)
    except DataError as error:
        message = f"the body: expected JSON, got something else ({error})"
        raise RequestError(message, code="invalid_json") from None
