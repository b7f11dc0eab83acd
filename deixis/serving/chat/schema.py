"""The request of a chat completion: OpenAI's fields as far as they mean something here, and one part more, regions.

Fields that OpenAI's clients send and that change nothing here are ignored; those that would change the answer, and that
this server does not have, are refused.
"""

from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema, field_validator, model_validator

from deixis.geometry.markup import MAX_QUESTION
from deixis.geometry.region_json import MAX_REGIONS
from deixis.inference.abilities import WANTS
from deixis.serving.chat.region_parts import FORMS
from deixis.signals import MODALITIES

MAX_TEXT = MAX_QUESTION
MAX_MESSAGES = 512
MAX_PARTS = MAX_REGIONS + 100


def listed(least: int, most: int) -> Any:
    """How many numbers a region takes, for the document; `Region` refuses others, in the words of the command line."""
    return Field(max_length=MOST_NUMBERS, json_schema_extra={"minItems": least, "maxItems": most})


MOST_NUMBERS = 6
Two = Annotated[list[float], listed(2, 2)]
Four = Annotated[list[float], listed(4, 4)]
Six = Annotated[list[float], listed(6, 6)]
UpToThree = Annotated[list[float], listed(1, 3)]
Rows = Annotated[list[Two], Field(max_length=10_000)]


def one_of(names: Collection[str]) -> AfterValidator:
    """Refuses text that is none of these."""

    def check(value: str) -> str:
        if value not in names:
            raise ValueError(f"expected one of {', '.join(names)}")
        return value

    return AfterValidator(check)


ModalityName = Annotated[str, one_of(MODALITIES), Field(json_schema_extra={"enum": list(MODALITIES)})]
Want = Annotated[str, one_of(WANTS), Field(json_schema_extra={"enum": list(WANTS)})]


class Lenient(BaseModel):
    """Ignores fields that it does not know; takes no text for a number."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, strict=True)


class Url(Lenient):
    url: str


class TextPart(Lenient):
    type: Literal["text"]
    text: Annotated[str, Field(max_length=MAX_TEXT)]


class MediaPart(Lenient):
    """What all parts with a file have: its modality, where its name does not say it, and the number it may lack."""

    modality: ModalityName | None = None
    number: float | None = Field(None, description="Metres a step of a depth map, rows or images a second.")


class ImagePart(MediaPart):
    type: Literal["image_url"]
    image_url: Url


class VideoPart(MediaPart):
    type: Literal["video_url"]
    video_url: Url


class AudioUrlPart(MediaPart):
    type: Literal["audio_url"]
    audio_url: Url


class AudioData(Lenient):
    data: str = Field(description="The file, base64.")
    format: str = Field("wav", max_length=12, pattern="^[a-z0-9]+$")


class AudioPart(MediaPart):
    type: Literal["input_audio"]
    input_audio: AudioData


class FileValue(Lenient):
    file_id: str | None = None
    file_data: str | None = Field(None, description="A data: URL, or the file in base64.")
    filename: str | None = Field(None, max_length=255)

    @model_validator(mode="after")
    def one_source(self) -> "FileValue":
        if (self.file_id is None) == (self.file_data is None):
            raise ValueError("expected one of file_id and file_data")
        return self


class FilePart(MediaPart):
    type: Literal["file"]
    file: FileValue


class Mask(Lenient):
    size: Annotated[list[int], Field(min_length=2, max_length=2)]
    counts: str | list[int]


class Forms(Lenient):
    """Where a region is, in one form, in the units of its file."""

    signal: Annotated[int, Field(ge=0, lt=MAX_PARTS)] = 0
    point: UpToThree | None = None
    box_xyxy: Four | None = None
    scribble_xy: Rows | None = None
    polygon_xy: Rows | None = None
    mask: Mask | None = None
    span_s: Two | None = None
    box3d_xyzxyz: Six | None = None
    points: Annotated[list[int], Field(max_length=2_000_000)] | None = None
    time_s: Two | None = None


class RegionPart(Forms):
    type: Literal["region"]

    @model_validator(mode="after")
    def one_form(self) -> "RegionPart":
        if sum(getattr(self, name) is not None for name in FORMS) != 1:
            raise ValueError(f"expected one of {', '.join(FORMS)}")
        return self


class SaidRegion(Forms):
    """A region of an earlier answer, as it came back."""

    start: Annotated[int, Field(ge=0)] = 0
    end: Annotated[int, Field(ge=0)] = 0
    absent: bool = False


Part = Annotated[
    TextPart | ImagePart | VideoPart | AudioUrlPart | AudioPart | FilePart | RegionPart, Field(discriminator="type")
]


class Message(Lenient):
    role: Literal["user", "assistant", "system", "developer"]
    content: Annotated[list[Part], Field(max_length=MAX_PARTS)] = []
    regions: Annotated[list[SaidRegion], Field(max_length=MAX_REGIONS)] | None = Field(
        None, description="Of an assistant's message: its regions, as they came back."
    )

    @field_validator("content", mode="before", json_schema_input_type=str | list[Part] | None)
    @classmethod
    def as_parts(cls, value: Any) -> Any:
        if value is None:
            return []
        return [{"type": "text", "text": value}] if isinstance(value, str) else value

    @property
    def text(self) -> str:
        """Its text parts, each on a line of its own."""
        return "\n".join(part.text for part in self.content if isinstance(part, TextPart))


class StreamOptions(Lenient):
    include_usage: bool = False


NEUTRAL = (None, 0, 1, False, [], {}, {"type": "text"}, ["text"])
"""Values with which fields that this server does not have change nothing, one answer among them."""


def neutral(value: Any) -> Any:
    """The value, if it changes nothing. True is not 1 here, although it is in Python."""
    if value is True or value not in NEUTRAL:
        raise ValueError("expected none, as this server does not have it")
    return value


AS_IT_IS = WithJsonSchema({"enum": list(NEUTRAL), "description": "Not supported: expected as it is when left out."})
Neutral = Annotated[Any, AfterValidator(neutral), AS_IT_IS]


class Unsupported(Lenient):
    """Fields of OpenAI's API that would change the answer."""

    n: Neutral = None
    tools: Neutral = None
    functions: Neutral = None
    logprobs: Neutral = None
    stop: Neutral = None
    logit_bias: Neutral = None
    frequency_penalty: Neutral = None
    presence_penalty: Neutral = None
    response_format: Neutral = None
    modalities: Neutral = None


EXAMPLE_URL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAGElEQV"
    "R42mN4hgMw4JM4YSOHjOgrgRUAAOHthXHIUaljAAAAAElFTkSuQmCC"
)
"""An orange square on grey, 8 pixels wide."""
EXAMPLE: dict[str, Any] = {
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": EXAMPLE_URL}},
                {"type": "region", "signal": 0, "box_xyxy": [1, 2, 6, 7]},
                {"type": "text", "text": "What is {0}?"},
            ],
        }
    ]
}


class ChatRequest(Unsupported):
    """A conversation whose next answer is wanted."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    model: str | None = None
    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)]
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    want: Want | None = Field(None, description="The form of the regions in the answer.")
