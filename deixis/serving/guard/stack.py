"""The guards of an application in their order, from the client inwards."""

from collections.abc import Sequence

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from deixis.serving.guard.body import BodyMiddleware
from deixis.serving.guard.headers import LOCAL_HOSTS, HeadersMiddleware, OriginMiddleware
from deixis.serving.guard.keys import Keys, KeysMiddleware, check_host, is_local
from deixis.serving.guard.logs import LogMiddleware
from deixis.serving.guard.metrics import Metrics, MetricsMiddleware
from deixis.serving.guard.rate import RateMiddleware, Rates
from deixis.serving.settings import ServerSettings

OPEN_PATHS = ("/", "/studio/assets/", "/docs", "/docs/page.css", "/openapi.json", "/healthz", "/readyz")
"""For which no key is needed: the studio asks for one itself, and what the API takes is no secret."""
FREE_PATHS = (*OPEN_PATHS, "/metrics")
"""Which do not count as requests of a client."""


def guards_of(settings: ServerSettings, metrics: Metrics) -> list[Middleware]:
    """The guards that the settings ask for, the first of them outermost.

    Raises ConfigError for a key file that is none, InputError for a host beyond this machine without one.
    """
    check_host(settings.host, settings.key_file)
    return guards(
        metrics=metrics,
        requests_per_minute=settings.requests_per_minute,
        max_body_bytes=settings.max_body_bytes,
        keys=None if settings.key_file is None else Keys(settings.key_file),
        is_local=is_local(settings.host),
        allow_origins=settings.allow_origins,
        open_paths=OPEN_PATHS,
        free_paths=FREE_PATHS,
    )


def guards(
    *,
    metrics: Metrics,
    requests_per_minute: int,
    max_body_bytes: int,
    keys: Keys | None = None,
    is_local: bool = True,
    allow_origins: Sequence[str] = (),
    open_paths: tuple[str, ...] = (),
    free_paths: tuple[str, ...] = (),
) -> list[Middleware]:
    """Every guard of an application, the first of them outermost.

    open_paths: for which no key is needed; free_paths: whose requests are not counted (`is_among`).
    """
    own = [
        Middleware(LogMiddleware),
        Middleware(MetricsMiddleware, metrics=metrics),
        Middleware(HeadersMiddleware),
        Middleware(OriginMiddleware, hosts=LOCAL_HOSTS if is_local else None, allow_origins=allow_origins),
    ]
    if allow_origins:  # before keys, which a browser does not send when it asks what is allowed
        own.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(allow_origins),
                allow_methods=["GET", "POST", "DELETE"],
                allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
                expose_headers=["X-Request-ID", "Retry-After"],
            )
        )
    if keys is not None:
        own.append(Middleware(KeysMiddleware, keys=keys, open_paths=open_paths))
    return [
        *own,
        Middleware(RateMiddleware, rates=Rates(requests_per_minute), free_paths=free_paths),
        Middleware(BodyMiddleware, max_bytes=max_body_bytes),
    ]
