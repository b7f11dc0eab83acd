"""GranD: what many models said of an image of SA-1B, one JSON object per image.

    {"sa_1.jpg": {objects, floating_objects: [{id, bbox (x1, y1, x2, y2), labels, attributes, segmentation}],
                  captions: [text] or short_captions: [{caption, details}], dense_caption: {caption, details},
                  relationships: {grounding: [{phrase, object_ids}]}, ...}}

Masks are there where the pipeline found some; the size is theirs, else the image's. Phrases are looked up in
captions, as the places that files give are of texts from before they were cleaned. Depths, landmarks, affordances and
the extra context of level 4, which is tied to nothing, are skipped.

Source: mbzuai-oryx/groundingLMM@e74865f GranD/utils (ground_short_captions.py, ground_dense_caption.py,
add_masks_to_annotations.py) and GranD/prepare_annotations.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath
from typing import Any

from deixis.datasets.annotated import Annotated, Expression, Object
from deixis.datasets.files.boxes import box_from_xyxy
from deixis.datasets.files.caption_spans import Part, link_caption
from deixis.datasets.files.class_lists import readable
from deixis.datasets.files.images import find_image
from deixis.datasets.files.json_stream import json_pairs
from deixis.datasets.files.mask_regions import segmentation_rle, sound_region
from deixis.datasets.image_ids import published_id
from deixis.datasets.source import DatasetConfig, Format, Item, Metadata, Row
from deixis.errors import DataError, DeixisError
from deixis.samples.consistency import shown
from deixis.samples.headers import header_size_hw
from deixis.samples.sample import MediaReference, Skipped

Record = Mapping[str, Any]
OBJECT_LISTS = ("objects", "floating_objects")
_SPEAKER = re.compile(r"^\W*(?:ass)?istant\b\W*", re.IGNORECASE)
"""What is left of a chat model's role before what it said."""
_KIND = re.compile(r"_?\([^)]*\)")
"""What LVIS's names have behind them: sandal_(type_of_shoe)."""


