"""Questions that need a thought and whose answer is one mask or several, written by a language model.

After LISA (Lai et al., CVPR 2024): the question never names what it asks for; the answer marks it, and
some answers say why, at once or when asked. The model knows the image in symbols, and only objects with masks can be
meant. What it writes is checked; what fails is asked for once more, then skipped, and both are counted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import no_type_check

import numpy as np

from deixis.datasets.annotated import Annotated, Object
from deixis.errors import ConfigError, DataError, DeixisError
from deixis.geometry import numbers_in, renumbered, to_markup, without_references
from deixis.language.english import head_noun, same_noun, words_of
from deixis.options import Count, NonNegative, check_fields
from deixis.samples.consistency import shown
from deixis.samples.rng import rng_for
from deixis.samples.sample import Sample, Skipped, Turn
from deixis.synthesis.annotators import Annotators, ChatClient
from deixis.synthesis.text.llm_queries import LEFT_OUT, UnusableAnswer, json_object, map_until_quota, query_checked
from deixis.synthesis.text.prompts import Prompt, prompt
from deixis.synthesis.text.scene_text import Scene, build_scene
from deixis.synthesis.text.text_checks import (
    Pieces,
    check_answer,
    check_question,
    references,
    written,
)

MASK = "mask"


@no_type_check
@dataclass(frozen=True)
class ReasoningOptions:
    """questions: asked for of one image. explained: the share of answers that say why at once; asked_why: that say it
    when asked; the others do not. follow_ups: whether a further exchange that the model wrote is kept. max_objects:
    shown to the writer, the largest. at_once: requests under way."""

    questions: Count = 3
    explained: NonNegative = 0.35
    asked_why: NonNegative = 0.2
    follow_ups: bool = True
    max_objects: Count = 16
    max_question_words: Count = 60
    max_answer_words: Count = 60
    max_explanation_words: Count = 80
    at_once: Count = 8

    def __post_init__(self) -> None:
        check_fields(self)
        if self.explained + self.asked_why > 1:
            shares = f"{self.explained} and {self.asked_why}"
            raise ConfigError(f"explained, asked_why: expected shares, together at most 1; got {shares}")


@dataclass(frozen=True)
class ImplicitQuestion:
    """A question that has passed: its pieces, and the numbers of the scene that it means."""

    question: Pieces
    answer: Pieces
    explanation: str
    follow_up: tuple[Pieces, Pieces] | None


def make(
    items: Sequence[Annotated | Sample], quota: int, seed: str, annotators: Annotators, options: ReasoningOptions
) -> Iterator[Sample | Skipped]:
    """Up to `quota` samples, a question each; an item gives up to `options.questions`.

    Raises DataError without a language model, and errors of `deixis.language.endpoint.STOPS_ALL` as they come.
    """
    work = partial(_questions, annotators.open("language", "reasoning"), seed, options)
    yield from map_until_quota(work, items, options.at_once, quota)


def _questions(
    ask: ChatClient, seed: str, options: ReasoningOptions, item: Annotated | Sample
) -> list[Sample | Skipped]:
    """What was refused on the way, then the samples of an item."""
    try:
        scene = build_scene(item, options.max_objects, usable=_has_mask)
    except DeixisError as error:
        return [Skipped(item.id, f"{error} (with a mask)")]
    own = prompt("reasoning")
    messages = own.messages(f"{scene.text}\n\nWrite {options.questions} questions.")
    found, refused = query_checked(ask, messages, partial(_checked, scene, options), item.id)
    accepted, complaints = found or ([], [])
    left_out = [Skipped(item.id, f"{LEFT_OUT}: {complaint}") for complaint in complaints]
    return [*refused, *left_out, *(_sample(scene, n, found, own, seed, options) for n, found in enumerate(accepted))]


def _has_mask(obj: Object) -> bool:
    return obj.region is not None and obj.region.mask is not None


def _checked(scene: Scene, options: ReasoningOptions, text: str) -> tuple[list[ImplicitQuestion], list[str]]:
    """The questions of an answer that can be used, and why others cannot. Raises DataError if none can."""
    records = json_object(text, "questions")["questions"]
    if not isinstance(records, list) or not records or not all(isinstance(record, dict) for record in records):
        raise DataError(f"questions: expected a list of objects, got {shown(records)}")
    accepted: dict[str, ImplicitQuestion] = {}
    complaints: list[str] = []
    for number, record in enumerate(records[: options.questions]):
        try:
            found = _implicit_question(f"questions[{number}]", record, scene, options)
            if without_references(found.question).casefold() in accepted:
                raise DataError(f"questions[{number}].question: expected another than before")
            accepted[without_references(found.question).casefold()] = found
        except DeixisError as error:
            complaints.append(str(error))
    if not accepted:
        raise UnusableAnswer(complaints)
    return list(accepted.values()), complaints


def _implicit_question(where: str, record: dict, scene: Scene, options: ReasoningOptions) -> ImplicitQuestion:
    question = written(where, record, "question", scene, options.max_question_words)
    answer = written(where, record, "answer", scene, options.max_answer_words)
    explanation = written(where, record, "explanation", scene, options.max_explanation_words)
    for field, pieces in (("question", question), ("explanation", explanation)):
        if references(pieces):
            raise DataError(f"{where}.{field}: expected no braces, got {shown(record[field])}")
    check_answer(f"{where}.answer", answer)
    meant = numbers_in(answer)
    if not meant:
        raise DataError(f"{where}.answer: expected what is meant to be marked, as in [a dog]{{0}}, got no mark")
    _check_implicit(f"{where}.question", question, scene, meant)
    _check_siblings(f"{where}.answer", scene, meant)
    follow_up = _follow_up(f"{where}.follow_up", record.get("follow_up"), scene, options)
    return ImplicitQuestion(question, answer, to_markup(explanation), follow_up)


def _follow_up(where: str, record: object, scene: Scene, options: ReasoningOptions) -> tuple[Pieces, Pieces] | None:
    if not record:
        return None
    if not isinstance(record, dict):
        raise DataError(f"{where}: expected null or an object with 'user' and 'assistant', got {shown(record)}")
    question = written(where, record, "user", scene, options.max_question_words)
    answer = written(where, record, "assistant", scene, options.max_explanation_words)
    check_question(f"{where}.user", question)
    check_answer(f"{where}.assistant", answer)
    return question, answer


def _check_implicit(where: str, question: Pieces, scene: Scene, meant: tuple[int, ...]) -> None:
    """The question does not name what it asks for."""
    words = words_of(without_references(question))
    for number in meant:
        obj = scene.obj(number)
        for name in (obj.name, *obj.synonyms):
            if any(same_noun(word, head_noun(name)) for word in words):
                raise DataError(
                    f"{where}: expected {name!r}, which is meant, not to be named, "
                    f"got {shown(without_references(question))}"
                )


def _check_siblings(where: str, scene: Scene, meant: tuple[int, ...]) -> None:
    """Others of the same name are meant too, unless something is known that tells them apart."""
    item = scene.item
    chosen = {scene.shown[number] for number in meant}
    for obj in chosen:
        name = item.objects[obj].full_name
        others = [n for n, other in enumerate(item.objects) if other.full_name == name and n not in chosen]
        if others and not _is_told_of(item, obj):
            raise DataError(
                f"{where}: expected every {name!r} to be meant, or one that something is known of, got one of several"
            )


def _is_told_of(item: Annotated, obj: int) -> bool:
    told = item.objects[obj].attributes or any(expression.objects == (obj,) for expression in item.expressions)
    return bool(told) or any(obj in (relation.subject, relation.object) for relation in item.relations)


def _sample(
    scene: Scene, number: int, found: ImplicitQuestion, own: Prompt, seed: str, options: ReasoningOptions
) -> Sample:
    """A question as a sample: plain, with the reason, or with the reason when asked; perhaps a further exchange."""
    item, rng = scene.item, rng_for(seed, scene.item.id, "reason", number)
    further = found.follow_up if options.follow_ups else None
    used = numbers_in(found.answer, *(further or ()))
    number_of = {shown_as: region for region, shown_as in enumerate(used)}
    question, answer = to_markup(found.question), renumbered(found.answer, number_of, MASK)
    draw = float(rng.random())
    if draw < options.explained:
        turns = [Turn(f"{_ended(question)} {_drawn(rng, own, 'explain')}", f"{_ended(answer)} {found.explanation}")]
    else:
        turns = [Turn(question, answer)]
        if draw < options.explained + options.asked_why:
            turns.append(Turn(_drawn(rng, own, "why"), found.explanation))
    if further:
        turns.append(Turn(renumbered(further[0], number_of), renumbered(further[1], number_of, MASK)))
    return Sample(
        id=f"{item.id}/reason-{number}",
        source=item.source,
        task="reason",
        split=item.split,
        turns=tuple(turns),
        signals=item.signals,
        regions=tuple(scene.obj(shown_as).region for shown_as in used),
        licence=item.licence,
        author="model",
    )


def _drawn(rng: np.random.Generator, own: Prompt, name: str) -> str:
    wordings = own.wordings(name)
    return wordings[int(rng.integers(len(wordings)))]


def _ended(sentence: str) -> str:
    """The sentence with a sign at its end, so that another can follow."""
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
