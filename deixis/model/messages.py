"""Inputs in transformers' own forms, as questions of this model: keyword arguments by modality, messages with content
parts. Whatever is not understood is refused by its name, and nothing is dropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deixis.errors import InputError
from deixis.options import did_you_mean
from deixis.signals import MODALITIES, Signal, open_signal

MODALITY_OF_KEYWORD = {"images": "image", "videos": "video", "audio": "audio"}
"""transformers' keyword arguments for media -> modality. Other modalities are given as `signals`."""
ROLES = ("user", "assistant")


@dataclass
class Conversation:
    """Turns of one conversation and its signals, opened, in order.

    turns: (question in markup, answer in the model's notation or None where the model is to generate it).
    """

    turns: list[tuple[str, str | None]] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)


def read_messages(messages: Sequence[Mapping[str, Any]]) -> Conversation:
    """The conversation in messages of `role` and `content`: a text, or content parts, each with a `type`.

    A part is {"type": "text", "text": ...} or {"type": modality, modality or "path": source}, where the source is
    anything `open_signal` takes. Signals belong to the first message, because every conversation begins with them.
    Raises InputError for a role, part or key that is not understood, or messages that do not alternate from the user
    on.
    """
    if not messages:
        raise InputError("messages: expected at least one, got none")
    read = Conversation()
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        _refuse_unknown(where, message, ("role", "content"))
        role, expected = message.get("role"), ROLES[number % 2]
        if role != expected:
            known = "" if role in ROLES else "; this model has no other roles than user and assistant"
            raise InputError(f"{where}.role: expected {expected!r}, got {role!r}{known}")
        text, signals = _content(where, message.get("content"))
        if signals and number:
            raise InputError(
                f"{where}.content: expected text alone, got a part of type {signals[0][0]!r}; all signals of a "
                "conversation belong to its first message"
            )
        read.signals += [open_signal(source, modality) for modality, source in signals]
        if role == "user":
            read.turns.append((text, None))
        else:
            read.turns[-1] = (read.turns[-1][0], text)
    return read


def _content(where: str, content: Any) -> tuple[str, list[tuple[str, Any]]]:
    """(text, (modality, source) of each signal) of one message."""
    if isinstance(content, str):
        return content, []
    if not isinstance(content, Sequence):
        raise InputError(f"{where}.content: expected a text or a list of parts, got {type(content).__name__}")
    texts, signals = [], []
    for number, part in enumerate(content):
        place = f"{where}.content[{number}]"
        if not isinstance(part, Mapping):
            raise InputError(f"{place}: expected a part with a type, got {type(part).__name__}")
        kind = part.get("type")
        if kind == "text":
            _refuse_unknown(place, part, ("type", "text"))
            texts.append(str(part.get("text", "")))
        elif kind in MODALITIES:
            _refuse_unknown(place, part, ("type", kind, "path"))
            sources = [part[key] for key in (kind, "path") if key in part]
            if len(sources) != 1:
                raise InputError(f"{place}: expected one source, as {kind!r} or 'path', got {len(sources)}")
            signals.append((kind, sources[0]))
        else:
            known = ("text", *MODALITIES)
            raise InputError(
                f"{place}.type: expected one of {', '.join(known)}; got {kind!r}{did_you_mean(kind, known)}"
            )
    return "".join(texts), signals


def read_keywords(
    count: int, is_one: bool, signals: Any, media: Mapping[str, Any], sampling_rate: float | None
) -> list[list[Signal]]:
    """The opened signals of each of `count` questions: `media` by transformers' keywords, then `signals`.

    For a single question (`is_one`) a value is one source or a list of them, otherwise a list with one entry per
    question, each a source, a list of sources or None. Raises InputError for a list of another length than the
    questions, or a source that cannot be opened.
    """
    rows: list[list[Signal]] = [[] for _ in range(count)]
    named = [(name, MODALITY_OF_KEYWORD[name], value) for name, value in media.items() if value is not None]
    for name, modality, value in (*named, ("signals", None, signals)):
        entries = [value] if is_one else per_question(name, value, count)
        for row, entry in zip(rows, entries, strict=True):
            # A tuple of `signals` is a sequence of sources; of the other keywords it is one source with its rate.
            many = isinstance(entry, list) or (modality is None and isinstance(entry, tuple))
            sources = entry if many else [] if entry is None else [entry]
            row += [open_signal(_with_rate(source, modality, sampling_rate), modality) for source in sources]
    return rows


def per_question(name: str, value: Any, count: int) -> Sequence[Any]:
    """`value` as one entry for each of `count` questions, empty ones if it is. Raises InputError for another length."""
    if isinstance(value, list | tuple) and not value:
        return [[]] * count
    if not isinstance(value, list | tuple) or len(value) != count:
        got = len(value) if isinstance(value, list | tuple) else f"a {type(value).__name__}"
        raise InputError(f"{name}: expected a list with one entry for each of {count} questions, got {got}")
    return value


def _with_rate(source: Any, modality: str | None, sampling_rate: float | None) -> Any:
    """An array of audio with the rate that stands beside it in transformers' arguments."""
    bare = (
        modality is not None
        and MODALITIES[modality].can_play
        and sampling_rate is not None
        and hasattr(source, "shape")
    )
    return (source, sampling_rate) if bare else source


def refuse_arguments(arguments: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raises InputError naming the first of `arguments` that has a value; there is no argument of that name."""
    for name, value in arguments.items():
        if value is not None and value is not False:
            got = repr(value) if isinstance(value, str | int | float) else f"a {type(value).__name__}"
            raise InputError(f"{name}: expected no argument of this name, got {got}{did_you_mean(name, known)}")


def check_tensors(return_tensors: str | None) -> None:
    """Raises InputError for another framework than PyTorch."""
    if return_tensors not in (None, "auto", "pt"):
        raise InputError(f"return_tensors: expected 'pt', got {return_tensors!r}; inputs are PyTorch tensors")


def _refuse_unknown(where: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise InputError(f"{where}: expected {', '.join(known)}; got {name!r}{did_you_mean(name, known)}")
