"""The markup of texts in the sample format: references to regions, with or without a phrase.

    What is {0}?                the region itself          [a red mug]{1}   a phrase that names region 1
    [two mugs]{1,2}             one phrase, two regions    {1:mask}         the form matters
    [a dog]{}                   there is none              {{ and }}        braces

Brackets not directly followed by braces are plain text. It does not know how many regions there are, nor how a model
writes them (``write.py``).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, no_type_check

from deixis.errors import InputError

MAX_QUESTION = 1_000_000
"""Characters of a question: more than fit into the contexts of today's language models."""
FORMS = ("mask", "box", "span", "points", "point")

_TOKEN = re.compile(
    r"(?P<brace>\{\{|\}\})"
    r"|(?:\[(?P<phrase>(?:[^\[\]{}]|\{\{|\}\})*)\])?\{(?!\{)(?P<reference>[^{}]*)\}"
    r"|(?P<stray>[{}])"
    r"|(?P<text>\[|[^\[{}]+)"
)
_REFERENCE = re.compile(r"\s*(?P<indices>[0-9]{1,6}(?:\s*,\s*[0-9]{1,6})*)?\s*(?::\s*(?P<form>[a-z]+)\s*)?")


@dataclass(frozen=True)
class Text:
    """Plain text, braces already single."""

    text: str


@dataclass(frozen=True)
class Reference:
    """A mention of regions; no indices means "there is none"."""

    phrase: str | None
    indices: tuple[int, ...]
    form: str | None = None  # one of FORMS


def parse_markup(text: str) -> list[Text | Reference]:
    """Pieces of a marked-up text, in order; neighbouring plain texts are joined.

    Raises InputError for a lone brace, an unknown form, an empty reference without a phrase, a phrase that holds
    brackets or references.

    >>> parse_markup("[a red mug]{1} on {0:mask}")
    [Reference(phrase='a red mug', indices=(1,), form=None), Text(text=' on '), Reference(phrase=None, indices=(0,), \
form='mask')]
    """
    pieces: list[Text | Reference] = []
    plain: list[str] = []
    for token in _TOKEN.finditer(text):
        if token["reference"] is not None:
            if token["phrase"] is None and text[token.start() - 1 : token.start()] == "]":
                raise InputError(
                    f"the phrase before {token[0]} must not hold brackets or references, in {_shown(text)}"
                )
            if plain:
                pieces.append(Text("".join(plain)))
                plain = []
            pieces.append(_reference(token["phrase"], token["reference"], text))
        elif token["brace"]:
            plain.append(token["brace"][0])
        elif token["stray"]:
            raise InputError(
                f"a single {token[0]} at character {token.start()} belongs to no reference such as {{0}}: "
                f"write {token[0] * 2} for a brace, in {_shown(text)}"
            )
        else:
            plain.append(token["text"])
    if plain:
        pieces.append(Text("".join(plain)))
    return pieces


def to_markup(pieces: Iterable[Text | Reference]) -> str:
    """The marked-up text of pieces, such that `parse_markup` gives them back.

    >>> to_markup([Reference("two mugs", (0, 1), "mask"), Text(" {on} a shelf")])
    '[two mugs]{0,1:mask} {{on}} a shelf'
    """
    return "".join(escaped(piece.text) if isinstance(piece, Text) else _marked(piece) for piece in pieces)


def without_references(pieces: Iterable[Text | Reference]) -> str:
    """What pieces say, without their marks.

    >>> without_references(parse_markup("[A red mug]{1} on {0}, {{so}}"))
    'A red mug on , {so}'
    """
    return "".join(piece.text if isinstance(piece, Text) else piece.phrase or "" for piece in pieces)


def renumbered(pieces: Iterable[Text | Reference], number_of: Mapping[int, int], form: str | None = None) -> str:
    """The pieces as marked text again, with other numbers and, if one is given, a form such as "mask".

    >>> renumbered(parse_markup("[two mugs]{4,2} {{on}} [it]"), {4: 0, 2: 1}, "mask")
    '[two mugs]{0,1:mask} {{on}} [it]'
    """
    return to_markup(
        piece
        if isinstance(piece, Text)
        else replace(piece, indices=tuple(number_of[n] for n in piece.indices), form=form or piece.form)
        for piece in pieces
    )


