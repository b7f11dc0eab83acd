"""Errors as OpenAI's clients expect them: `{"error": {"message", "type", "param", "code"}}`, the sentence as it is.

Every error of Deixis is the client's, one sentence, with status 400 unless it says otherwise. Anything else is a bug:
status 500 without its text, which may hold what belongs to others, and a traceback in the server's log.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from deixis.errors import DeixisError, InputError, UnsupportedError, printable
from deixis.options import shown
from deixis.serving.refusals import DeadlineExceeded, QueueFull, ShuttingDown

logger = logging.getLogger(__name__)
INVALID, SERVER = "invalid_request_error", "server_error"
TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
DONE = "data: [DONE]\n\n"
"""The last line of a stream."""
CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}


class RequestError(InputError):
    """A request that is refused with a status, a code and the field that is meant, and headers of its own."""

    def __init__(
        self,
        message: str,
        status: int = 400,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ):
        super().__init__(message)
        self.status, self.param, self.code, self.headers = status, param, code, dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """What a client gets."""
        return error_body(str(self), self.status, self.param, self.code)


def error_body(message: str, status: int, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """The body of an error of this status."""
    kind = TYPES.get(status, SERVER if status >= 500 else INVALID)
    sentence = printable(" ".join(message.split()))  # it may name keys and files as the client wrote them
    return {"error": {"message": sentence, "type": kind, "param": param, "code": code or CODES.get(status)}}


def as_request_error(error: DeixisError, param: str | None = None) -> RequestError:
    """The error with its status; `param` is the field that it came from."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, QueueFull):
        headers = {"Retry-After": str(ceil(error.retry_after_s))}
        return RequestError(str(error), 429, code="queue_full", headers=headers)
    if isinstance(error, ShuttingDown):
        return RequestError(str(error), 503, code="shutting_down", headers={"Retry-After": "30"})
    if isinstance(error, DeadlineExceeded):
        return RequestError(str(error), 504, code="deadline_exceeded")
    code = "unsupported" if isinstance(error, UnsupportedError) else "invalid_value"
    return RequestError(str(error), param=param, code=code)


def error_event(error: RequestError) -> str:
    """The line of a stream that an error is."""
    return f"data: {json.dumps(error.body)}\n\n"


def respond(error: RequestError) -> JSONResponse:
    """The response that an error is."""
    return JSONResponse(error.body, error.status, headers=error.headers)


def install(app: FastAPI) -> None:
    """Makes every error of the application one of these responses, but for what `of_bug` answers."""

    @app.exception_handler(DeixisError)
    async def of_deixis(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, DeixisError)
        return respond(as_request_error(error))

    @app.exception_handler(RequestValidationError)
    async def of_schema(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        return respond(of_validation(error.errors()))

    @app.exception_handler(HTTPException)
    async def of_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        if isinstance(error.__cause__, DeixisError):  # of a body, which FastAPI reads
            return respond(as_request_error(error.__cause__))
        message = f"{request.method} {shown(request.url.path)}: {str(error.detail).lower()}"
        return respond(RequestError(message, error.status_code, headers=error.headers))


async def of_bug(request: Request, error: Exception) -> JSONResponse:
    """The response to a request on which the server failed; the cause is logged."""
    logger.error("%s %s", request.method, request.url.path, exc_info=error)
    return JSONResponse(error_body("the server failed on this request; its log has the cause", 500), 500)


def of_validation(errors: Sequence[Mapping[str, Any]]) -> RequestError:
    """The first thing that does not fit the schema, as a sentence: field, what was expected, what came."""
    first = errors[0]
    field = field_name(first["loc"])
    message = first["msg"].removeprefix("Value error, ").replace("Input should be", "expected").rstrip(".")
    message = message[:1].lower() + message[1:]
    got = "" if first["type"] == "missing" else f"; got {shown(first.get('input'))}"
    return RequestError(f"{field}: {message}{got}", param=field, code=first["type"])


def field_name(location: Sequence[str | int]) -> str:
    """`messages[0].content[1].image_url.url` of the place that pydantic gives; the tag of a part is left out."""
    name = ""
    for at, own in enumerate(location):
        if own in ("body", "query", "path", "header") and at == 0:
            continue
        if isinstance(own, int):
            name += f"[{own}]"
        elif at > 1 and isinstance(location[at - 1], int) and location[at - 2] == "content":
            continue  # the type of a content part, by which pydantic chose its schema
        else:
            name += f".{own}" if name else own
    return name or "the body"
