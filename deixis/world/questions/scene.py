"""Questions and answers about an image, a map or a point cloud: one function per task, one line each in the tables.

Every function takes the annotations and an rng and returns a `Draft`, or None if the scene permits no such question.
Functions about one object also take its index, so that an evaluation can ask about every object. The order of random
draws is part of the data: the bundled model and the recorded scores depend on it.
"""

from collections.abc import Callable, Sequence

import numpy as np

from deixis.geometry import Region
from deixis.samples.sample import Turn
from deixis.world.facts import ObjectFacts, SceneFacts, box_around, pixel_box
from deixis.world.objects import COLOUR_NAMES, KIND_NAMES, KINDS, MATERIALS, SIZES
from deixis.world.questions import wording as w
from deixis.world.questions.draft import Draft, Task, ask, counted

Rng = np.random.Generator
FollowUp = tuple[tuple[str, ...], str, tuple[str, ...]]
"""The wordings of a further question, its answer, and the word that it is known by, if there is one."""


def pointed(facts: SceneFacts, number: int, rng: Rng, part: str | None = None) -> Region:
    """A region that refers to an object or part: its box, its mask or points, a fragment of it, or one point in it."""
    inside = facts.cells(number, part)
    form = rng.choice(
        ["box", "mask", "piece", "point"], p=[0.4, 0.25, 0.15, 0.2] if part is None else [0.2, 0.5, 0.2, 0.1]
    )
    if form == "piece":
        inside = half(inside, facts, rng)
    if facts.shown.has_pixels:
        if form == "box":
            return Region(box=jittered(pixel_box(inside), (inside.shape[0], inside.shape[1]), rng))
        if form == "point":
            return Region(point=pixel_in(inside, rng))
        return Region(mask=inside)
    points = np.flatnonzero(inside)
    if form == "box":
        return Region(box3d=box_around(facts.xyz[points]))
    if form == "point":
        return Region(point=tuple(float(v) for v in facts.xyz[rng.choice(points)]))
    return Region(points=points)


def pixel_in(inside: np.ndarray, rng: Rng) -> tuple[float, float]:
    """The middle (x, y) of a random pixel of a mask (h, w)."""
    rows, columns = np.nonzero(inside)
    pick = int(rng.integers(len(rows)))
    return float(columns[pick]) + 0.5, float(rows[pick]) + 0.5


def half(inside: np.ndarray, facts: SceneFacts, rng: Rng) -> np.ndarray:
    """The half of `inside` nearest to a random point in it, as an imprecise scribble would cover."""
    places = np.stack(np.nonzero(inside), -1) if facts.shown.has_pixels else facts.xyz[np.flatnonzero(inside)]
    distance = np.linalg.norm(places - places[rng.integers(len(places))], axis=-1)
    nearer = inside.copy()
    nearer[inside] = distance <= np.quantile(distance, 0.5)
    return nearer


def jittered(
    box: tuple[float, float, float, float], size_hw: tuple[int, int], rng: Rng
) -> tuple[float, float, float, float]:
    """The box with each edge jittered by up to 6 % of its extent, clipped to the image."""
    x1, y1, x2, y2 = box
    dx, dy = rng.uniform(-0.06, 0.06, (2, 2)) * [[x2 - x1], [y2 - y1]]
    return (max(0.0, x1 + dx[0]), max(0.0, y1 + dy[0]), min(size_hw[1], x2 + dx[1]), min(size_hw[0], y2 + dy[1]))


def some_visible(facts: SceneFacts, rng: Rng, number: int | None) -> int | None:
    """`number`, or the index of a random visible object; None if none is visible."""
    if number is not None:
        return number
    return int(rng.choice(facts.visible)) if facts.visible else None


def _full(facts: SceneFacts, number: int) -> str:
    return w.with_article(facts.label(number))


def name(facts: SceneFacts, rng: Rng, number: int | None = None) -> Draft | None:
    if (i := some_visible(facts, rng, number)) is None:
        return None
    region = pointed(facts, i, rng)
    return ask(w.choose(w.NAME, rng), w.sentence(_full(facts, i)), (region,), facts.object_at(i).kind)


