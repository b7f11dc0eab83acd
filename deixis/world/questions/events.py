"""Questions about events in time, the same of sounds and of activities: a method per task, and the words as fields."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from deixis.geometry import Region
from deixis.samples.sample import Turn
from deixis.world.facts import EventFacts
from deixis.world.questions import wording as w
from deixis.world.questions.draft import Draft, ask

Rng = np.random.Generator
Wordings = tuple[str, ...]


@dataclass(frozen=True)
class EventQuestions:
    """The questions of one modality. one, the: an event in an answer, "a bell" and "the bell"; the rest are wordings.

    uses: of implicit questions, by kind.
    """

    one: Callable[[str], str]
    the: Callable[[str], str]
    name_words: Wordings
    when_words: Wordings
    mask_words: Wordings
    exists_words: Wordings
    count_words: Wordings
    caption_words: Wordings
    grounded_words: Wordings
    after_words: Wordings
    before_words: Wordings
    uses: Mapping[str, Wordings]

    def name(self, facts: EventFacts, rng: Rng, number: int | None = None) -> Draft | None:
        i = some(facts, rng, number)
        kind = facts.events[i].kind
        return ask(w.choose(self.name_words, rng), w.sentence(self.one(kind)), (pointed(facts, i, rng),), kind)

    def event_span(self, facts: EventFacts, rng: Rng, number: int | None = None) -> Draft | None:
        """All events of one kind, as one phrase."""
        return self._located(facts, rng, some(facts, rng, number), self.when_words, "span")

    def event_mask(self, facts: EventFacts, rng: Rng, number: int | None = None) -> Draft | None:
        i = some(facts, rng, number)
        if len(facts.of(facts.events[i].kind)) > 1:
            return None
        return self._located(facts, rng, i, self.mask_words, "mask")

    def _located(self, facts: EventFacts, rng: Rng, number: int, words: Wordings, form: str) -> Draft:
        kind = facts.events[number].kind
        same = facts.of(kind)
        marks = ",".join(str(k) for k in range(len(same)))
        records = tuple(facts.record(i) for i in same)
        return ask(w.filled(words, rng, NAME=kind), w.sentence(f"[{self.the(kind)}]{{{marks}:{form}}}"), records)

    def reasoning(self, facts: EventFacts, rng: Rng, number: int | None = None) -> Draft | None:
        """An implicit question that fits one event."""
        i = some(facts, rng, number)
        kind = facts.events[i].kind
        if len(facts.of(kind)) > 1:
            return None
        answer = w.sentence(f"[{self.the(kind)}]{{0:mask}}")
        return ask(w.choose(self.uses[kind], rng), answer, (facts.record(i),))

    def exists(self, facts: EventFacts, rng: Rng, number: int | None = None) -> Draft | None:
        yes = rng.random() < 0.5
        absent = [kind for kind in facts.kinds if not facts.of(kind)]
        i = some(facts, rng, None) if yes else None
        kind = str(rng.choice(absent)) if i is None else facts.events[i].kind
        records = () if i is None else (facts.record(i),)
        question = w.filled(self.exists_words, rng, NAME=kind)
        return ask(question, "Yes." if yes else "No.", records, "yes" if yes else "no")

    def absence(self, facts: EventFacts, rng: Rng, number: int | None = None) -> Draft | None:
        kind = str(rng.choice([kind for kind in facts.kinds if not facts.of(kind)]))
        return ask(w.filled(self.when_words, rng, NAME=kind), f"There is no [{kind}]{{}}.", (), "none")

    def count(self, facts: EventFacts, rng: Rng, number: int | None = None) -> Draft | None:
        answer = w.NUMBER_WORDS[len(facts.events)]
        return ask(w.choose(self.count_words, rng), f"{answer}.", (), answer.lower())

    def order(self, facts: EventFacts, rng: Rng, number: int | None = None) -> Draft | None:
        """Which event comes next, or came before."""
        i, later = some(facts, rng, number), rng.random() < 0.5
        turn = self.beside(facts, rng, i, later, self.after_words if later else self.before_words)
        return Draft((turn,), (pointed(facts, i, rng),))

    def beside(self, facts: EventFacts, rng: Rng, number: int, later: bool, words: Wordings) -> Turn:
        """The turn about what comes next to an event."""
        j = number + 1 if later else number - 1
        there = 0 <= j < len(facts.events)
        kind = facts.events[j].kind if there else "nothing"
        return Turn(w.choose(words, rng), w.sentence(self.one(kind)) if there else "Nothing.", (kind,))

    def caption(self, facts: EventFacts, rng: Rng, number: int | None = None) -> Draft | None:
        text = w.listed([self.one(event.kind) for event in facts.events])
        return ask(w.choose(self.caption_words, rng), w.sentence(text))

    def grounded_caption(self, facts: EventFacts, rng: Rng, number: int | None = None) -> Draft | None:
        text = w.listed([f"[{self.one(event.kind)}]{{{k}:span}}" for k, event in enumerate(facts.events)])
        records = tuple(facts.record(k) for k in facts.pointable)
        return ask(w.choose(self.grounded_words, rng), w.sentence(text), records)


def pointed(facts: EventFacts, number: int, rng: Rng) -> Region:
    """The span of an event with both ends jittered by up to 8 %, or an instant inside it."""
    event = facts.events[number]
    length_s = event.end_s - event.start_s
    if rng.random() < 0.2:
        return Region(point=(float(event.start_s + length_s * rng.uniform(0.15, 0.7)),))
    shift_s = rng.uniform(-0.08, 0.08, 2) * length_s
    end_s = min(event.end_s + shift_s[1], facts.duration_s)
    return Region(span=(float(max(event.start_s + shift_s[0], 0.0)), float(end_s)))


def some(facts: EventFacts, rng: Rng, number: int | None) -> int:
    """`number`, or that of a random event."""
    return number if number is not None else int(rng.integers(len(facts.events)))
