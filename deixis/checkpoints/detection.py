"""Detects official checkpoints that are not converted yet, for the sentence on how to convert them."""

from collections.abc import Iterable
from pathlib import Path

from deixis.checkpoints.conversion_options import NAMES, systems_of_names
from deixis.checkpoints.find import CONSOLIDATED, LONE_SUFFIXES, read_json, read_weight_map
from deixis.checkpoints.source import open_source
from deixis.errors import CheckpointError

ARCHITECTURES = {"FERRETLlamaForCausalLM": "ferret", "ferret": "ferret", "LISAForCausalLM": "lisa"}
"""Values of `architectures` and `model_type` in published config.json files that identify a system."""


def system_of_names(names: Iterable[str]) -> str | None:
    """The system whose checkpoint has tensors of these names; None where no name identifies one."""
    return next(iter(systems_of_names(names)), None)


def official_system(place: Path) -> str | None:
    """The system whose official checkpoint a folder or file holds, identified by config.json or tensor names."""
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
        return "onellm"  # identified by name: its files are the largest, and slow to open as old pickles
    try:
        return system_of_names(open_source(place).meta())
    except CheckpointError:  # no readable weights: the caller reports what is wrong
        return None


def how_to_convert(place: Path, name: str = "") -> str | None:
    """The command that converts an official checkpoint; None for anything else.

    `name`: what the user calls the place, if not its path.
    """
    if not place.exists() or (system := official_system(place)) is None:
        return None
    return (
        f"it is an official {NAMES[system]} checkpoint, which has to be converted first: deixis convert {system} "
        f"{name or place} OUT, then name OUT here"
    )


def _json(file: Path) -> dict:
    """The object in a JSON file; empty where it is none: the caller reports what is wrong."""
    try:
        return read_json(file, "source")
    except (OSError, CheckpointError):
        return {}


def _listed(value: object) -> list:
    return list(value) if isinstance(value, list) else []