def part_name(facts: SceneFacts, rng: Rng, number: int | None = None) -> Draft | None:
    i = some_visible(facts, rng, number)
    if i is None or not (parts := facts.visible_parts(i)):
        return None
    part = str(rng.choice(parts))
    answer = f"the {part} of {_full(facts, i)}"
    return ask(w.choose(w.PART, rng), w.sentence(answer), (pointed(facts, i, rng, part),), part)


def colour(facts: SceneFacts, rng: Rng, number: int | None = None) -> Draft | None:
    if (i := some_visible(facts, rng, number)) is None:
        return None
    obj = facts.object_at(i)
    if len(facts.matching(obj.kind)) == 1 and rng.random() < 0.5:
        return ask(w.filled(w.COLOUR_OF, rng, NAME=obj.kind), w.sentence(obj.colour), (facts.record(i),), obj.colour)
    return ask(w.choose(w.COLOUR, rng), w.sentence(obj.colour), (pointed(facts, i, rng),), obj.colour)


def attribute(facts: SceneFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """The size or, where an image shows it, the material of an object."""
    if (i := some_visible(facts, rng, number)) is None:
        return None
    obj = facts.object_at(i)
    if facts.shown.has_pixels and rng.random() < 0.5 and facts.shows_material(i):
        wording, answer, choices = w.MATERIAL, obj.material, MATERIALS
    else:
        wording, answer, choices = w.SIZE, obj.size, tuple(SIZES)
    return ask(w.choose(wording, rng), w.sentence(answer), (pointed(facts, i, rng),), answer, choices)


def _phrased(facts: SceneFacts, rng: Rng, number: int | None) -> tuple[int, str] | None:
    """(index of a visible object, phrase that fits only it)."""
    order = [number] if number is not None else rng.permutation(facts.visible).tolist()
    pairs = ((int(i), facts.phrase(int(i), rng)) for i in order)
    return next(((i, phrase) for i, phrase in pairs if phrase), None)


def phrase_box(facts: SceneFacts, rng: Rng, number: int | None = None, wording=w.BOX, form="box") -> Draft | None:
    if (found := _phrased(facts, rng, number)) is None:
        return None
    i, phrase = found
    return ask(w.filled(wording, rng, NAME=phrase), f"[The {phrase}]{{0:{form}}}.", (facts.record(i),))


def phrase_mask(facts: SceneFacts, rng: Rng, number: int | None = None) -> Draft | None:
    return phrase_box(facts, rng, number, w.MASK, facts.mask_form)


def part_mask(facts: SceneFacts, rng: Rng, number: int | None = None) -> Draft | None:
    found = _phrased(facts, rng, number)
    if found is None or not (parts := facts.visible_parts(found[0])):
        return None
    (i, phrase), part = found, str(rng.choice(parts))
    question = w.filled(w.PART_MASK, rng, NAME=phrase, PART=part)
    return ask(question, f"[The {part}]{{0:{facts.mask_form}}}.", (facts.record(i, part),))


def reasoning(facts: SceneFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """An implicit question about the use of an object or part; with probability 0.1 nothing fits."""
    form = facts.mask_form
    if number is None and rng.random() < 0.1:
        absent = [k for k in KIND_NAMES if not facts.matching(k)]
        use = w.choose(KINDS[str(rng.choice(absent))].uses, rng)
        return ask(w.filled(w.REASON, rng, USE=use), "There is [nothing]{} for that.")
    if not (alone := [i for i in facts.alone if number in (None, i)]):
        return None
    i = int(rng.choice(alone))
    obj, kind = facts.object_at(i), KINDS[facts.object_at(i).kind]
    parts = [part for part in facts.visible_parts(i) if part in kind.part_uses]
    if parts and rng.random() < 0.4:
        part = str(rng.choice(parts))
        question = w.choose(kind.part_uses[part], rng)
        return ask(question, f"[The {part}]{{0:{form}}} of the {obj.kind}.", (facts.record(i, part),))
    question = w.filled(w.REASON, rng, USE=w.choose(kind.uses, rng))
    return ask(question, f"[The {facts.label(i)}]{{0:{form}}}.", (facts.record(i),))


def _hard_negative(facts: ObjectFacts, rng: Rng) -> tuple[str, str]:
    """A hard negative: (colour, kind) of no object, mostly sharing the kind or the colour with a visible one."""
    for _ in range(50):
        kind, tint = str(rng.choice(KIND_NAMES)), str(rng.choice(COLOUR_NAMES))
        if facts.visible and (near := rng.random()) < 0.7:
            obj = facts.object_at(int(rng.choice(facts.visible)))
            kind, tint = (obj.kind, tint) if near < 0.35 else (kind, obj.colour)
        if not facts.matching(kind, tint):
            return tint, kind
    raise AssertionError("a scene of at most six objects leaves most pairs absent")


def _absent_kind(facts: ObjectFacts, rng: Rng) -> str:
    return str(rng.choice([k for k in KIND_NAMES if not facts.matching(k)]))


def absent_phrase(facts: ObjectFacts, rng: Rng) -> str:
    """What no object is: a colour and a kind, or a kind where no colours are seen."""
    return " ".join(_hard_negative(facts, rng)) if facts.shown.has_colours else _absent_kind(facts, rng)


def exists(facts: ObjectFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """Yes or no with probability 0.5 each; with a colour, or the kind only, with probability 0.5 each."""
    if not facts.visible:
        return None
    by_colour, yes = rng.random() < 0.5, rng.random() < 0.5
    records: tuple[Region, ...] = ()
    if yes:
        i = int(rng.choice(facts.visible))
        records = (facts.record(i),)
        what = facts.label(i) if by_colour else facts.object_at(i).kind
    else:
        what = absent_phrase(facts, rng) if by_colour else _absent_kind(facts, rng)
    return ask(
        w.filled(w.EXISTS, rng, NAME=what, MEDIUM=facts.noun), "Yes." if yes else "No.", records, "yes" if yes else "no"
    )


def absence(facts: SceneFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """A request to find an absent object."""
    phrase = absent_phrase(facts, rng)
    wording = w.BOX if facts.shown.has_pixels and rng.random() < 0.5 else w.MASK
    return ask(w.filled(wording, rng, NAME=phrase), f"There is no [{phrase}]{{}}.", (), "none")


def count(facts: SceneFacts, rng: Rng, number: int | None = None) -> Draft | None:
    if facts.barely_visible or not facts.visible:
        return None
    obj = facts.object_at(int(rng.choice(facts.visible)))
    style = rng.random()
    if style < 0.4:
        what, found = KINDS[obj.kind].plural, facts.matching(obj.kind)
    elif style < 0.6 and facts.shown.has_colours:
        what, found = f"{obj.colour} things", facts.matching(None, obj.colour)
    elif style < 0.75:
        what, found = KINDS[_absent_kind(facts, rng)].plural, []
    else:
        what, found = "things", facts.visible
    things = (what.removesuffix("s"), what)
    return counted(w.filled(w.COUNT, rng, NAMES=what), things, facts.mask_form, tuple(facts.record(i) for i in found))


def relation(facts: SceneFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """The nearest object on the floor, or, in an image, the next object to one side.

    The answer first says, and points at, what the region shows: what is next to it is then found from there.
    """
    if facts.barely_visible or len(facts.visible) < 2:
        return None
    i = int(rng.choice(facts.visible))
    others = [j for j in facts.visible if j != i]
    wording, where = w.NEAREST, "Nearest to"
    if facts.shown.has_pixels and rng.random() < 0.6:
        step = 1 if rng.random() < 0.5 else -1
        wording, where = (w.RIGHT, "Right of") if step > 0 else (w.LEFT, "Left of")
        gap = {j: (facts.left_of(j) - facts.left_of(i)) * step for j in others}
        gap = {j: d for j, d in gap.items() if d > 6}
    else:
        place = [np.array(facts.object_at(j).position_xy) for j in range(len(facts.scene.objects))]
        gap = {j: float(np.linalg.norm(place[i] - place[j])) for j in others}
    region, form = pointed(facts, i, rng), facts.mask_form
    own = f"{where} [the {facts.label(i)}]{{1:{form}}} is"
    if not gap:
        return ask(w.choose(wording, rng), f"{own} nothing.", (region, facts.record(i)), "nothing")
    best, *rest = sorted(gap, key=lambda j: gap[j])
    # Ambiguous: the second candidate is almost as near.
    if rest and gap[rest[0]] - gap[best] < (4 if wording is not w.NEAREST else 0.2):
        return None
    text = f"{own} [{_full(facts, best)}]{{2:{form}}}."
    regions = region, facts.record(i), facts.record(best)
    return ask(w.choose(wording, rng), text, regions, facts.object_at(best).kind)


def caption(facts: SceneFacts, rng: Rng, number: int | None = None) -> Draft | None:
    if not facts.visible:
        return None
    text = w.listed([_full(facts, i) for i in sorted(facts.visible, key=facts.left_of)])
    return ask(w.filled(w.CAPTION, rng, MEDIUM=facts.noun), w.sentence(text))


def grounded_caption(facts: SceneFacts, rng: Rng, number: int | None = None) -> Draft | None:
    if not facts.visible:
        return None
    form = "points" if not facts.shown.has_pixels else "box" if rng.random() < 0.6 else "mask"
    order = sorted(facts.visible, key=facts.left_of)
    text = w.listed([f"[{_full(facts, i)}]{{{k}:{form}}}" for k, i in enumerate(order)])
    wording = w.GROUNDED_BOX if form == "box" else w.GROUNDED_MASK
    return ask(w.filled(wording, rng, MEDIUM=facts.noun), w.sentence(text), tuple(facts.record(i) for i in order))


def dialogue(
    facts: SceneFacts,
    rng: Rng,
    number: int | None = None,
    more: Callable[[int], Sequence[FollowUp]] = lambda number: (),
) -> Draft | None:
    """A question about a region, then follow-up questions that refer to it as "it", of `more` about the object too."""
    if (i := some_visible(facts, rng, number)) is None:
        return None
    region, what = pointed(facts, i, rng), facts.label(i)
    turns = [Turn(w.choose(w.NAME, rng), w.sentence(w.with_article(what)))]
    follow: list[FollowUp] = list(more(i))
    if facts.shown.has_colours:
        tint = facts.object_at(i).colour
        follow.append((w.IT_COLOUR, w.sentence(tint), (tint,)))
    follow.append((w.IT_MASK, f"[The {what}]{{1:{facts.mask_form}}}.", ()))
    if facts.shown.has_pixels:
        follow.append((w.IT_BOX, f"[The {what}]{{1:box}}.", ()))
    turns += [Turn(w.choose(follow[k][0], rng), *follow[k][1:]) for k in rng.permutation(len(follow))[:2]]
    return Draft(tuple(turns), (region, facts.record(i)))


IMAGE_TASKS: dict[str, Task] = {
    "name": Task(1.6, name),
    "part_name": Task(0.6, part_name),
    "colour": Task(0.6, colour),
    "attribute": Task(0.6, attribute),
    "phrase_box": Task(3.2, phrase_box),
    "phrase_mask": Task(1.2, phrase_mask),
    "part_mask": Task(0.8, part_mask),
    "reasoning": Task(1.6, reasoning),
    "exists": Task(2.4, exists, whole=True),
    "absence": Task(0.5, absence, whole=True),
    "count": Task(0.8, count, whole=True),
    "relation": Task(1.2, relation, whole=True),
    "caption": Task(0.6, caption, whole=True),
    "grounded_caption": Task(0.8, grounded_caption, whole=True),
    "dialogue": Task(0.6, dialogue),
}
CLOUD_TASKS: dict[str, Task] = {name: task for name, task in IMAGE_TASKS.items() if name != "phrase_box"}
MAP_TASKS: dict[str, Task] = {
    name: task for name, task in IMAGE_TASKS.items() if name not in ("colour", "attribute", "relation", "dialogue")
}
"""Those about a map of pixels without colours."""
