"""Runs an application: a socket taken before the model is loaded, and a server that finishes what it accepted."""

import logging
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

from deixis.errors import InputError, one_line
from deixis.serving.settings import ServerSettings

GRACE_S = 30
"""For requests that are being answered when the server is told to end."""
UNREAD_S = 60
"""After which the system ends a connection whose client reads nothing of what is sent."""
WAITING = 2048  # connections that the system holds until they are taken


@contextmanager
def listening(settings: ServerSettings) -> Generator[tuple[socket.socket, str]]:
    """(socket, address of the page). Raises InputError for a host or port that cannot be had."""
    try:
        family, *_, where = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        own = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise InputError(f"--host: expected a name or address of this machine, got '{settings.host}'") from error
    with own:
        try:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if hasattr(socket, "TCP_USER_TIMEOUT"):  # of Linux; connections have it from the socket that takes them
                own.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_S * 1000)
            own.bind(where)
            own.listen(WAITING)
        except OSError as error:
            raise InputError(
                f"--port: expected a free port of {settings.host}, got {settings.port} ({one_line(error)}); another "
                "program may listen there, name another"
            ) from None
        host, port = own.getsockname()[:2]
        yield own, f"http://{f'[{host}]' if ':' in host else host}:{port}"


def serve(app: FastAPI, own: socket.socket) -> None:
    """Answers until SIGINT or SIGTERM, then finishes what it has accepted. A second signal ends it at once."""
    # Failures are logged where they are answered (errors.py); uvicorn would log them, and what it cancels, once more.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=GRACE_S
    )
    _Server(config).run([own])


class _Server(uvicorn.Server):
    """uvicorn's, which raises the signals that end it once more when it has ended: here they have done their work."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        names = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(name, self.handle_exit) for name in names]
        try:
            yield
        finally:
            for name, handler in zip(names, before, strict=True):
                signal.signal(name, handler)
