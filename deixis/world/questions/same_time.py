"""Questions about two signals in time that share a clock: what happens in one while something happens in the other."""

from collections.abc import Iterator

import numpy as np

from deixis.world.facts import EventFacts
from deixis.world.pairs import PairFacts
from deixis.world.questions import wording as w
from deixis.world.questions.draft import Draft, Task, ask, numbered, on, yes_no
from deixis.world.questions.events import pointed

Rng = np.random.Generator
MARGIN_S = 0.25
"""An event counts as within another where it ends so much before; where one cuts the other nothing is asked."""

DOING = ("What does the person do during {0}?", "What is the person doing at {0}?", "Which activity goes on at {0}?")
DOING_NAMED = ("What does the person do while you hear the NAME?", "What is the person doing during the NAME?")
HEARD_WHILE = ("What do you hear while the person is NAME?", "Which sounds come during the NAME?")
IS_HEARD = ("Do you hear a SOUND while the person is NAME?", "Is there a SOUND during the NAME?")


def _within(facts: PairFacts) -> Iterator[tuple[int, int]]:
    """(sound, activity) wherever a sound lies within an activity."""
    sounds, activities = facts.of(EventFacts, EventFacts)
    for i, sound in enumerate(sounds.events):
        for j, activity in enumerate(activities.events):
            if activity.start_s + MARGIN_S <= sound.start_s and sound.end_s <= activity.end_s - MARGIN_S:
                yield i, j


def _apart(facts: PairFacts, activity: int) -> bool:
    """Whether every sound lies within this activity or well outside, so that what is heard during it is clear."""
    sounds, activities = facts.of(EventFacts, EventFacts)
    own = activities.events[activity]
    within = {i for i, j in _within(facts) if j == activity}
    return all(
        i in within or sound.end_s <= own.start_s - MARGIN_S or sound.start_s >= own.end_s + MARGIN_S
        for i, sound in enumerate(sounds.events)
    )


def doing(facts: PairFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """The activity during a sound, which is pointed at, or named where it comes once."""
    sounds, activities = facts.of(EventFacts, EventFacts)
    if not (pairs := list(_within(facts))):
        return None
    i, j = pairs[int(rng.integers(len(pairs)))]
    sound, kind = sounds.events[i].kind, activities.events[j].kind
    where = on(1, activities.record(j))
    if len(sounds.of(sound)) == 1 and rng.random() < 0.5:
        return ask(w.filled(DOING_NAMED, rng, NAME=sound), w.sentence(f"[{kind}]{{0:span}}"), (where,), kind)
    return ask(w.choose(DOING, rng), w.sentence(f"[{kind}]{{1:span}}"), (pointed(sounds, i, rng), where), kind)


def _single_activities(facts: PairFacts) -> list[int]:
    """Activities that come once and that no sound cuts."""
    _, activities = facts.of(EventFacts, EventFacts)
    return [j for j, event in enumerate(activities.events) if len(activities.of(event.kind)) == 1 and _apart(facts, j)]


def heard_while(facts: PairFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """The sounds during an activity that comes once, with their spans; nothing where there is none."""
    sounds, activities = facts.of(EventFacts, EventFacts)
    if not (single := _single_activities(facts)):
        return None
    j = int(rng.choice(single))
    question = w.filled(HEARD_WHILE, rng, NAME=activities.events[j].kind)
    inside = [i for i, own in _within(facts) if own == j]
    if not inside:
        return ask(question, "Nothing.", (), "nothing")
    names = [w.with_article(sounds.events[i].kind) for i in inside]
    text = w.listed([f"[{name}]{{{k}:span}}" for k, name in enumerate(names)])
    return ask(question, w.sentence(text), tuple(sounds.record(i) for i in inside), sounds.events[inside[0]].kind)


def is_heard(facts: PairFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """Whether a sound of the clip comes during an activity, half yes and half no; the answer says when both are."""
    sounds, activities = facts.of(EventFacts, EventFacts)
    wanted = bool(rng.random() < 0.5)
    found = []
    for j in _single_activities(facts):
        inside = {sounds.events[i].kind for i, own in _within(facts) if own == j}
        kinds = {event.kind for event in sounds.events}
        found += [(j, kind) for kind in sorted(inside if wanted else kinds - inside)]
    if not found:
        return None
    j, kind = found[int(rng.integers(len(found)))]
    activity, times = activities.events[j].kind, sounds.of(kind)
    marks = numbered(len(times), first=1)
    regions = on(1, activities.record(j)), *(sounds.record(i) for i in times)
    seen = f"[{activity}]{{0:span}} and [the {kind}]{{{marks}:span}}"
    return yes_no(w.filled(IS_HEARD, rng, SOUND=kind, NAME=activity), wanted, regions, seen)


AUDIO_IMU_TASKS: dict[str, Task] = {
    "doing": Task(2.0, doing, whole=True),
    "heard_while": Task(1.0, heard_while, whole=True),
    "is_heard": Task(1.0, is_heard, whole=True),
}
