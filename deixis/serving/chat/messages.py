"""Messages as the sample that `Model.answer` takes: a conversation about signals and regions, its last answer missing.

Signals are numbered through all messages. `{0}`, `{1}` in a question refer to the region parts of its own message;
those that it does not name are appended.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from deixis.conversation import question_sample
from deixis.conversation.question import with_answer
from deixis.errors import DeixisError
from deixis.geometry import Reference, Region, Text, named_question, to_markup
from deixis.inference.generation_options import MAX_NEW_TOKENS, GenerationOptions
from deixis.samples.media import media_reference
from deixis.samples.sample import Sample
from deixis.serving.chat.region_parts import region_from_part
from deixis.serving.chat.schema import ChatRequest, MediaPart, Message, RegionPart, SaidRegion
from deixis.serving.errors import RequestError, as_request_error
from deixis.serving.settings import ServerSettings
from deixis.signals import Signal

LONGEST_TOKEN = 32
"""Characters of a token, on average over a text: more than any tokenizer has."""
_REFERENCE = re.compile(r"\{\d")
FORM_OF = {"box": "box", "mask": "mask", "span": "span", "points": "points", "box3d": "box", "point": "point"}
"""Form of a region -> the form of a reference to it in markup."""


def media_parts(request: ChatRequest) -> Iterator[tuple[str, MediaPart]]:
    """(field, part) of every file, in the order in which signals are numbered."""
    for number, message in enumerate(request.messages):
        for index, part in enumerate(message.content):
            if isinstance(part, MediaPart):
                yield f"messages[{number}].content[{index}]", part


def least_tokens(request: ChatRequest) -> int:
    """Tokens that a conversation has at least: to refuse one that is far too long before anything is made of it."""
    texts = [message.text for message in request.messages]
    named = sum(len(_REFERENCE.findall(text)) for text in texts)
    said = sum(not own.absent for message in request.messages for own in message.regions or ())
    return sum(map(len, texts)) // LONGEST_TOKEN + named + said


def check_turns(request: ChatRequest, settings: ServerSettings) -> None:
    """Raises RequestError unless users and assistant take turns, a user last, about as many files as are allowed."""
    for number, message in enumerate(request.messages):
        field, expected = f"messages[{number}]", ("user", "assistant")[number % 2]
        if message.role in ("system", "developer"):
            raise RequestError(
                f"{field}.role: expected user or assistant, got {message.role}; these models have a system prompt of "
                "their own, leave it out",
                param=f"{field}.role",
                code="unsupported",
            )
        if message.role != expected:
            raise RequestError(
                f"{field}.role: expected {expected}, as users and assistant take turns; got {message.role}",
                param=f"{field}.role",
            )
        if message.role == "user" and not message.text.strip():
            raise RequestError(f"{field}.content: expected a question as text; got none", param=f"{field}.content")
        if message.role == "assistant" and len(list(_files(message))):
            raise RequestError(f"{field}.content: expected files in questions; got one in an answer", param=field)
    if request.messages[-1].role != "user":
        raise RequestError("messages: expected a user's question last; got an answer", param="messages")
    if not any(media_parts(request)):
        raise RequestError("messages: expected at least one file to ask about; got text alone", param="messages")
    turns, files = len(request.messages) // 2 + 1, sum(1 for _ in media_parts(request))
    for name, count, most in (("questions", turns, settings.max_turns), ("files", files, settings.max_signals)):
        if count > most:
            raise RequestError(f"messages: expected at most {most} {name}; got {count}", param="messages")


def sample_of(request: ChatRequest, signals: Sequence[Signal]) -> Sample:
    """The conversation about these signals, which are those of `media_parts`. Raises RequestError for one sentence."""
    references = [media_reference(signal) for signal in signals]
    sample: Sample | None = None
    for number, message in enumerate(request.messages):
        field = f"messages[{number}]"
        try:
            if message.role == "user":
                regions = tuple(_regions(message))
                question = named_question(message.text, regions)
                sample = question_sample(question, references, regions, sample, want=request.want)
            else:
                assert sample is not None, "a user begins"
                sample = with_answer(sample, *_answer(message, field))
        except DeixisError as error:
            raise as_request_error(error, field) from None
    assert sample is not None, "there is a message"
    if beyond := [region.signal for region in sample.regions if region.signal >= len(signals)]:
        raise RequestError(
            f"region: expected a signal below {len(signals)}, of as many files; got {beyond[0]}", param="messages"
        )
    return sample


def options_of(request: ChatRequest, settings: ServerSettings) -> GenerationOptions:
    """How the answer is generated; greedy unless a temperature is given. Raises RequestError for too many tokens."""
    name = "max_completion_tokens" if request.max_completion_tokens is not None else "max_tokens"
    asked = getattr(request, name)
    if asked is not None and asked > settings.max_new_tokens:
        raise RequestError(f"{name}: expected at most {settings.max_new_tokens}; got {asked}", param=name)
    return GenerationOptions(
        max_new_tokens=asked or min(MAX_NEW_TOKENS, settings.max_new_tokens),
        temperature=request.temperature or 0.0,
        top_p=1.0 if request.top_p is None else request.top_p,
        seed=request.seed or 0,
    )


def _files(message: Message) -> Iterator[MediaPart]:
    return (part for part in message.content if isinstance(part, MediaPart))


def _regions(message: Message) -> Iterator[Region]:
    return (region_from_part(part.model_dump()) for part in message.content if isinstance(part, RegionPart))


def _answer(message: Message, field: str) -> tuple[str, tuple[Region, ...]]:
    """(markup, regions) of an earlier answer: its phrases refer to the regions that came back with them."""
    pieces: list[Text | Reference] = []
    regions: list[Region] = []
    text, done = message.text, 0
    said = sorted(message.regions or (), key=lambda own: (own.start, own.end))
    for (start, end), own in groupby(said, key=lambda own: (own.start, own.end)):
        if not done <= start < end <= len(text):
            raise RequestError(
                f"{field}.regions: expected phrases of the content one after the other, got {start} to {end} in "
                f"{len(text)} characters",
                param=f"{field}.regions",
            )
        pieces.append(Text(text[done:start]))
        pieces.append(_reference(text[start:end], list(own), regions))
        done = end
    return to_markup([*pieces, Text(text[done:])]), tuple(regions)


def _reference(phrase: str, said: Sequence[SaidRegion], regions: list[Region]) -> Reference:
    """The reference of a phrase to its regions, which are added to `regions`."""
    own = [region_from_part(each.model_dump()) for each in said if not each.absent]
    numbers = tuple(range(len(regions), len(regions) + len(own)))
    regions.extend(own)
    return Reference(phrase, numbers, FORM_OF.get(own[0].form, "mask") if own else None)
