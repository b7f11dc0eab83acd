"""Questions and answers about a normal map: those about any map of a scene, and which way a surface faces."""

import numpy as np

from deixis.geometry import Region
from deixis.world.normal import NormalFacts
from deixis.world.questions import scene
from deixis.world.questions import wording as w
from deixis.world.questions.draft import Draft, Task, ask

Rng = np.random.Generator
MIN_ALONG = 0.85
"""How much of a unit vector lies along the axis that is named: less is between two answers."""
MIN_PIXELS = 12  # of an object that face one way
_DIRECTIONS = {"up": (0, 1, 0), "left": (-1, 0, 0), "right": (1, 0, 0), "camera": (0, 0, 1)}
FACINGS = tuple(_DIRECTIONS)
_ANSWERS = {"up": "Up.", "left": "To the left.", "right": "To the right.", "camera": "Towards the camera."}


def facing(facts: NormalFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """Which way a surface of an object faces: one that plainly faces up, to a side or towards the camera."""
    if (i := scene.some_visible(facts, rng, number)) is None:
        return None
    surfaces = {word: facts.facing_cells(i, axis, MIN_ALONG) for word, axis in _DIRECTIONS.items()}
    plain = [word for word, inside in surfaces.items() if inside.sum() >= MIN_PIXELS]
    if not plain:
        return None
    word = str(rng.choice(plain))
    return ask(w.choose(w.FACING, rng), _ANSWERS[word], (_pointed(surfaces[word], facts, rng),), word, FACINGS)


def _pointed(inside: np.ndarray, facts: NormalFacts, rng: Rng) -> Region:
    """The pixels of a surface, the half of them, or one."""
    form = rng.choice(["mask", "piece", "point"], p=[0.5, 0.2, 0.3])
    if form == "point":
        return Region(point=scene.pixel_in(inside, rng))
    return Region(mask=inside if form == "mask" else scene.half(inside, facts, rng))


NORMAL_TASKS: dict[str, Task] = {
    **scene.MAP_TASKS,
    "facing": Task(3.0, facing),
    "dialogue": Task(0.6, scene.dialogue),
}
