"""Whether media are the same file, where ids do not tell: two sets may have other files under one path, and one file
under two names. Sizes are compared first, so that few files are read.
"""

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache

from deixis.errors import InputError
from deixis.files.regular import open_regular
from deixis.samples.sample import MediaReference
from deixis.signals import MODALITIES
from deixis.signals.opening import ARRAY_SUFFIX

REMEMBERED = 4_096  # digests: an image may have many samples
_ENDINGS = (
    *(ending for modality in MODALITIES.values() for ending in modality.suffixes),
    *(ARRAY_SUFFIX, ".tif", ".tiff", ".ppm"),
)


@dataclass(frozen=True)
class MediaFile:
    """A file as far as it is told without reading it. place: its path, or the digest of a content in memory."""

    size: int
    place: str
    in_memory: bool = False

    @property
    def digest(self) -> str | None:
        """blake2b of the content, in hex; None for a file that cannot be read, which is then tried no more."""
        if self.in_memory:
            return self.place
        try:
            changed_ns = os.stat(self.place).st_mtime_ns
        except OSError:
            return None
        return _digest(self.place, self.size, changed_ns)


def media_file(medium: MediaReference) -> MediaFile | None:
    """The file of a medium; None where none is there to be compared, as of values in memory."""
    if medium.content is not None:
        return MediaFile(len(medium.content), hashlib.blake2b(medium.content).hexdigest(), True)
    if medium.values is not None or medium.path is None or not os.path.isfile(medium.path):
        return None
    return MediaFile(os.path.getsize(medium.path), os.path.realpath(medium.path))


def media_key(medium: MediaReference, file: MediaFile | None) -> str:
    """What tells a medium from others: its id; where that is only a path within its set, where its file lies too.

    file: of the medium, or None where it is not looked at or not there: the path says where it lies then.
    """
    if not names_a_file(medium.id):
        return medium.id
    return f"{medium.id}\n{medium.path if file is None else file.place}"


def names_a_file(medium_id: str) -> bool:
    """Whether an id is a path within its set, which says nothing of another set whose folder has the same name.

    >>> names_a_file("photos/day/1.jpg"), names_a_file("coco/000000000139")
    (True, False)
    """
    return medium_id.lower().endswith(_ENDINGS)


def are_other_files(medium_id: str, one: MediaFile | None, other: MediaFile | None) -> bool:
    """Whether two media of one id are two all the same: the id is a path, and both files are there and differ.

    A file that cannot be read is no other, as far as is known.
    """
    if not names_a_file(medium_id) or one is None or other is None or one.place == other.place:
        return False
    return one.size != other.size or (None not in (one.digest, other.digest) and one.digest != other.digest)


@lru_cache(maxsize=REMEMBERED)
def _digest(place: str, size: int, mtime_ns: int) -> str | None:
    del size, mtime_ns  # another content has others
    try:
        with open_regular(place) as stream:
            return hashlib.file_digest(stream, "blake2b").hexdigest()
    except (InputError, OSError):  # remembered too: many samples may have the file
        return None
