"""Dialogues about an image and its regions, written by a language model that knows the image in symbols.

As in GRIT (Ferret: You et al., ICLR 2024): several turns, in which the person points at objects and the
assistant marks what it names, at four levels: single objects, relations, descriptions, reasoning about regions. What
the model writes is checked (`written.py`); what fails is asked for once more, then skipped, and both are counted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args, no_type_check

from deixis.datasets.annotated import Annotated
from deixis.errors import ConfigError, DataError, DeixisError
from deixis.geometry import numbers_in, renumbered, to_markup
from deixis.options import Count, check_fields
from deixis.samples.consistency import shown
from deixis.samples.rng import rng_for
from deixis.samples.sample import Sample, Skipped, Turn
from deixis.synthesis.annotators import Annotators, ChatClient
from deixis.synthesis.text.llm_queries import json_object, map_until_quota, query_checked
from deixis.synthesis.text.prompts import prompt
from deixis.synthesis.text.scene_text import Scene, build_scene
from deixis.synthesis.text.text_checks import (
    Pieces,
    check_answer,
    check_question,
    references,
    written,
)

Kind = Literal["objects", "relations", "descriptions", "reasoning"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MIN_RELATED = 2  # objects that a dialogue about relations must mark


@no_type_check
@dataclass(frozen=True)
class DialoguesOptions:
    """kinds: levels to write at; an item has at most one dialogue of each. max_objects: the largest are shown to the
    writer. min_objects: fewer make no dialogue. at_once: requests under way."""

    kinds: tuple[Kind, ...] = KINDS
    max_objects: Count = 16
    min_objects: Count = 2
    min_turns: Count = 2
    max_turns: Count = 6
    max_question_words: Count = 60
    max_answer_words: Count = 150
    at_once: Count = 8

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.kinds or len(set(self.kinds)) != len(self.kinds):
            raise ConfigError(f"kinds: expected some of {', '.join(KINDS)}, each once; got {list(self.kinds)}")
        for name in ("objects", "turns"):
            low, high = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if low > high:
                raise ConfigError(f"max_{name}: expected at least min_{name}, which is {low}; got {high}")


def make(
    items: Sequence[Annotated | Sample], quota: int, seed: str, annotators: Annotators, options: DialoguesOptions
) -> Iterator[Sample | Skipped]:
    """Up to `quota` dialogues; each item gives one, of a kind drawn at random, then one of another kind, and so on.

    Raises DataError without a language model, and errors of `deixis.language.endpoint.STOPS_ALL` as they come.
    """
    ask = annotators.open("language", "dialogues")
    first = {item.id: int(rng_for(seed, item.id, "dialogue").integers(len(options.kinds))) for item in items}
    jobs = (
        (item, options.kinds[(first[item.id] + turn) % len(options.kinds)])
        for turn in range(len(options.kinds))
        for item in items
    )
    work = partial(_dialogue, ask, options)
    yield from map_until_quota(work, jobs, options.at_once, quota)


def _dialogue(
    ask: ChatClient, options: DialoguesOptions, job: tuple[Annotated | Sample, str]
) -> list[Sample | Skipped]:
    """What was refused on the way, then the dialogue, if there is one."""
    item, kind = job
    try:
        scene = build_scene(item, options.max_objects)
        if len(scene.shown) < options.min_objects:
            raise DataError(f"expected at least {options.min_objects} objects to speak of, got {len(scene.shown)}")
    except DeixisError as error:
        return [Skipped(item.id, str(error))]
    messages = prompt(f"dialogues/{kind}").messages(scene.text)
    turns, refused = query_checked(ask, messages, partial(_checked, scene, kind, options), item.id)
    return [*refused, *([] if turns is None else [_sample(scene, kind, turns)])]


def _checked(scene: Scene, kind: str, options: DialoguesOptions, text: str) -> list[tuple[Pieces, Pieces]]:
    """The turns of an answer, in pieces. Raises DataError unless all of it can be used."""
    records = json_object(text, "turns")["turns"]
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise DataError(f"turns: expected a list of objects with 'user' and 'assistant', got {shown(records)}")
    if not options.min_turns <= len(records) <= options.max_turns:
        raise DataError(f"turns: expected {options.min_turns} to {options.max_turns}, got {len(records)}")
    turns = []
    for number, record in enumerate(records):
        question = written(f"turns[{number}]", record, "user", scene, options.max_question_words)
        answer = written(f"turns[{number}]", record, "assistant", scene, options.max_answer_words)
        check_question(f"turns[{number}].user", question)
        check_answer(f"turns[{number}].assistant", answer)
        turns.append((question, answer))
    _check_whole(kind, turns)
    return turns


def _check_whole(kind: str, turns: list[tuple[Pieces, Pieces]]) -> None:
    """The dialogue points both ways, repeats nothing, and speaks of as many objects as its kind must."""
    asked = [to_markup(question).casefold() for question, _ in turns]
    if len(set(asked)) != len(asked):
        raise DataError("turns: expected no question twice")
    if not any(references(question) for question, _ in turns):
        raise DataError("turns: expected a question that points at a thing, as in {0}, got none")
    if not any(references(answer) for _, answer in turns):
        raise DataError("turns: expected an answer that marks what it names, as in [a dog]{0}, got none")
    if kind == "relations" and len(numbers_in(*(side for turn in turns for side in turn))) < MIN_RELATED:
        raise DataError("turns: expected relations between things, got marks of a single one")


def _sample(scene: Scene, kind: str, turns: list[tuple[Pieces, Pieces]]) -> Sample:
    item = scene.item
    used = numbers_in(*(side for turn in turns for side in turn))
    number_of = {number: region for region, number in enumerate(used)}
    return Sample(
        id=f"{item.id}/dialogue-{kind}",
        source=item.source,
        task=f"dialogue-{kind}",
        split=item.split,
        turns=tuple(Turn(renumbered(question, number_of), renumbered(answer, number_of)) for question, answer in turns),
        signals=item.signals,
        regions=tuple(scene.obj(number).region for number in used),
        licence=item.licence,
        author="model",
    )
