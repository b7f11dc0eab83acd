"""Questions and answers about a depth map: those about any map of a scene, and two about metres."""

from collections.abc import Sequence

import numpy as np

from deixis.world.depth import DepthFacts
from deixis.world.questions import scene
from deixis.world.questions import wording as w
from deixis.world.questions.draft import Draft, Task, ask

Rng = np.random.Generator
MIN_GAP_M = 0.3  # between two objects of which one is nearer


def nearer(facts: DepthFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """Which of two objects is nearer to the camera, by their median depth; None where both are about as near.

    The answer says both distances first.
    """
    i = scene.some_visible(facts, rng, number)
    others = [j for j in facts.visible if j != i]
    if i is None or not others:
        return None
    pair = [i, int(rng.choice(others))]
    pair = [pair[k] for k in rng.permutation(2)]
    first_m, second_m = (facts.distance_m(k) for k in pair)
    if first_m is None or second_m is None or abs(first_m - second_m) < MIN_GAP_M:
        return None
    word = w.ORDINALS[int(second_m < first_m)]
    regions = tuple(scene.pointed(facts, k, rng) for k in pair)
    told = f"{first_m:.1f} m and {second_m:.1f} m: the {word}."
    return ask(w.choose(w.NEARER, rng), told, regions, word, w.ORDINALS)


def distance(facts: DepthFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """The depth of a region in metres: of the object in a box, else of the pixels that are meant."""
    if (i := scene.some_visible(facts, rng, number)) is None:
        return None
    region = scene.pointed(facts, i, rng)
    if (metres := facts.distance_m(i, region)) is None:
        return None
    return ask(w.choose(w.DISTANCE, rng), metres_answer(metres), (region,), f"{metres:.1f}")


def metres_answer(metres: float) -> str:
    return f"{metres:.1f} m."


def dialogue(facts: DepthFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """A question about a region, then follow-up questions, also about its distance."""

    def its_distance(i: int) -> Sequence[scene.FollowUp]:
        metres = facts.distance_m(i)
        return [(w.IT_DISTANCE, metres_answer(metres), (f"{metres:.1f}",))] if metres is not None else []

    return scene.dialogue(facts, rng, number, its_distance)


DEPTH_TASKS: dict[str, Task] = {
    **scene.MAP_TASKS,
    "nearer": Task(1.6, nearer),
    "distance": Task(1.6, distance),
    "dialogue": Task(0.6, dialogue),
}
