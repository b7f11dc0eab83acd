"""Regions for dialogues that have none: phrases of the answers get the boxes of the objects that they name.

As Ferret did with LLaVA's dialogues (You et al., ICLR 2024), by the annotations of the same image from another set,
which are better than a detector's, or by a detector. The text stays as it is, but for the marks. A phrase is marked
only where it is sure what it means: "the dog" of one dog, "two dogs" of two, "the dogs" of several.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import no_type_check

from deixis.datasets.annotated import Annotated, Object
from deixis.datasets.object_names import is_single
from deixis.errors import ConfigError, DataError, DeixisError
from deixis.geometry import Reference, Region, Text, parse_markup, to_markup, without_references
from deixis.language.english import is_plural
from deixis.language.noun_phrases import NounPhrase, forms_of, guessed_names, noun_phrases
from deixis.options import Count, check_fields
from deixis.samples.media import open_media
from deixis.samples.sample import MediaReference, Sample, Skipped
from deixis.synthesis.annotators import Annotators, BoxesOfNames
from deixis.synthesis.text.text_checks import Pieces

PERSON = "person"
LOOSE = [
    "man",
    "woman",
    "boy",
    "girl",
    "child",
    "kid",
    "lady",
    "gentleman",
    "guy",
    "player",
    "rider",
    "surfer",
    "skier",
]
"""What an object that a set calls a person may be called, if no other person is there."""
PEOPLE = ("people", "persons")
MIN_SIDE = 1.0  # of a detected box, in pixels


@no_type_check
@dataclass(frozen=True)
class BoxedTurnsOptions:
    """objects_of: the objects that another set annotates in an image. vocabulary: names to detect where
    the text contains them; if empty, the nouns of the text. min_score: of a detection. min_marks: fewer marked phrases
    make no sample. repeats: mark an object each time it is named, not once per answer."""

    objects_of: Callable[[MediaReference], Sequence[Object]] | None = None
    vocabulary: tuple[str, ...] = ()
    min_score: float = 0.4
    min_marks: Count = 1
    repeats: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 <= self.min_score <= 1:
            raise ConfigError(f"min_score: expected a share from 0 to 1; got {self.min_score!r}")


@dataclass
class Places:
    """Where the objects of an image are. numbers: of `regions`, by name. called: an object's name by what it is called.
    unsure: names of groups taken as one."""

    regions: list[Region] = field(default_factory=list)
    numbers: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    called: dict[str, str] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)

    def add(self, name: str, region: Region, synonyms: Sequence[str] = ()) -> None:
        self.numbers[name].append(len(self.regions))
        self.regions.append(region)
        self.called[name] = name
        for other in synonyms:
            self.called.setdefault(other, name)


def make(
    items: Sequence[Sample | Annotated], quota: int, seed: str, annotators: Annotators, options: BoxedTurnsOptions
) -> Iterator[Sample | Skipped]:
    """Up to `quota` of the samples with marks in their answers; nothing is drawn at random.

    Raises DataError where there are neither annotations nor a detector.
    """
    if options.objects_of is None and annotators.boxes is None:
        raise DataError("boxed turns need the objects of another set (objects_from) or a detector, got neither")
    detect, missing = None, quota
    for item in items:
        if missing <= 0:
            return
        try:
            medium = _image(item)
            places = _annotated(options.objects_of(medium)) if options.objects_of else Places()
            if not places.regions and annotators.boxes is not None:
                detect = detect or annotators.boxes()
                places = _detected(item, medium, detect, options)
            yield _boxed(item, places, options)
            missing -= 1
        except (DeixisError, OSError) as error:
            yield Skipped(item.id, str(error))


def _image(item: Sample | Annotated) -> MediaReference:
    if not isinstance(item, Sample):
        raise DataError("expected dialogues, got annotations")
    if len(item.signals) != 1 or item.signals[0].modality != "image":
        raise DataError(f"expected one image, got {', '.join(m.modality for m in item.signals) or 'none'}")
    return item.signals[0]


def _annotated(objects: Sequence[Object]) -> Places:
    """The places of another set's objects; what is taken as a group makes its name unsure."""
    places = Places()
    for obj in objects:
        if is_single(obj):
            places.add(obj.full_name, obj.region, obj.synonyms if obj.part_of is None else ())
        elif obj.name:
            places.unsure.add(obj.full_name)
    return places


