"""The annotations of one media item: objects with regions, referring expressions, relations, captions.

Readers of annotation sets yield `Annotated`; `deixis.datasets.plain_questions` turns it into plain questions and
`deixis.synthesis.parts` into region data. Numbers in it, `{2}` in a caption too, are indices into `objects`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from deixis.geometry import Region
from deixis.samples.sample import MediaReference


@dataclass(frozen=True)
class Object:
    """One annotated object.

    name: in plain words ("traffic light", not "traffic_light"). region: None if the set names the object without a
    location. attributes: such as "red", "wooden". part_of: for a part, the name of the whole ("dog" of a "leg").
    synonyms: further names that are equally correct. stuff: an uncounted mass such as grass, whose region covers all
    of it.
    """

    name: str
    region: Region | None = None
    attributes: tuple[str, ...] = ()
    part_of: str | None = None
    synonyms: tuple[str, ...] = ()
    stuff: bool = False

    @property
    def full_name(self) -> str:
        """The name, for a part with its whole: "leg of a dog"."""
        return self.name if self.part_of is None else f"{self.name} of {_with_article(self.part_of)}"

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that it may be called, the full name first."""
        return self.full_name, *self.synonyms


@dataclass(frozen=True)
class Expression:
    """A referring expression for some of the objects, by index; without any it refers to nothing in the media item.

    unique: it refers to these objects and no others, so it can be asked for (RefCOCO); else it only describes them
    (Visual Genome's region descriptions). implicit: it requires reasoning (ReasonSeg). explanation: why these objects.
    """

    text: str
    objects: tuple[int, ...] = ()
    unique: bool = True
    implicit: bool = False
    explanation: str | None = None


@dataclass(frozen=True)
class Relation:
    """`objects[subject]` is related to `objects[object]`: "man" "riding" "horse"."""

    subject: int
    predicate: str
    object: int


@dataclass(frozen=True)
class Annotated:
    """All annotations of one media item, or of several that belong together.

    id: of this record, source and key ("coco/000000123456"). signals[n].path: the actual file; sizes are as the set
    declares them. aliases: further ids of the same image, for finding leaks between sets. captions: markup whose
    numbers are indices into `objects`. absent: names certainly not present, parts by their full names. complete: for
    each name that occurs, every object is annotated (COCO; not RefCOCO or Visual Genome), so "every" and "how many" can
    be asked, except about `vague` names, which are full names too. closed: a name of a complete set that is annotated
    nowhere in an image is absent from it (COCO; not LVIS, where only `absent` names are). form: the form of answers
    that the set is meant for, "mask" or "box". author: who wrote the texts.
    """

    id: str
    source: str
    split: str
    signals: tuple[MediaReference, ...]
    objects: tuple[Object, ...] = ()
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

    def without(self, unusable: Iterable[Object | None]) -> "Annotated":
        """These annotations where further objects of the media item cannot be used; None: one of an unknown name.

        Of their names more is there than is annotated, which makes them vague; with an unknown one, perhaps of any.
        """
        unusable = tuple(unusable)
        names = dict.fromkeys(name for obj in unusable if obj is not None for name in obj.names)
        absent = tuple(name for name in self.absent if name not in names)
        vague = tuple(dict.fromkeys((*self.vague, *names)))
        return replace(self, vague=vague, absent=absent, complete=self.complete and None not in unusable)


def _with_article(noun: str) -> str:
    """
    >>> _with_article("umbrella"), _with_article("dog")
    ('an umbrella', 'a dog')
    """
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
