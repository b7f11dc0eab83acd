"""The guards of an application in their order, from the client inwards."""

from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware

from deixis.serving.guard.body import BodyMiddleware
from deixis.serving.guard.failures import FailureMiddleware
from deixis.serving.guard.headers import LOCAL_HOSTS, HeadersMiddleware, OriginMiddleware
from deixis.serving.guard.keys import Keys, KeysMiddleware
from deixis.serving.guard.logs import LogMiddleware
from deixis.serving.guard.metrics import Metrics, MetricsMiddleware
from deixis.serving.guard.rate import RateMiddleware, Rates


def add_guards(
    app: Starlette,
    *,
    metrics: Metrics,
    requests_per_minute: int,
    max_body_bytes: int,
    keys: Keys | None = None,
    is_local: bool = True,
    allow_origins: Sequence[str] = (),
    open_paths: tuple[str, ...] = (),
    free_paths: tuple[str, ...] = (),
) -> None:
    """Puts every guard around an application.

    open_paths: for which no key is needed; free_paths: whose requests are not counted (`is_among`).
    """
    failed: Any = app.exception_handlers.pop(Exception, None)
    if failed is not None:  # Starlette would call it outside of everything here
        app.add_middleware(FailureMiddleware, handler=failed)
    app.add_middleware(BodyMiddleware, max_bytes=max_body_bytes)
    app.add_middleware(RateMiddleware, rates=Rates(requests_per_minute), free_paths=free_paths)
    if keys is not None:
        app.add_middleware(KeysMiddleware, keys=keys, open_paths=open_paths)
    if allow_origins:  # before keys, which a browser does not send when it asks what is allowed
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(allow_origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After"],
        )
    app.add_middleware(OriginMiddleware, hosts=LOCAL_HOSTS if is_local else None, allow_origins=allow_origins)
    app.add_middleware(HeadersMiddleware)
    app.add_middleware(MetricsMiddleware, metrics=metrics)
    app.add_middleware(LogMiddleware)  # the last that is added is the first that is asked
