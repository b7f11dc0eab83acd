"""The wordings of the engine: for each topic many questions and several answers, with slots for what differs.

They lie in wordings.yaml beside this file, which is checked as it is loaded: every slot and region of a wording must be
one that its topic gives, and its markup must be sound. Slots: <name>, <a name>, <names>, <is name>, <phrase>, ...; with
a capital, <A name>, the value begins with one. Regions: {0}, {1}, by their place in what the topic gives. It knows no
data set and draws nothing but a wording.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from deixis.errors import DataError, DeixisError
from deixis.geometry import Reference, parse_markup

_FIELDS = ("about", "slots", "regions", "masks", "ask", "answers")
_PIECE = re.compile(r"<(?P<slot>[^<>]*)>|\{(?P<region>\d+)\}")
_FORMS_OF_NAME = ("{}", "a {}", "{}s", "is {}", "does {}", "it is {}", "that is {}")


@dataclass(frozen=True)
class Wording:
    """One sentence in pieces: plain markup, ("slot", name), ("Slot", name) with a capital, or the place of a region."""

    text: str
    pieces: tuple[Any, ...]

    def filled(self, values: Mapping[str, str], regions: Sequence[str] = ()) -> str:
        """The sentence with its slots filled by values, which are markup, and {n} by regions[n], such as "{3,4}"."""
        parts = []
        for piece in self.pieces:
            if isinstance(piece, str):
                parts.append(piece)
            elif isinstance(piece, int):
                parts.append(regions[piece])
            else:
                kind, slot = piece
                parts.append(values[slot] if kind == "slot" else capital(values[slot]))
        return "".join(parts)


@dataclass(frozen=True)
class Topic:
    """What can be asked in many ways: `ask`, and `answers` by the case they are for ("one", "many", "none", ...).

    places: some answer says where something is, or that it is nowhere. masks: the questions ask for masks.
    """

    key: str
    ask: tuple[Wording, ...]
    answers: Mapping[str, tuple[Wording, ...]]
    places: bool = False
    masks: bool = False

    def question(self, rng: np.random.Generator) -> Wording:
        return self.ask[int(rng.integers(len(self.ask)))]

    def answer(self, case: str, rng: np.random.Generator) -> Wording:
        wordings = self.answers[case]
        return wordings[int(rng.integers(len(wordings)))]


@cache
def topics() -> dict[str, Topic]:
    """The topics of wordings.yaml by their key."""
    import yaml

    text = resources.files("deixis.synthesis.text").joinpath("wordings.yaml").read_text("utf-8")
    return read_topics(yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)), "wordings.yaml")


def read_topics(record: Any, where: str) -> dict[str, Topic]:
    """The topics of a mapping as wordings.yaml has it. Raises DataError that names topic, field and wording."""
    if not isinstance(record, Mapping):
        raise DataError(f"{where}: expected topics by their key, got {record!r:.60}")
    return {key: _topic(key, facts, f"{where}: {key}") for key, facts in record.items()}


def capital(text: str) -> str:
    """
    >>> capital("a dog"), capital("[a dog]{1}"), capital("")
    ('A dog', '[A dog]{1}', '')
    """
    at = 1 if text.startswith("[") else 0
    return text[:at] + text[at : at + 1].upper() + text[at + 1 :]


def _topic(key: str, facts: Any, where: str) -> Topic:
    if not isinstance(facts, Mapping) or not set(facts) <= set(_FIELDS) or not {"ask", "answers"} & set(facts):
        raise DataError(f"{where}: expected ask or answers, and only {', '.join(_FIELDS)}, got {facts!r:.80}")
    slots = {form.format(name) for name in facts.get("slots", ()) for form in _FORMS_OF_NAME} | {"picture"}
    asked, answered = facts.get("regions", (0, 0))
    ask = _wordings(facts["ask"], slots, asked, f"{where}.ask") if "ask" in facts else ()
    for wording in ask:
        if any(isinstance(piece, Reference) and not piece.indices for piece in _parsed(wording.pieces)):
            raise DataError(f"{where}.ask: expected no {{}} in a question, got {wording.text!r}")
    answers = {
        case: _wordings(texts, slots, answered, f"{where}.answers.{case}")
        for case, texts in facts.get("answers", {}).items()
    }
    places = any(isinstance(piece, Reference) for said in answers.values() for w in said for piece in _parsed(w.pieces))
    return Topic(key, ask, answers, places, facts.get("masks", False))


def _wordings(texts: Any, slots: set[str], regions: int, where: str) -> tuple[Wording, ...]:
    if not isinstance(texts, list) or not texts or len(set(map(str, texts))) != len(texts):
        raise DataError(f"{where}: expected a list of different wordings, got {texts!r:.80}")
    return tuple(_wording(text, slots, regions, f"{where}[{number}]") for number, text in enumerate(texts))


def _wording(text: Any, slots: set[str], regions: int, where: str) -> Wording:
    if not isinstance(text, str) or text != text.strip() or not text:
        raise DataError(f"{where}: expected text, got {text!r}")
    pieces: list[Any] = []
    end = 0
    for match in _PIECE.finditer(text):
        pieces += [text[end : match.start()]] if match.start() > end else []
        end = match.end()
        if match["region"] is not None:
            number = int(match["region"])
            if number >= regions:
                raise DataError(f"{where}: expected regions below {regions}, got {{{number}}} in {text!r}")
            pieces.append(number)
            continue
        slot = match["slot"]
        small = slot[:1].lower() + slot[1:]
        if small not in slots:
            raise DataError(f"{where}: expected a slot among {', '.join(sorted(slots))}, got <{slot}> in {text!r}")
        pieces.append(("slot" if slot == small else "Slot", small))
    pieces += [text[end:]] if end < len(text) else []
    try:
        parsed = _parsed(pieces)
    except DeixisError as error:
        raise DataError(f"{where}: {error}") from None
    if any(isinstance(piece, Reference) and piece.form for piece in parsed):
        raise DataError(f"{where}: expected regions without a form, which the options give, got {text!r}")
    return Wording(text, tuple(pieces))


def _parsed(pieces: Sequence[Any]) -> list:
    """The markup of a wording whose slots hold a word; raises ValueError where it is not sound."""
    return parse_markup(
        "".join(p if isinstance(p, str) else f"{{{p}}}" if isinstance(p, int) else "word" for p in pieces)
    )
