"""Which image a file is: the same id for the same image in every set that shares it.

COCO's images are also those of LVIS, RefCOCO, PACO, COCO-Stuff, LLaVA-Instruct and half of Visual Genome; GQA's are
Visual Genome's; Flickr30k's, Visual Genome's and COCO's are Flickr's. By these ids leaks between sets are found.
"""

import re

_COCO = re.compile(r"(?:^|/|_)(?:COCO_(?:train|val|test)20\d\d_)?(\d{12})(?:_\d+)?\.(?:jpe?g|png)$", re.IGNORECASE)
_GENOME = re.compile(r"(?:^|/)(?:VG_100K(?:_2)?|gqa/images|vg)/(\d+)\.(?:jpe?g|png)$", re.IGNORECASE)
_FLICKR = re.compile(
    r"(?:flickr\.com/.*/|flickr30k[^/]*/(?:.*/)?)(\d{4,})(?:_[0-9a-f]+(?:_[a-z])?)?\.(?:jpe?g|png)$", re.I
)


def image_id(name: str) -> str | None:
    """The id of an image by its path or address; None where these do not tell.

    >>> image_id("train2014/COCO_train2014_000000000139.jpg"), image_id("images/VG_100K_2/2345.jpg")
    ('coco/000000000139', 'vg/2345')
    >>> image_id("http://farm4.staticflickr.com/3153/2970773875_164f0c0b83_z.jpg"), image_id("holiday.jpg")
    ('flickr/2970773875', None)
    """
    name = name.replace("\\", "/")
    if match := _COCO.search(name):
        return coco_id(match[1])
    if match := _GENOME.search(name):
        return f"vg/{int(match[1])}"
    if match := _FLICKR.search(name):
        return f"flickr/{match[1]}"
    return None


def coco_id(number: int | str) -> str:
    """The id of an image by COCO's number of it.

    >>> coco_id(139)
    'coco/000000000139'
    """
    return f"coco/{int(number):012d}"


def aliases(*names: str | None) -> tuple[str, ...]:
    """The ids that some names of one image give, without repeats."""
    return tuple(dict.fromkeys(filter(None, map(image_id, filter(None, names)))))
