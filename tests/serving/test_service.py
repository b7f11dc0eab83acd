"""Files on their way into a service: what waits to be read is bounded, and what is refused is not kept."""

import asyncio

import pytest

from deixis.serving.errors import RequestError
from deixis.serving.service import Service
from deixis.serving.settings import ServerSettings
from tests.serving.conftest import SCENE


@pytest.fixture
def service(bundled):
    service = Service(bundled, ServerSettings(queue_size=1))
    yield service
    service.close()


def test_where_too_many_files_wait_the_next_one_gets_429(service):
    sent = [service.uploads.add("scene.png", [SCENE.read_bytes(), bytes(number)]) for number in (1, 2, 3)]

    async def opened() -> list:
        return await asyncio.gather(*map(service.open, sent), return_exceptions=True)

    first, second, third = asyncio.run(opened())
    assert first.extent == second.extent
    assert isinstance(third, RequestError)
    assert (third.status, third.code, third.headers) == (429, "queue_full", {"Retry-After": "5"})
    assert asyncio.run(opened())[2].extent == first.extent  # the others are cached


def test_a_file_that_is_refused_is_not_kept(service):
    with pytest.raises(RequestError, match=r"'a\.png': expected an image"):
        asyncio.run(service.add("a.png", [b"no image"], "anna"))
    assert service.uploads.owned("anna") == list(service.uploads.folder.iterdir()) == []
