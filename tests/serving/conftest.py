"""One real server on the bundled model, on a free port, for all tests of a process."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

import deixis
from deixis.inference import Model
from deixis.serving.app import create_app
from deixis.serving.run import listening
from deixis.serving.service import Service
from deixis.serving.settings import ServerSettings

SCENE = Path(__file__).parents[2] / "examples" / "scene.png"


@dataclass(frozen=True)
class Running:
    """A server that answers at `url`."""

    url: str
    service: Service
    model: Model


@pytest.fixture(scope="session")
def bundled() -> Model:
    return deixis.load()


@pytest.fixture(scope="session")
def server(bundled: Model) -> Iterator[Running]:
    settings = ServerSettings(port=0, requests_per_minute=100_000, max_file_bytes=4_000_000)
    with listening(settings) as (socket, url):
        app = create_app(bundled, settings)
        own = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=own.run, args=([socket],))
        thread.start()
        while not own.started:
            time.sleep(0.02)
        yield Running(url, app.state.service, bundled)
        own.should_exit = True
        thread.join(timeout=30)
