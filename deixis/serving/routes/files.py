"""`/v1/files`: files of any modality, read as they come, so that a bad one is refused at once."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, UploadFile
from starlette.responses import FileResponse

from deixis.inference.answer import describe
from deixis.serving.routes.access import Owner, ServiceOf
from deixis.serving.uploads import Upload
from deixis.signals import Signal

router = APIRouter(prefix="/v1/files", tags=["files"])
PIECE = 1 << 20


@router.post("", summary="Send a file of any modality that the model takes")
async def create(
    service: ServiceOf,
    owner: Owner,
    file: Annotated[UploadFile, File(description="The file.")],
    purpose: Annotated[str, Form(description="user_data, as OpenAI's clients say.")] = "user_data",
    modality: Annotated[str | None, Form(description="Where the file's name does not say it.")] = None,
    number: Annotated[float | None, Form(description="Metres a step of a depth map, rows or images a second.")] = None,
) -> dict[str, Any]:
    """Stores a file and says what is in it."""
    del purpose  # there is one

    def pieces() -> Iterator[bytes]:
        while piece := file.file.read(PIECE):
            yield piece

    upload, signal = await service.add(file.filename or "file", pieces(), owner, modality or None, number)
    return file_object(upload) | {"signal": signal_object(signal)}


@router.get("", summary="The files that were sent")
async def listing(service: ServiceOf, owner: Owner) -> dict[str, Any]:
    return {"object": "list", "data": [file_object(own) for own in service.uploads.owned(owner)], "has_more": False}


@router.get("/{file_id}", summary="One file")
async def retrieve(file_id: str, service: ServiceOf, owner: Owner) -> dict[str, Any]:
    upload = service.uploads.get(file_id, owner)
    return file_object(upload) | {"signal": signal_object(await service.open(upload))}


@router.get("/{file_id}/content", summary="The file as it was sent")
async def content(file_id: str, service: ServiceOf, owner: Owner) -> FileResponse:
    upload = service.uploads.get(file_id, owner)
    return FileResponse(upload.path, media_type="application/octet-stream", filename=upload.name)


@router.delete("/{file_id}", summary="Delete a file")
async def delete(file_id: str, service: ServiceOf, owner: Owner) -> dict[str, Any]:
    service.uploads.delete(file_id, owner)
    return {"id": file_id, "object": "file", "deleted": True}


def file_object(upload: Upload) -> dict[str, Any]:
    """A file as OpenAI's clients know it."""
    return {
        "id": upload.id,
        "object": "file",
        "bytes": upload.bytes,
        "created_at": int(upload.created_at),
        "filename": upload.name,
        "purpose": "user_data",
        "status": "processed",
    }


def signal_object(signal: Signal) -> dict[str, Any]:
    """What is in a file: its modality and its size in its own units."""
    return {name: value for name, value in describe(signal).items() if name != "path"}
