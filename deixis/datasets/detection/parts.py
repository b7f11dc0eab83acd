"""Sets of objects and their parts in COCO's form, whose categories are "object:part": PACO-LVIS and PASCAL-Part.

A part is an object of its own that knows the name of its whole: "mug:handle" is a "handle", part of a "mug". PACO also
has whole objects ("mug") and says what an object looks like; PASCAL-Part has parts alone.

Sources: facebookresearch/paco README.md; dvlab-research/LISA@3cb2d430 utils/sem_seg_dataset.py.
"""

from functools import partial

from deixis.datasets.annotated import Object
from deixis.datasets.detection.coco import OPTIONS, CocoLike, Record, image_names, read_coco
from deixis.datasets.detection.coco_files import scan_coco
from deixis.datasets.files.class_names import bare_name
from deixis.datasets.source import Format
from deixis.errors import DataError

PICTURES_OF_PASCAL = ("JPEGImages", "VOC2010/JPEGImages", "VOCdevkit/VOC2010/JPEGImages")


def object_or_part(category: Record) -> Object:
    """The object, without its place, of a category "object" or "object:part".

    >>> part = object_or_part({"name": "mouse_(computer_equipment):left_button"})
    >>> part.name, part.part_of
    ('left button', 'mouse')
    """
    whole, colon, part = str(category["name"]).partition(":")
    return Object(bare_name(part), part_of=bare_name(whole)) if colon else Object(bare_name(whole))


def part_of_whole(category: Record) -> Object:
    """The part, without its place, of a category "object:part". Raises DataError for one without a colon."""
    if ":" not in str(category["name"]):
        raise DataError(f"category_id: expected a category 'object:part', got {category['name']!r}: is this the set?")
    return object_or_part(category)


def names_in_pascal(image: Record) -> list[str]:
    """What an image of PASCAL VOC 2010 may be called below the folder that is given."""
    names = image_names(image)
    return names + [f"{folder}/{name}" for name in names for folder in PICTURES_OF_PASCAL]


PACO = CocoLike(
    source="paco_lvis",
    obj=object_or_part,
    absent="neg_category_ids",
    vague="not_exhaustive_category_ids",
    attributes="attribute_ids",
)
PASCAL = CocoLike(source="pascal_part", media="voc", obj=part_of_whole, names=names_in_pascal)


read_paco = partial(read_coco, kind=PACO)
read_pascal_part = partial(read_coco, kind=PASCAL)


PACO_LVIS = Format(
    name="paco_lvis",
    title="PACO-LVIS: parts and attributes of objects in COCO's images",
    wants="paco_lvis_v1_train.json; --images: the folder with COCO's train2017/ and val2017/",
    home="https://github.com/facebookresearch/paco",
    licence="annotations CC-BY-4.0; each image has its own, from the file's list",
    scan=scan_coco,
    read=read_paco,
    options=OPTIONS,
)
PASCAL_PART = Format(
    name="pascal_part",
    title="PASCAL-Part: parts of objects in PASCAL VOC 2010's images, in COCO's form",
    wants="train.json; --images: the folder that holds VOCdevkit/, or JPEGImages",
    home="https://github.com/facebookresearch/VLPart",
    licence="images under Flickr's terms; annotations: see the set's page",
    scan=scan_coco,
    read=read_pascal_part,
    options=OPTIONS,
)
