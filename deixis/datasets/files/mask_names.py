"""Which image a mask belongs to and what it shows, by the names of files alone.

    masks/a.png, masks/a_mask.png, masks/mask_a.png, masks/a_0.png      a mask of the image a
    masks/a_cat.png, masks/a_cat_2.png, masks/a/cat_2.png, masks/cat/a.png      ... that shows a cat

It opens no file.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from deixis.datasets.files.class_lists import readable

MASK_WORDS = frozenset(
    {
        *("mask", "masks", "label", "labels", "seg", "segm", "segmentation", "gt", "groundtruth", "annotation"),
        *("matte", "alpha", "instance", "instances", "object", "obj", "id", "ids", "binary", "l"),
    }
)
"""Words in the name of a mask that do not say what it shows."""
IMAGE_WORDS = ("image", "img", "picture", "photo", "rgb", "leftimg8bit", "frame")
_SIGNS = re.compile(r"[_\-./ ]+")
_HASH = re.compile(r"(?=.*\d)[0-9a-f]{8,}", re.IGNORECASE)


@dataclass(frozen=True)
class Owned:
    """image: the key of the image that a mask belongs to. shows: what it shows, if its name tells. is_marked: the
    name has a word for masks in it, such as "mask"."""

    image: str
    shows: str | None
    is_marked: bool


def image_names(names: Iterable[str]) -> dict[str, str]:
    """What images may be called by their masks, and the image's own name; a name of one is no other name of two.

    >>> image_names(["day/img_01", "b_image"])
    {'day/img_01': 'day/img_01', 'b_image': 'b_image', 'day/01': 'day/img_01', 'b': 'b_image'}
    """
    own = {name: name for name in names}
    others: dict[str, str] = {}
    for name in own:
        folder, slash, last = name.rpartition("/")
        for word in IMAGE_WORDS:
            for pattern in (rf"^{word}[_\-. ]", rf"[_\-. ]{word}$"):
                others.setdefault(f"{folder}{slash}{re.sub(pattern, '', last, flags=re.IGNORECASE)}", name)
        if folder and last.lower() in IMAGE_WORDS:  # a folder an image: a/image.jpg, a/mask.png
            others.setdefault(folder, name)
    return own | {name: of for name, of in others.items() if name not in own}


def owner(name: str, images: Mapping[str, str], but: str | None = None) -> Owned | None:
    """The image, other than `but`, that the mask `name` (a path without its ending) is of; None: of none of them.

    >>> images = image_names(["a", "a_b", "c"])
    >>> owner("a_b_big_dog_2", images)
    Owned(image='a_b', shows='big dog', is_marked=False)
    >>> owner("cat/c_mask", images), owner("x", images)
    (Owned(image='c', shows='cat', is_marked=True), None)
    """
    for key, rest in _beginnings(name):
        if images.get(key, but) != but:
            return Owned(images[key], _shown(rest), _is_marked(rest))
    folder, slash, last = name.rpartition("/")
    first, *tail = _SIGNS.split(last, maxsplit=1)
    if tail and first.lower() in MASK_WORDS and (found := owner(f"{folder}{slash}{tail[0]}", images, but)):
        return Owned(found.image, found.shows, True)
    head, slash, below = name.partition("/")
    found = owner(below, images, but) if slash else None
    if found is None:
        return None
    return Owned(found.image, found.shows or _shown(head), found.is_marked or _is_marked(head))


def _beginnings(name: str) -> Iterator[tuple[str, str]]:
    """A name and what is left of it, from the whole to the shortest, cut where signs part it."""
    yield name, ""
    for sign in reversed(list(_SIGNS.finditer(name))):
        yield name[: sign.start()], name[sign.end() :]


def _shown(rest: str) -> str | None:
    """What the rest of a name says, without words for masks, numbers and hashes.

    >>> _shown("instance_3_fire-truck"), _shown("mask_01"), _shown("0af31b22c4")
    ('fire truck', None, None)
    """
    words = (word for word in _SIGNS.split(rest) if word.lower() not in MASK_WORDS)
    kept = [word for word in words if word and not word.isdigit() and not _HASH.fullmatch(word)]
    return readable(" ".join(kept)) or None


def _is_marked(rest: str) -> bool:
    return any(word.lower() in MASK_WORDS for word in _SIGNS.split(rest))
