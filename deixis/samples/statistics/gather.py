"""The statistics of samples, gathered one sample at a time.

It counts what samples say; it opens no medium.
"""

import json
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

from deixis.geometry import Reference, Region, parse_markup, rle_area
from deixis.geometry.words import object_name
from deixis.samples.consistency import REGION_FIELDS
from deixis.samples.same_files import media_file, media_key
from deixis.samples.sample import MediaReference, Sample, Skipped, Turn
from deixis.samples.seen_set import SeenSet
from deixis.samples.statistics.tally import Distribution, Tally

HEADS = ("task", "source", "split", "author", "licence")
LENGTHS = (
    "turns of a sample",
    "words of a question",
    "words of an answer",
    "signals of a sample",
    "regions of a sample",
)
SIZES = ("share of the image", "share of the audio, video or IMU recording", "share of the points of the cloud")
SHORT_WORDS = 4
"""An answer without regions of at most so many words is a class, such as a name or yes."""
NAMES_LISTED = 200


class Stats:
    """Statistics of the samples added so far."""

    def __init__(self) -> None:
        self.samples = self.turns = self.regions = self.skipped = 0
        self.first_skipped: Skipped | None = None
        self.repeated_ids = self.repeated_samples = 0
        self.heads = {name: Tally() for name in HEADS}
        self.kinds, self.turns_of, self.regions_of = Tally(), Tally(), Tally()
        self.lengths = {name: Distribution() for name in LENGTHS}
        self.forms, self.mentions, self.classes = Tally(), Tally(), Tally()
        self.sizes = {name: Distribution() for name in SIZES}
        self.phrases, self.absent, self.answers = Tally(), Tally(), Tally()
        self._seen = SeenSet()

    def add(self, sample: Sample | Skipped) -> None:
        """Counts one sample, or one that could not be read."""
        if isinstance(sample, Skipped):
            self.skipped += 1
            self.first_skipped = self.first_skipped or sample
            return
        self.samples += 1
        self.turns += len(sample.turns)
        self.regions += len(sample.regions)
        for name, tally in self.heads.items():
            tally.add(getattr(sample, name))
        self.turns_of.add(sample.task, len(sample.turns))
        self.regions_of.add(sample.task, len(sample.regions))
        keys = [media_key(medium, media_file(medium)) for medium in sample.signals]
        for medium, key in zip(sample.signals, keys, strict=True):
            self.kinds.add(medium.modality)
            self._is_new("media", key)
        if not sample.signals:
            self.kinds.add("text alone")
        self.lengths["turns of a sample"].add(len(sample.turns))
        self.lengths["signals of a sample"].add(len(sample.signals))
        self.lengths["regions of a sample"].add(len(sample.regions))
        self._add_repeats(sample, keys)
        for turn in sample.turns:
            self._add_turn(turn)
        self._add_regions(sample)

    @property
    def media(self) -> int:
        """How many media there are, each counted once."""
        return self._seen.count("media")

    @property
    def questions(self) -> int:
        """How many different questions there are, to the letter."""
        return self._seen.count("question")

    @property
    def different_answers(self) -> int:
        return self._seen.count("answer")

    def _is_new(self, space: str, text: str) -> bool:
        content = text.encode("utf-8", "surrogatepass")  # paths may hold halves of characters
        digest = int.from_bytes(blake2b(content, digest_size=8).digest(), "big", signed=True)
        return self._seen.first(space, digest, "") is None

    def _add_repeats(self, sample: Sample, keys: list[str]) -> None:
        if not self._is_new("id", sample.id):
            self.repeated_ids += 1
        record = sample.to_json()
        said = [keys, record["regions"], record["turns"]]
        if not self._is_new("content", json.dumps(said)):
            self.repeated_samples += 1

    def _add_turn(self, turn: Turn) -> None:
        for name, text in (("question", turn.user), ("answer", turn.assistant)):
            self._is_new(name, text)
        self.lengths["words of a question"].add(len(plain(turn.user).split()))
        self.lengths["words of an answer"].add(len(plain(turn.assistant).split()))
        references = list(_references(turn.assistant))
        for reference in references:
            if reference.phrase:
                (self.phrases if reference.indices else self.absent).add(object_name(reference.phrase))
        words = turn.assistant.split()
        if not references and 0 < len(words) <= SHORT_WORDS:
            self.answers.add(object_name(plain(turn.assistant)))

    def _add_regions(self, sample: Sample) -> None:
        asked = {index for turn in sample.turns for piece in _references(turn.user) for index in piece.indices}
        answered = {index for turn in sample.turns for piece in _references(turn.assistant) for index in piece.indices}
        for number, region in enumerate(sample.regions):
            where = ("question", number in asked), ("answer", number in answered)
            self.mentions.add(" and ".join(name for name, is_there in where if is_there) or "neither")
            forms = [name for name in REGION_FIELDS if getattr(region, name) is not None]
            for form in (*forms, *(name for name in ("ignore", "crowd") if getattr(region, name))):
                self.forms.add(form)
            medium = sample.signals[region.signal]
            for name, share in zip(SIZES, shares(region, medium), strict=True):
                if share is not None:
                    self.sizes[name].add(share)
            area = area_px(region)
            if area is not None:
                self.classes.add(size_class(area))

    def to_json(self) -> dict[str, Any]:
        """All of it as plain JSON values; names beyond the `NAMES_LISTED` most frequent are skipped."""
        tallies = {**self.heads, "kind": self.kinds}
        return {
            "samples": self.samples,
            "skipped": self.skipped,
            "turns": self.turns,
            "regions": self.regions,
            "media": self.media,
            "different_questions": self.questions,
            "different_answers": self.different_answers,
            "repeated_ids": self.repeated_ids,
            "repeated_samples": self.repeated_samples,
            "by": {name: tally.to_json(NAMES_LISTED) for name, tally in tallies.items()},
            "turns_by_task": self.turns_of.to_json(NAMES_LISTED),
            "regions_by_task": self.regions_of.to_json(NAMES_LISTED),
            "lengths": {name: spread.to_json() for name, spread in self.lengths.items()},
            "region_forms": self.forms.to_json(NAMES_LISTED),
            "regions_mentioned_in": self.mentions.to_json(NAMES_LISTED),
            "region_classes": self.classes.to_json(NAMES_LISTED),
            "region_sizes": {name: spread.to_json() for name, spread in self.sizes.items()},
            "phrases": self.phrases.to_json(NAMES_LISTED),
            "absent_phrases": self.absent.to_json(NAMES_LISTED),
            "short_answers": self.answers.to_json(NAMES_LISTED),
        }