def escaped(text: str) -> str:
    """Text escaped as markup; inside a phrase, brackets are not allowed besides.

    >>> escaped("a {red} [mug]")
    'a {{red}} [mug]'
    """
    return text.replace("{", "{{").replace("}", "}}")


def _marked(reference: Reference) -> str:
    phrase = "" if reference.phrase is None else f"[{escaped(reference.phrase)}]"
    form = f":{reference.form}" if reference.form else ""
    return f"{phrase}{{{','.join(map(str, reference.indices))}{form}}}"


def _reference(phrase: str | None, content: str, text: str) -> Reference:
    match = _REFERENCE.fullmatch(content)
    if match is None:
        raise InputError(
            f"{{{content}}} must be numbers of regions such as {{0}}, {{1,2}} or {{1:mask}}, in {_shown(text)}"
        )
    indices = tuple(int(index) for index in match["indices"].split(",")) if match["indices"] else ()
    form = match["form"]
    if form is not None and form not in FORMS:
        raise InputError(f"the form in {{{content}}} must be one of {', '.join(FORMS)}, got {form!r}")
    if not indices and (phrase is None or form is not None):
        raise InputError(
            f"{{{content}}} names no region: only a phrase may have none, as [a dog]{{}}, in {_shown(text)}"
        )
    if phrase is not None:
        phrase = phrase.replace("{{", "{").replace("}}", "}")
    return Reference(phrase, indices, form)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")


_END = re.compile(r"[\s.?!]*")


@no_type_check
def named_question(text: str, regions: Sequence[Any], every: bool = True) -> str:
    """The question in markup, so that it names its regions; one that names none has them put at its end.

    Raises InputError for a question without words, a reference to a region that is not there, and (if `every`) a
    question that names some of its regions only.

    >>> named_question("What is this?", ["a region"])
    'What is this {0}?'
    """
    check_question(text)
    if not text.strip():
        raise InputError("the question: expected some words, got none")
    named = named_regions(text)
    missing = [index for index in named if index >= len(regions)]
    if missing:
        there = "is 1 region" if len(regions) == 1 else f"are {len(regions)} regions"
        raise InputError(f"{{{missing[0]}}} in the question: there {there}, counted from 0; write {{{{ for a brace")
    if not named and regions:
        references = [f"{{{index}}}" for index in range(len(regions))]
        listed = " and ".join([", ".join(references[:-1]), references[-1]]) if len(references) > 1 else references[0]
        end = len(text) - len(_END.match(text[::-1])[0])  # searched from the front, it takes quadratic time
        return f"{text[:end]} {listed}{text[end:].strip()}"
    unnamed = [index for index in range(len(regions)) if index not in named]
    if unnamed and every:
        raise InputError(
            f"the question names some of its regions but not {{{unnamed[0]}}}: write it in, or leave it out"
        )
    return text


def check_question(text: Any) -> None:
    """Raises InputError for what is no text that a model can be asked, before anything slow reads it."""
    if not isinstance(text, str):
        raise InputError(f"the question: expected text, got {type(text).__name__}; files come behind it")
    if len(text) > MAX_QUESTION:
        raise InputError(f"the question: expected at most {MAX_QUESTION} characters, got {len(text)}; is it a file?")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"the question: expected text, got {text[error.start]!a} as character {error.start + 1}, which is none; "
            "was it typed or saved in another encoding than UTF-8?"
        ) from None


def numbers_in(*texts: Iterable[Text | Reference]) -> tuple[int, ...]:
    """The numbers that parsed texts refer to, in the order of mention, each once.

    >>> numbers_in(parse_markup("Is {1} left of [it]{0}?"), parse_markup("{1} is."))
    (1, 0)
    """
    pieces = (piece for text in texts for piece in text if isinstance(piece, Reference))
    return tuple(dict.fromkeys(number for piece in pieces for number in piece.indices))


def named_regions(text: str) -> list[int]:
    """The indices of the regions that a marked-up text refers to, each once, in increasing order.

    >>> named_regions("Is {1} left of {0}?")
    [0, 1]
    """
    pieces = parse_markup(text)
    return sorted({index for piece in pieces if isinstance(piece, Reference) for index in piece.indices})
