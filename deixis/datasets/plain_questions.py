"""The plain questions of what a set says: one wording each, nothing drawn at random, nothing skipped.

`deixis data read` writes these, so that a set in the sample format still says all that the set said; a build has many
wordings and draws among them (`deixis.synthesis.parts`). One sample for each task of a record.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from deixis.datasets.annotated import Annotated
from deixis.datasets.object_names import names_of
from deixis.geometry import Reference, Region, Text, parse_markup, to_markup
from deixis.samples.sample import Sample, Turn

MEDIUM_WORDS = {"image": "picture", "audio": "sound", "point_cloud": "cloud", "video": "video", "imu": "motion"}


def plain_samples(annotated: Annotated) -> Iterator[Sample]:
    """One sample for each of these tasks that the record has anything for.

    detect      every name, and all objects of that name, where the set marks each of them; names surely absent
    name        an object, and its name, where the set does not mark all of a name
    ground      expressions that mean their objects alone, and those objects (none: not there)
    reason      expressions that ask for reasoning, and what they mean, with the explanation
    describe    an object, and words that tell of it
    relate      two objects, and how they are related
    caption     the medium, and its captions: the first is the answer, the others are as right
    """
    for task, turns_of in TASKS.items():
        used = _Used(annotated)
        turns = tuple(turns_of(annotated, used))
        if turns:
            used.keep_ignored()
            yield Sample(
                id=f"{annotated.id}/{task}",
                source=annotated.source,
                task=task,
                split=annotated.split,
                turns=turns,
                signals=annotated.signals,
                regions=tuple(used.regions),
                licence=annotated.licence,
                author=annotated.author,
            )


def plain_text(text: str) -> str:
    """Foreign text as markup that says the same: braces doubled, and brackets round, for they may stand in a phrase.

    >>> plain_text("a {red} [mug]")
    'a {{red}} (mug)'
    """
    return text.translate(_SIGNS)


_SIGNS = str.maketrans({"{": "{{", "}": "}}", "[": "(", "]": ")"})


@dataclass
class _Used:
    """The regions that the turns of one sample mention, in the order of mention."""

    annotated: Annotated
    regions: list[Region] = field(default_factory=list)
    number_of: dict[int, int] = field(default_factory=dict)

    def number(self, obj: int) -> int | None:
        """The number of an object's region in the sample; None for an object without a place."""
        region = self.annotated.objects[obj].region
        if region is None:
            return None
        if obj not in self.number_of:
            self.number_of[obj] = len(self.regions)
            self.regions.append(region)
        return self.number_of[obj]

    def keep_ignored(self) -> None:
        """Adds what counts neither way when the sample is scored, which no text mentions."""
        for number, obj in enumerate(self.annotated.objects):
            if obj.region is not None and obj.region.ignore:
                self.number(number)

    def marked(self, phrase: str, objects: Iterable[int]) -> str:
        """The phrase with the objects it means, in the form that the set answers in; no objects: there is none."""
        numbers = [number for obj in objects if (number := self.number(obj)) is not None]
        form = ":mask" if numbers and self.annotated.form == "mask" and self._all_have_masks(numbers) else ""
        return f"[{plain_text(phrase)}]{{{','.join(map(str, numbers))}{form}}}"

    def _all_have_masks(self, numbers: list[int]) -> bool:
        return all(self.regions[number].mask is not None for number in numbers)


def _detect(annotated: Annotated, used: _Used) -> Iterator[Turn]:
    names = names_of(annotated)
    for name, objects in names.objects.items():
        if name in names.every:
            yield Turn(f"Where is every {plain_text(name)}?", used.marked(name, objects))
    for name in annotated.absent:
        yield Turn(f"Where is every {plain_text(name)}?", used.marked(name, ()))


def _name(annotated: Annotated, used: _Used) -> Iterator[Turn]:
    every = names_of(annotated).every
    for number, obj in enumerate(annotated.objects):
        if obj.name and obj.full_name not in every and obj.region is not None and not obj.region.ignore:
            yield Turn(
                f"What is {{{used.number(number)}}}?",
                plain_text(obj.full_name),
                references=tuple(map(plain_text, obj.synonyms)),
            )


def _ground(annotated: Annotated, used: _Used) -> Iterator[Turn]:
    for expression in annotated.expressions:
        if expression.unique and not expression.implicit and _placed(annotated, expression.objects):
            yield Turn(
                f"Where is this: {plain_text(expression.text)}", used.marked(expression.text, expression.objects)
            )


def _reason(annotated: Annotated, used: _Used) -> Iterator[Turn]:
    for expression in annotated.expressions:
        if expression.implicit and _placed(annotated, expression.objects):
            names = dict.fromkeys(annotated.objects[obj].name for obj in expression.objects)
            answer = used.marked(" and ".join(filter(None, names)) or "this", expression.objects)
            reason = f" {plain_text(expression.explanation)}" if expression.explanation else ""
            yield Turn(plain_text(expression.text), f"{answer}.{reason}")


def _describe(annotated: Annotated, used: _Used) -> Iterator[Turn]:
    for expression in annotated.expressions:
        if not expression.unique and len(expression.objects) == 1:
            number = used.number(expression.objects[0])
            if number is not None:
                yield Turn(f"What is {{{number}}}?", plain_text(expression.text))
    for obj, facts in enumerate(annotated.objects):
        number = used.number(obj) if facts.attributes else None
        if number is not None:
            yield Turn(f"What is {{{number}}} like?", plain_text(", ".join(facts.attributes)))


def _relate(annotated: Annotated, used: _Used) -> Iterator[Turn]:
    for relation in annotated.relations:
        pair = (relation.subject, relation.object)
        ends = [annotated.objects[number] for number in pair]
        if all(end.region is not None for end in ends):
            subject, obj = (used.marked(end.name, (number,)) for end, number in zip(ends, pair, strict=True))
            question = f"How is {{{used.number(pair[0])}}} related to {{{used.number(pair[1])}}}?"
            yield Turn(question, f"{subject} {plain_text(relation.predicate)} {obj}")


def _caption(annotated: Annotated, used: _Used) -> Iterator[Turn]:
    if annotated.captions:
        captions = [_renumbered(caption, used) for caption in annotated.captions]
        word = MEDIUM_WORDS.get(annotated.signals[0].modality, "signal") if annotated.signals else "text"
        yield Turn(f"Describe the {word}.", captions[0], references=tuple(captions[1:]))


def _renumbered(caption: str, used: _Used) -> str:
    """A caption whose numbers are objects, with those of the sample's regions."""
    pieces: list[Text | Reference] = []
    for piece in parse_markup(caption):
        if not isinstance(piece, Reference):
            pieces.append(piece)
            continue
        numbers = tuple(number for obj in piece.indices if (number := used.number(obj)) is not None)
        named_only = piece.indices and not numbers
        pieces.append(Text(piece.phrase or "it") if named_only else replace(piece, indices=numbers))
    return to_markup(pieces)


def _placed(annotated: Annotated, objects: tuple[int, ...]) -> bool:
    """Whether each object meant has a place; meaning none is as good."""
    return all(annotated.objects[obj].region is not None for obj in objects)


TASKS = {
    "detect": _detect,
    "name": _name,
    "ground": _ground,
    "reason": _reason,
    "describe": _describe,
    "relate": _relate,
    "caption": _caption,
}
