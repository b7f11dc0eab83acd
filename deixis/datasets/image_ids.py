"""Which image a file is: the same id for the same image in every set that shares it.

COCO's images are also those of LVIS, RefCOCO, PACO, COCO-Stuff, LLaVA-Instruct and half of Visual Genome; GQA's are
Visual Genome's; Flickr30k's, Visual Genome's and COCO's are Flickr's. By these ids leaks between sets are found.

A name that looks like COCO's is no evidence, for people number frames likewise. What counts is that the set is made of
such images (`published_id`), that its record gives the same number (`numbered_id`), or that the path or address names
the set (`path_id`, `flickr_id`). Every other image is called by its set and its path (`files.images.own_media_id`).
"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from deixis.datasets.files.images import relative_name

# COCO's numbers have at most six digits; twelve are a date and a time in the names that phones give
_COCO_NAME = r"(?:COCO_(?:train|val|test)20\d\d_)?(0{6}\d{6})\.(?:jpe?g|png)$"
_COCO = re.compile(rf"(?:^|/){_COCO_NAME}", re.IGNORECASE)
_COCO_PATH = re.compile(rf"(?:^|/)(?:ms)?coco[^/]*/(?:images/)?(?:train|val|test)20\d\d/{_COCO_NAME}", re.IGNORECASE)
_GENOME = re.compile(r"(?:^|/)(?:VG_100K(?:_2)?|gqa/images)/(\d+)\.(?:jpe?g|png)$", re.IGNORECASE)
_FLICKR_PATH = re.compile(r"(?:^|/)flickr30k[^/]*/(?:.*/)?(\d{4,})\.(?:jpe?g|png)$", re.IGNORECASE)
_FLICKR = re.compile(r"flickr\.com/.*/(\d{4,})(?:_[0-9a-f]+(?:_[a-z])?)?\.(?:jpe?g|png)$", re.IGNORECASE)
NUMBERED = ("coco", "vg", "flickr", "voc")
"""Sets whose images have one ending, so that other sets call them by what stands before it."""


def coco_id(number: int | str) -> str:
    """The id of an image by COCO's number of it.

    >>> coco_id(139)
    'coco/000000000139'
    """
    return f"coco/{int(number):012d}"


def coco_id_of_name(name: str) -> str | None:
    """The id of an image whose set is known to have COCO's, by its file's name; None for another name.

    >>> coco_id_of_name("COCO_val2014_000000000139.jpg"), coco_id_of_name("000000000139_1.jpg")
    ('coco/000000000139', None)
    """
    match = _COCO.search(name.replace("\\", "/"))
    return match and coco_id(match[1])


def published_id(names: Sequence[str], source: str) -> str:
    """The id of an image of a published set, by the names that it has there: COCO's or another's whose images it uses,
    else its own by the first name.

    >>> published_id(["val2017/000000000139.jpg"], "lvis"), published_id([r"v2\\patch50\\o365_01.jpg"], "objects365")
    ('coco/000000000139', 'objects365/v2/patch50/o365_01.jpg')
    """
    names = [name.replace("\\", "/") for name in names]
    shared = next(filter(None, (path_id(name) or coco_id_of_name(name) for name in names)), None)
    own = PurePosixPath(relative_name(names[0]))
    return shared or f"{source}/{own.with_suffix('') if source in NUMBERED else own}"


def numbered_id(name: str, number: Any) -> str | None:
    """COCO's id of an image where its name and the number in its record are COCO's and agree; else None.

    >>> numbered_id("000000000139.jpg", 139), numbered_id("000000000139.jpg", 7), numbered_id("frame_139.jpg", 139)
    ('coco/000000000139', None, None)
    """
    found = coco_id_of_name(name)
    digits = str(number).removesuffix(".0")  # some tools write all numbers of a file as floats
    return found if found is not None and digits.isdecimal() and found == coco_id(digits) else None


def path_id(name: str) -> str | None:
    """The id of an image by a path that names the set it is of, as the lists of LLaVA do; None where none is named.

    >>> path_id("coco/train2017/000000000009.jpg"), path_id("vg/VG_100K_2/2345.jpg"), path_id("000000000009.jpg")
    ('coco/000000000009', 'vg/2345', None)
    """
    name = name.replace("\\", "/")
    for source, pattern in (("coco", _COCO_PATH), ("vg", _GENOME), ("flickr", _FLICKR_PATH)):
        if match := pattern.search(name):
            return coco_id(match[1]) if source == "coco" else f"{source}/{int(match[1])}"
    return None


def flickr_id(address: Any) -> str | None:
    """The id of a photo by its address on Flickr; None for any other address.

    >>> flickr_id("http://farm4.staticflickr.com/3153/2970773875_164f0c0b83_z.jpg")
    'flickr/2970773875'
    """
    match = _FLICKR.search(address) if isinstance(address, str) else None
    return match and f"flickr/{match[1]}"


def flickr_aliases(address: Any) -> tuple[str, ...]:
    """The further ids that an image's address gives."""
    return tuple(filter(None, [flickr_id(address)]))
