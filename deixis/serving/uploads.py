"""Files that clients sent: kept in a folder, by id, within a number of bytes and a time.

    FOLDER/file-ID/upload.json       what is known of the file; its time of change is when the file was last used
    FOLDER/file-ID/content.png       the file, under a known ending

The folder is all there is: several servers may share one, and each finds what the others took. A file is made under
another name and renamed, so that none is ever half there, and needs no lock.

No name of a client becomes a path: its name is kept for messages alone. The files that were not used for longest go
where new ones need their place. A file belongs to the key that sent it; to others it is not there.
"""

import json
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from deixis.errors import InputError, one_line
from deixis.files.budget import MB
from deixis.serving.errors import RequestError
from deixis.serving.settings import ServerSettings
from deixis.signals import MODALITIES
from deixis.signals.opening import PACKED_SUFFIXES

_ID = re.compile(r"file-[0-9a-f]{32}")
_ENDING = re.compile(r"\.[a-z0-9]{1,8}\Z")
_UNPRINTABLE = re.compile(r"[^\w .,+()\[\]@=-]")
_FACTS, _CONTENT = "upload.json", "content"
MAX_NAME = 120
PART_S = 3600.0
"""After which a file that is not whole is what a server left that was killed."""


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
    """The files of all clients in `settings.uploads`, else in a folder of the store's own, which `close` removes.

    Raises InputError for a folder that cannot be made.
    """

    def __init__(self, settings: ServerSettings):
        self.settings, self.is_own = settings, settings.uploads is None
        self.folder = settings.uploads or Path(tempfile.mkdtemp(prefix="deixis-uploads-"))
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"--uploads: expected a folder to keep files in, got '{self.folder}' ({one_line(error)})"
            ) from None

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
        part = self.folder / f".{secrets.token_hex(8)}.part"
        try:
            part.mkdir()
            file = part / f"{_CONTENT}{_ending(name)}"
            digest, size = self._write(file, name, content)
            said = f"{owner}\0{modality}\0{number}\0{_ending(name)}\0"
            identity = f"file-{sha256(said.encode() + digest).hexdigest()[:32]}"
            own = self.folder / identity
            upload = Upload(identity, name, own / file.name, size, time.time(), owner, modality, number)
            facts = {key: value for key, value in asdict(upload).items() if key not in ("id", "path")}
            (part / _FACTS).write_text(json.dumps(facts | {"file": file.name}), encoding="utf-8")
            try:
                part.rename(own)
            except OSError:  # it is there: the same content, whose facts are those of now
                (part / _FACTS).replace(own / _FACTS)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        self._make_room(identity)
        return upload

    def get(self, identity: str, owner: str = "") -> Upload:
        """The file of this id. Raises RequestError where the owner has none."""
        found = self._read(identity) if _ID.fullmatch(identity) else None
        if found is None or found.owner != owner:
            raise RequestError(
                f"file {identity!r:.60}: expected the id of a file that was sent and not deleted; there is none",
                404,
                "file_id",
            )
        with suppress(OSError):  # another server removes it
            os.utime(self.folder / identity / _FACTS)
        return found

    def delete(self, identity: str, owner: str = "") -> None:
        """Removes the file. Raises RequestError where the owner has none."""
        self.get(identity, owner)
        self.discard(identity)

    def discard(self, identity: str) -> None:
        """Removes a file, if it is there: under another name first, so that no server finds a part of it."""
        gone = self.folder / f".{secrets.token_hex(8)}.part"
        with suppress(FileNotFoundError):  # another server was first
            (self.folder / identity).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def owned(self, owner: str) -> list[Upload]:
        """The files of one owner, the latest used first."""
        return [own for _, own in sorted(self._all(), key=lambda pair: -pair[0]) if own.owner == owner]

    @property
    def stored_bytes(self) -> int:
        """Of all files."""
        return sum(own.bytes for _, own in self._all())

    def close(self) -> None:
        """Removes a folder of its own with all files; one that was named stays as it is."""
        if self.is_own:
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

    def _read(self, identity: str) -> Upload | None:
        """The file of an id; None where there is none, or one that is too old, which goes."""
        own = self.folder / identity
        try:
            facts = json.loads((own / _FACTS).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        upload = Upload(identity, path=own / facts.pop("file"), **facts)
        if time.time() - upload.created_at > self.settings.stored_s:
            self.discard(identity)
            return None
        return upload

    def _all(self) -> Iterator[tuple[int, Upload]]:
        """(when it was last used, file) of every file."""
        for entry in os.scandir(self.folder):
            with suppress(FileNotFoundError):  # removed meanwhile
                if _ID.fullmatch(entry.name) and (own := self._read(entry.name)) is not None:
                    yield os.stat(own.path.with_name(_FACTS)).st_mtime_ns, own
                elif entry.name.endswith(".part") and time.time() - entry.stat().st_mtime > PART_S:
                    shutil.rmtree(entry.path, ignore_errors=True)

    def _make_room(self, newest: str) -> None:
        """Removes what is too old, and where all take too much or are too many the files not used for longest, but for
        the newest."""
        stored = sorted(self._all(), key=lambda pair: pair[0])
        held, count = sum(own.bytes for _, own in stored), len(stored)
        for _, own in stored:
            is_full = held > self.settings.max_stored_bytes or count > self.settings.max_stored_files
            if is_full and own.id != newest:
                self.discard(own.id)
                held, count = held - own.bytes, count - 1


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
