"""Dialogues as LLaVA's files hold them: [{"from": "human", "value": "<image>\\nWhat is this?"}, {"from": "gpt", ...}].

Ferret, OneLLM and many others took this form over. Here it becomes questions with their answers, and foreign text
becomes markup. It knows no medium, and no region but by the place in a text where one is mentioned.

Source: haotian-liu/LLaVA@c121f04 llava/train/train.py (preprocess_multimodal, preprocess_v1).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from deixis.datasets.files.phrases import phrase_start
from deixis.errors import DataError
from deixis.geometry import escaped
from deixis.samples.consistency import shown

HUMANS, MODELS = ("human", "user"), ("gpt", "assistant")
_MARK = r"<(?:image|video|audio|point)>"
_MARKS_AT_ENDS = re.compile(rf"\A\s*(?:{_MARK}\s*)+|(?:\s*{_MARK})+\s*\Z")
IMAGE_TOKEN = "<image>"


@dataclass(frozen=True)
class Exchange:
    """A question and its answer, as the file has them but for marks of media. number: of the question in the list."""

    number: int
    user: str
    assistant: str


def exchanges(conversations: Any, has_medium: bool) -> tuple[list[Exchange], list[str]]:
    """The exchanges of a dialogue, and what of it was skipped and why.

    An answer before the first question, a question behind the last answer, and an empty answer are skipped. Marks of
    media such as `<image>` are taken off questions if the dialogue has a medium; else they are text, as in a lesson on
    HTML. Raises DataError for what is no such list, two questions or answers in a row, and a dialogue without an
    exchange.
    """
    if not isinstance(conversations, list) or not conversations:
        raise DataError(f"conversations: expected a list of turns, got {shown(conversations)}")
    sides = [_side(number, turn) for number, turn in enumerate(conversations)]
    found, left_out = [], []
    start = 0
    if not sides[0]:
        start = 1
        left_out.append(f"conversations[0]: expected a question first, got {shown(conversations[0]['value'])}")
    for number in range(start, len(sides), 2):
        if not sides[number] or (number + 1 < len(sides) and sides[number + 1]):
            wrong = number + sides[number]
            raise DataError(
                f"conversations[{wrong}]: expected questions and answers in turn, got two of "
                f"{conversations[wrong]['from']!r} in a row"
            )
        question = conversations[number]["value"]
        answer = conversations[number + 1]["value"].strip() if number + 1 < len(sides) else ""
        if answer:
            found.append(Exchange(number, strip_media_tokens(question) if has_medium else question.strip(), answer))
        else:
            left_out.append(f"conversations[{number}]: expected an answer to {shown(question)}, got none")
    if not found:
        raise DataError(f"conversations: expected a question with an answer, got none among {len(sides)} turns")
    return found, left_out


def _side(number: int, turn: Any) -> bool:
    """Whether a turn is a question. Raises DataError for what is no turn."""
    if not isinstance(turn, dict) or not isinstance(turn.get("value"), str) or not isinstance(turn.get("from"), str):
        raise DataError(f"conversations[{number}]: expected {{'from', 'value'}}, both text, got {shown(turn)}")
    speaker = turn["from"].lower()
    if speaker not in (*HUMANS, *MODELS):
        raise DataError(f"conversations[{number}].from: expected human or gpt, got {shown(turn['from'])}")
    return speaker in HUMANS


def strip_media_tokens(question: str) -> str:
    """A question without the marks that say where its medium goes.

    >>> strip_media_tokens("<image>\\nWhat is this?"), strip_media_tokens("Where is it in <image>?")
    ('What is this?', 'Where is it in ?')
    """
    return _MARKS_AT_ENDS.sub("", question).replace(IMAGE_TOKEN, "").strip()


def marked(text: str, places: Iterable[re.Match[str]], number_of: Callable[[re.Match[str]], int], phrases: bool) -> str:
    """Markup of a foreign text in which `places` mention regions, in order; each becomes {n}.

    Mentions with nothing but blanks between them become one, {n,m}. phrases: words before a mention that surely mean
    the region (`phrase_start`) become its phrase, [a red mug]{n}.
    """
    pieces: list[str] = []
    end, before, numbers = 0, "", []
    for place in places:
        between = text[end : place.start()]
        if numbers and not between.strip():
            numbers.append(number_of(place))
        else:
            pieces += _mention(before, numbers, phrases, bool(pieces))
            before, numbers = between, [number_of(place)]
        end = place.end()
    pieces += _mention(before, numbers, phrases, bool(pieces))
    return "".join([*pieces, escaped(text[end:])])


def _mention(before: str, numbers: list[int], phrases: bool, follows_mention: bool) -> list[str]:
    """The text before a mention, and the mention."""
    if not numbers:
        return []
    reference = "{" + ",".join(map(str, dict.fromkeys(numbers))) + "}"
    start = phrase_start(before, follows_mention) if phrases else None
    if start is not None:
        return [escaped(before[:start]), f"[{before[start:].rstrip()}]", reference]
    # a bracket directly before a reference would be read as a phrase
    return [escaped(before), " " if before.endswith("]") else "", reference]
