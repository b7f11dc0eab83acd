"""Files that clients sent: kept in a folder of the server's own, by id, within a number of bytes and a time.

No name of a client becomes a path: a file is called by its id and a known ending, its name is kept for messages alone.
The oldest files go where new ones need their place. A file belongs to the key that sent it; to others it is not there.
"""

import re
import secrets
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from deixis.files.budget import MB
from deixis.serving.errors import RequestError
from deixis.serving.settings import ServerSettings
from deixis.signals import MODALITIES
from deixis.signals.opening import PACKED_SUFFIXES

_ENDING = re.compile(r"\.[a-z0-9]{1,8}\Z")
_UNPRINTABLE = re.compile(r"[^\w .,+()\[\]@=-]")
MAX_NAME = 120


@dataclass(frozen=True)
class Upload:
    """One file: where it lies, what its sender called it, and what its sender says of it."""

    id: str
    name: str
    path: Path
    bytes: int
    created_at: float
    owner: str = ""
    modality: str | None = None
    number: float | None = None


class UploadStore:
    """The files of all clients. Thread-safe; `close` removes them."""

    def __init__(self, settings: ServerSettings):
        self.settings = settings
        self.folder = Path(tempfile.mkdtemp(prefix="deixis-uploads-"))
        self._files: OrderedDict[str, Upload] = OrderedDict()
        self._lock = threading.Lock()

    def add(
        self,
        name: str,
        content: Iterable[bytes],
        owner: str = "",
        modality: str | None = None,
        number: float | None = None,
    ) -> Upload:
        """The file, stored; the same content sent again by the same owner is the same file.

        Raises RequestError for too large a file, an empty one, and a modality that there is not.
        """
        if modality is not None and modality not in MODALITIES:
            raise RequestError(
                f"modality: expected one of {', '.join(MODALITIES)}; got {modality!r:.40}", param="modality"
            )
        name = _plain(name)
        part = self.folder / f"{secrets.token_hex(8)}.part"
        try:
            digest, size = self._write(part, name, content)
            said = f"{owner}\0{modality}\0{number}\0{_ending(name)}\0"
            identity = f"file-{sha256(said.encode() + digest).hexdigest()[:32]}"
            path = self.folder / f"{identity}{_ending(name)}"
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)
        upload = Upload(identity, name, path, size, time.time(), owner, modality, number)
        with self._lock:
            self._files.pop(identity, None)
            self._files[identity] = upload
            self._make_room()
        return upload

    def get(self, identity: str, owner: str = "") -> Upload:
        """The file of this id. Raises RequestError where the owner has none."""
        with self._lock:
            self._make_room()
            found = self._files.get(identity)
            if found is None or found.owner != owner:
                raise RequestError(
                    f"file {identity!r:.60}: expected the id of a file that was sent and not deleted; there is none",
                    404,
                    "file_id",
                )
            self._files.move_to_end(identity)
            return found

    def delete(self, identity: str, owner: str = "") -> None:
        """Removes the file. Raises RequestError where the owner has none."""
        self.get(identity, owner)
        with self._lock:
            self._remove(identity)

    def discard(self, identity: str) -> None:
        """Removes a file that was refused, if it is there."""
        with self._lock:
            self._remove(identity)

    def owned(self, owner: str) -> list[Upload]:
        """The files of one owner, the latest first."""
        with self._lock:
            self._make_room()
            return [own for own in reversed(self._files.values()) if own.owner == owner]

    @property
    def stored_bytes(self) -> int:
        """Of all files."""
        return sum(own.bytes for own in list(self._files.values()))

    def close(self) -> None:
        """Removes all files."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, path: Path, name: str, content: Iterable[bytes]) -> tuple[bytes, int]:
        """(sha256, bytes) of what was written."""
        digest, size, most = sha256(), 0, self.settings.max_file_bytes
        with path.open("xb") as file:
            for piece in content:
                size += len(piece)
                if size > most:
                    raise RequestError(
                        f"'{name}': expected a file of at most {most // MB} MB; got a larger one", 413, "file"
                    )
                digest.update(piece)
                file.write(piece)
        if not size:
            raise RequestError(f"'{name}': expected a file; got an empty one (0 bytes)", param="file")
        return digest.digest(), size

    def _make_room(self) -> None:
        """Removes what is too old, and the files not used for longest where all take too much."""
        now = time.time()
        for own in [own for own in self._files.values() if now - own.created_at > self.settings.stored_s]:
            self._remove(own.id)
        while len(self._files) > 1 and self.stored_bytes > self.settings.max_stored_bytes:
            self._remove(next(iter(self._files)))

    def _remove(self, identity: str) -> None:
        if (own := self._files.pop(identity, None)) is not None:
            own.path.unlink(missing_ok=True)


def _plain(name: str) -> str:
    """The last part of a file's name without signs that a sentence or a header could be misread for."""
    last = re.split(r"[\\/]", name)[-1]
    return _UNPRINTABLE.sub("_", last)[-MAX_NAME:].strip() or "file"


def _ending(name: str) -> str:
    lower = name.lower()
    packed = next((ending for ending in PACKED_SUFFIXES if lower.endswith(ending)), None)
    if packed is not None:
        return packed
    match = _ENDING.search(lower)
    return match[0] if match else ""
