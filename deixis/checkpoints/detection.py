"""Tells an official checkpoint that is not converted yet, for the sentence that says how it is made usable."""

from collections.abc import Iterable
from pathlib import Path

from deixis.checkpoints.conversion_options import NAMES, systems_of_names
from deixis.checkpoints.find import CONSOLIDATED, LONE_SUFFIXES, read_json, read_weight_map
from deixis.checkpoints.source import open_source
from deixis.errors import CheckpointError

ARCHITECTURES = {"FERRETLlamaForCausalLM": "ferret", "ferret": "ferret", "LISAForCausalLM": "lisa"}
"""What `architectures` and `model_type` of a published config.json say, where they say which system it is."""


def system_of_names(names: Iterable[str]) -> str | None:
    """The system that tensors of these names are of; None where none of them is a mark of one."""
    return next(iter(systems_of_names(names)), None)


def official_system(place: Path) -> str | None:
    """The system whose official checkpoint a folder or file holds, as its config.json or its tensors' names tell."""
    folder = place if place.is_dir() else place.parent
    config = _json(folder / "config.json") if place.is_dir() else {}
    for word in (*_listed(config.get("architectures")), config.get("model_type")):
        if isinstance(word, str) and word in ARCHITECTURES:
            return ARCHITECTURES[word]
    for index in folder.glob("*.index.json") if place.is_dir() else ():
        if system := system_of_names(read_weight_map(index) or ()):
            return system
    if place.is_file() and place.suffix not in LONE_SUFFIXES:
        return None
    if CONSOLIDATED.fullmatch(place.name):
        return "onellm"  # whose files are the largest, and long to open where they are old pickles
    try:
        return system_of_names(open_source(place).meta())
    except CheckpointError:  # no readable weights: the caller reports what is wrong
        return None


def how_to_convert(place: Path, name: str = "") -> str | None:
    """What to do with an official checkpoint before it can be asked; None for anything else.

    `name`: how a person calls the place, if not by its path.
    """
    if not place.exists() or (system := official_system(place)) is None:
        return None
    return (
        f"it is an official {NAMES[system]} checkpoint, which has to be converted first: deixis convert {system} "
        f"{name or place} OUT, then name OUT here"
    )


def _json(file: Path) -> dict:
    """The object in a JSON file; empty where it is none: then it is not this that is wrong."""
    try:
        return read_json(file, "source")
    except (OSError, CheckpointError):
        return {}


def _listed(value: object) -> list:
    return list(value) if isinstance(value, list) else []
