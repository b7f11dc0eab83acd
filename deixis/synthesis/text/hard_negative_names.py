"""Names of what is easily taken for an object and is none, for questions about objects that are not there.

Ferret's semantics-conditioned negatives (You et al., ICLR 2024): by a language model where there is one,
for any names; else from the table of `names.py` and by the words of the names themselves, among those that are known.
"""

from collections.abc import Sequence
from functools import partial

from deixis.datasets.object_names import hard_negatives
from deixis.errors import DataError
from deixis.language.nouns import head_noun, same_noun, words_of
from deixis.samples.consistency import shown
from deixis.synthesis.annotator_types import Annotators
from deixis.synthesis.text.llm_queries import json_object, query_checked
from deixis.synthesis.text.prompts import prompt

NAMES_AT_ONCE = 20  # in one request
MOST = 6  # hard negatives of a name
MAX_WORDS = 3  # of a hard negative


def hard_negatives_for(names: Sequence[str], annotators: Annotators) -> dict[str, list[str]]:
    """Up to six hard negatives of each name, the best first; an empty list where none is known.

    Of the model's, those are skipped that may be the object itself: its name, a kind of it, a word for more. For names
    that it gives none for, and without a model, the known ones. They are asked for some at a time, in the given order:
    whoever gives a whole vocabulary each time pays for it once. CostCapReached and EndpointError pass.
    """
    distinct = list(dict.fromkeys(names))
    found = {name: known_hard_negatives(name, distinct) for name in distinct}
    if annotators.language is not None:
        ask = annotators.language()
        for start in range(0, len(distinct), NAMES_AT_ONCE):
            asked = distinct[start : start + NAMES_AT_ONCE]
            messages = prompt("look_alikes").messages("\n".join(asked))
            written, _ = query_checked(ask, messages, partial(_checked, asked), "look-alikes")
            found |= written or {}
    return found


def known_hard_negatives(name: str, vocabulary: Sequence[str] = ()) -> list[str]:
    """Hard negatives without a model: those of the table, then names of the vocabulary with the same head noun.

    >>> known_hard_negatives("tennis racket", ["badminton racket", "racket", "tennis ball"])[-1]
    'badminton racket'
    """
    siblings = [
        other
        for other in vocabulary
        if is_distinct_name(other, name) and head_noun(other) == head_noun(name) and " of " not in other
    ]
    return list(dict.fromkeys((*hard_negatives(name), *siblings)))[:MOST]


def is_distinct_name(other: str, name: str) -> bool:
    """Whether one name is neither the other's, nor of a kind of it, nor of more than it, as far as words tell.

    >>> [is_distinct_name(other, "truck") for other in ("trucks", "fire truck", "bus")]
    [False, False, True]
    >>> is_distinct_name("light", "traffic light"), is_distinct_name("hot dog", "corn dog")
    (False, True)
    """
    one, two = words_of(other), words_of(name)
    if not one or not two or (len(one) == len(two) and all(map(same_noun, one, two))):
        return False
    return not (same_noun(one[-1], two[-1]) and min(len(one), len(two)) == 1)


def _checked(names: Sequence[str], text: str) -> dict[str, list[str]]:
    """The hard negatives of an answer, without those that will not do. Raises DataError if none is left."""
    record = json_object(text, "look_alikes")["look_alikes"]
    if not isinstance(record, dict):
        raise DataError(f"look_alikes: expected an object with a list for each name, got {shown(record)}")
    found = {}
    for name in names:
        others = record.get(name)
        others = (
            [other.strip().lower() for other in others if isinstance(other, str)] if isinstance(others, list) else []
        )
        fit = [other for other in others if 1 <= len(words_of(other)) <= MAX_WORDS and is_distinct_name(other, name)]
        if fit:
            found[name] = list(dict.fromkeys(fit))[:MOST]
    if not found:
        raise DataError(f"look_alikes: expected names of other objects for {shown(names[0])}, got {shown(record)}")
    return found
