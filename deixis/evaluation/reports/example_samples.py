"""An example's ground truth and its answer as samples of the sample format, so that both are drawn as samples are.

The answer is read from a stored result. Regions of the question come first in both samples, so that they have the same
numbers and colours, followed by those of the answer. It draws nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from deixis.datasets.plain_questions import plain_text
from deixis.evaluation.benchmark import Example, ExampleResult
from deixis.geometry import Reference, Region, parse_markup
from deixis.geometry.region_json import region_from_json
from deixis.samples.sample import Sample, Turn

MAX_TEXT = 600
"""Characters shown of a ground truth that is not text of a sample."""


def ground_truth_sample(example: Example) -> Sample:
    """The question with its expected answer; without a sample of it, the ground truth as text without regions."""
    if example.sample is not None:
        return replace(example.sample, turns=example.sample.turns[-1:])
    turn = Turn(example.text, plain_text(_as_text(example.ground_truth)))
    return Sample(example.id, "", "question", example.part, (turn,), example.media, tuple(example.regions))


def answer_sample(example: Example, row: ExampleResult) -> Sample:
    """The question with the answer of a result, its phrases and regions."""
    asked = ground_truth_sample(example)
    user = asked.turns[-1].user
    mentioned = [index for piece in parse_markup(user) if isinstance(piece, Reference) for index in piece.indices]
    own = asked.regions[: max(mentioned, default=-1) + 1]
    text, regions = answer_markup(row.answer, first=len(own))
    return replace(asked, turns=(Turn(user, text or plain_text(row.raw)),), regions=(*own, *regions))


def answer_markup(answer: Mapping[str, Any], first: int = 0) -> tuple[str, tuple[Region, ...]]:
    """(markup, regions) of a stored answer (`Answer.to_dict()`), its regions numbered from `first`.

    >>> phrase = {"text": "bell", "start": 2, "end": 6, "regions": [0]}
    >>> answer_markup({"text": "A bell {x}.", "phrases": [phrase], "regions": [{"span": [1.0, 2.0]}]}, 3)[0]
    'A [bell]{3} {{x}}.'
    """
    text, at, parts = answer["text"], 0, []
    regions: list[Region] = []
    for phrase in sorted(answer["phrases"], key=lambda phrase: phrase["start"]):
        own = [region_from_json(answer["regions"][index]) for index in phrase["regions"]]
        numbers = ",".join(str(first + len(regions) + number) for number in range(len(own)))
        words = plain_text(phrase["text"])
        parts.append(_outside(text[at : phrase["start"]]))
        parts.append(f"[{words}]{{{numbers}}}" if words or not own else f"{{{numbers}}}")
        regions += own
        at = max(at, phrase["end"])
    return "".join([*parts, _outside(text[at:])]), tuple(regions)


def _outside(text: str) -> str:
    """Text between phrases as markup; brackets need no escape unless a phrase could be read into them."""
    return text.replace("{", "{{").replace("}", "}}") if "[" not in text else plain_text(text)


def _as_text(ground_truth: Any) -> str:
    """A ground truth as readable text: a text, several texts, or JSON, truncated."""
    if isinstance(ground_truth, str):
        return ground_truth
    if isinstance(ground_truth, Sequence) and ground_truth and all(isinstance(one, str) for one in ground_truth):
        return " | ".join(dict.fromkeys(ground_truth))[:MAX_TEXT]
    try:
        return json.dumps(ground_truth, default=lambda value: type(value).__name__, ensure_ascii=False)[:MAX_TEXT]
    except (TypeError, ValueError):  # keys that JSON does not permit
        return type(ground_truth).__name__
