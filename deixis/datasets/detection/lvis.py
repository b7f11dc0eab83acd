"""LVIS: COCO's images with 1203 names, and for each image names that are not there and names left open.

Read as COCO is, and further: an image's file is the end of its `coco_url` (version 1 has no file_name, 0.5 one of
2014); "cup_(drink)" is a "cup", with what else it is called; `neg_category_ids` are absent, and of
`not_exhaustive_category_ids` more may be there unmarked. Definitions of the names stay out.

Sources: lvisdataset.org/dataset; lvis-dataset/lvis-api@7d7f07d data/.
"""

from functools import partial

from deixis.datasets.annotated import Object
from deixis.datasets.detection.coco import OPTIONS, CocoLike, Record, image_names, read_coco
from deixis.datasets.detection.coco_files import scan_coco
from deixis.datasets.files.class_names import bare_name
from deixis.datasets.source import Format


def object_of_category(category: Record) -> Object:
    """The object, without its place, that a category of LVIS names."""
    name = bare_name(str(category["name"]))
    others = (bare_name(str(other)) for other in category.get("synonyms") or ())
    return Object(name, synonyms=tuple(dict.fromkeys(other for other in others if other and other != name)))


def names_by_address(image: Record) -> list[str]:
    """What an image may be called, the end of its address first: the folder there is the one of 2017."""
    return image_names(image)[::-1]


KIND = CocoLike(
    source="lvis",
    obj=object_of_category,
    names=names_by_address,
    absent="neg_category_ids",
    vague="not_exhaustive_category_ids",
)


read_lvis = partial(read_coco, kind=KIND)


LVIS = Format(
    name="lvis",
    title="LVIS: COCO's images with 1203 names",
    wants="lvis_v1_train.json or lvis_v1_val.json; --images: the folder with COCO's train2017/ and val2017/",
    home="https://www.lvisdataset.org/dataset",
    licence="annotations CC-BY-4.0; each image has its own, from the file's list",
    scan=scan_coco,
    read=read_lvis,
    options=OPTIONS,
)
