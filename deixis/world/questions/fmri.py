"""Questions and answers about a simulated fMRI response, listed in `FMRI_TASKS`."""

import numpy as np

from deixis.geometry import Region
from deixis.samples.sample import Turn
from deixis.world.audio import EVENT_NAMES
from deixis.world.fmri import AREA_NAMES, VOXEL_MM, parcel_areas
from deixis.world.fmri_facts import PARCELS, FmriFacts, voxel_places
from deixis.world.objects import KIND_NAMES
from deixis.world.questions import wording as w
from deixis.world.questions.draft import Draft, Task, ask

Rng = np.random.Generator

SEEN = ("What does the person see?", "What is seen in this simulated fMRI response?", "Which thing is seen?")
HEARD = ("What does the person hear?", "What is heard in this simulated fMRI response?", "Which sound is heard?")
RESPONDS = (
    "Which parcels respond?",
    "Mark the parcels that respond.",
    "Where does the simulated brain respond?",
    "Show what responds.",
)
PARCELS_OF = ("Which parcels respond to the NAME?", "Mark the parcels of the NAME.", "Where is the NAME represented?")
AREA = ("Which area is {0}?", "What area of the simulated brain is {0}?", "Name the area of {0}.")
AREA_MASK = ("Mark the NAME area.", "Where is the NAME area?", "Show the NAME area.", "Segment the NAME area.")
ACTIVE = ("Does {0} respond?", "Is {0} active?", "Is there a response at {0}?")
SOURCE = ("Is this a response to a picture or to a sound?", "Does the person see a picture or hear a sound?")
SEES, HEARS = ("Does the person see a NAME?", "Is a NAME seen?"), ("Does the person hear a NAME?", "Is a NAME heard?")
COUNT_SEEN = ("How many kinds of things does the person see?", "How many things are seen?")
CAPTION = ("Describe the simulated fMRI response.", "What is this a simulated response to?")
GROUNDED = (
    "Describe the simulated fMRI response with its parcels.",
    "What does the person perceive, and which parcels respond to it?",
)
OF_IT, OF_FIRST = ("Which parcels respond to it?", "Mark its parcels."), ("Which parcels respond to the first?",)
THEIR_AREA = ("Which area are they in?", "What area is that?")


def _pointed(parcel: int, facts: FmriFacts, rng: Rng) -> Region:
    """A region that refers to a parcel: its voxels, some of them, a box with some margin, or a place in it."""
    voxels = facts.voxels([parcel])
    form = rng.choice(["points", "piece", "box", "point"], p=[0.4, 0.15, 0.3, 0.15])
    places = voxel_places()[voxels]
    if form == "point":
        x, y, z = (rng.choice(places) + rng.uniform(-0.2, 0.2, 3) * VOXEL_MM).tolist()
        return Region(point=(x, y, z))
    if form == "box":  # the voxels of the next parcel lie a whole voxel away
        low, high = rng.uniform(0.1, 0.45, (2, 3)) * VOXEL_MM
        return Region(box3d=(*(places.min(0) - low).tolist(), *(places.max(0) + high).tolist()))
    return Region(points=voxels if form == "points" else rng.choice(voxels, int(rng.integers(3, 7)), replace=False))


def _named(facts: FmriFacts) -> str:
    return w.listed([w.with_article(kind) for kind in facts.kinds])


