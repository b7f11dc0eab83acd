"""The files that a conversion reads, by role, and their SHA-256, which identify the converted checkpoint.

A key is the role (source, base, clip, sam, tokenizer, classes) and the path relative to that source's folder, so that
keys are unique. Weights count, and the small files beside them that hold sizes, tokens and classes.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deixis.checkpoints.source import DeltaAndBase, Tensors
from deixis.checkpoints.tokenizer import FILES_BESIDE, find_tokenizer
from deixis.systems.release import ConversionOptions, Found

ROLES = {"CLIP": "clip", "SAM": "sam"}
"""Of parts of a conversion whose files are not the checkpoint's own."""


def files_read(found: Found, options: ConversionOptions) -> dict[str, Path]:
    """Every file that the conversion of what was found reads, by its key."""
    files: dict[str, Path] = {}
    for part in found.parts:
        role, source = ROLES.get(part.role, "source"), part.source
        if isinstance(source, DeltaAndBase):
            files |= _of_source("base", source.base) | _of_source(role, source.delta)
        else:
            files |= _of_source(role, source)
    folder = next(part.source.folder for part in found.parts if part.role not in ROLES)
    place = folder if options.tokenizer is None else Path(options.tokenizer)
    if (file := find_tokenizer(place)) is not None:
        names = (file.name, *FILES_BESIDE)
        files |= _existing("source" if options.tokenizer is None else "tokenizer", file.parent, names)
    if (file := found.classes_file) is not None:
        files |= _existing("source" if options.classes is None else "classes", file.parent, (file.name,))
    return files


def digests_of(files: Mapping[str, Path], progress: Callable[[int], None]) -> dict[str, str]:
    """The SHA-256 of each file; `progress` is called with the number of bytes of each read."""
    digests = {}
    for key, file in files.items():
        digest = hashlib.sha256()
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
                progress(len(block))
        digests[key] = digest.hexdigest()
    return digests


def _of_source(role: str, source: Tensors) -> dict[str, Path]:
    weights = {f"{role}/{file.relative_to(source.folder)}": file for file in source.files}
    return weights | _existing(role, source.folder, ("config.json",))


def _existing(role: str, folder: Path, names: Sequence[str]) -> dict[str, Path]:
    return {f"{role}/{name}": folder / name for name in names if (folder / name).is_file()}
