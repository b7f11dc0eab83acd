"""What a data set says of one medium: things and where they are, expressions that mean them, relations, captions.

Readers of annotation sets yield this; `deixis.datasets.plain_questions` makes plain questions of it,
`deixis.synthesis.parts` makes the many kinds of a region-data set. Numbers in it, `{2}` in a caption too, are places in
`things`. It knows no format and no wording.
"""

from dataclasses import dataclass

from deixis.geometry import Region
from deixis.samples.sample import MediaReference


@dataclass(frozen=True)
class Thing:
    """One thing that is named, and where it is.

    name: as a person says it ("traffic light", not "traffic_light"). region: None where the set names it without a
    place. attributes: "red", "wooden". part_of: the name of the whole, for a part ("dog" of a "leg"). synonyms: other
    names that are as right. stuff: an uncounted mass such as grass, whose region is all of it.
    """

    name: str
    region: Region | None = None
    attributes: tuple[str, ...] = ()
    part_of: str | None = None
    synonyms: tuple[str, ...] = ()
    stuff: bool = False

    @property
    def full_name(self) -> str:
        """The name with that of the whole it belongs to: "leg of a dog"."""
        return self.name if self.part_of is None else f"{self.name} of {_with_article(self.part_of)}"


@dataclass(frozen=True)
class Expression:
    """Words that mean some of the things, by their numbers; none: nothing in the medium is meant.

    unique: they mean these things and no others, so that they can be asked for (RefCOCO's); else they only tell of them
    (Visual Genome's regions). implicit: they ask for reasoning (ReasonSeg's). explanation: why these things, if told.
    """

    text: str
    things: tuple[int, ...] = ()
    unique: bool = True
    implicit: bool = False
    explanation: str | None = None


@dataclass(frozen=True)
class Relation:
    """`things[subject]` is related to `things[object]`: "man" "riding" "horse"."""

    subject: int
    predicate: str
    object: int


@dataclass(frozen=True)
class Annotated:
    """One medium (or several that belong together) with all that a set says of it.

    id: of this record, source and key ("coco/000000123456"). signals[n].path: where the file really lies; sizes are
    those that the set names. aliases: other ids of the same picture, by which leaks between sets are found. captions:
    markup whose numbers are places in `things`. absent: names of what is surely not there, parts by their full names.
    complete: of each name that occurs, every thing is marked (so in COCO, not in RefCOCO or Visual Genome), and "every"
    and "how many" may be asked; not of `vague` names, which are full ones too. closed: what a complete set marks
    nowhere in a picture, of all its names, is not there (so in COCO; not in LVIS, where only `absent` names are). form:
    "mask" or "box", in which the set means its answers to be given. author: who wrote the words.
    """

    id: str
    source: str
    split: str
    signals: tuple[MediaReference, ...]
    things: tuple[Thing, ...] = ()
    expressions: tuple[Expression, ...] = ()
    relations: tuple[Relation, ...] = ()
    captions: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    vague: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    complete: bool = True
    closed: bool = True
    form: str = "box"
    licence: str = "unknown"
    author: str = "person"


def _with_article(noun: str) -> str:
    """
    >>> _with_article("umbrella"), _with_article("dog")
    ('an umbrella', 'a dog')
    """
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
