"""Other wordings of questions, written by a language model; marks and what must be named stay letter by letter.

After LISA (Lai et al., CVPR 2024), whose instructions were rephrased so, and gained from it. Of a question
several wordings are asked for at once, and each sample draws one: the many samples of one template cost one request
and still differ. What is not the same question is skipped and counted.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import no_type_check

from deixis.datasets.annotated import Annotated
from deixis.datasets.plain_questions import plain_samples
from deixis.errors import DataError, DeixisError
from deixis.geometry import parse_markup, to_markup, without_references
from deixis.language.english import words_of
from deixis.options import Checked, Count
from deixis.samples.consistency import shown
from deixis.samples.rng import rng_for
from deixis.samples.sample import Sample, Skipped, Turn
from deixis.synthesis.annotators import Annotators, ChatClient
from deixis.synthesis.text.llm_queries import LEFT_OUT, UnusableAnswer, json_object, map_until_quota, query_checked
from deixis.synthesis.text.prompts import prompt
from deixis.synthesis.text.text_checks import Pieces, check_prose, references

_ARTICLE = re.compile(r"^(?:an?|the|some)\s+", re.IGNORECASE)
_DIGITS = re.compile(r"\d+")
_NEGATION = re.compile(r"\b(?:not?|none|never|without|neither|nor|nothing|nobody)\b|n['’]t\b", re.IGNORECASE)
SHORT_ANSWER_WORDS = 3  # an answer so short is not given away by a question


@no_type_check
@dataclass(frozen=True)
class RewordingOptions(Checked):
    """wordings: asked for of one question. tasks: of which samples; none: all. max_turns: longer dialogues are left as
    they are. max_words: of a question. at_once: requests under way."""

    wordings: Count = 8
    tasks: tuple[str, ...] = ()
    max_turns: Count = 4
    max_words: Count = 60
    at_once: Count = 8


def make(
    items: Sequence[Sample | Annotated], quota: int, seed: str, annotators: Annotators, options: RewordingOptions
) -> Iterator[Sample | Skipped]:
    """Up to `quota` samples whose questions are in other words; of annotations, the plain questions are reworded.

    Raises DataError without a language model, and errors of `deixis.language.endpoint.STOPS_ALL` as they come.
    """
    samples = (sample for item in items for sample in _samples(item, seed, options))
    work = partial(_reworded, annotators.open("language", "rewording"), seed, options)
    yield from map_until_quota(work, samples, options.at_once, quota)


def _samples(item: Sample | Annotated, seed: str, options: RewordingOptions) -> Iterator[Sample]:
    """The samples of an item that may be reworded, of an annotation's many turns a few drawn at random."""
    for sample in [item] if isinstance(item, Sample) else plain_samples(item):
        if options.tasks and sample.task not in options.tasks:
            continue
        if isinstance(item, Annotated) and len(sample.turns) > options.max_turns:
            drawn = rng_for(seed, sample.id, "turns").choice(len(sample.turns), options.max_turns, replace=False)
            sample = replace(sample, turns=tuple(sample.turns[int(n)] for n in sorted(drawn)))
        yield sample


def _reworded(ask: ChatClient, seed: str, options: RewordingOptions, sample: Sample) -> list[Sample | Skipped]:
    """What was refused on the way, then the sample with its questions reworded, if all of them are."""
    if len(sample.turns) > options.max_turns:
        return [Skipped(sample.id, f"expected at most {options.max_turns} turns to reword, got {len(sample.turns)}")]
    found: list[Sample | Skipped] = []
    turns = []
    for number, turn in enumerate(sample.turns):
        wordings, skipped = _wordings(ask, turn, options, sample.id)
        found += skipped
        if not wordings:
            return found
        drawn = int(rng_for(seed, sample.id, "wording", number).integers(len(wordings)))
        turns.append(replace(turn, user=wordings[drawn]))
    return [*found, replace(sample, id=f"{sample.id}/reworded", turns=tuple(turns), author="model")]


