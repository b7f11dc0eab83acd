"""COCO's instances and every set in its form: boxes, polygons or run lengths, and a category for each thing.

Other sets of this form differ in how they name things and pictures, which a `CocoLike` says; their readers are made of
`read_coco` with one of their own.

Sources: cocodataset.org/#format-data; cocodataset/cocoapi@8c9bcc3 PythonAPI/pycocotools/coco.py.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deixis.datasets.annotated import Annotated, Thing
from deixis.datasets.detection.coco_files import LISTS, file_of, heading, scan_coco
from deixis.datasets.detection.coco_masks import segmentation_rle
from deixis.datasets.files.boxes import box_of_xywh
from deixis.datasets.files.class_names import readable
from deixis.datasets.files.images import picture, said_size_hw, set_name, split_of
from deixis.datasets.files.mask_regions import box_of_rle
from deixis.datasets.image_ids import aliases
from deixis.datasets.source import Format, Head, Item, Place, Row
from deixis.errors import DataError
from deixis.geometry import Region, escaped
from deixis.samples.consistency import shown
from deixis.samples.sample import MediaReference
from deixis.samples.skipped import Skipped

Record = Mapping[str, Any]


def thing_of_category(category: Record) -> Thing:
    """The thing, without its place, that a category of COCO names."""
    return Thing(readable(str(category["name"])))


def picture_names(image: Record) -> list[str]:
    """What a picture may be called: its `file_name`, else the end of `coco_url` ("val2017/000000000139.jpg")."""
    names = [image.get("file_name"), _end_of_address(image.get("coco_url"))]
    return [name for name in names if isinstance(name, str) and name.strip()]


@dataclass(frozen=True)
class CocoLike:
    """What sets of COCO's form do not share.

    source: its name in ids; None: of COCO's pictures "coco", else the folder's. media: the set that its pictures are
    of, where that is another. thing: of a category, without a place. names: of a picture, the best first. ignored:
    fields of an annotation that, if set, make it neither right nor wrong. absent, vague: fields of an image with ids of
    categories that are surely not there, and that may be there unmarked. attributes: the field of an annotation with
    ids of the file's `attributes`. complete: of each name that occurs in a picture every thing is marked.
    """

    source: str | None = None
    media: str | None = None
    thing: Callable[[Record], Thing] = thing_of_category
    names: Callable[[Record], list[str]] = picture_names
    ignored: tuple[str, ...] = ("ignore",)
    absent: str = ""
    vague: str = ""
    attributes: str = ""
    complete: bool = True


def read_coco(item: Item, head: Head, place: Place, kind: CocoLike = CocoLike()) -> Iterator[Annotated | Skipped]:
    """The picture of an item with its things; a `Skipped` for each annotation that cannot be used."""
    images = item.of("image")
    if not images:
        for row in item.rows:
            number = shown(row.value.get("image_id"))
            yield Skipped(row.where, f"image_id: expected the id of one of the images, got {number}")
        return
    for row in images[1:]:
        yield Skipped(row.where, f"id: expected one that no other image has, got {shown(row.value['id'])}")
    image = images[0].value
    split = place.split or split_of(file_of(item.key)) or "train"
    medium = _medium(images[0], place, kind, split)
    context = _Context(kind, medium.size_hw, place.options.get("form"), *(heading(head, of, item.key) for of in LISTS))
    found: dict[str, list[Any]] = {"annotation": [], "caption": []}
    for part, made in found.items():
        make = context.thing if part == "annotation" else _caption
        for row in item.of(part):
            try:
                made.append(make(row.value))
            except ValueError as error:
                yield Skipped(row.where, str(error))
    things: list[Thing] = found["annotation"]
    has_masks = bool(things) and all(thing.region.mask is not None for thing in things)
    source = _source(place, kind, medium)
    names = {name: context.names_in(image.get(field)) for name, field in (("no", kind.absent), ("maybe", kind.vague))}
    # two categories may have one name ("bow" that shoots, "bow" of ribbon): absent is a name of which nothing is there
    there = {thing.full_name for thing in things} | set(names["maybe"])
    yield Annotated(
        id=f"{source}/{medium.id.split('/', 1)[1]}",
        source=source,
        split=split,
        signals=(medium,),
        things=tuple(things),
        captions=tuple(found["caption"]),
        absent=tuple(name for name in names["no"] if name not in there),
        vague=names["maybe"],
        aliases=aliases(*picture_names(image), image.get("flickr_url")),
        complete=kind.complete,
        closed=not kind.absent,
        form=context.form or ("mask" if has_masks else "box"),
        licence=context.licence(image),
    )


@dataclass(frozen=True)
class _Context:
    """What the annotations of one picture are read with."""

    kind: CocoLike
    size_hw: tuple[int, int]
    form: str | None
    categories: Mapping[str, Record]
    licences: Mapping[str, Record]
    attributes: Mapping[str, Record]

    def thing(self, annotation: Record) -> Thing:
        number = annotation.get("category_id")
        if str(number) not in self.categories:
            raise DataError(f"category_id: expected the id of one of the categories, got {shown(number)}")
        if self.form == "mask" and not annotation.get("segmentation"):
            raise DataError("segmentation: expected one, as masks are asked for (form=mask), got none")
        region = region_of_annotation(annotation, self.size_hw, self.kind.ignored)
        attributes = [self.attributes.get(str(number)) for number in annotation.get(self.kind.attributes) or ()]
        words = tuple(readable(str(record["name"])) for record in attributes if record is not None)
        return replace(self.kind.thing(self.categories[str(number)]), region=region, attributes=words)

    def names_in(self, numbers: Any) -> tuple[str, ...]:
        """The names of some categories by their ids, without repeats."""
        known = (self.categories.get(str(number)) for number in numbers or ())
        return tuple(dict.fromkeys(self.kind.thing(category).full_name for category in known if category is not None))

    def licence(self, image: Record) -> str:
        record = self.licences.get(str(image.get("license")))
        return "unknown" if record is None else licence_name(str(record["name"]), str(record.get("url") or ""))


def region_of_annotation(annotation: Record, size_hw: tuple[int, int], ignored: Sequence[str] = ("ignore",)) -> Region:
    """The box and the mask of an annotation; the box of the mask where it has none of its own.

    ignored: the fields that, if set, make it neither right nor wrong. Raises ValueError where it has neither box nor
    mask, and for either that is none of this picture.
    """
    segmentation, bbox = annotation.get("segmentation"), annotation.get("bbox")
    if not segmentation and not bbox:
        raise DataError("expected a bbox or a segmentation, got neither")
    rle = segmentation_rle(segmentation, size_hw) if segmentation else None
    box_xyxy = box_of_xywh(bbox, size_hw) if bbox else box_of_rle(rle)
    crowd, ignore = bool(annotation.get("iscrowd")), any(annotation.get(field) for field in ignored)
    return Region(box=box_xyxy, mask=rle, crowd=crowd, ignore=ignore)


def _medium(row: Row, place: Place, kind: CocoLike, split: str) -> MediaReference:
    try:
        names = kind.names(row.value)
        if not names:
            raise DataError(f"file_name: expected the name of a picture, got {shown(row.value)}")
        return picture(place, names, kind.media or kind.source or set_name(place), said_size_hw(row.value), split)
    except ValueError as error:
        raise DataError(f"{row.where}: {error}") from None


def _source(place: Place, kind: CocoLike, medium: MediaReference) -> str:
    if kind.source is not None or "source" in place.options:
        return place.options.get("source", kind.source)
    return "coco" if medium.id.startswith("coco/") else set_name(place)


def _caption(record: Record) -> str:
    caption = record.get("caption")
    if not isinstance(caption, str) or not caption.strip():
        raise DataError(f"caption: expected a text, got {shown(caption)}")
    return escaped(" ".join(caption.split()))


def licence_name(name: str, url: str) -> str:
    """The SPDX identifier of a Creative Commons licence by its address; of others the name.

    >>> licence_name("Attribution-NonCommercial License", "http://creativecommons.org/licenses/by-nc/2.0/")
    'CC-BY-NC-2.0'
    """
    found = re.search(r"creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)", url)
    return f"CC-{found[1].upper()}-{found[2]}" if found else name


def _end_of_address(url: Any) -> str | None:
    """The last folder and the file of an address."""
    return "/".join(url.split("/")[-2:]) if isinstance(url, str) and url else None


OPTIONS = {
    "source": "what the set is called in ids (default: the name of its folder)",
    "form": "box or mask: in which form answers are wanted (default: mask where every thing has one)",
    "captions": "a JSON file with captions of the same pictures, or `beside` for the one that lies beside",
}
COCO = Format(
    name="coco",
    title="COCO instances, and any set in COCO's form",
    wants="the JSON file (instances_val2017.json) or the folder that holds annotations/; --images: the pictures",
    home="https://cocodataset.org/#download",
    licence="annotations CC-BY-4.0; each picture has its own, from the file's list",
    scan=scan_coco,
    read=read_coco,
    options=OPTIONS,
)
