"""Questions about events in time, the same of sounds and of activities: a method per task, and the words as fields."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deixis.geometry import Region
from deixis.samples.sample import Turn
from deixis.world.facts import EventFacts
from deixis.world.questions import wording as w
from deixis.world.questions.draft import Draft, ask, counted, numbered

Rng = np.random.Generator
Wordings = tuple[str, ...]
IT_MASK, IT_SPAN = ("Mark it.", "Segment it."), ("When is it?", "When does it begin and end?")
AFTER_IT, BEFORE_IT = ("What comes after it?", "What follows it?"), ("What comes before it?",)


@dataclass(frozen=True)
class EventQuestions:
    """The questions of one modality. one, the: an event in an answer, "a bell" and "the bell"; things: one event and
    several, without their kind; the rest are wordings.

    uses: of implicit questions, by kind.
    """

    one: Callable[[str], str]
    the: Callable[[str], str]
    things: tuple[str, str]
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
        marks = numbered(len(same))
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
        """How many events there are; the answer gives the time of each before it says the number."""
        found = tuple(facts.record(k) for k in facts.pointable)
        return counted(w.choose(self.count_words, rng), self.things, "span", found)

    def order(self, facts: EventFacts, rng: Rng, number: int | None = None) -> Draft | None:
        """Which event comes next, or came before; the answer first names the one that the region shows."""
        i, later = some(facts, rng, number), rng.random() < 0.5
        question = w.choose(self.after_words if later else self.before_words, rng)
        regions = pointed(facts, i, rng), facts.record(i)
        own = f"{'After' if later else 'Before'} [{self.the(facts.events[i].kind)}]{{1:span}} comes"
        if (j := beside(facts, i, later)) is None:
            return ask(question, f"{own} nothing.", regions, "nothing")
        kind = facts.events[j].kind
        return ask(question, f"{own} [{self.one(kind)}]{{2:span}}.", (*regions, facts.record(j)), kind)

    def dialogue(
        self,
        facts: EventFacts,
        rng: Rng,
        number: int | None = None,
        more: Callable[[int], Sequence[Turn]] = lambda number: (),
    ) -> Draft:
        """What a region shows, then two questions that refer to it as "it", of `more` about the event too."""
        i, later = some(facts, rng, number), bool(rng.random() < 0.5)
        kind, j = facts.events[i].kind, beside(facts, i, later)
        first = Turn(w.choose(self.name_words, rng), w.sentence(self.one(kind)), (kind,))
        other = "nothing" if j is None else facts.events[j].kind
        beside_it = w.sentence(other if j is None else self.one(other))
        follow = [
            Turn(w.choose(IT_MASK, rng), w.sentence(f"[{self.the(kind)}]{{1:mask}}")),
            Turn(w.choose(IT_SPAN, rng), w.sentence(f"[{self.the(kind)}]{{1:span}}")),
            Turn(w.choose(AFTER_IT if later else BEFORE_IT, rng), beside_it, (other,)),
            *more(i),
        ]
        chosen = tuple(follow[k] for k in rng.permutation(len(follow))[:2])
        region = pointed(facts, i, rng)
        marked = any("{1:" in turn.assistant for turn in chosen)
        return Draft((first, *chosen), (region, facts.record(i)) if marked else (region,))

    def caption(self, facts: EventFacts, rng: Rng, number: int | None = None) -> Draft | None:
        text = w.listed([self.one(event.kind) for event in facts.events])
        return ask(w.choose(self.caption_words, rng), w.sentence(text))

    def grounded_caption(self, facts: EventFacts, rng: Rng, number: int | None = None) -> Draft | None:
        text = w.listed([f"[{self.one(event.kind)}]{{{k}:span}}" for k, event in enumerate(facts.events)])
        records = tuple(facts.record(k) for k in facts.pointable)
        return ask(w.choose(self.grounded_words, rng), w.sentence(text), records)


def beside(facts: EventFacts, number: int, later: bool) -> int | None:
    """The event next to another in time; None where there is none."""
    other = number + 1 if later else number - 1
    return other if 0 <= other < len(facts.events) else None


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
