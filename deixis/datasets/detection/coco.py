"""COCO's instances and every set in its form: boxes, polygons or run lengths, and a category for each object.

Other sets of this form differ in how they name objects and images: their readers are `read_coco` with a `CocoVariant`
of their own.

Sources: cocodataset.org/#format-data; cocodataset/cocoapi@8c9bcc3 PythonAPI/pycocotools/coco.py.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from deixis.datasets.annotated import Annotated, Object
from deixis.datasets.detection.coco_files import LISTS, UNPLACED, file_of, heading, id_text, scan_coco
from deixis.datasets.files.boxes import box_from_xywh
from deixis.datasets.files.class_lists import readable
from deixis.datasets.files.images import declared_size_hw, image_reference, set_name, split_of
from deixis.datasets.files.json_stream import flag_field, text_field
from deixis.datasets.files.mask_regions import segmentation_rle, sound_region
from deixis.datasets.image_ids import flickr_aliases, numbered_id, published_id
from deixis.datasets.source import DatasetConfig, Format, Item, Metadata, Row
from deixis.errors import DataError, DeixisError
from deixis.geometry import Region, escaped
from deixis.samples.consistency import shown
from deixis.samples.sample import MediaReference, Skipped

Record = Mapping[str, Any]


def object_of_category(category: Record) -> Object:
    """The object, without its place, that a category of COCO names."""
    return Object(readable(str(category["name"])))


def image_names(image: Record) -> list[str]:
    """What an image may be called: its `file_name`, else the end of `coco_url` ("val2017/000000000139.jpg")."""
    url = image.get("coco_url")
    names = [image.get("file_name"), "/".join(url.split("/")[-2:]) if isinstance(url, str) else None]
    return [name for name in names if isinstance(name, str) and name.strip()]


@dataclass(frozen=True)
class CocoVariant:
    """What sets of COCO's form do not share.

    source: its name in ids; None: of COCO's images "coco", else the folder's. media: the set that its images are
    of, where that is another. object: of a category, without a place. names: of an image, the best first. ignored:
    fields of an annotation that, if set, make it neither right nor wrong. absent, vague: fields of an image with ids of
    categories that are surely not there, and that may be there unmarked. attributes: the field of an annotation with
    ids of the file's `attributes`. complete: of each name that occurs in an image every object is marked.
    """

    source: str | None = None
    media: str | None = None
    obj: Callable[[Record], Object] = object_of_category
    names: Callable[[Record], list[str]] = image_names
    ignored: tuple[str, ...] = ("ignore",)
    absent: str = ""
    vague: str = ""
    attributes: str = ""
    complete: bool = True


def read_coco(
    item: Item, metadata: Metadata, config: DatasetConfig, variant: CocoVariant = CocoVariant()
) -> Iterator[Annotated | Skipped]:
    """The image of an item with its objects; a `Skipped` for each annotation that cannot be used."""
    images = item.of("image")
    if not images:
        for row in item.rows:
            number = shown(row.value.get("image_id"))
            yield Skipped(row.where, f"image_id: expected the id of one of the images, got {number}")
        return
    for row in images[1:]:
        yield Skipped(row.where, f"id: expected one that no other image has, got {shown(row.value['id'])}")
    image = images[0].value
    split = config.split or split_of(file_of(item.key)) or "train"
    medium = _medium(images[0], config, variant, split)
    context = _Context(
        variant, medium.size_hw, config.options.get("form"), *(heading(metadata, of, item.key) for of in LISTS)
    )
    objects: list[Object] = []
    unusable = [context.perhaps_named(annotation) for annotation in heading(metadata, UNPLACED, item.key).values()]
    for row in item.of("annotation"):
        obj = None
        try:
            obj = context.named(row.value)
            region, complaint = context.region(row.value)
            objects.append(replace(obj, region=region))
            if complaint:
                yield Skipped(row.where, complaint)
        except DeixisError as error:
            unusable.append(obj)
            yield Skipped(row.where, str(error))
    captions: list[str] = []
    for row in item.of("caption"):
        try:
            captions.append(_caption(row.value))
        except DeixisError as error:
            yield Skipped(row.where, str(error))
    has_masks = bool(objects) and all(obj.region.mask is not None for obj in objects)
    source = _source(config, variant, medium)
    names = {
        name: context.names_in(image.get(field)) for name, field in (("no", variant.absent), ("maybe", variant.vague))
    }
    # two categories may have one name ("bow" that shoots, "bow" of ribbon): absent is a name of which nothing is there
    there = {obj.full_name for obj in objects} | set(names["maybe"])
    yield Annotated(
        id=f"{source}/{medium.id.split('/', 1)[1]}",
        source=source,
        split=split,
        signals=(medium,),
        objects=tuple(objects),
        captions=tuple(captions),
        absent=tuple(name for name in names["no"] if name not in there),
        vague=names["maybe"],
        aliases=flickr_aliases(image.get("flickr_url")),
        complete=variant.complete,
        closed=not variant.absent,
        form=context.form or ("mask" if has_masks else "box"),
        licence=context.licence(image),
    ).without(unusable)


@dataclass(frozen=True)
class _Context:
    """What the annotations of one image are read with."""

    variant: CocoVariant
    size_hw: tuple[int, int]
    form: str | None
    categories: Mapping[str, Record]
    licences: Mapping[str, Record]
    attributes: Mapping[str, Record]

    def named(self, annotation: Record) -> Object:
        """The object of an annotation, without its place."""
        category = self.categories.get(id_text(annotation.get("category_id")))
        if category is None:
            number = shown(annotation.get("category_id"))
            raise DataError(f"category_id: expected the id of one of the categories, got {number}")
        attributes = [self.attributes.get(id_text(n)) for n in annotation.get(self.variant.attributes) or ()]
        words = tuple(readable(str(record["name"])) for record in attributes if record is not None)
        return replace(self.variant.obj(category), attributes=words)

    def perhaps_named(self, annotation: Record) -> Object | None:
        """As `named`; None where the category is unknown."""
        try:
            return self.named(annotation)
        except DeixisError:
            return None

    def region(self, annotation: Record) -> tuple[Region, str]:
        """As `region_of_annotation`, with a mask where masks are asked for."""
        if self.form == "mask" and not annotation.get("segmentation"):
            raise DataError("segmentation: expected one, as masks are asked for (form=mask), got none")
        region, complaint = region_of_annotation(annotation, self.size_hw, self.variant.ignored)
        if self.form == "mask" and region.mask is None:
            raise DataError(complaint)
        return region, complaint

    def names_in(self, numbers: Any) -> tuple[str, ...]:
        """The names of some categories by their ids, without repeats."""
        known = (self.categories.get(id_text(number)) for number in numbers or ())
        return tuple(dict.fromkeys(self.variant.obj(category).full_name for category in known if category is not None))

    def licence(self, image: Record) -> str:
        record = self.licences.get(id_text(image.get("license")))
        return "unknown" if record is None else licence_name(str(record["name"]), str(record.get("url") or ""))


def region_of_annotation(
    annotation: Record, size_hw: tuple[int, int], ignored: Sequence[str] = ("ignore",)
) -> tuple[Region, str]:
    """The box and the mask of an annotation, or the one that is sound; and why the other is not used, else "".

    ignored: the fields that, if set, make it neither right nor wrong. Raises DataError where neither is of this image.
    """
    segmentation, bbox = annotation.get("segmentation"), annotation.get("bbox")
    region, complaint = sound_region(
        partial(box_from_xywh, bbox, size_hw) if bbox else None,
        partial(segmentation_rle, segmentation, size_hw) if segmentation else None,
    )
    crowd, ignore = flag_field(annotation, "iscrowd"), any(flag_field(annotation, field) for field in ignored)
    return replace(region, crowd=crowd, ignore=ignore), complaint


def _medium(row: Row, config: DatasetConfig, variant: CocoVariant, split: str) -> MediaReference:
    try:
        names = variant.names(row.value)
        if not names:
            raise DataError(f"file_name: expected the name of an image, got {shown(row.value)}")
        if published := variant.media or variant.source:
            known = published_id(names, published)
        else:
            known = next(filter(None, (numbered_id(name, row.value["id"]) for name in names)), None)
        return image_reference(config, names, set_name(config), declared_size_hw(row.value), split, known)
    except DeixisError as error:
        raise DataError(f"{row.where}: {error}") from None


def _source(config: DatasetConfig, variant: CocoVariant, medium: MediaReference) -> str:
    if variant.source is not None or "source" in config.options:
        return config.options.get("source", variant.source)
    return "coco" if medium.id.startswith("coco/") else set_name(config)


def _caption(record: Record) -> str:
    return escaped(" ".join(text_field(record, "caption").split()))


def licence_name(name: str, url: str) -> str:
    """The SPDX identifier of a Creative Commons licence by its address; of others the name.

    >>> licence_name("Attribution-NonCommercial License", "http://creativecommons.org/licenses/by-nc/2.0/")
    'CC-BY-NC-2.0'
    """
    found = re.search(r"creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)", url)
    return f"CC-{found[1].upper()}-{found[2]}" if found else name


OPTIONS = {
    "source": "what the set is called in ids (default: the name of its folder)",
    "form": "box or mask: in which form answers are wanted (default: mask where every object has one)",
    "captions": "a JSON file with captions of the same images, or `beside` for the one that lies beside",
}
COCO = Format(
    name="coco",
    title="COCO instances, and any set in COCO's form",
    wants="the JSON file (instances_val2017.json) or the folder that holds annotations/; --images: the images",
    home="https://cocodataset.org/#download",
    licence="annotations CC-BY-4.0; each image has its own, from the file's list",
    scan=scan_coco,
    read=read_coco,
    options=OPTIONS,
)
