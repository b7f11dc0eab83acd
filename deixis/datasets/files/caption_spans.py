"""Captions of which parts mean objects: from the places of the parts in the text to markup, [a dog]{1}, and to names.

It knows no set: a part is where it begins, where it ends and which objects it means.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from deixis.datasets.plain_questions import plain_text
from deixis.errors import DataError
from deixis.geometry import escaped
from deixis.samples.consistency import shown

Part = tuple[Any, Any, Sequence[int]]
"""First character, the one behind the last, as the file has them, and the numbers of the objects that are meant."""
_ARTICLE = re.compile(r"(?:an?|the|some|this|that|these|those|one|another|his|her|its|their|my|your|our)\s+(?=\S)")
_AT_ENDS = " \t\r\n,.;:!?\"'"


def link_caption(text: str, parts: Iterable[Part]) -> str:
    """Markup of a caption, its parts as phrases with the objects they mean; blanks and signs at their ends skipped.

    Parts of the same place are joined. Phrases do not nest: of parts that overlap the longest stands, then the first.
    Parts without objects are text. Raises DataError for a part that does not lie in the text.

    >>> link_caption("A man walks a dog.", [(0, 5, [1]), (12, 18, [0, 2])])
    '[A man]{1} walks [a dog]{0,2}.'
    """
    objects_of: dict[tuple[int, int], dict[int, None]] = {}
    for start, end, objects in parts:
        objects_of.setdefault(trimmed(text, start, end), {}).update(dict.fromkeys(objects))
    standing: list[tuple[int, int]] = []
    for start, end in sorted(filter(objects_of.get, objects_of), key=lambda span: (span[0] - span[1], span)):
        if all(end <= first or last <= start for first, last in standing):
            standing.append((start, end))
    pieces, at = [], 0
    for start, end in sorted(standing):
        numbers = ",".join(map(str, objects_of[start, end]))
        pieces += [escaped(text[at:start]), f"[{plain_text(text[start:end])}]{{{numbers}}}"]
        at = end
    return "".join([*pieces, escaped(text[at:])])


def trimmed(text: str, start: Any, end: Any) -> tuple[int, int]:
    """Where a part begins and ends, without blanks and signs at its ends. Raises DataError where nothing is left."""
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text)):
        raise DataError(
            f"expected a part of the caption, which has {len(text)} characters, got {shown(start)} to {shown(end)}"
        )
    start = end - len(text[start:end].lstrip(_AT_ENDS))
    end = start + len(text[start:end].rstrip(_AT_ENDS))
    if start == end:
        raise DataError(f"expected a part of the caption that holds words, got none from {start}")
    return start, end


def bare(phrase: str) -> str:
    """A phrase as a name: in small letters, without the article or the like before it.

    >>> bare("A red mug"), bare("The"), bare("people")
    ('red mug', 'the', 'people')
    """
    words = " ".join(phrase.strip(_AT_ENDS).lower().split())
    article = _ARTICLE.match(words)
    return words[article.end() :] if article else words
