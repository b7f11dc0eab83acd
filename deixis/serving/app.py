"""The application: routes, middlewares and errors around one `Service`."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import cache

from anyio.to_thread import run_sync
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import Lifespan

import deixis
from deixis.inference import Model
from deixis.serving import errors
from deixis.serving.guard.failures import FailureMiddleware
from deixis.serving.guard.metrics import Metrics
from deixis.serving.guard.stack import guards_of
from deixis.serving.openapi import true_document
from deixis.serving.reference import routes as reference
from deixis.serving.routes import chat, files, label_studio, models
from deixis.serving.service import Service
from deixis.serving.settings import ServerSettings
from deixis.serving.studio import routes as studio


def create_app(model: Model, settings: ServerSettings) -> FastAPI:
    """The server of one model as an ASGI application; its `Service` is `app.state.service`.

    Raises ConfigError for a key file that is none, and for a host beyond this machine without one.
    """
    metrics = Metrics()
    guarded = guards_of(settings, metrics)
    service = Service(model, settings)
    metrics.add("server", service.statistics)
    app = application(service, guarded)
    app.add_route("/metrics", metrics.response, include_in_schema=False)
    return app


def application(service: Service, middlewares: Sequence[Middleware] = ()) -> FastAPI:
    """The routes of a service, behind these middlewares, the first of them outermost; it ends the service it is of."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        yield
        await run_sync(service.drain)
        await run_sync(service.close)

    app = routed(middlewares, lifespan)
    app.state.service = service
    return app


def routed(middlewares: Sequence[Middleware] = (), lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    """The routes with their errors and their document, which need no service to be listed."""
    app = FastAPI(
        title="Deixis",
        version=deixis.__version__,
        description="Ask about anything you can point at, in any signal, and get answers that point back.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        # within the others, so that a failure has their headers and an id, and is counted
        middleware=[*middlewares, Middleware(FailureMiddleware, handler=errors.of_bug)],
    )
    written = app.openapi
    app.openapi = cache(lambda: true_document(written()))
    errors.install(app)
    for group in (chat, files, models, label_studio, studio, reference):
        app.include_router(group.router)
    return app