def _wordings(ask: ChatClient, turn: Turn, options: RewordingOptions, where: str) -> tuple[list[str], list[Skipped]]:
    """Other wordings of a turn's question, none if there are none that will do; and what was refused."""
    keep = kept_words(turn)
    kept = f"\nKeep: {', '.join(keep)}" if keep else ""
    request = f"Question: {turn.user}{kept}\nWrite {options.wordings} wordings."
    found, refused = query_checked(
        ask, prompt("rewording").messages(request), partial(_checked, turn, keep, options), where
    )
    wordings, complaints = found or ([], [])
    return wordings, [*refused, *(Skipped(where, f"{LEFT_OUT}: {complaint}") for complaint in complaints)]


def kept_words(turn: Turn) -> tuple[str, ...]:
    """What a wording of the question must have too: its marks, choices, numbers, and names that the answer marks.

    >>> kept_words(Turn("Where are all 2 dogs near {0}?", "[Dogs]{1,2} by [the tree]{0}."))
    ('{0}', '2', 'dogs')
    """
    question = parse_markup(turn.user)
    plain = without_references(question)
    marks = [to_markup([reference]) for reference in references(question)]
    phrases = [_ARTICLE.sub("", reference.phrase or "") for reference in references(parse_markup(turn.assistant))]
    names = [plain[at : at + len(name)] for name in (*phrases, *turn.choices) if (at := _place(name, plain)) >= 0]
    return tuple(dict.fromkeys([*marks, *_DIGITS.findall(plain), *names]))


def _place(words: str, text: str) -> int:
    """Where the words stand in a text, whatever their case; -1 if nowhere."""
    found = re.search(rf"\b{re.escape(words)}\b", text, re.IGNORECASE) if words else None
    return found.start() if found else -1


def _checked(turn: Turn, keep: tuple[str, ...], options: RewordingOptions, text: str) -> tuple[list[str], list[str]]:
    """The wordings of an answer that can be used, and why others cannot. Raises DataError if none can."""
    records = json_object(text, "wordings")["wordings"]
    if not isinstance(records, list) or not records:
        raise DataError(f"wordings: expected a list of texts, got {shown(records)}")
    wordings: dict[str, str] = {_same(turn.user): turn.user}
    complaints = []
    for number, wording in enumerate(records[: options.wordings]):
        try:
            _check(f"wordings[{number}]", wording, turn, keep, options)
            if _same(wording) in wordings:
                raise DataError(f"wordings[{number}]: expected other words than before, got {shown(wording)}")
            wordings[_same(wording)] = wording.strip()
        except DeixisError as error:
            complaints.append(str(error))
    if len(wordings) == 1:
        raise UnusableAnswer(complaints)
    return list(wordings.values())[1:], complaints


def _check(where: str, wording: object, turn: Turn, keep: tuple[str, ...], options: RewordingOptions) -> None:
    """A wording asks the same of the same places."""
    if not isinstance(wording, str):
        raise DataError(f"{where}: expected text, got {shown(wording)}")
    try:
        pieces = parse_markup(wording)
    except DeixisError as error:
        raise DataError(f"{where}: {error}") from None
    check_prose(where, pieces, options.max_words)
    marks, wanted = (Counter(to_markup([r]) for r in references(each)) for each in (pieces, parse_markup(turn.user)))
    if marks != wanted:
        expected, got = (", ".join(sorted(each.elements())) or "none" for each in (wanted, marks))
        raise DataError(f"{where}: expected the marks of the question, '{expected}', got '{got}'")
    lost = [word for word in keep if word.casefold() not in wording.casefold()]
    if lost:
        raise DataError(f"{where}: expected {lost[0]!r} to be kept, got {shown(wording)}")
    if _is_negated(pieces) != _is_negated(parse_markup(turn.user)):
        raise DataError(f"{where}: expected no more and no fewer negations, got {shown(wording)}")
    answer = without_references(parse_markup(turn.assistant)).strip().rstrip(".")
    short = 0 < len(words_of(answer)) <= SHORT_ANSWER_WORDS
    asked = without_references(parse_markup(turn.user))
    if short and _place(answer, without_references(pieces)) >= 0 and _place(answer, asked) < 0:
        raise DataError(f"{where}: expected the answer not to be given away, got {shown(wording)}")


def _is_negated(pieces: Pieces) -> bool:
    return _NEGATION.search(without_references(pieces)) is not None


def _same(question: str) -> str:
    """A question as it is compared with another: case, spaces and signs at the end apart."""
    return " ".join(question.split()).rstrip(".?! ").casefold()