def plain(text: str) -> str:
    """A marked-up text as it reads, a region without a phrase as one word.

    >>> plain("Is {0} [a mug]{1}?")
    'Is {0} a mug?'
    """
    pieces = parse_markup(text)
    return "".join(
        (piece.phrase or "{" + ",".join(map(str, piece.indices)) + "}") if isinstance(piece, Reference) else piece.text
        for piece in pieces
    )


def _references(text: str) -> Iterator[Reference]:
    yield from (piece for piece in parse_markup(text) if isinstance(piece, Reference))


SMALL_PX, LARGE_PX = 32**2, 96**2
"""Areas below which COCO calls an object small, and from which on it calls it large (pycocotools' COCOeval)."""
CLASSES = ("small", "medium", "large")


def size_class(area_px: float) -> str:
    """COCO's class of an area in pixels.

    >>> size_class(1023), size_class(1024), size_class(9216)
    ('small', 'medium', 'large')
    """
    return CLASSES[(area_px >= SMALL_PX) + (area_px >= LARGE_PX)]


def area_px(region: Region) -> float | None:
    """The area of a region of an image or video: that of its mask, else of its box; None if it has neither."""
    if isinstance(region.mask, dict):
        return float(rle_area(region.mask))
    if region.mask is not None:
        return float(region.mask.sum())
    if region.box is None:
        return None
    x1, y1, x2, y2 = region.box
    return (x2 - x1) * (y2 - y1)


def shares(region: Region, medium: MediaReference) -> tuple[float | None, float | None, float | None]:
    """The share, 0 to 1, that a region has of the area, the duration and the points of its medium.

    None where the region has no such form, or the sample does not say how large the medium is.
    """
    area, size_hw = area_px(region), medium.size_hw
    if isinstance(region.mask, dict):
        size_hw = region.mask["size"]
    span, count = region.span or region.time_s, medium.point_count
    return (
        min(area / (size_hw[0] * size_hw[1]), 1.0) if area is not None and size_hw is not None else None,
        min((span[1] - span[0]) / medium.duration_s, 1.0) if span is not None and medium.duration_s else None,
        len(region.points) / count if region.points is not None and count else None,
    )
