"""Recognises official checkpoints that are not converted yet, for the sentence on how to convert them."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from os.path import exists
from pathlib import Path
from typing import Any

from deixis.checkpoints import NoModelError
from deixis.checkpoints.find import LONE_SUFFIXES, read_json, read_weight_map
from deixis.checkpoints.source import Tensors, open_source
from deixis.errors import CheckpointError
from deixis.systems.release import Release
from deixis.systems.releases import CONVERTIBLE


@contextmanager
def conversion_hint() -> Generator[None]:
    """Where a place that is opened holds an official checkpoint, makes the error say how it is converted."""
    try:
        yield
    except NoModelError as error:
        if not exists(error.place) or (release := official_release(error.place)) is None:
            raise
        raise CheckpointError(
            f"model '{error.name}': it is an official {release.name} checkpoint, which has to be converted first: "
            f"deixis convert {release.system} {error.name} OUT, then name OUT here"
        ) from None


def official_release(place: Path) -> Release | None:
    """The release whose official checkpoint a folder or file holds, by its config.json or the names of its tensors."""
    if place.is_dir():
        config = _config(place)
        listed = config.get("architectures")
        model_types = [*(listed if isinstance(listed, list) else ()), config.get("model_type")]
        for release in CONVERTIBLE.values():
            if any(word in release.model_types for word in model_types):
                return release
        for index in place.glob("*.index.json"):
            if found := releases_of(read_weight_map(index) or ()):
                return found[0]
    elif place.suffix not in LONE_SUFFIXES:
        return None
    try:
        return next(iter(releases_of(open_source(place).meta())), None)
    except CheckpointError:  # no readable weights: the caller reports what is wrong
        return None


def releases_of(names: Iterable[str]) -> list[Release]:
    """The releases that tensors of these names may be of; none where no name identifies one."""
    names = list(names)
    return [own for own in CONVERTIBLE.values() if any(name.startswith(own.tensor_prefixes) for name in names)]


def check_release(source: Tensors, release: Release) -> None:
    """Raises CheckpointError where the names of the tensors are those of another system, or of LoRA not yet merged."""
    names = source.meta()
    if lora := next((name for name in names if "lora_" in name), None):
        raise CheckpointError(
            f"source '{source.label}': expected merged weights, got LoRA's beside them ({lora}); merge them first, as "
            "the published merge_lora_weights_and_save_hf_model.py does"
        )
    found = releases_of(names)
    if release in found or any((source.folder / name).is_file() for name in release.extra_files):
        return
    got = f"one without (its first tensor is {next(iter(names))})"
    if found:
        got = f"a {found[0].name} checkpoint; convert it as {found[0].system}"
    raise CheckpointError(
        f"source '{source.label}': expected a {release.name} checkpoint, with tensors {release.tensor_prefixes[0]}*, "
        f"got {got}"
    )


def _config(folder: Path) -> dict[str, Any]:
    """The configuration in a folder; empty where there is none: the caller reports what is wrong."""
    try:
        return read_json(folder / "config.json", "source")
    except (OSError, CheckpointError):
        return {}
