"""Structured logs without contents: a line of JSON for each request, with an id that its other lines carry too.

What people ask, what their files are called and their keys are in no line; of an exception there are the classes and
the places in the code.
"""

import json
import logging
import re
import secrets
import time
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deixis.serving.guard.paths import route_of

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that is being answered, "" beside requests; follows it into threads of the server."""
CLIENT_GONE = 499
"""The status of a request whose client left before it was answered, as web servers log it."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}")
logger = logging.getLogger("deixis.serving.requests")


class LogMiddleware:
    """Gives each request an id, the client's own if it is plain, says it in X-Request-ID, and logs how it ended."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        given = Headers(scope=scope).get("x-request-id", "")
        identity = given if _PLAIN.fullmatch(given) else f"req-{secrets.token_hex(12)}"
        before, began_s, answer = REQUEST_ID.set(identity), time.perf_counter(), _Answer(send, identity)
        try:
            await self.app(scope, receive, answer.send)
        except BaseException:
            answer.status = answer.status if answer.status != CLIENT_GONE else 500
            raise
        finally:
            fields = {
                "method": method_of(scope),
                "route": route_of(scope),
                "status": answer.status,
                "seconds": round(time.perf_counter() - began_s, 4),
                "sent_bytes": answer.sent_bytes,
                "key": scope.get("state", {}).get("owner"),
            }
            logger.info("request", extra={"fields": fields})
            REQUEST_ID.reset(before)
        return None


class _Answer:
    """What is sent to a client, and how much of it."""

    def __init__(self, send: Send, identity: str):
        self._send, self.identity = send, identity
        self.status, self.sent_bytes = CLIENT_GONE, 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["X-Request-ID"] = self.identity
        self.sent_bytes += len(message.get("body", b""))
        await self._send(message)


class JsonFormatter(logging.Formatter):
    """A record as a line of JSON: time, level, logger, message, id of the request, and the `fields` of its extra."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if REQUEST_ID.get():
            line["request_id"] = REQUEST_ID.get()
        line |= getattr(record, "fields", {})
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = error_places(record.exc_info[1])
        return json.dumps(line, default=str)


def error_places(error: BaseException) -> list[str]:
    """Class and places in the code of an exception and of its causes; not its words, which quote what came."""
    places, current = [], error
    while current is not None and len(places) < 10:
        frames = traceback.extract_tb(current.__traceback__)
        where = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames))
        places.append(f"{type(current).__name__} at {where}")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return places


def log_as_json(level: int = logging.INFO) -> None:
    """Writes what the server and the libraries log to stderr, as lines of JSON."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.getLogger("deixis").handlers.clear()  # the command's own, which would write each line once more
    logging.basicConfig(level=level, handlers=[handler], force=True)


def method_of(scope: Scope) -> str:
    """The method of a request; "OTHER" for one that is the client's invention."""
    return scope["method"] if scope["method"] in METHODS else "OTHER"
