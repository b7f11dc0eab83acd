"""The application: routes, middlewares and errors around one `Service`."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

import deixis
from deixis.inference import Model
from deixis.serving import errors
from deixis.serving.routes import chat, files, label_studio, models
from deixis.serving.service import Service
from deixis.serving.settings import ServerSettings
from deixis.serving.studio import routes as studio


def create_app(model: Model, settings: ServerSettings) -> FastAPI:
    """The server of one model as an ASGI application; its `Service` is `app.state.service`."""
    service = Service(model, settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        yield
        service.close()

    app = FastAPI(
        title="Deixis",
        version=deixis.__version__,
        description="Ask about anything you can point at, in any signal, and get answers that point back.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.service = service
    errors.install(app)
    for group in (chat, files, models, label_studio, studio):
        app.include_router(group.router)
    return app
