"""What the routes answer, as models of the OpenAPI document: files, models, health, and errors in OpenAI's form."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Reply(BaseModel):
    """An object that the server sends. Fields that are None are left out where the route says so."""

    model_config = ConfigDict(extra="forbid")


class ErrorDetail(Reply):
    """Why a request was refused."""

    message: str = Field(description="One sentence: the field, what was expected, what came.")
    type: str = Field(description="invalid_request_error, or the class of another status.")
    param: str | None = Field(description="The field that is meant.")
    code: str | None


class ErrorReply(Reply):
    """The body of every status from 400."""

    error: ErrorDetail


class SignalObject(Reply):
    """What is in a file: its modality, and its size in its own units."""

    kind: str = Field(description="Its modality.")
    size_hw: list[int] | None = Field(None, description="Height and width in pixels.")
    duration_s: float | None = None
    point_count: int | None = None
    value_count: int | None = None
    ignored: list[str] | None = Field(None, description="What was not read of the file.")


class FileObject(Reply):
    """A file as OpenAI's clients know it."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int = Field(description="Seconds since 1970.")
    filename: str
    purpose: Literal["user_data"] = "user_data"
    status: Literal["processed"] = "processed"
    signal: SignalObject | None = None


class FileList(Reply):
    object: Literal["list"] = "list"
    data: list[FileObject]
    has_more: bool = False


class DeletedFile(Reply):
    id: str
    object: Literal["file"] = "file"
    deleted: bool = True


class ModelObject(Reply):
    """A model as OpenAI's clients know it, with its abilities."""

    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="When the server was started, in seconds since 1970.")
    owned_by: str = "deixis"
    abilities: dict[str, list[str]] = Field(
        description="Modalities that it takes (signals) and takes regions of (regions), and forms of its answers."
    )
    does_not_take: list[str] = Field(description="Modalities that it does not take.")
    knows_its_training_data: bool = Field(description="Whether it warns of files that are unlike its training data.")


class ModelList(Reply):
    object: Literal["list"] = "list"
    data: list[ModelObject]


class Status(Reply):
    status: Literal["ok", "ready"]


WORDS = {
    400: "What cannot be asked.",
    401: "A key is needed, and none came or it is not valid.",
    403: "The headers Host or Origin name another server or page.",
    404: "There is no such file, model or sample.",
    408: "The body of the request stalled.",
    413: "The body or a file is too large.",
    429: "The queue is full, or the client asks too often; Retry-After says when to come again.",
    503: "The server is shutting down.",
    504: "There was no answer in time.",
}
GUARDED = (401, 403, 429)
"""Statuses of every route that needs a key where the server has any."""
BODY = (400, 408, 413)
"""Those of routes that take a body."""
READING = (400, 503, 504)
"""Those of routes that read a file or answer a question."""
RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The responses of a route for these statuses."""
    return {
        status: {"model": ErrorReply, "description": WORDS[status]}
        | ({"headers": RETRY_AFTER} if status == 429 else {})
        for status in sorted(set(statuses))
    }
