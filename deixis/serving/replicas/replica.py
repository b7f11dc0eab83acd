"""One replica: the application with its model in a process of Ray Serve, behind the guards of the HTTP proxy."""

from collections.abc import Callable, Mapping

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deixis.inference import Model
from deixis.serving.app import application
from deixis.serving.guard.paths import route_of
from deixis.serving.own_thread import in_own_thread
from deixis.serving.replicas import ROUTE
from deixis.serving.service import Service
from deixis.serving.settings import ServerSettings


class Replica:
    """What `serve.ingress` makes a deployment of. load: gives the model."""

    def __init__(self, load: Callable[[], Model], settings: ServerSettings):
        self.service = Service(in_own_thread(load), settings)

    def __serve_build_asgi_app__(self) -> FastAPI:
        return application(self.service, [Middleware(RouteMiddleware)])

    def statistics(self) -> tuple[str, Mapping[str, float]]:
        """(name of the replica, its numbers)."""
        from ray import serve

        return serve.get_replica_context().replica_id.unique_id, self.service.statistics()


class RouteMiddleware:
    """Says in every response which route it is of."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[ROUTE] = route_of(scope)
            await send(message)

        await self.app(scope, receive, named)
