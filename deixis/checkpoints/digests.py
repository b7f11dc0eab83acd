"""The files that a conversion reads, by role, and their SHA-256, which identify the converted checkpoint.

A key is the role (source, base, clip, sam, tokenizer, classes) and the path relative to that source's folder, so that
keys are unique. Weights count, and the small files beside them that hold sizes, tokens and classes.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deixis.checkpoints.conversion_options import ConversionOptions
from deixis.checkpoints.rules import Part
from deixis.checkpoints.source import DeltaAndBase, Tensors
from deixis.checkpoints.tokenizer import FILES, find_tokenizer

CONFIG = "config.json"
CLASSES = "shape_names.txt"  # names of a classifier's classes, one per line
WORDS = (*FILES, "added_tokens.json", "special_tokens_map.json")
ROLES = {"CLIP": "clip", "SAM": "sam"}
"""Of parts of a conversion whose files are not the checkpoint's own."""


def files_read(parts: Sequence[Part], options: ConversionOptions) -> dict[str, Path]:
    """Every file that a conversion of these parts reads, by its key."""
    found: dict[str, Path] = {}
    for part in parts:
        role, source = ROLES.get(part.role, "source"), part.source
        if isinstance(source, DeltaAndBase):
            found |= _of_source("base", source.base) | _of_source(role, source.delta)
        else:
            found |= _of_source(role, source)
    folder = next(part.source.folder for part in parts if part.role not in ROLES)
    place = folder if options.tokenizer is None else Path(options.tokenizer)
    if (file := find_tokenizer(place)) is not None:
        names = dict.fromkeys((file.name, *WORDS[len(FILES) :]))
        found |= _there("source" if options.tokenizer is None else "tokenizer", file.parent, tuple(names))
    names = folder / CLASSES if options.classes is None else Path(options.classes)
    return found | _there("source" if options.classes is None else "classes", names.parent, (names.name,))


def digests_of(files: Mapping[str, Path], progress: Callable[[int], None]) -> dict[str, str]:
    """The SHA-256 of each file; `progress` is called with the number of bytes of each read."""
    digests = {}
    for key, file in files.items():
        digest = hashlib.sha256()
        with file.open("rb") as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
                progress(len(piece))
        digests[key] = digest.hexdigest()
    return digests


def _of_source(role: str, source: Tensors) -> dict[str, Path]:
    weights = {f"{role}/{file.relative_to(source.folder)}": file for file in source.files}
    return weights | _there(role, source.folder, (CONFIG,))


def _there(role: str, folder: Path, names: Sequence[str]) -> dict[str, Path]:
    return {f"{role}/{name}": folder / name for name in names if (folder / name).is_file()}
