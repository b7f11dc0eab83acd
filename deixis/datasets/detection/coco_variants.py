"""Sets in COCO's form that name objects and images in their own ways: LVIS, Objects365, PACO-LVIS and PASCAL-Part.

    LVIS         an image's file is the end of its `coco_url` (version 1 has no file_name, 0.5 one of 2014);
                 "cup_(drink)" is a "cup"; `neg_category_ids` are absent, and of `not_exhaustive_category_ids` more may
                 be there unmarked
    Objects365   files lie by the path of either version ("images/v2/patch50/NAME.jpg") or by its last folders;
                 "Cabinet/shelf" is a "cabinet" that is also called a "shelf"; what is an image of an object (`isfake`)
                 or its reflection (`isreflected`) is neither right nor wrong
    PACO, PASCAL-Part   categories are "object:part": "mug:handle" is a "handle", part of a "mug"; PACO also has whole
                 objects ("mug") and says what an object looks like

Sources: lvisdataset.org/dataset; lvis-dataset/lvis-api@7d7f07d data/; objects365.org; open-mmlab/mmdetection@234325d
mmdet/datasets/objects365.py, tools/dataset_converters/fix_o365_names.py; facebookresearch/paco README.md;
dvlab-research/LISA@3cb2d430 utils/sem_seg_dataset.py.
"""

from functools import partial

from deixis.datasets.annotated import Object
from deixis.datasets.detection.coco import OPTIONS, CocoVariant, Record, image_names, read_coco
from deixis.datasets.detection.coco_files import scan_coco
from deixis.datasets.files.class_lists import bare_name, readable
from deixis.datasets.files.images import relative_name
from deixis.datasets.source import Format
from deixis.errors import DataError

SPELLING = {"moniter": "monitor", "bakset": "basket", "dinning": "dining", "extention": "extension"}
"""Misspellings in Objects365's own list of names."""
PASCAL_FOLDERS = ("JPEGImages", "VOC2010/JPEGImages", "VOCdevkit/VOC2010/JPEGImages")


def object_of_category(category: Record) -> Object:
    """The object, without its region, that a category of LVIS names."""
    name = bare_name(str(category["name"]))
    others = (bare_name(str(other)) for other in category.get("synonyms") or ())
    return Object(name, synonyms=tuple(dict.fromkeys(other for other in others if other and other != name)))


def names_by_address(image: Record) -> list[str]:
    """What an image may be called, the end of its address first: the folder there is the one of 2017."""
    return image_names(image)[::-1]


def split_category(category: Record) -> Object:
    """The object, without its region, of a category of Objects365: in small letters but for TV, SUV and the like.

    >>> split_category({"name": "Moniter/TV"})
    Object(name='monitor', region=None, attributes=(), part_of=None, synonyms=('TV',), stuff=False)
    """
    names = [" ".join(map(_word, readable(name).split())) for name in str(category["name"]).split("/")]
    first, *others = (name for name in names if name)
    return Object(first, synonyms=tuple(others))


def _word(word: str) -> str:
    small = word if word.isupper() else word.lower()
    return SPELLING.get(small, small)


def names_by_patch(image: Record) -> list[str]:
    """What an image may be called: the file's path as the set has it, and its ends.

    >>> names_by_patch({"file_name": "images/v2/patch50/objects365_v2_01.jpg"})
    ['images/v2/patch50/objects365_v2_01.jpg', 'v2/patch50/objects365_v2_01.jpg', 'patch50/objects365_v2_01.jpg']
    """
    if not isinstance(image.get("file_name"), str):
        return []
    path = relative_name(image["file_name"])
    folders = path.split("/")
    return ["/".join(folders[start:]) for start in range(max(len(folders) - 1, 1))]


def object_or_part(category: Record) -> Object:
    """The object, without its region, of a category "object" or "object:part".

    >>> part = object_or_part({"name": "mouse_(computer_equipment):left_button"})
    >>> part.name, part.part_of
    ('left button', 'mouse')
    """
    whole, colon, part = str(category["name"]).partition(":")
    return Object(bare_name(part), part_of=bare_name(whole)) if colon else Object(bare_name(whole))


def part_of_whole(category: Record) -> Object:
    """The part, without its region, of a category "object:part". Raises DataError for one without a colon."""
    if ":" not in str(category["name"]):
        raise DataError(f"category_id: expected a category 'object:part', got {category['name']!r}: is this the set?")
    return object_or_part(category)


def names_in_pascal(image: Record) -> list[str]:
    """What an image of PASCAL VOC 2010 may be called below the folder that is given."""
    names = image_names(image)
    return names + [f"{folder}/{name}" for name in names for folder in PASCAL_FOLDERS]


_LVIS = CocoVariant(
    source="lvis",
    obj=object_of_category,
    names=names_by_address,
    absent="neg_category_ids",
    vague="not_exhaustive_category_ids",
)
_OBJECTS365 = CocoVariant(
    source="objects365", obj=split_category, names=names_by_patch, ignored=("ignore", "isfake", "isreflected")
)
_PACO = CocoVariant(
    source="paco_lvis",
    obj=object_or_part,
    absent="neg_category_ids",
    vague="not_exhaustive_category_ids",
    attributes="attribute_ids",
)
_PASCAL_PART = CocoVariant(source="pascal_part", media="voc", obj=part_of_whole, names=names_in_pascal)

LVIS = Format(
    name="lvis",
    title="LVIS: COCO's images with 1203 names",
    wants="lvis_v1_train.json or lvis_v1_val.json; --images: the folder with COCO's train2017/ and val2017/",
    home="https://www.lvisdataset.org/dataset",
    licence="annotations CC-BY-4.0; each image has its own, from the file's list",
    scan=scan_coco,
    read=partial(read_coco, variant=_LVIS),
    options=OPTIONS,
)
OBJECTS365 = Format(
    name="objects365",
    title="Objects365, version 1 or 2",
    wants="objects365_train.json or zhiyuan_objv2_train.json; --images: the folder that holds images/ or the patches",
    home="https://www.objects365.org",
    licence="annotations CC-BY-4.0; images under Flickr's terms",
    scan=scan_coco,
    read=partial(read_coco, variant=_OBJECTS365),
    options=OPTIONS,
)
PACO_LVIS = Format(
    name="paco_lvis",
    title="PACO-LVIS: parts and attributes of objects in COCO's images",
    wants="paco_lvis_v1_train.json; --images: the folder with COCO's train2017/ and val2017/",
    home="https://github.com/facebookresearch/paco",
    licence="annotations CC-BY-4.0; each image has its own, from the file's list",
    scan=scan_coco,
    read=partial(read_coco, variant=_PACO),
    options=OPTIONS,
)
PASCAL_PART = Format(
    name="pascal_part",
    title="PASCAL-Part: parts of objects in PASCAL VOC 2010's images, in COCO's form",
    wants="train.json; --images: the folder that holds VOCdevkit/, or JPEGImages",
    home="https://github.com/facebookresearch/VLPart",
    licence="images under Flickr's terms; annotations: see the set's page",
    scan=scan_coco,
    read=partial(read_coco, variant=_PASCAL_PART),
    options=OPTIONS,
)
