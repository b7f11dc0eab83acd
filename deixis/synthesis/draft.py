"""A sample while it is made: its regions in the order of mention, and turns filled in from wordings.

A question points at an object by a drawn shape, the same one throughout a conversation; an answer gives the object's
annotated region. Wordings and shapes are drawn here; what is asked is decided by the parts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, no_type_check

import numpy as np

from deixis.datasets.annotated import Annotated
from deixis.datasets.plain_questions import MEDIUM_WORDS, plain_text
from deixis.errors import ConfigError, DataError
from deixis.geometry import Reference, Region, escaped, parse_markup
from deixis.options import Count, NonNegative, check_fields
from deixis.samples.drawn_shapes import SHAPES, asked_region
from deixis.samples.sample import Turn
from deixis.synthesis.text.wordings import Topic, topics


@no_type_check
@dataclass(frozen=True)
class QuestionOptions:
    """Options that template parts share.

    turns: a conversation has 1 to so many. form: of the answers' regions: "box", "mask" where there are masks, or
    "set", as the set means it. point, box, scribble, blob, polygon, mask: how often a question points so, by weight.
    """

    turns: Count = 3
    form: Literal["set", "box", "mask"] = "set"
    point: NonNegative = 0.3
    box: NonNegative = 0.3
    scribble: NonNegative = 0.15
    blob: NonNegative = 0.05
    polygon: NonNegative = 0.1
    mask: NonNegative = 0.1

    def __post_init__(self) -> None:
        check_fields(self)
        weights_of(self, SHAPES)

    def shapes(self) -> dict[str, float]:
        """The weight of each shape."""
        return weights_of(self, SHAPES)


@no_type_check
@dataclass(frozen=True)
class DirectionOptions(QuestionOptions):
    """And how often, by weight, a region is asked about (region_in), asked for (region_out), or both."""

    region_in: NonNegative = 0.4
    region_out: NonNegative = 0.4
    both: NonNegative = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.directions()

    def directions(self) -> dict[str, float]:
        """The weight of each direction: "in", "out", "both"."""
        return dict(
            zip(("in", "out", "both"), weights_of(self, ("region_in", "region_out", "both")).values(), strict=True)
        )


def weights_of(options: Any, names: tuple[str, ...]) -> dict[str, float]:
    """The weights with these names. Raises ConfigError unless one of them is above 0."""
    weights = {name: getattr(options, name) for name in names}
    if not any(weights.values()):
        raise ConfigError(f"{', '.join(names)}: expected at least one weight above 0; got none")
    return weights


Option = TypeVar("Option")
PICTURE_WORDS = ("picture", "image", "photo")
SMALL_WORDS = {"The", "A", "An", "Two", "Three", "Some", "This", "That", "One", "Person", "Man", "Woman"}
"""Words that data sets begin a phrase with in capitals, and that are small inside a sentence."""


@dataclass
class Draft:
    """The regions and choices of one sample."""

    item: Annotated
    asking: QuestionOptions
    rng: np.random.Generator
    regions: list[Region] = field(default_factory=list)
    number_of: dict[int, int] = field(default_factory=dict)
    asked_of: dict[int, int] = field(default_factory=dict)
    medium_word: str = ""

    def __post_init__(self) -> None:
        kind = self.item.signals[0].modality if self.item.signals else "text"
        word = MEDIUM_WORDS.get(kind, "signal")
        self.medium_word = self.choice(PICTURE_WORDS) if kind == "image" else word

    @property
    def in_masks(self) -> bool:
        """Whether answers are meant to be masks."""
        return self.asking.form == "mask" or (self.asking.form == "set" and self.item.form == "mask")

    def choice(self, options: Sequence[Option]) -> Option:
        return options[int(self.rng.integers(len(options)))]

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def number(self, obj: int) -> int:
        """The number of an object's region, as an answer gives it. Raises DataError for an object without a place."""
        if obj not in self.number_of:
            self.number_of[obj] = self._added(self._region(obj))
        return self.number_of[obj]

    def asked(self, obj: int, hides: bool = False) -> str:
        """The mark of a shape that points at an object; with `hides`, one that does not give the answer's form away."""
        form = "mask" if self.in_masks else "box"
        region = self._region(obj)
        number = self.asked_of.get(obj)
        if number is not None and not (hides and _is_only(self.regions[number], form)):
            return f"{{{number}}}"
        shapes = self.asking.shapes()
        if hides:
            shapes[form] = 0.0
            shapes["point"] = shapes["point"] or 1e-9  # there is always a point
        self.asked_of[obj] = self._added(asked_region(region, shapes, self.rng))
        return f"{{{self.asked_of[obj]}}}"

    def marks(self, objects: Iterable[int]) -> str:
        """The mark of objects in the form of answers: "{3}", "{3,4:mask}"."""
        numbers = [self.number(obj) for obj in objects]
        form = ":mask" if self.in_masks and self._have_masks(numbers) else ""
        return f"{{{','.join(map(str, numbers))}{form}}}"

    def turn(
        self,
        key: str,
        case: str,
        values: Mapping[str, str],
        asked: Sequence[str] = (),
        answered: Sequence[Sequence[int]] = (),
        ask: str | None = None,
        others: Sequence[Mapping[str, str]] = (),
        markup: Mapping[str, str] = {},
    ) -> Turn:
        """A turn on a topic, answered by its wordings for a case.

        values: of the slots, as plain text. asked: region references of the question. answered: the objects of each
        region reference of the answer. ask: the topic whose questions are used instead. others: slot values of further
        correct answers. markup: slot values that are markup already.
        """
        topic, questions = topics()[key], topics()[ask or key]
        safe = {name: plain_text(value) for name, value in values.items()} | {"picture": self.medium_word, **markup}
        user = questions.question(self.rng).filled(safe, asked)
        marks = [self.marks(objects) for objects in answered]
        wording = topic.answer(case, self.rng)
        answer = wording.filled(safe, marks)
        if self._requests_masks(topic, questions, marks, answer):
            user = f"{sentence(user)} {self.request('forms.mask')}"
        references = (wording.filled(safe | {k: plain_text(v) for k, v in other.items()}, marks) for other in others)
        return Turn(user, answer, references=tuple(references))

    def request(self, key: str) -> str:
        """A further sentence of a question."""
        return topics()[key].question(self.rng).filled({"picture": self.medium_word})

    def caption(self, text: str) -> str:
        """A caption with its object indices replaced by region numbers; objects without a region become text."""
        pieces = []
        for piece in parse_markup(text):
            if not isinstance(piece, Reference):
                pieces.append(escaped(piece.text))
                continue
            placed = [obj for obj in piece.indices if self.item.objects[obj].region is not None]
            phrase = plain_text(piece.phrase) if piece.phrase is not None else None
            if placed:
                pieces.append(f"{'' if phrase is None else f'[{phrase}]'}{self.marks(placed)}")
            elif not piece.indices:
                pieces.append(f"[{phrase}]{{}}")
            else:
                pieces.append(phrase or "it")
        return "".join(pieces)

    def _requests_masks(self, topic: Topic, questions: Topic, marks: Sequence[str], answer: str) -> bool:
        """Whether a sentence that asks for masks is needed: for what is there and for what is not, so that it tells
        neither."""
        if not self.in_masks or questions.masks:
            return False
        return ":mask}" in answer or (topic.places and all(":mask}" in mark for mark in marks if mark != "{}"))

    def _region(self, obj: int) -> Region:
        facts = self.item.objects[obj]
        if facts.region is None:
            raise DataError(f"things[{obj}]: expected a place to point at, got {facts.name!r} alone")
        return facts.region

    def _added(self, region: Region) -> int:
        self.regions.append(region)
        return len(self.regions) - 1

    def _have_masks(self, numbers: Sequence[int]) -> bool:
        return all(self.regions[number].mask is not None for number in numbers)


def phrase_of(text: str) -> str:
    """Words of a data set as a phrase inside a sentence: no full stop, a small article.

    >>> phrase_of(" The man in red. "), phrase_of("Nike shoe!")
    ('the man in red', 'Nike shoe')
    """
    text = " ".join(text.split()).rstrip(".!?,;: ")
    first, _, rest = text.partition(" ")
    return f"{first.lower()} {rest}".strip() if first in SMALL_WORDS else text


def sentence(text: str) -> str:
    """
    >>> sentence("find the dog"), sentence("Where is it?")
    ('find the dog.', 'Where is it?')
    """
    return text if text[-1:] in ".?!" else f"{text}."


def _is_only(region: Region, form: str) -> bool:
    return region.box is not None if form == "box" else region.mask is not None
