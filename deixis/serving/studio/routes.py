"""The addresses of the studio: its page and files, what it shows of a signal, and samples to begin with."""

from functools import lru_cache
from importlib.resources import files
from mimetypes import guess_type
from typing import Any, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from deixis.serving.errors import RequestError
from deixis.serving.replies import GUARDED, READING, FileObject, Reply, refusals
from deixis.serving.routes.access import Owner, ServiceOf
from deixis.serving.routes.files import file_object
from deixis.serving.service import Service
from deixis.serving.studio import samples
from deixis.serving.studio.views import MEDIA_TYPES, View, view_of

router = APIRouter(tags=["studio"], responses=refusals(*GUARDED))
PAGE, FOLDER = "index.html", "studio/assets"
FOREVER, BRIEFLY = "public, max-age=31536000, immutable", "no-cache"
"""Compiled files have their digest in their names; the page that names them has not."""
PRIVATE = "private, max-age=3600"
IN_FILE = refusals(404, *READING)
BYTES = {"type": "string", "format": "binary"}


@router.get("/", include_in_schema=False)
async def page() -> Response:
    """The studio."""
    return _static(PAGE, BRIEFLY)


@router.get("/studio/assets/{name}", include_in_schema=False)
async def static(name: str) -> Response:
    """One of its compiled files."""
    return _static(f"{FOLDER}/{name}", FOREVER)


class SampleName(Reply):
    """A sample that is not yet generated."""

    id: str
    modality: str
    noun: str


class SampleList(Reply):
    object: Literal["list"] = "list"
    data: list[SampleName]


class TakenSample(FileObject):
    """The file of a sample, and questions about it as messages have them."""

    questions: list[dict[str, Any]]


class SignalView(BaseModel):
    """What the studio needs to draw a signal; further fields are those of its modality."""

    model_config = ConfigDict(extra="allow")

    modality: str
    noun: str
    name: str
    axes: str
    drawn_as: str
    parts: list[dict[str, Any]]


@router.get("/studio/api/samples", summary="Signals to begin with, of the modalities that the model takes")
async def sample_list(service: ServiceOf) -> SampleList:
    listed = samples.listed(tuple(service.model.abilities["signals"]))
    return SampleList(data=[SampleName(**own) for own in listed])


@router.post(
    "/studio/api/samples/{sample_id}",
    summary="Put a sample among the uploaded files",
    responses=refusals(*READING),
    response_model_exclude_none=True,
)
async def take_sample(sample_id: str, service: ServiceOf, owner: Owner) -> TakenSample:
    """The file as `/v1/files` describes it, with questions to ask about it."""
    sample = await run_sync(samples.sample_of, sample_id)
    upload, signal = await service.add(sample.name, [sample.content], owner, sample.modality, sample.number)
    return TakenSample(**file_object(upload, signal).model_dump(), questions=list(sample.questions))


@router.get("/studio/api/signals/{file_id}", summary="What the studio shows of a file", responses=IN_FILE)
async def signal_view(file_id: str, service: ServiceOf, owner: Owner) -> SignalView:
    return SignalView(**(await _view(service, file_id, owner)).facts)


@router.get(
    "/studio/api/signals/{file_id}/{name}",
    summary="A part of what the studio shows: a picture or numbers",
    response_class=Response,
    responses=IN_FILE | {200: {"content": {media_type: {"schema": BYTES} for media_type in MEDIA_TYPES}}},
)
async def signal_part(file_id: str, name: str, service: ServiceOf, owner: Owner) -> Response:
    view = await _view(service, file_id, owner)
    if name not in view.parts:
        raise RequestError(f"part {name!r:.60}: expected one of {', '.join(view.parts)}", 404, "name")
    content = await run_sync(view.part, name)
    return Response(content, media_type=view.parts[name].media_type, headers={"Cache-Control": PRIVATE})


async def _view(service: Service, file_id: str, owner: str) -> View:
    return await run_sync(view_of, await service.open(service.uploads.get(file_id, owner)))


@lru_cache
def _compiled() -> dict[str, bytes]:
    """Every file of the compiled app by its path: only these are served, whatever path is asked for."""
    folder = files("deixis.serving.studio") / "static"
    own = [file for file in (folder / FOLDER).iterdir() if file.is_file()]
    return {PAGE: (folder / PAGE).read_bytes()} | {f"{FOLDER}/{file.name}": file.read_bytes() for file in own}


def _static(name: str, caching: str) -> Response:
    content = _compiled().get(name)
    if content is None:
        raise RequestError(f"/{name}: there is no such file of the studio", 404)
    media_type = guess_type(name)[0] or "application/octet-stream"
    return Response(content, media_type=media_type, headers={"Cache-Control": caching})
