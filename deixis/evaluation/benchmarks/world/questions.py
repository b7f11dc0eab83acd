"""Which questions the world benchmark asks: drawn from scenes of one split, the same for the same seeds and limit.

A phrase fits exactly one thing that is shown; a reasoning question names neither the thing nor the part it wants;
questions with two sides (yes and no, there and not there) are half and half. Nothing here depends on which other
questions are drawn.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from zlib import crc32

import numpy as np

from deixis.evaluation.benchmarks.world.world_metrics import PARTS, SOUNDS, THINGS, wanted
from deixis.evaluation.metrics.overlap import names_in
from deixis.geometry import Reference, parse_markup
from deixis.samples.sample import Sample
from deixis.world import wording
from deixis.world.generate import Facts, every_question, world_facts
from deixis.world.scene import scene_rng

SCENES_A_SAMPLE = 50  # after so many scenes without one, a question is not to be had
Draw = Callable[[Facts, np.random.Generator], list[Sample]]


@dataclass(frozen=True)
class Questions:
    """One kind of question: about which signal, how drawn from a scene, and which samples are kept.

    side: what must come in equal numbers, of `sides`. stream: name of the random numbers.
    """

    kind: str
    draw: Draw
    stream: str
    keep: Callable[[Sample], bool] = lambda sample: True
    side: Callable[[Sample], Hashable] = lambda sample: None
    sides: tuple[Hashable, ...] = (None,)


def every(kind: str, task: str, keep: Callable[[Sample], bool] = lambda sample: True) -> Questions:
    """Questions of one task of the world, about every thing or event that allows one."""
    return Questions(kind, lambda facts, rng: every_question(facts, rng, task), f"{kind}/{task}", keep)


def yes_or_no(kind: str) -> Questions:
    """Whether something is there."""
    return replace(every(kind, "exists"), side=wanted, sides=("yes", "no"))


def there_or_not(kind: str, present: Sequence[str]) -> Questions:
    """Asked to find or mark what is not there, and as often, by a task of `present`, what is."""

    def draw(facts: Facts, rng: np.random.Generator) -> list[Sample]:
        absent = every_question(facts, rng, "absence")
        there = [s for s in every_question(facts, rng, str(rng.choice(present))) if len(s.regions) == 1]
        return absent + there[:1]

    return Questions(kind, draw, f"{kind}/absence", side=lambda s: bool(s.regions), sides=(True, False))


def marked_instead(box_questions: Questions) -> Questions:
    """The same things by the same phrases, asked to be marked where `box_questions` asks for their box."""

    def draw(facts: Facts, rng: np.random.Generator) -> list[Sample]:
        return [_marked(sample, rng) for sample in box_questions.draw(facts, rng)]

    return replace(box_questions, draw=draw)


def _marked(sample: Sample, rng: np.random.Generator) -> Sample:
    (turn,) = sample.turns
    phrase = next(p.phrase for p in parse_markup(turn.assistant) if isinstance(p, Reference))
    user = wording.filled(wording.MASK, rng, NAME=phrase.removeprefix("The "))
    asked = replace(turn, user=user, assistant=turn.assistant.replace(":box}", ":mask}"))
    return replace(sample, id=f"{sample.id}/marked", turns=(asked,))


def alone(sample: Sample) -> bool:
    """Whether the phrase fits one event only."""
    return len(sample.regions) == 1


def unnamed(sample: Sample) -> bool:
    """Whether the question names neither the thing nor the part that its answer names."""
    names = (*THINGS, *SOUNDS, *PARTS)
    (turn,) = sample.turns
    return not set(names_in(turn.assistant, names)) & set(names_in(turn.user, names))


def draw_samples(
    questions: dict[str, Questions],
    split: str,
    limit: int,
    first_seed: int = 0,
    supersample: int = 2,
    scene_done: Callable[[int], None] = lambda samples: None,
) -> tuple[dict[str, list[Sample]], int]:
    """(`limit` samples of each of `questions`, the last seed used), scenes in order of their seeds from `first_seed`.

    `scene_done` hears, after every scene, how many samples it gave.
    """
    drawn: dict[str, list[Sample]] = {key: [] for key in questions}
    last = first_seed
    for kind in dict.fromkeys(one.kind for one in questions.values()):
        for seed in count(first_seed):
            wanting = [key for key, one in questions.items() if one.kind == kind and len(drawn[key]) < limit]
            if not wanting:
                break
            assert seed - first_seed <= SCENES_A_SAMPLE * (limit + 1), f"no more samples of {wanting[0]}"
            facts, last, before = world_facts(split, seed, kind, supersample), max(last, seed), _total(drawn)
            for key in wanting:
                one = questions[key]
                rng = scene_rng(split, seed, crc32(one.stream.encode()))
                _fill(drawn[key], one, filter(one.keep, one.draw(facts, rng)), limit)
            scene_done(_total(drawn) - before)
    return drawn, last


def _fill(drawn: list[Sample], questions: Questions, samples: Iterable[Sample], limit: int) -> None:
    """Appends samples while there is room on their side."""
    for sample in samples:
        at = questions.sides.index(questions.side(sample))
        room = (limit + len(questions.sides) - 1 - at) // len(questions.sides)
        if sum(questions.side(other) == questions.sides[at] for other in drawn) < room:
            drawn.append(sample)


def _total(drawn: dict[str, list[Sample]]) -> int:
    return sum(map(len, drawn.values()))
