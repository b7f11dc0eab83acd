"""The questions of the world benchmark: sampled from scenes of one split, the same for the same seeds and limit.

A referring phrase fits exactly one visible object; an implicit question names neither the object nor the part that it
asks for; two-sided questions (yes and no, present and absent) are balanced. Each question source has its own random
stream, so its questions do not depend on which other sources are sampled.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from zlib import crc32

import numpy as np

from deixis.evaluation.benchmarks.world.world_metrics import ACTIVITIES, OBJECTS, SOUNDS, expected_word, labels_in
from deixis.evaluation.metrics.answer_text import find_names
from deixis.geometry import Reference, named_regions, parse_markup
from deixis.samples.sample import Sample
from deixis.world.facts import Facts
from deixis.world.generate import every_question, world_facts
from deixis.world.objects import PART_NAMES
from deixis.world.questions import wording
from deixis.world.scene import held_out, scene_rng

MAX_SCENES_PER_SAMPLE = 50
"""After this many scenes per sample without a question, its source is broken."""


@dataclass(frozen=True)
class QuestionSource:
    """One type of question: what it is about, how it is sampled from a scene, and which samples are kept.

    subject: a key of `deixis.world.generate.WORLD`. stream: the name of its random stream.
    stratum: the value of a sample that is balanced over all of `strata`.
    """

    subject: str
    draw: Callable[[Facts, np.random.Generator], list[Sample]]
    stream: str
    keep: Callable[[Sample], bool] = lambda sample: True
    stratum: Callable[[Sample], Hashable] = lambda sample: None
    strata: tuple[Hashable, ...] = (None,)


def every(subject: str, task: str, keep: Callable[[Sample], bool] = lambda sample: True) -> QuestionSource:
    """Questions of one task of the world, about every object or event that permits one."""
    return QuestionSource(subject, lambda facts, rng: every_question(facts, rng, task), f"{subject}/{task}", keep)


def yes_or_no(subject: str, task: str = "exists") -> QuestionSource:
    """Whether an object is present, or another question of which half the answers are yes and half no."""
    return replace(every(subject, task), stratum=expected_word, strata=("yes", "no"))


def present_or_absent(subject: str, present_tasks: Sequence[str]) -> QuestionSource:
    """Requests to ground an absent object and, as often, a present one (by one of `present_tasks`)."""

    def draw(facts: Facts, rng: np.random.Generator) -> list[Sample]:
        absent = every_question(facts, rng, "absence")
        present = [s for s in every_question(facts, rng, str(rng.choice(present_tasks))) if len(s.regions) == 1]
        return absent + present[:1]

    has_region = lambda sample: bool(sample.regions)  # noqa: E731
    return QuestionSource(subject, draw, f"{subject}/absence", stratum=has_region, strata=(True, False))


def as_mask_requests(box_questions: QuestionSource) -> QuestionSource:
    """Requests for the masks of the objects whose boxes `box_questions` asks for, by the same phrases."""

    def draw(facts: Facts, rng: np.random.Generator) -> list[Sample]:
        return [_as_mask_request(sample, rng) for sample in box_questions.draw(facts, rng)]

    return replace(box_questions, draw=draw)


def _as_mask_request(sample: Sample, rng: np.random.Generator) -> Sample:
    (turn,) = sample.turns
    phrase = next(piece.phrase or "" for piece in parse_markup(turn.assistant) if isinstance(piece, Reference))
    user = wording.filled(wording.MASK, rng, NAME=phrase.removeprefix("The "))
    request = replace(turn, user=user, assistant=turn.assistant.replace(":box}", ":mask}"))
    return replace(sample, id=f"{sample.id}/marked", turns=(request,))


def has_a_region(sample: Sample) -> bool:
    """Whether there is something to point at."""
    return bool(sample.regions)


def has_one_region(sample: Sample) -> bool:
    """Whether the phrase fits one event only."""
    return len(sample.regions) == 1


def pointed_by(form: str) -> Callable[[Sample], bool]:
    """Whether the region of the question is given in this form: box, point or mask."""
    return lambda sample: sample.regions[0].form == form


def is_unseen(sample: Sample) -> bool:
    """Whether kind and colour of the object that the answer names never came together in training."""
    ((colour, kind),) = labels_in(sample.turns[-1].assistant)
    return held_out(kind, colour or "")


def ends_with_word(sample: Sample) -> bool:
    """Whether a conversation ends with a question for a word."""
    return bool(sample.turns[-1].references)


def ends_with_mask(sample: Sample) -> bool:
    """Whether a conversation ends with a request for a mask."""
    return ":mask}" in sample.turns[-1].assistant


def ends_with_region(sample: Sample) -> bool:
    """Whether the last answer of a conversation points at something."""
    return bool(named_regions(sample.turns[-1].assistant))


def is_implicit(sample: Sample) -> bool:
    """Whether the question names neither the object nor the part that its answer names."""
    names = (*OBJECTS, *SOUNDS, *ACTIVITIES, *PART_NAMES)
    (turn,) = sample.turns
    return not set(find_names(turn.assistant, names)) & set(find_names(turn.user, names))


def sample_questions(
    sources: dict[str, QuestionSource],
    split: str,
    limit: int,
    first_seed: int = 0,
    supersample: int = 2,
) -> tuple[dict[str, list[Sample]], int]:
    """(`limit` samples per source, the last seed used), from scenes in order of their seeds from `first_seed`."""
    drawn: dict[str, list[Sample]] = {key: [] for key in sources}
    last = first_seed
    for subject in dict.fromkeys(source.subject for source in sources.values()):
        for seed in count(first_seed):
            unfinished = [key for key, one in sources.items() if one.subject == subject and len(drawn[key]) < limit]
            if not unfinished:
                break
            assert seed - first_seed <= MAX_SCENES_PER_SAMPLE * (limit + 1), f"no more samples of {unfinished[0]}"
            facts, last = world_facts(split, seed, subject, supersample), max(last, seed)
            for key in unfinished:
                source = sources[key]
                rng = scene_rng(split, seed, crc32(source.stream.encode()))
                _fill(drawn[key], source, filter(source.keep, source.draw(facts, rng)), limit)
    return drawn, last


def _fill(drawn: list[Sample], source: QuestionSource, samples: Iterable[Sample], limit: int) -> None:
    """Appends samples while their stratum is not full."""
    for sample in samples:
        at = source.strata.index(source.stratum(sample))
        # An odd limit cannot be divided equally: the first strata get one more.
        capacity = (limit + len(source.strata) - 1 - at) // len(source.strata)
        if sum(source.stratum(other) == source.strata[at] for other in drawn) < capacity:
            drawn.append(sample)