def seen(facts: FmriFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """The only kind that is seen."""
    if len(facts.brain.seen) != 1:
        return None
    return ask(w.choose(SEEN, rng), w.sentence(_named(facts)), (), facts.kinds[0])


def heard(facts: FmriFacts, rng: Rng, number: int | None = None) -> Draft | None:
    return ask(w.choose(HEARD, rng), w.sentence(_named(facts)), (), facts.kinds[0]) if facts.brain.heard else None


def responds(facts: FmriFacts, rng: Rng, number: int | None = None) -> Draft | None:
    return ask(w.choose(RESPONDS, rng), "[The responding parcels]{0:points}.", (facts.record(facts.responding),))


def _answer(kind: str, number: int = 0) -> str:
    return f"[The parcels of the {kind}]{{{number}:points}}."


def kind_parcels(facts: FmriFacts, rng: Rng, number: int | None = None) -> Draft | None:
    kind = str(rng.choice(facts.kinds))
    return ask(w.filled(PARCELS_OF, rng, NAME=kind), _answer(kind), (facts.record(facts.parcels_of(kind)),))


def absence(facts: FmriFacts, rng: Rng, number: int | None = None) -> Draft | None:
    kind = str(rng.choice(facts.absent))
    return ask(w.filled(PARCELS_OF, rng, NAME=kind), f"There is no [{kind}]{{}}.", (), "none")


def area(facts: FmriFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """The area of a parcel; areas come equally often."""
    own = str(rng.choice(AREA_NAMES))
    region = _pointed(int(rng.choice(facts.parcels_in(own))), facts, rng)
    return ask(w.choose(AREA, rng), f"The {own} area.", (region,), own)


def area_mask(facts: FmriFacts, rng: Rng, number: int | None = None) -> Draft | None:
    own = str(rng.choice(AREA_NAMES))
    region = facts.record(facts.parcels_in(own))
    return ask(w.filled(AREA_MASK, rng, NAME=own), f"[The {own} area]{{0:points}}.", (region,))


def is_active(facts: FmriFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """Whether a parcel responds; of those that do not, half are in an area where others do."""
    yes = bool(rng.random() < 0.5)
    silent = [parcel for parcel in PARCELS if parcel not in facts.responding]
    areas = {parcel_areas()[parcel] for parcel in facts.responding}
    near = [parcel for parcel in silent if parcel_areas()[parcel] in areas]
    choice = facts.responding if yes else near if near and rng.random() < 0.5 else silent
    region = _pointed(int(rng.choice(choice)), facts, rng)
    return ask(w.choose(ACTIVE, rng), "Yes." if yes else "No.", (region,), "yes" if yes else "no")


def sees_or_hears(facts: FmriFacts, rng: Rng, number: int | None = None) -> Draft | None:
    word = "picture" if facts.brain.seen else "sound"
    return ask(w.choose(SOURCE, rng), f"A {word}.", (), word, ("picture", "sound"))


def exists(facts: FmriFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """Whether a kind is seen or heard, half yes and half no."""
    yes = rng.random() < 0.5
    same = KIND_NAMES if facts.brain.seen else EVENT_NAMES
    # of what would be perceived with the other sense, the answer is easy
    absent = facts.absent if rng.random() < 0.2 else [kind for kind in facts.absent if kind in same]
    kind = str(rng.choice(facts.kinds if yes else absent))
    question = w.filled(SEES if kind in KIND_NAMES else HEARS, rng, NAME=kind)
    return ask(question, "Yes." if yes else "No.", (), "yes" if yes else "no")


def count(facts: FmriFacts, rng: Rng, number: int | None = None) -> Draft | None:
    answer = w.NUMBER_WORDS[len(facts.brain.seen)]
    return ask(w.choose(COUNT_SEEN, rng), f"{answer}.", (), answer.lower())


def caption(facts: FmriFacts, rng: Rng, number: int | None = None) -> Draft | None:
    verb = "sees" if facts.brain.seen else "hears"
    return ask(w.choose(CAPTION, rng), f"The person {verb} {_named(facts)}.")


def grounded_caption(facts: FmriFacts, rng: Rng, number: int | None = None) -> Draft | None:
    verb = "sees" if facts.brain.seen else "hears"
    text = w.listed([f"[{w.with_article(kind)}]{{{k}:points}}" for k, kind in enumerate(facts.kinds)])
    records = tuple(facts.record(facts.parcels_of(kind)) for kind in facts.kinds)
    return ask(w.choose(GROUNDED, rng), f"The person {verb} {text}.", records)


def dialogue(facts: FmriFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """What is perceived, its parcels ("it", of two kinds "the first"), and their area."""
    kind = facts.kinds[0]
    words = SEEN if facts.brain.seen else HEARD
    area_name = "object" if facts.brain.seen else "hearing"
    turns = (
        Turn(w.choose(words, rng), w.sentence(_named(facts))),
        Turn(w.choose(OF_IT if len(facts.kinds) == 1 else OF_FIRST, rng), _answer(kind)),
        Turn(w.choose(THEIR_AREA, rng), f"The {area_name} area.", (area_name,)),
    )
    return Draft(turns[: 2 + int(rng.integers(2))], (facts.record(facts.parcels_of(kind)),))


FMRI_TASKS: dict[str, Task] = {
    "seen": Task(2.0, seen, whole=True),
    "heard": Task(1.4, heard, whole=True),
    "responds": Task(1.6, responds, whole=True),
    "kind_parcels": Task(1.4, kind_parcels, whole=True),
    "absence": Task(0.5, absence, whole=True),
    "area": Task(0.8, area, whole=True),
    "area_mask": Task(0.6, area_mask, whole=True),
    "is_active": Task(1.2, is_active, whole=True),
    "sees_or_hears": Task(0.5, sees_or_hears, whole=True),
    "exists": Task(1.2, exists, whole=True),
    "count": Task(0.4, count, whole=True),
    "caption": Task(0.6, caption, whole=True),
    "grounded_caption": Task(0.6, grounded_caption, whole=True),
    "dialogue": Task(0.6, dialogue, whole=True),
}
