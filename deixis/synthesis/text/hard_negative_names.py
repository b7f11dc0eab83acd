"""Names of what is easily taken for a thing and is none, for questions about things that are not there.

Ferret's semantics-conditioned negatives (You et al., ICLR 2024): by a language model where there is one,
for any names; else from the table of `names.py` and by the words of the names themselves, among those that are known.
"""

from collections.abc import Sequence
from functools import partial

from deixis.datasets.object_names import lookalikes
from deixis.errors import DataError
from deixis.language.nouns import head_noun, same_noun, words_of
from deixis.samples.consistency import shown
from deixis.synthesis.text.asked import ask_checked, json_object
from deixis.synthesis.text.prompts import prompt
from deixis.synthesis.tools import Tools

NAMES_AT_ONCE = 20  # in one request
MOST = 6  # look-alikes of a name
MAX_WORDS = 3  # of a look-alike


def look_alikes(names: Sequence[str], tools: Tools) -> dict[str, list[str]]:
    """Up to six look-alikes of each name, the best first; an empty list where none is known.

    Of the model's, those are left out that may be the thing itself: its name, a kind of it, a word for more. For names
    that it gives none for, and without a model, the known ones. They are asked for some at a time, in the given order:
    whoever gives a whole vocabulary each time pays for it once. CostCapReached and EndpointError pass.
    """
    distinct = list(dict.fromkeys(names))
    found = {name: known_look_alikes(name, distinct) for name in distinct}
    if tools.language is not None:
        ask = tools.language()
        for start in range(0, len(distinct), NAMES_AT_ONCE):
            asked = distinct[start : start + NAMES_AT_ONCE]
            messages = prompt("look_alikes").messages("\n".join(asked))
            written, _ = ask_checked(ask, messages, partial(_checked, asked), "look-alikes")
            found |= written or {}
    return found


def known_look_alikes(name: str, vocabulary: Sequence[str] = ()) -> list[str]:
    """Look-alikes without a model: those of the table, then siblings, names of the vocabulary with the same head noun.

    >>> known_look_alikes("tennis racket", ["badminton racket", "racket", "tennis ball"])[-1]
    'badminton racket'
    """
    siblings = [
        other
        for other in vocabulary
        if may_be_another(other, name) and head_noun(other) == head_noun(name) and " of " not in other
    ]
    return list(dict.fromkeys((*lookalikes(name), *siblings)))[:MOST]


def may_be_another(other: str, name: str) -> bool:
    """Whether one name is neither the other's, nor of a kind of it, nor of more than it, as far as words tell.

    >>> [may_be_another(other, "truck") for other in ("trucks", "fire truck", "bus")]
    [False, False, True]
    >>> may_be_another("light", "traffic light"), may_be_another("hot dog", "corn dog")
    (False, True)
    """
    one, two = words_of(other), words_of(name)
    if not one or not two or (len(one) == len(two) and all(map(same_noun, one, two))):
        return False
    return not (same_noun(one[-1], two[-1]) and min(len(one), len(two)) == 1)


def _checked(names: Sequence[str], text: str) -> dict[str, list[str]]:
    """The look-alikes of an answer, without those that will not do. Raises ValueError if none is left."""
    record = json_object(text, "look_alikes")["look_alikes"]
    if not isinstance(record, dict):
        raise DataError(f"look_alikes: expected an object with a list for each name, got {shown(record)}")
    found = {}
    for name in names:
        others = record.get(name)
        others = (
            [other.strip().lower() for other in others if isinstance(other, str)] if isinstance(others, list) else []
        )
        fit = [other for other in others if 1 <= len(words_of(other)) <= MAX_WORDS and may_be_another(other, name)]
        if fit:
            found[name] = list(dict.fromkeys(fit))[:MOST]
    if not found:
        raise DataError(f"look_alikes: expected names of other things for {shown(names[0])}, got {shown(record)}")
    return found
