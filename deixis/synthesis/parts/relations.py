"""Relations between objects: those that the set tells ("man" "riding" "horse"), and how objects lie in the image.

Both ways and mixed: two regions in and their relation out; a relation in words in and its objects out; a region and a
relation in and the other object out. (Ferret, You et al., ICLR 2024, section 3.1: relationships among objects.)

Spatial relations are computed from boxes, and only where nobody would disagree: left of, where one box ends before the
other begins and they share at least half of the shorter height; above likewise; within, where a box lies in another of
at least twice its area. They hold in the image, not in the scene.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float

from deixis.datasets.annotated import Annotated
from deixis.datasets.object_names import is_single, names_of
from deixis.language.english import is_plural, name_words, verb_of
from deixis.samples.sample import Sample, Skipped, Turn
from deixis.synthesis.annotators import Annotators
from deixis.synthesis.conversations import ConversationPlan, conversations, shuffled
from deixis.synthesis.draft import DirectionOptions, Draft

MAX_PLACED = 30  # objects of an image between which places are looked for
PLACES_PER_ITEM = 12
YES_OR_NO = 0.5  # so often a place is asked for by yes or no
NO_RELATION = {"and", "", "or", "to", "that", "a", "an", "the"}

PLACED_KINDS = ("image", "depth", "normal")
SHARED_SIDE = 0.5  # of the shorter of two sides
WITHIN_SHARE = 0.5  # of the larger one's area
WORDS = {
    "left": ("to the left of", "left of", "on the left of"),
    "right": ("to the right of", "right of", "on the right of"),
    "above": ("above", "higher up than", "above"),
    "below": ("below", "lower down than", "below"),
    "within": ("within the bounds of", "inside the area of"),
}
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}


@no_type_check
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
        if predicate.lower() not in NO_RELATION and subject != object_
    ]
    names = [(item.objects[s].full_name, p, item.objects[o].full_name) for s, p, o in ends]
    by_names, by_subject, by_object = Counter(names), Counter((s, p) for s, p, _ in ends), Counter(e[1:] for e in ends)
    topics: dict[str, list[Related]] = {"in": [], "out": [], "both": []}
    for (subject, predicate, object_), name in zip(ends, names, strict=True):
        if not is_single(item.objects[subject]) or not is_single(item.objects[object_]):
            continue  # counted above all the same
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


def boxes_of(item: Annotated, most: int) -> tuple[list[int], Float[np.ndarray, "thing 4"]]:
    """The numbers and boxes_xyxy of at most so many objects of the item's first image, stuff skipped."""
    found: list[tuple[int, tuple[float, ...]]] = []
    if item.signals and item.signals[0].modality in PLACED_KINDS:
        for number, obj in enumerate(item.objects):
            region = obj.region if is_single(obj) and not obj.stuff else None
            if region is not None and region.box is not None and region.signal == 0:
                found.append((number, region.box))
    boxes = np.array([box for _, box in found[:most]], dtype=np.float64).reshape(-1, 4)
    return [number for number, _ in found[:most]], boxes


def places(boxes_xyxy: Float[np.ndarray, "thing 4"]) -> dict[str, list[tuple[int, int]]]:
    """Pairs (a, b) of boxes by how a lies to b: "left", "right", "above", "below", "within".

    >>> places(np.array([[0, 0, 10, 10], [20, 2, 30, 12], [21, 3, 24, 6]], dtype=float))["left"]
    [(0, 1), (0, 2)]
    """
    lows, highs = boxes_xyxy[:, :2], boxes_xyxy[:, 2:]
    sides = highs - lows
    shared = np.minimum(highs[:, None], highs) - np.maximum(lows[:, None], lows)  # (a, b, axis)
    beside = shared >= SHARED_SIDE * np.minimum(sides[:, None], sides)
    before = highs[:, None] <= lows
    area = sides.prod(axis=1)
    inside = (lows[:, None] >= lows) & (highs[:, None] <= highs)
    found = {
        "left": before[..., 0] & beside[..., 1],
        "above": before[..., 1] & beside[..., 0],
        "within": inside.all(axis=2) & (area[:, None] <= WITHIN_SHARE * area),
    }
    found |= {"right": found["left"].T, "below": found["above"].T}
    return {name: [(int(a), int(b)) for a, b in zip(*np.nonzero(pairs), strict=True)] for name, pairs in found.items()}


def is_the_only_one(
    place: str, one: int, to: int, rivals: Sequence[int], boxes_xyxy: Float[np.ndarray, "thing 4"]
) -> bool:
    """Whether of its name only this box lies so to another: every rival's middle is on the other side of that's middle.

    Nothing is said of "within" where there is a rival.
    """
    if place == "within":
        return not [rival for rival in rivals if rival not in (one, to)]
    axis = 0 if place in ("left", "right") else 1
    middles = boxes_xyxy[:, axis] + boxes_xyxy[:, axis + 2]
    sign = 1 if place in ("left", "above") else -1
    return all(sign * (middles[rival] - middles[to]) > 0 for rival in rivals if rival not in (one, to))
