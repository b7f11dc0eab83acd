"""Descriptions: a region in and words that tell of it out; words in and what they mean out; captions with places.

The words are the set's: referring expressions, region descriptions, attributes with a name, grounded captions. Only
expressions that mean their objects alone are asked for; those that mean nothing are answered so. (Ferret, You et al.,
ICLR 2024, section 3.1: descriptions of regions.)
"""

from collections.abc import Iterator, Sequence

import numpy as np

from deixis.datasets.annotated import Annotated, Expression, Object
from deixis.datasets.object_names import is_single
from deixis.geometry import Reference, parse_markup
from deixis.language.english import is_mass, is_plural, with_article
from deixis.samples.sample import Sample, Skipped, Turn
from deixis.synthesis.annotators import Annotators
from deixis.synthesis.conversations import ConversationPlan, conversations, shuffled
from deixis.synthesis.draft import DirectionOptions, Draft, phrase_of

MAX_ATTRIBUTES = 2
MAX_THINGS = 20


def make(
    items: Sequence[Annotated], quota: int, seed: str, annotators: Annotators, options: DirectionOptions
) -> Iterator[Sample | Skipped]:
    """Conversations in the words that the set has for its regions."""
    talk = ConversationPlan(
        "descriptions", options.directions(), _topics, _turn, quoted=frozenset(["in", "out", "both"])
    )
    yield from conversations(items, quota, seed, talk, options)


def _topics(item: Annotated, rng: np.random.Generator) -> dict[str, list]:
    told = [(e.objects[0], phrase_of(e.text)) for e in item.expressions if len(e.objects) == 1 and _is_usable(item, e)]
    told += [(n, attributed(obj)) for n, obj in enumerate(item.objects) if obj.attributes and is_single(obj)]
    meant = [expression for expression in item.expressions if expression.unique and _is_usable(item, expression)]
    captions = [caption for caption in item.captions if is_grounded(caption, item)]
    return {"in": shuffled(told, rng), "out": shuffled([*meant, *captions], rng), "both": shuffled(told, rng)}


def _turn(draft: Draft, kind: str, topic: tuple[int, str] | Expression | str) -> Turn:
    if isinstance(topic, str):
        return draft.turn("descriptions.caption", "one", {}, markup={"caption": draft.caption(topic)})
    if isinstance(topic, Expression):
        case = "one" if topic.objects else "none"
        return draft.turn("descriptions.out", case, {"phrase": phrase_of(topic.text)}, (), [topic.objects])
    obj, phrase = topic
    if kind == "in":
        return draft.turn("descriptions.in", "one", {"phrase": phrase}, [draft.asked(obj)])
    return draft.turn("descriptions.both", "one", {"phrase": phrase}, [draft.asked(obj, hides=True)], [(obj,)])


def attributed(obj: Object) -> str:
    """An object's name with its first attributes.

    >>> attributed(Object("chair", attributes=("wooden", "old", "brown")))
    'a wooden, old chair'
    """
    words = ", ".join(phrase_of(attribute) for attribute in obj.attributes[:MAX_ATTRIBUTES])
    described = f"{words} {obj.full_name}"
    bare = obj.stuff or is_mass(obj.full_name) or is_plural(obj.full_name)
    return described if bare else with_article(described)


def is_grounded(caption: str, item: Annotated) -> bool:
    """Whether a caption has a phrase with a place. Raises DataError for markup that is not sound."""
    return any(
        isinstance(piece, Reference) and any(item.objects[obj].region is not None for obj in piece.indices)
        for piece in parse_markup(caption)
    )


def _is_usable(item: Annotated, expression: Expression) -> bool:
    """Words without hidden meaning, whose objects have places."""
    if expression.implicit or not phrase_of(expression.text) or len(expression.objects) > MAX_THINGS:
        return False
    return all(item.objects[obj].region is not None for obj in expression.objects)
