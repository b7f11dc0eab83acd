"""What the HTTP proxy of Ray Serve does with every request before a replica has it: guards, own paths, retry.

The proxy is a process of Ray, which finds this by a variable of its environment, and the settings by another one. It
has no PyTorch: nothing here imports the model.
"""

import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from prometheus_client import Counter
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from deixis.serving import errors
from deixis.serving.guard.failures import FailureMiddleware
from deixis.serving.guard.logs import log_as_json
from deixis.serving.guard.metrics import Metrics
from deixis.serving.guard.stack import guards_of
from deixis.serving.replicas import APPLICATION, DEPLOYMENT
from deixis.serving.replicas.retry import RetryMiddleware
from deixis.serving.settings import ServerSettings

CALLBACK, SETTINGS = "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH", "DEIXIS_HTTP_PROXY"
OF_RAY = {
    "RAY_SERVE_PROXY_PREFER_LOCAL_NODE_ROUTING": "0",  # other machines are there to be asked, not when one is full
    "RAY_SERVE_PROXY_PREFER_LOCAL_AZ_ROUTING": "0",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "30",  # of a machine that is busy starting replicas
}
"""Variables of Ray Serve for its proxy and controller."""
NEEDED = ("host", "key_file", "allow_origins", "requests_per_minute", "max_body_bytes", "queue_size")
"""The settings that the proxy needs."""
PATIENCE_S = 5.0
"""For the numbers of the replicas."""
logger = logging.getLogger(__name__)


def environment(settings: ServerSettings) -> dict[str, str]:
    """The variables by which a proxy finds `middlewares`, and these their settings."""
    values: dict[str, Any] = {name: getattr(settings, name) for name in NEEDED}
    values["key_file"] = None if settings.key_file is None else str(settings.key_file.absolute())
    return OF_RAY | {CALLBACK: f"{__name__}:{middlewares.__name__}", SETTINGS: json.dumps(values)}


def middlewares() -> list[Middleware]:
    """What the proxy puts around itself, the last of them outermost."""
    values = json.loads(os.environ[SETTINGS])
    key_file = values["key_file"] and Path(values["key_file"])
    settings = ServerSettings(**values | {"key_file": key_file, "allow_origins": tuple(values["allow_origins"])})
    log_as_json()
    metrics, numbers = Metrics(), _Numbers()
    lost = Counter("deixis_replica_losses", "Times that a request lost its replica.", registry=metrics.registry)
    metrics.add_each("server", "replica", lambda: numbers.latest)

    async def shown(request: Request) -> Response:
        await numbers.read()
        return await metrics.response(request)

    inwards = [
        *guards_of(settings, metrics),
        Middleware(FailureMiddleware, handler=errors.of_bug),
        Middleware(OwnPaths, handlers={"/healthz": _healthz, "/metrics": shown}),
        Middleware(RetryMiddleware, queue_size=settings.queue_size, lost=lost.inc),
    ]
    return inwards[::-1]


class OwnPaths:
    """Answers what is asked of the server as a whole; all else is for a replica."""

    def __init__(self, app: ASGIApp, handlers: Mapping[str, Callable[[Request], Awaitable[Response]]]):
        self.app, self.handlers = app, handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self.handlers.get(scope["path"]) if scope["type"] == "http" else None
        if handler is None:
            return await self.app(scope, receive, send)
        scope["route"] = SimpleNamespace(path=scope["path"])
        response = await handler(Request(scope, receive))
        return await response(scope, receive, send)


class _Numbers:
    """The numbers of every replica, as they were when they were read."""

    def __init__(self) -> None:
        self.latest: Mapping[str, Mapping[str, float]] = {}

    async def read(self) -> None:
        """Asks every replica; those that do not tell are left out."""
        from ray import serve

        try:
            every = serve.get_deployment_handle(DEPLOYMENT, APPLICATION).broadcast("statistics")
            told = await every.results_async(timeout_s=PATIENCE_S, return_exceptions=True)
        except Exception as error:  # of many classes: no replica runs, or the controller does not
            logger.warning("no numbers of replicas: %s", type(error).__name__)
            told = []
        self.latest = dict(own for own in told if not isinstance(own, BaseException))


async def _healthz(request: Request) -> Response:
    return JSONResponse({"status": "ok"})
