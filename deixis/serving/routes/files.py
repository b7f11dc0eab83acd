"""`/v1/files`: files of any modality, read as they come, so that a bad one is refused at once."""

from collections.abc import Iterator
from contextlib import closing
from io import FileIO
from typing import IO, Annotated
from urllib.parse import quote

from anyio.to_thread import run_sync
from fastapi import APIRouter, File, Form, UploadFile
from starlette.responses import Response, StreamingResponse

from deixis.inference.answer import describe
from deixis.serving.chat.schema import ModalityName
from deixis.serving.errors import RequestError
from deixis.serving.replies import BODY, GUARDED, READING, DeletedFile, FileList, FileObject, SignalObject, refusals
from deixis.serving.routes.access import Owner, ServiceOf
from deixis.serving.uploads import Upload
from deixis.signals import Signal

router = APIRouter(prefix="/v1/files", tags=["files"], responses=refusals(*GUARDED))
PIECE = 1 << 20
SOME, ONE = "Send a file of any modality that the model takes", "One file"
NUMBER = "Metres a step of a depth map, rows or images a second."
BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


@router.post("", summary=SOME, responses=refusals(*BODY, *READING), response_model_exclude_none=True)
async def create(
    service: ServiceOf,
    owner: Owner,
    file: Annotated[UploadFile, File(description="The file.")],
    purpose: Annotated[str, Form(description="user_data, as OpenAI's clients say.")] = "user_data",
    modality: Annotated[ModalityName | None, Form(description="Where the file's name does not say it.")] = None,
    number: Annotated[float | None, Form(description=NUMBER, allow_inf_nan=False)] = None,
) -> FileObject:
    """Stores a file and says what is in it."""
    del purpose  # there is one

    upload, signal = await service.add(file.filename or "file", _pieces(file.file), owner, modality, number)
    return file_object(upload, signal)


@router.get("", summary="The files that were sent", response_model_exclude_none=True)
async def listing(service: ServiceOf, owner: Owner) -> FileList:
    return FileList(data=[file_object(own) for own in service.uploads.owned(owner)])


@router.get("/{file_id}", summary=ONE, responses=refusals(404, *READING), response_model_exclude_none=True)
async def retrieve(file_id: str, service: ServiceOf, owner: Owner) -> FileObject:
    upload = service.uploads.get(file_id, owner)
    return file_object(upload, await service.open(upload))


@router.get(
    "/{file_id}/content",
    summary="The file as it was sent",
    response_class=Response,
    responses=refusals(404) | {200: {"content": BINARY}},
)
async def content(file_id: str, service: ServiceOf, owner: Owner) -> StreamingResponse:
    upload = service.uploads.get(file_id, owner)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(upload.name)}",
        "Content-Length": str(upload.bytes),
    }
    try:
        stored = await run_sync(FileIO, upload.path)
    except FileNotFoundError:  # it made room for another one meanwhile
        raise RequestError(f"file {file_id!r:.60}: expected one that is stored; it is gone", 404, "file_id") from None
    return StreamingResponse(_pieces(stored), media_type="application/octet-stream", headers=headers)


@router.delete("/{file_id}", summary="Delete a file", responses=refusals(404))
async def delete(file_id: str, service: ServiceOf, owner: Owner) -> DeletedFile:
    service.uploads.delete(file_id, owner)
    return DeletedFile(id=file_id)


def file_object(upload: Upload, signal: Signal | None = None) -> FileObject:
    """A file as OpenAI's clients know it, with what is in it where it was opened."""
    return FileObject(
        id=upload.id,
        bytes=upload.bytes,
        created_at=int(upload.created_at),
        filename=upload.name,
        signal=None if signal is None else signal_object(signal),
    )


def signal_object(signal: Signal) -> SignalObject:
    """What is in a file: its modality and its size in its own units."""
    return SignalObject(**{name: value for name, value in describe(signal).items() if name != "path"})


def _pieces(file: IO[bytes] | FileIO) -> Iterator[bytes]:
    with closing(file):
        while piece := file.read(PIECE):
            yield piece
