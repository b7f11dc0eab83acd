"""Objects365, versions 1 and 2: boxes of 365 kinds of objects in COCO's form.

Read as COCO is, and further: files are found by the path of either version ("images/v2/patch50/NAME.jpg") or by its
last folders, as people unpack them; "Cabinet/shelf" is a "cabinet" that is also called a "shelf"; what is an image of
an object (`isfake`) or its reflection (`isreflected`) is neither right nor wrong.

Sources: objects365.org; open-mmlab/mmdetection@234325d mmdet/datasets/objects365.py,
tools/dataset_converters/fix_o365_names.py.
"""

from functools import partial

from deixis.datasets.annotated import Object
from deixis.datasets.detection.coco import OPTIONS, CocoLike, Record, read_coco
from deixis.datasets.detection.coco_files import scan_coco
from deixis.datasets.files.class_names import readable
from deixis.datasets.files.images import relative_name
from deixis.datasets.source import Format

SPELLING = {"moniter": "monitor", "bakset": "basket", "dinning": "dining", "extention": "extension"}
"""Slips in the set's own list of names."""


def object_of_category(category: Record) -> Object:
    """The object, without its place, that a category names: in small letters but for TV, SUV and the like.

    >>> object_of_category({"name": "Moniter/TV"})
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


KIND = CocoLike(
    source="objects365",
    obj=object_of_category,
    names=names_by_patch,
    ignored=("ignore", "isfake", "isreflected"),
)


read_objects365 = partial(read_coco, kind=KIND)


OBJECTS365 = Format(
    name="objects365",
    title="Objects365, version 1 or 2",
    wants="objects365_train.json or zhiyuan_objv2_train.json; --images: the folder that holds images/ or the patches",
    home="https://www.objects365.org",
    licence="annotations CC-BY-4.0; images under Flickr's terms",
    scan=scan_coco,
    read=read_objects365,
    options=OPTIONS,
)
