"""The answer of a chat completion: OpenAI's objects, and regions and warnings beside the content of a message."""

from typing import Literal

from pydantic import Field

from deixis.serving.chat.schema import Mask
from deixis.serving.replies import Reply


class AnswerRegion(Reply):
    """A region of an answer with its phrase; one form, in the units of its file; absent where there is none."""

    signal: int | None = Field(None, description="The file, numbered through all messages.")
    point: list[float] | None = None
    box_xyxy: list[float] | None = None
    mask: Mask | None = Field(None, description="Run lengths as COCO has them.")
    span_s: list[float] | None = None
    box3d_xyzxyz: list[float] | None = None
    points: list[int] | None = Field(None, description="Indices of a cloud's points, or of voxels.")
    time_s: list[float] | None = None
    unit: Literal["px", "s", "cloud units", "index"] | None = None
    label: str | None = None
    score: float | None = None
    phrase: str
    start: int = Field(description="The phrase is content[start:end].")
    end: int
    absent: bool = False


class AnswerMessage(Reply):
    role: Literal["assistant"]
    content: str
    refusal: None
    regions: list[AnswerRegion]
    warnings: list[str] = Field(description="Reasons to doubt the answer.")


class Choice(Reply):
    index: Literal[0]
    message: AnswerMessage
    finish_reason: Literal["stop", "length"]
    logprobs: None


class UsageCounts(Reply):
    """Tokens of the question, its files included, and of the answer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(Reply):
    """The response of a request that is answered as a whole."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: UsageCounts


class Delta(Reply):
    """What is new: words, regions that are complete, and warnings in the last chunk."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    regions: list[AnswerRegion] | None = None
    warnings: list[str] | None = None


class ChunkChoice(Reply):
    index: Literal[0]
    delta: Delta
    finish_reason: Literal["stop", "length"] | None
    logprobs: None


class CompletionChunk(Reply):
    """What an event of a stream holds."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: UsageCounts | None = None


_JSON = {"contentMediaType": "application/json", "contentSchema": {"$ref": "#/components/schemas/CompletionChunk"}}
_ERROR = {"contentMediaType": "application/json", "contentSchema": {"$ref": "#/components/schemas/ErrorReply"}}
EVENT = {
    "type": "object",
    "required": ["data"],
    "properties": {"data": {"type": "string", "anyOf": [_JSON, _ERROR, {"const": "[DONE]"}]}},
}
"""An event of a stream in the document: a chunk, an error that came when it had begun, or the end."""
