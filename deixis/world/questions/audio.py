"""Questions and answers about an audio clip: one function per task, listed in `AUDIO_TASKS`."""

import numpy as np

from deixis.geometry import Region
from deixis.world.audio import EVENT_NAMES
from deixis.world.facts import AudioFacts
from deixis.world.questions import wording as w
from deixis.world.questions.draft import Draft, Task, ask

Rng = np.random.Generator


def pointed(facts: AudioFacts, number: int, rng: Rng) -> Region:
    """The span of an event with both ends jittered by up to 8 %, or an instant inside it."""
    event = facts.sound.events[number]
    length_s = event.end_s - event.start_s
    if rng.random() < 0.2:
        return Region(point=(float(event.start_s + length_s * rng.uniform(0.15, 0.7)),))
    shift_s = rng.uniform(-0.08, 0.08, 2) * length_s
    end_s = min(event.end_s + shift_s[1], facts.sound.duration_s)
    return Region(span=(float(max(event.start_s + shift_s[0], 0.0)), float(end_s)))


def _some(facts: AudioFacts, rng: Rng, number: int | None) -> int:
    return number if number is not None else int(rng.integers(len(facts.sound.events)))


def _kind(facts: AudioFacts, number: int) -> str:
    return facts.sound.events[number].kind


def name(facts: AudioFacts, rng: Rng, number: int | None = None) -> Draft | None:
    i = _some(facts, rng, number)
    kind = _kind(facts, i)
    return ask(w.choose(w.HEARD, rng), w.sentence(w.with_article(kind)), (pointed(facts, i, rng),), kind)


def event_span(facts: AudioFacts, rng: Rng, number: int | None = None, wording=w.WHEN, form="span") -> Draft | None:
    """All events of one kind, as one phrase."""
    kind = _kind(facts, _some(facts, rng, number))
    same = facts.of(kind)
    marks = ",".join(str(k) for k in range(len(same)))
    records = tuple(facts.record(i) for i in same)
    return ask(w.filled(wording, rng, NAME=kind), f"[The {kind}]{{{marks}:{form}}}.", records)


def event_mask(facts: AudioFacts, rng: Rng, number: int | None = None) -> Draft | None:
    i = _some(facts, rng, number)
    return event_span(facts, rng, i, w.SOUND_MASK, "mask") if len(facts.of(_kind(facts, i))) == 1 else None


def reasoning(facts: AudioFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """An implicit question about the source of a sound event."""
    i = _some(facts, rng, number)
    kind = _kind(facts, i)
    if len(facts.of(kind)) > 1:
        return None
    return ask(w.choose(w.SOUND_USES[kind], rng), f"[The {kind}]{{0:mask}}.", (facts.record(i),))


def exists(facts: AudioFacts, rng: Rng, number: int | None = None) -> Draft | None:
    yes = rng.random() < 0.5
    absent = [kind for kind in EVENT_NAMES if not facts.of(kind)]
    i = _some(facts, rng, None) if yes else None
    kind = str(rng.choice(absent)) if i is None else _kind(facts, i)
    records = () if i is None else (facts.record(i),)
    return ask(w.filled(w.SOUND_EXISTS, rng, NAME=kind), "Yes." if yes else "No.", records, "yes" if yes else "no")


def absence(facts: AudioFacts, rng: Rng, number: int | None = None) -> Draft | None:
    kind = str(rng.choice([kind for kind in EVENT_NAMES if not facts.of(kind)]))
    return ask(w.filled(w.WHEN, rng, NAME=kind), f"There is no [{kind}]{{}}.", (), "none")


def count(facts: AudioFacts, rng: Rng, number: int | None = None) -> Draft | None:
    answer = w.NUMBER_WORDS[len(facts.sound.events)]
    return ask(w.choose(w.SOUND_COUNT, rng), f"{answer}.", (), answer.lower())


def order(facts: AudioFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """Which event comes next, or came before."""
    i, later = _some(facts, rng, number), rng.random() < 0.5
    j = i + 1 if later else i - 1
    there = 0 <= j < len(facts.sound.events)
    answer = w.sentence(w.with_article(_kind(facts, j))) if there else "Nothing."
    word = _kind(facts, j) if there else "nothing"
    return ask(w.choose(w.AFTER if later else w.BEFORE, rng), answer, (pointed(facts, i, rng),), word)


def caption(facts: AudioFacts, rng: Rng, number: int | None = None) -> Draft | None:
    text = w.listed([w.with_article(event.kind) for event in facts.sound.events])
    return ask(w.choose(w.SOUND_CAPTION, rng), w.sentence(text))


def grounded_caption(facts: AudioFacts, rng: Rng, number: int | None = None) -> Draft | None:
    events = facts.sound.events
    text = w.listed([f"[{w.with_article(event.kind)}]{{{k}:span}}" for k, event in enumerate(events)])
    records = tuple(facts.record(k) for k in range(len(events)))
    return ask(w.choose(w.SOUND_GROUNDED, rng), w.sentence(text), records)


AUDIO_TASKS: dict[str, Task] = {
    "name": Task(2.0, name),
    "event_span": Task(3.2, event_span),
    "event_mask": Task(1.0, event_mask),
    "reasoning": Task(1.0, reasoning),
    "exists": Task(1.4, exists, whole=True),
    "absence": Task(0.4, absence, whole=True),
    "count": Task(0.5, count, whole=True),
    "order": Task(0.7, order),
    "caption": Task(0.5, caption, whole=True),
    "grounded_caption": Task(0.8, grounded_caption, whole=True),
}
