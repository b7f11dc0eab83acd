"""Finds the files of a source (a folder, a file, or a hub id that is downloaded) and which of them hold the weights.

The supported layouts: transformers' (one file or shards with an index, safetensors or
`pytorch_model*.bin`), Meta's tensor-parallel `consolidated.*.pth`, and a lone checkpoint file. Reads no tensor.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from os.path import exists
from pathlib import Path

from deixis.checkpoints.hub import fetch_snapshot, is_hub_id
from deixis.errors import CheckpointError, DataError, InputError
from deixis.files.json_text import read_object

SINGLE = ("model.safetensors", "checkpoint.safetensors", "pytorch_model.bin")
LONE_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".tar")
CONSOLIDATED = re.compile(r"consolidated\.(\d+)(?:-of-(\d+))?\.pth")
_BESIDE = ["*.json", "*.model", "*.jinja", "*/*.json"]
_PICKLED = (".bin", ".pth", ".pt")


@dataclass(frozen=True)
class Files:
    """Weights of a source. parallel: the files hold slices of the same tensors, in the order of their ranks.

    indexed: file name per tensor that an index lists.
    """

    folder: Path
    weights: tuple[Path, ...]
    parallel: bool
    indexed: dict[str, str]


def find_place(name: str | Path, what: str) -> Path:
    """The folder or file called `name`, or the hub's snapshot of it; `what` names the argument in an error."""
    place = Path(name)
    if exists(place):  # pathlib's raises for a name that is too long
        return place
    if not is_hub_id(str(name)) or place.suffix in LONE_SUFFIXES:
        raise CheckpointError(
            f"{what}: expected a folder, a file or a hub id (owner/name), got '{name}', which is none"
        )
    return fetch_snapshot(str(name), _patterns, what)


def _patterns(listed: Sequence[str]) -> list[str]:
    """File patterns: safetensors if present, else pickles; with the JSON files and tokenizer beside them.

    This is decided per folder: a release of pickles may hold its CLIP as safetensors.
    """
    folders = {file.rpartition("/")[0] for file in listed}
    safe = {file.rpartition("/")[0] for file in listed if file.endswith(".safetensors")}
    wanted = list(_BESIDE)
    for folder in folders:
        suffixes = (".safetensors",) if folder in safe else _PICKLED
        wanted += [file for file in listed if file.rpartition("/")[0] == folder and file.endswith(suffixes)]
    return wanted


def find_weights(place: Path, what: str) -> Files:
    """The files that hold the weights of `place`. Raises CheckpointError where one is missing."""
    if place.is_file():
        match = CONSOLIDATED.fullmatch(place.name)
        files = _consolidated(place.parent, what) if match else [place]
        return Files(place.parent, tuple(files), len(files) > 1, {})
    for index in (place / "model.safetensors.index.json", place / "pytorch_model.bin.index.json"):
        if index.is_file():
            return _indexed(index, what)
    for name in SINGLE:
        if (place / name).is_file():
            return Files(place, (place / name,), False, {})
    if files := _consolidated(place, what):
        return Files(place, tuple(files), len(files) > 1, {})
    lone = sorted(file for file in _listed(place) if file.suffix in LONE_SUFFIXES)
    best = [file for file in lone if "best" in file.name]
    if len(best or lone) == 1:
        return Files(place, tuple(best or lone), False, {})
    if lone:
        raise CheckpointError(
            f"{what} '{place}': expected one checkpoint, or shards with their index, got {len(lone)} files "
            f"({lone[0].name}, {lone[1].name}, ...); name the file"
        )
    raise CheckpointError(
        f"{what} '{place}': expected weights (*.safetensors, pytorch_model*.bin or consolidated.*.pth), got none in "
        "the folder"
    )


def _listed(folder: Path) -> list[Path]:
    """Files of a folder; none where it does not exist, as for the snapshot of an empty repository."""
    return list(folder.iterdir()) if folder.is_dir() else []


def _indexed(index: Path, what: str) -> Files:
    places = read_weight_map(index)
    if places is None:
        raise CheckpointError(f"{what} '{index}': expected an index of weights, got something else; it is damaged")
    files = tuple(index.parent / name for name in dict.fromkeys(places.values()))
    for file in files:
        if file.parent != index.parent or not file.is_file():
            raise CheckpointError(f"{what} '{index.parent}': the shard {file.name} named in {index.name} is missing")
    return Files(index.parent, files, False, places)


def _consolidated(folder: Path, what: str) -> list[Path]:
    """Tensor-parallel files by rank; none where there are none. Raises CheckpointError if a rank is missing."""
    found = {}
    for file in _listed(folder):
        if match := CONSOLIDATED.fullmatch(file.name):
            found[int(match[1])] = (file, match[2])
    if not found:
        return []
    given = next((count for _, count in found.values() if count), None)
    count = int(given) if given else max(found) + 1
    for rank in range(count):
        if rank not in found:
            raise CheckpointError(
                f"{what} '{folder}': expected {count} tensor-parallel files, got {len(found)}; that of rank {rank:02d} "
                "is missing"
            )
    return [found[rank][0] for rank in range(count)]


def read_weight_map(index: Path) -> dict[str, str] | None:
    """File name per tensor in an index of shards; None where the file is no such index."""
    try:
        places = read_object(index).get("weight_map")
    except (DataError, InputError):  # InputError: a pipe or a folder of such a name
        return None
    is_index = isinstance(places, dict) and all(isinstance(name, str) for name in places.values())
    return places if is_index else None


def read_json(file: Path, what: str) -> dict:
    """The object in a JSON file; empty where there is no file. Raises CheckpointError where it is no object."""
    if not file.is_file():
        return {}
    try:
        return read_object(file)
    except DataError as error:
        reason = f"{file.name}{str(error).removeprefix(str(file))}"
        raise CheckpointError(f"{what} '{file}': expected a JSON object, got something else ({reason})") from error
