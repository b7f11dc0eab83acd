"""A question and its regions: which ones it refers to, and how references are added where it has none."""

import re
from collections.abc import Sequence
from typing import Any

from deixis.errors import InputError
from deixis.geometry.markup import Reference, parse_markup

_END = re.compile(r"[\s.?!]*\Z")


def named_question(text: str, regions: Sequence[Any], every: bool = True) -> str:
    """The question in markup, so that it names its regions; one that names none has them put at its end.

    Raises InputError for a question without words, a reference to a region that is not there, and (if `every`) a
    question that names some of its regions only.

    >>> named_question("What is this?", ["a region"])
    'What is this {0}?'
    """
    if not text.strip():
        raise InputError("the question: expected some words, got none")
    named = named_regions(text)
    missing = [index for index in named if index >= len(regions)]
    if missing:
        there = "is 1 region" if len(regions) == 1 else f"are {len(regions)} regions"
        raise InputError(f"{{{missing[0]}}} in the question: there {there}, counted from 0; write {{{{ for a brace")
    if not named and regions:
        references = [f"{{{index}}}" for index in range(len(regions))]
        listed = " and ".join([", ".join(references[:-1]), references[-1]]) if len(references) > 1 else references[0]
        end = _END.search(text)
        return f"{text[: end.start()]} {listed}{end[0].strip() if end else ''}"
    unnamed = [index for index in range(len(regions)) if index not in named]
    if unnamed and every:
        raise InputError(
            f"the question names some of its regions but not {{{unnamed[0]}}}: write it in, or leave it out"
        )
    return text


def named_regions(text: str) -> list[int]:
    """The indices of the regions that a marked-up text refers to, each once, in increasing order.

    >>> named_regions("Is {1} left of {0}?")
    [0, 1]
    """
    pieces = parse_markup(text)
    return sorted({index for piece in pieces if isinstance(piece, Reference) for index in piece.indices})
