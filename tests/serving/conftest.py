"""Real servers on free ports, and a real browser."""

import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, sync_playwright

import deixis
from deixis.inference import Model
from deixis.serving.app import create_app
from deixis.serving.run import listening
from deixis.serving.service import Service
from deixis.serving.settings import ServerSettings
from tests.serving.studio_page import Studio

SCENE = Path(__file__).parents[2] / "examples" / "scene.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# three.js draws without a graphics card
BROWSER_ARGUMENTS = (
    "--no-sandbox",
    "--enable-unsafe-swiftshader",
    "--disable-gpu-compositing",
    "--disable-gpu-rasterization",
)


@dataclass(frozen=True)
class Running:
    """A server that answers at `url`."""

    url: str
    service: Service
    model: Model


@contextmanager
def serving(model: Model) -> Iterator[Running]:
    """A server of a model, until the block ends."""
    settings = ServerSettings(port=0, requests_per_minute=100_000, max_file_bytes=4_000_000)
    with listening(settings) as (socket, url):
        app = create_app(model, settings)
        own = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=own.run, args=([socket],))
        thread.start()
        while not own.started:
            time.sleep(0.02)
        try:
            yield Running(url, app.state.service, model)
        finally:
            own.should_exit = True
            thread.join(timeout=30)


@pytest.fixture(scope="session")
def bundled() -> Model:
    return deixis.load()


@pytest.fixture(scope="session")
def server(bundled: Model) -> Iterator[Running]:
    with serving(bundled) as own:
        yield own


@pytest.fixture(scope="module")  # while it is there, no other test can run an event loop
def browser() -> Iterator[Browser]:
    """Chromium or Chrome of this machine."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"needs one of {', '.join(BROWSERS)} on this machine")
    with sync_playwright() as started:
        own = started.chromium.launch(executable_path=found, args=BROWSER_ARGUMENTS)
        yield own
        own.close()


@contextmanager
def studio_page(browser: Browser, url: str) -> Iterator[Studio]:
    """A new page of the studio at `url`, which must load nothing from elsewhere and complain of nothing."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, permissions=["clipboard-read", "clipboard-write"]
    )
    own = Studio(context.new_page(), url)
    own.page.on("pageerror", lambda error: own.complaints.append(str(error)))
    own.page.on("console", lambda line: own.complaints.append(line.text) if line.type == "error" else None)
    own.page.on("request", lambda request: own.hosts.add(request.url.split("/")[2] if "//" in request.url[:8] else ""))
    own.page.goto(url)
    yield own
    context.close()
    assert not own.complaints, own.complaints
    assert own.hosts <= {url.split("//")[1], ""}, "a request to another host"


@pytest.fixture
def studio(browser: Browser, server: Running) -> Iterator[Studio]:
    with studio_page(browser, server.url) as own:
        yield own
