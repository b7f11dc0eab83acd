"""Questions and answers about a motion trace, listed in `MOTION_TASKS`."""

from collections.abc import Sequence

import numpy as np

from deixis.samples.sample import Turn
from deixis.world.facts import MotionFacts
from deixis.world.motion import ON_FOOT, PLACES
from deixis.world.questions import wording as w
from deixis.world.questions.draft import Draft, Task, ask, counted
from deixis.world.questions.events import EventQuestions, pointed, some

Rng = np.random.Generator
STEADY_S = 1.5  # an activity that is shorter has too few steps to count them

NAME = (
    "What does the person do at {0}?",
    "What is the person doing in {0}?",
    "Which activity is {0}?",
    "What is {0}?",
    "Name the activity {0}.",
)
WHEN = ("When is the person NAME?", "When is there NAME?", "Find the NAME.", "Where in the recording is the NAME?")
MASK = ("Mark the NAME.", "Mark where the person is NAME.", "Segment the NAME in the recording.")
EXISTS = ("Is the person NAME at any time?", "Is there any NAME?", "Is there NAME in the recording?")
COUNT = ("How many activities are there?", "How many things does the person do?", "Count the activities.")
STRETCHES = ("How often is there NAME?", "How many stretches of NAME are there?", "How often is the person NAME?")
CAPTION = ("What does the person do?", "Describe the recording.", "What is in the recording?")
GROUNDED = ("What does the person do, and when?", "Describe the recording with times.", "Find all activities.")
AFTER = ("What comes after {0}?", "What does the person do after {0}?", "What follows {0}?")
BEFORE = ("What comes before {0}?", "What does the person do before {0}?")
WORN = ("Where is the sensor worn, wrist or hip?", "Is the sensor worn on the wrist or at the hip?")
WORN_ANSWERS = {"wrist": "On the wrist.", "hip": "At the hip."}
CADENCE = ("How many steps per second at {0}?", "How many steps does the person take per second in {0}?")
IT_CADENCE = ("How many steps per second is it?", "How many steps per second does it have?")
USES: dict[str, tuple[str, ...]] = {
    "standing still": ("When would a photographer get a sharp picture?", "When does the person wait?"),
    "walking": ("When does the person stroll through a park?", "When would a dog on a lead trot along?"),
    "running": ("When does the person get out of breath?", "When could the person still catch the bus?"),
    "climbing stairs": ("When does the person get to a higher floor?", "When would a lift have helped?"),
    "sitting down": ("When does the person take a seat?", "When is a chair needed?"),
    "standing up": ("When does the person leave the chair?", "When does the person get up for a guest?"),
    "jumping": ("When are both feet in the air?", "When could a rope go under the feet?"),
    "waving": ("When does the person greet somebody far away?", "When would a taxi stop?"),
    "stirring": ("When would sugar dissolve in the tea?", "When does the person hold a spoon?"),
    "clapping": ("When does the person like the concert?", "When would the hands make a sound?"),
}

ACTIVITIES = EventQuestions(
    one=str,
    the=str,
    things=("activity", "activities"),
    name_words=NAME,
    when_words=WHEN,
    mask_words=MASK,
    exists_words=EXISTS,
    count_words=COUNT,
    caption_words=CAPTION,
    grounded_words=GROUNDED,
    after_words=AFTER,
    before_words=BEFORE,
    uses=USES,
)


def count(facts: MotionFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """How many activities there are, or how often one of them, which may be absent."""
    if rng.random() < 0.5:
        return ACTIVITIES.count(facts, rng)
    kind = facts.events[some(facts, rng, None)].kind if rng.random() < 0.7 else str(rng.choice(facts.kinds))
    found = tuple(facts.record(k) for k in facts.of(kind))
    return counted(w.filled(STRETCHES, rng, NAME=kind), (kind, kind), "span", found)


def worn(facts: MotionFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """Not of a person who only stands, whose gravity says nothing of the place."""
    if all(event.kind == "standing still" for event in facts.events):
        return None
    return ask(w.choose(WORN, rng), WORN_ANSWERS[facts.worn], (), facts.worn, PLACES)


def _steps(facts: MotionFacts, number: int) -> str | None:
    """The steps per second of an activity on foot that lasts long enough, as an answer."""
    event = facts.events[number]
    if event.kind not in ON_FOOT or event.end_s - event.start_s < STEADY_S:
        return None
    return f"{event.cadence_hz:.1f}."


def cadence(facts: MotionFacts, rng: Rng, number: int | None = None) -> Draft | None:
    order = [number] if number is not None else rng.permutation(len(facts.events)).tolist()
    steps = next(((i, answer) for i in order if (answer := _steps(facts, i))), None)
    if steps is None:
        return None
    i, answer = steps
    return ask(w.choose(CADENCE, rng), answer, (pointed(facts, i, rng),), answer.rstrip("."))


def dialogue(facts: MotionFacts, rng: Rng, number: int | None = None) -> Draft:
    """What a person does at a region, then two questions about "it", also about the steps per second."""

    def its_steps(i: int) -> Sequence[Turn]:
        answer = _steps(facts, i)
        return [Turn(w.choose(IT_CADENCE, rng), answer, (answer.rstrip("."),))] if answer is not None else []

    return ACTIVITIES.dialogue(facts, rng, number, its_steps)


MOTION_TASKS: dict[str, Task] = {
    "name": Task(2.0, ACTIVITIES.name),
    "event_span": Task(2.6, ACTIVITIES.event_span),
    "event_mask": Task(1.0, ACTIVITIES.event_mask),
    "reasoning": Task(1.0, ACTIVITIES.reasoning),
    "exists": Task(1.2, ACTIVITIES.exists, whole=True),
    "absence": Task(0.4, ACTIVITIES.absence, whole=True),
    "count": Task(0.5, count, whole=True),
    "order": Task(0.7, ACTIVITIES.order),
    "worn": Task(0.5, worn, whole=True),
    "cadence": Task(0.8, cadence),
    "caption": Task(0.5, ACTIVITIES.caption, whole=True),
    "grounded_caption": Task(0.8, ACTIVITIES.grounded_caption, whole=True),
    "dialogue": Task(0.6, dialogue),
}
