"""Relations between objects: those that the set tells ("man" "riding" "horse"), and how objects lie in the image.

Both ways and mixed: two regions in and their relation out; a relation in words in and its objects out; a region and a
relation in and the other object out. (Ferret, You et al., ICLR 2024, section 3.1: relationships among objects.)
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from deixis.datasets.annotated import Annotated
from deixis.datasets.object_names import is_single, names_of
from deixis.language.english import is_plural, name_words, verb_of
from deixis.samples.sample import Sample, Turn
from deixis.samples.skipped import Skipped
from deixis.synthesis.annotator_types import Annotators
from deixis.synthesis.conversations import ConversationPlan, conversations, shuffled
from deixis.synthesis.draft import Draft
from deixis.synthesis.question_options import DirectionOptions
from deixis.synthesis.spatial_relations import OPPOSITE, WORDS, boxes_of, is_the_only_one, places

MAX_PLACED = 30  # objects of an image between which places are looked for
PLACES_PER_ITEM = 12
YES_OR_NO = 0.5  # so often a place is asked for by yes or no
NO_RELATION = {"and", "", "or", "to", "that", "a", "an", "the"}


@dataclass(frozen=True)
class RelationsOptions(DirectionOptions):
    """Options of relations. geometric: ask how objects lie in the image too; else only what the set tells."""

    geometric: bool = True


@dataclass(frozen=True)
class Related:
    """objects[subject] and objects[object] by a predicate that was told, or a place computed."""

    asks: str
    subject: int
    predicate: str
    object: int


def make(
    items: Sequence[Annotated], quota: int, seed: str, annotators: Annotators, options: RelationsOptions
) -> Iterator[Sample | Skipped]:
    """Conversations about how the objects of the items are related."""
    topics = _all_topics if options.geometric else _told
    yield from conversations(
        items, quota, seed, ConversationPlan("relations", options.directions(), topics, _turn), options
    )


def _all_topics(item: Annotated, rng: np.random.Generator) -> dict[str, list[Related]]:
    told, placed = _told(item, rng), _placed(item, rng)
    return {kind: shuffled([*told[kind], *placed[kind]], rng) for kind in told}


def _told(item: Annotated, rng: np.random.Generator) -> dict[str, list[Related]]:
    """Each relation with places at both ends; by its words only where they mean one pair of objects."""
    ends = [(r.subject, r.predicate.strip(), r.object) for r in item.relations]
    ends = [
        (subject, predicate, object_)
        for subject, predicate, object_ in dict.fromkeys(ends)
        if predicate.lower() not in NO_RELATION
        and subject != object_
        and is_single(item.objects[subject])
        and is_single(item.objects[object_])
    ]
    names = [(item.objects[s].full_name, p, item.objects[o].full_name) for s, p, o in ends]
    by_names, by_subject, by_object = Counter(names), Counter((s, p) for s, p, _ in ends), Counter(e[1:] for e in ends)
    topics: dict[str, list[Related]] = {"in": [], "out": [], "both": []}
    for (subject, predicate, object_), name in zip(ends, names, strict=True):
        topics["in"].append(Related("told_in", subject, predicate, object_))
        if by_names[name] == 1 and name[0] != name[2]:
            topics["out"].append(Related("told_out", subject, predicate, object_))
        if by_subject[subject, predicate] == 1:
            topics["both"].append(Related("told_object", subject, predicate, object_))
        if by_object[predicate, object_] == 1:
            topics["both"].append(Related("told_subject", subject, predicate, object_))
    return {kind: shuffled(found, rng) for kind, found in topics.items()}


def _placed(item: Annotated, rng: np.random.Generator) -> dict[str, list[Related]]:
    numbers, boxes = boxes_of(item, MAX_PLACED)
    topics: dict[str, list[Related]] = {"in": [], "out": [], "both": []}
    if len(numbers) < 2:
        return topics
    names = names_of(item)
    at = {number: place for place, number in enumerate(numbers)}
    pairs = [(place, a, b) for place, found in places(boxes).items() for a, b in found]
    for place, a, b in shuffled(pairs, rng)[:PLACES_PER_ITEM]:
        subject, object_ = numbers[a], numbers[b]
        name, other = item.objects[subject].full_name, item.objects[object_].full_name
        asks = "place_yes" if place in OPPOSITE and rng.random() < YES_OR_NO else "place_in"
        topics["in"].append(Related(asks, subject, place, object_))
        rivals = [at[rival] for rival in names.objects[name] if rival in at]
        all_seen = name in names.every and len(rivals) == len(names.objects[name])
        is_only = all_seen and is_the_only_one(place, a, b, rivals, boxes)
        asks = "place_both" if is_only and name != other else "side"
        topics["both"].append(Related(asks, subject, place, object_))
        if is_only and name != other and other in names.every and len(names.objects[other]) == 1:
            topics["out"].append(Related("place_out", subject, place, object_))
    return topics


def _turn(draft: Draft, kind: str, topic: Related) -> Turn:
    name, other = (draft.item.objects[number].full_name for number in (topic.subject, topic.object))
    values = name_words(name) | name_words(other, "other")
    if name == other:
        values |= {"other": f"other {name}", "a other": f"another {name}"}
    key, subject, object_ = f"relations.{topic.asks}", (topic.subject,), (topic.object,)
    if topic.asks.startswith("told"):
        values |= {"verb": verb_of(topic.predicate, is_plural(name)), "asks": verb_of(topic.predicate)}
    else:
        values["place"] = draft.choice(WORDS[topic.predicate])
    match topic.asks:
        case "told_in" | "place_in":
            return draft.turn(key, "one", values, [draft.asked(topic.subject), draft.asked(topic.object)])
        case "place_yes":
            is_true = draft.chance(0.5)
            asked = topic.predicate if is_true else OPPOSITE[topic.predicate]
            values["asked"] = values["place"] if is_true else draft.choice(WORDS[asked])
            regions = [draft.asked(topic.subject), draft.asked(topic.object)]
            return draft.turn(key, "yes" if is_true else "no", values, regions)
        case "told_object":
            return draft.turn(key, "one", values, [draft.asked(topic.subject)], [object_])
        case "told_subject":
            return draft.turn(key, "one", values, [draft.asked(topic.object)], [subject])
        case "told_out":
            return draft.turn(key, "one", values, (), [subject, object_])
        case "place_out":
            return draft.turn(key, "one", values, (), [subject])
    return draft.turn(key, "one", values, [draft.asked(topic.object)], [subject])  # place_both, side
