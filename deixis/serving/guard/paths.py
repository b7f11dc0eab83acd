"""Paths of requests: which of them a middleware is for, and under which name they are counted."""

from collections.abc import Sequence

from starlette.types import Scope

UNKNOWN = "unknown"
"""The route of a request that is for none: its path is the client's, and there is no end of them."""


def is_among(path: str, named: Sequence[str]) -> bool:
    """Whether a path is one of those named; a name that ends in a slash stands for all that begin with it, but for
    "/" alone."""
    return any(path == own or (len(own) > 1 and own.endswith("/") and path.startswith(own)) for own in named)


def route_of(scope: Scope) -> str:
    """The template of the route that answered, `/v1/files/{id}`, once the application has chosen it."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) and path else UNKNOWN