def _detected(item: Sample, medium: MediaReference, detect: BoxesOfNames, options: BoxedTurnsOptions) -> Places:
    """What a detector finds of the names in the answers."""
    text = "\n".join(without_references(parse_markup(turn.assistant)) for turn in item.turns)
    if options.vocabulary:
        known = forms_of({name: name for name in options.vocabulary})
        names = list(dict.fromkeys(phrase.name for phrase in noun_phrases(text, known)))
    else:
        names = guessed_names(text)
    places = Places()
    if not names:
        return places
    with open_media(medium) as signal:
        image = signal.values
    height, width = image.shape[:2]
    for name, box_xyxy, score in detect(image, names):
        left, top, right, bottom = (
            min(max(float(value), 0.0), float(side))
            for value, side in zip(box_xyxy, (width, height, width, height), strict=True)
        )
        if score >= options.min_score and right - left >= MIN_SIDE and bottom - top >= MIN_SIDE:
            places.add(name, Region(box=(left, top, right, bottom)))
    return places


def _boxed(item: Sample, places: Places, options: BoxedTurnsOptions) -> Sample:
    """The sample with its marks. Raises DataError if there are too few."""
    if not places.regions:
        raise DataError("expected objects whose region is known in the image, got none")
    marker = _Marker(item, places, options)
    turns = tuple(replace(turn, assistant=marker.answer(turn.assistant)) for turn in item.turns)
    if marker.marks < options.min_marks:
        raise DataError(f"expected {options.min_marks} or more phrases that surely name an object, got {marker.marks}")
    return replace(item, id=f"{item.id}/boxed", turns=turns, regions=tuple(marker.regions))


class _Marker:
    """Marks the answers of one sample, and gathers the regions that they mention. marks: how many were made."""

    def __init__(self, item: Sample, places: Places, options: BoxedTurnsOptions):
        self.places, self.options = places, options
        self.regions = list(item.regions)
        self.marks = 0
        self._number_of: dict[int, int] = {}
        self._loose = _loose(item, places)
        self._forms = forms_of({name: name for name in options.vocabulary})
        self._forms |= forms_of(dict.fromkeys(self._loose, PERSON) | places.called)

    def answer(self, text: str) -> str:
        """An answer with marks around what it surely names; else it stays as it is."""
        seen: set[tuple[int, ...]] = set()
        old = parse_markup(text)
        new: Pieces = []
        for piece in old:
            if not isinstance(piece, Text):
                new.append(piece)
                continue
            done = 0
            for phrase in noun_phrases(piece.text, self._forms):
                words = piece.text[phrase.start : phrase.end]
                meant = self._meant(phrase, words)
                if not meant or (meant in seen and not self.options.repeats):
                    continue
                seen.add(meant)
                self.marks += 1
                new += [Text(piece.text[done : phrase.start]), Reference(words, tuple(map(self._number, meant)))]
                done = phrase.end
            new.append(Text(piece.text[done:]))
        assert without_references(new) == without_references(old)
        return to_markup(new)

    def _meant(self, phrase: NounPhrase, words: str) -> tuple[int, ...]:
        """The places that a phrase means; none where that is not sure."""
        found = tuple(self.places.numbers.get(phrase.name, ()))
        if not found or phrase.name in self.places.unsure:
            return ()
        if phrase.count is not None:
            return found if len(found) == phrase.count else ()
        if phrase.name == PERSON and self._loose and words.split()[-1].lower() not in PEOPLE:
            return ()  # "the men" may be some of the people
        return found if len(found) > 1 or is_plural(phrase.name) else ()

    def _number(self, place: int) -> int:
        """The number of a place's region in the sample."""
        if place not in self._number_of:
            self._number_of[place] = len(self.regions)
            self.regions.append(self.places.regions[place])
        return self._number_of[place]


def _loose(item: Sample, places: Places) -> list[str]:
    """Words for persons that may be used of those who are there: none where the answers use several."""
    text = "\n".join(without_references(parse_markup(turn.assistant)) for turn in item.turns)
    words = forms_of({word: word for word in LOOSE if word not in places.called})
    used = {phrase.name for phrase in noun_phrases(text, words)}
    return list(used) if PERSON in places.numbers and len(used) == 1 else []
