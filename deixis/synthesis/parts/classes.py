"""Questions whose answers are masks: of a class, of a referring expression, of what must be thought out first.

So LISA mixes sets (Lai et al., CVPR 2024, section 4.1): class maps ("Segment the sky"), referring expressions, and
implicit questions with explanations (ReasonSeg), all in many wordings. What has no mask is not asked about.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import no_type_check

import numpy as np

from deixis.datasets.annotated import Annotated, Expression
from deixis.datasets.object_names import names_of
from deixis.datasets.plain_questions import plain_text
from deixis.language.english import name_words
from deixis.options import NonNegative
from deixis.samples.sample import Sample, Skipped, Turn
from deixis.synthesis.absent_names import AbsentNames
from deixis.synthesis.annotators import Annotators
from deixis.synthesis.conversations import ConversationPlan, conversations, shuffled
from deixis.synthesis.draft import Draft, QuestionOptions, phrase_of, sentence, weights_of

MAX_THINGS = 20  # of one answer
ABSENT_PER_ITEM = 3
EXPLAINED = 0.5  # so often an explanation is asked for where there is one


@no_type_check
@dataclass(frozen=True)
class ClassesOptions(QuestionOptions):
    """Options of classes: how often, by weight, a class, an expression, an implicit question, and a class that is not
    there is asked for; `form` is ignored, and absent classes are drawn from the vocabulary, the source's if none is
    given."""

    classes: NonNegative = 0.45
    phrases: NonNegative = 0.45
    implicit: NonNegative = 0.45
    absent: NonNegative = 0.05
    vocabulary: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        weights_of(self, ("classes", "phrases", "implicit", "absent"))

    def kinds(self) -> dict[str, float]:
        return {"class": self.classes, "phrase": self.phrases, "reason": self.implicit, "absent": self.absent}


def make(
    items: Sequence[Annotated], quota: int, seed: str, annotators: Annotators, options: ClassesOptions
) -> Iterator[Sample | Skipped]:
    """Conversations whose answers are masks."""
    topics = partial(_topics, AbsentNames(items, options.vocabulary, Annotators()))
    capped, quoted = frozenset(["absent"]), frozenset(["phrase", "reason"])
    talk = ConversationPlan("classes", options.kinds(), topics, _turn, capped=capped, quoted=quoted)
    yield from conversations(items, quota, seed, talk, replace(options, form="mask"))


def _topics(absent: AbsentNames, item: Annotated, rng: np.random.Generator) -> dict[str, list]:
    has_mask = [obj.region is not None and obj.region.mask is not None for obj in item.objects]
    if not any(has_mask):
        return {}
    usable = [e for e in item.expressions if all(has_mask[n] for n in e.objects) and len(e.objects) <= MAX_THINGS]
    return {
        "class": shuffled(_classes(item, has_mask), rng),
        "phrase": shuffled([e for e in usable if e.unique and not e.implicit and phrase_of(e.text)], rng),
        "reason": shuffled([e for e in usable if e.implicit and phrase_of(e.text)], rng),
        "absent": absent.names(item, names_of(item), ABSENT_PER_ITEM, rng),
    }


def _classes(item: Annotated, has_mask: Sequence[bool]) -> list[tuple[int, ...]]:
    """The objects of each name of which all are marked; a group taken as one is as good as its objects."""
    if not item.complete:
        return []
    partial = {name.lower() for name in item.vague}
    found: dict[str, list[int]] = {}
    for number, obj in enumerate(item.objects):
        if obj.region is None or not has_mask[number] or obj.region.ignore:
            partial |= {name.lower() for name in obj.names}
        elif obj.name:
            found.setdefault(obj.full_name, []).append(number)
    return [
        tuple(numbers)
        for numbers in found.values()
        if len(numbers) <= MAX_THINGS
        and not any(name.lower() in partial for number in numbers for name in item.objects[number].names)
    ]


def _turn(draft: Draft, kind: str, topic: tuple[int, ...] | Expression | str) -> Turn:
    if isinstance(topic, Expression):
        return _reason(draft, topic) if kind == "reason" else _phrase(draft, topic)
    if isinstance(topic, str):
        return draft.turn("classes.class", "none", name_words(topic))
    obj = draft.item.objects[topic[0]]
    values = name_words(obj.full_name, mass=obj.stuff)
    is_one = len(topic) == 1 and obj.region is not None and not obj.region.crowd
    return draft.turn("classes.class", "one" if is_one else "many", values, (), [topic])


def _phrase(draft: Draft, topic: Expression) -> Turn:
    values = {"phrase": phrase_of(topic.text)}
    return draft.turn("classes.phrase", _case(topic.objects), values, (), [topic.objects])


def _reason(draft: Draft, topic: Expression) -> Turn:
    """The set's own question with a request, or its phrase in a question; with the explanation if that is asked for."""
    is_question = topic.text.strip()[-1:] in ".?!"
    names = {draft.item.objects[number].name for number in topic.objects} - {""}
    case, values = _case(topic.objects), {"phrase": topic.text.strip() if is_question else phrase_of(topic.text)}
    if len(names) == 1 and len(topic.objects) == 1 and draft.chance(0.5):
        case, values = "named", values | name_words(next(iter(names)))
    key = "classes.reason_question" if is_question else "classes.reason_phrase"
    turn = draft.turn(key, case, values, (), [topic.objects])
    if not topic.explanation or not draft.chance(EXPLAINED):
        return turn
    user = f"{sentence(turn.user)} {draft.request('forms.why')}"
    return Turn(user, f"{turn.assistant} {plain_text(topic.explanation.strip())}")


def _case(objects: Sequence[int]) -> str:
    return "none" if not objects else "one" if len(objects) == 1 else "many"