def scan_grand(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """The images of every JSON file below PATH; a file that is no JSON is skipped."""
    found = False
    for path in _json_files(config.path):
        found = True
        try:
            for where, name, record in json_pairs(path):
                relative = path.relative_to(config.path) if path != config.path else PurePath(path.name)
                yield Row(f"{relative.as_posix()}#{name}", "record", where, {"name": name, "record": record})
        except DeixisError as error:
            yield Skipped(path.name, str(error))
    if not found:
        raise DataError(f"{config.path}: expected JSON files in it, one per image, got none")


def read_grand(item: Item, _: Metadata, config: DatasetConfig) -> Iterator[Annotated | Skipped]:
    """An image with its objects, what was said of each, and its captions."""
    row = item.one("record")
    name, record = row.value["name"], row.value["record"]
    if not isinstance(record, dict) or not isinstance(record.get("objects"), list):
        raise DataError(f"objects: expected a list, got {shown(record)}")
    medium = _medium(name, record, config)
    found = _Found(medium)
    for part in OBJECT_LISTS:
        for number, one in enumerate(record.get(part) or ()):
            try:
                if complaint := found.add(one):
                    yield Skipped(f"{row.where}.{part}[{number}]", complaint)
            except DeixisError as error:
                yield Skipped(f"{row.where}.{part}[{number}]", str(error))
    captions = []
    for part, number, caption, details in _captions(record):
        try:
            captions.append(link_caption(caption, found.parts(caption, details)))
        except DeixisError as error:
            yield Skipped(f"{row.where}.{part}[{number}]", str(error))
    objects = tuple(found.objects)
    yield Annotated(
        id=f"grand/{PurePath(name).as_posix()}",
        source="grand",
        split=config.split or "train",
        signals=(medium,),
        objects=objects,
        expressions=tuple(dict.fromkeys(found.expressions)),
        captions=tuple(captions),
        complete=False,
        form="mask" if objects and all(obj.region.mask for obj in objects) else "box",
        licence=GRAND.licence,
        author="model",
    )


@dataclass
class _Found:
    """The objects of an image, and their numbers by the ids of their objects."""

    medium: MediaReference
    objects: list[Object] = field(default_factory=list)
    number_of: dict[int, int] = field(default_factory=dict)
    expressions: list[Expression] = field(default_factory=list)

    def add(self, record: Any) -> str:
        """Takes in an object, and says why its box or its mask is not used, else ""."""
        if not isinstance(record, dict) or not isinstance(record.get("id"), int):
            raise DataError(f"expected an object with an id, got {shown(record)}")
        names = list(dict.fromkeys(readable(_KIND.sub("", name)) for name in _texts(record.get("labels"))))
        if not names:
            raise DataError(f"labels: expected what the object may be called, got {shown(record.get('labels'))}")
        size_hw = self.medium.size_hw
        segmentation = record.get("segmentation")
        region, complaint = sound_region(
            partial(box_from_xyxy, record.get("bbox"), size_hw),
            partial(segmentation_rle, segmentation, size_hw) if segmentation else None,
        )
        self.number_of[record["id"]] = len(self.objects)
        for said in _texts(record.get("attributes")):
            if text := _SPEAKER.sub("", said).strip():
                self.expressions.append(Expression(text, (len(self.objects),), unique=False))
        self.objects.append(Object(names[0], region, synonyms=tuple(names[1:])))
        return complaint

    def parts(self, caption: str, details: Any) -> Iterator[Part]:
        """The phrases of a caption that name known objects, where they stand in it."""
        for detail in details if isinstance(details, list) else ():
            if not isinstance(detail, dict) or not isinstance(detail.get("phrase"), str):
                raise DataError(f"expected a phrase with ids of objects, got {shown(detail)}")
            ids = next((detail[key] for key in ("ids", "object_ids", "id") if key in detail), ())
            numbers = [
                self.number_of[one] for one in (ids if isinstance(ids, list) else [ids]) if one in self.number_of
            ]
            place = find_phrase(caption, detail["phrase"], detail.get("tokens_positive"))
            if numbers and place is not None:
                yield *place, numbers


def find_phrase(text: str, phrase: str, place: Any = None) -> tuple[int, int] | None:
    """Where a phrase stands in a text, whatever its case: at `place` if it does, else where it first does, or nowhere.

    >>> find_phrase("A dog and a cat", "a cat"), find_phrase("a, a", "a", [3, 4]), find_phrase("a dog", "cat")
    ((10, 15), (3, 4), None)
    """
    phrase = phrase.strip().lower()
    low = text.lower()
    if len(low) != len(text) or not phrase:  # a letter that becomes two in small
        return None
    if isinstance(place, list) and len(place) == 2 and all(type(end) is int for end in place):
        start, end = place
        if 0 <= start < end and low[start:end] == phrase:
            return start, end
    start = low.find(phrase)
    return None if start < 0 else (start, start + len(phrase))


def grand_id(name: str, source: str) -> str:
    """The id of an image by its name: SA-1B's and COCO's are the same in all sets.

    >>> grand_id("train/sa_10.jpg", "grand"), grand_id("day/a.jpg", "grand")
    ('sa1b/sa_10', 'grand/day/a.jpg')
    """
    stem = PurePath(name).stem
    return f"sa1b/{stem}" if stem.startswith("sa_") else published_id([name], source)


def _captions(record: Record) -> Iterator[tuple[str, int, str, Any]]:
    """(field, number, text, phrases) of each caption: plain ones with the phrases of the relations."""
    relations = record.get("relationships")
    grounding = relations.get("grounding") if isinstance(relations, dict) else None
    for number, caption in enumerate(_texts(record.get("captions"))):
        yield "captions", number, caption, grounding
    dense = record.get("dense_caption")
    for part, found in (("short_captions", record.get("short_captions")), ("dense_caption", [dense] if dense else [])):
        for number, one in enumerate(found if isinstance(found, list) else ()):
            if isinstance(one, dict) and isinstance(one.get("caption"), str) and one["caption"].strip():
                yield part, number, one["caption"].strip(), one.get("details")


def _medium(name: str, record: Record, config: DatasetConfig) -> MediaReference:
    path = find_image(config, [name])
    masks = (
        one.get("segmentation") for part in OBJECT_LISTS for one in record.get(part) or () if isinstance(one, dict)
    )
    size_hw = masks_size_hw(masks) or header_size_hw(path)
    return MediaReference(grand_id(name, "grand"), "image", path=str(path), size_hw=size_hw)


def masks_size_hw(masks: Iterable[Any]) -> tuple[int, int] | None:
    """The size of the first of some run lengths that has one; None where it is no size."""
    sizes = (mask["size"] for mask in masks if isinstance(mask, dict) and isinstance(mask.get("size"), list))
    size = next(sizes, ())
    return (size[0], size[1]) if len(size) == 2 and all(type(side) is int and side > 0 for side in size) else None


def _texts(values: Any) -> list[str]:
    """One text or a list of them, without blanks at their ends; anything else is skipped."""
    found = values if isinstance(values, list) else [values]
    return [value.strip() for value in found if isinstance(value, str) and value.strip()]


def _json_files(path: Path) -> Iterator[Path]:
    """A file, or the JSON files below a folder, folder by folder: there may be millions."""
    if path.is_file():
        yield path
        return
    for folder, inner, names in os.walk(path):
        inner.sort()
        yield from (Path(folder, name) for name in sorted(names) if name.endswith(".json"))


GRAND = Format(
    name="grand",
    title="GranD: dense annotation of SA-1B by models",
    wants="a JSON file or the folder with one for each image; --images: SA-1B's images",
    home="https://huggingface.co/datasets/MBZUAI/GranD",
    licence="Apache-2.0; photos: SA-1B's licence",
    scan=scan_grand,
    read=read_grand,
)
