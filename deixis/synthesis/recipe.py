"""The recipe of a region-data set: where annotations come from, which parts are made of them, and how many of each.

    seed: 7
    scale: 0.01                    # times every part's `samples`
    sources:                       # sets by a name of your own; options as those of `deixis data read`
      coco: {format: coco, path: "${DATA}/coco/annotations/instances_train2017.json", images: "${DATA}/coco/train2017"}
    held_out:                      # further sets whose images outside `train` may not be trained on
      refcoco: {format: refcoco, path: "${DATA}/refcoco"}
    parts:                         # see `deixis data build --list`
      - {name: objects, kind: objects, from: [coco], samples: 678000}
    language: {url: "http://localhost:8000/v1", model: qwen3, max_cost_usd: 5}     # for parts that a model writes
    models: {masks: facebook/sam-vit-base, boxes: google/owlv2-base-patch16-ensemble, depth: ..., device: cpu}
    shards: {format: tar, samples: 1000, media: link}

A source with `optional: true` whose files are not there is skipped, with what is made of it alone.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from deixis.datasets.source import DatasetConfig
from deixis.errors import ConfigError, DeixisError
from deixis.options import check_choice, check_known
from deixis.samples.consistency import listed
from deixis.samples.media import PLACEMENTS
from deixis.samples.shard_files import FORMS
from deixis.samples.shards import Placement
from deixis.samples.yaml_file import read_yaml

ENDINGS = tuple(ending.removeprefix(".") for ending in FORMS)
FIELDS = ("seed", "scale", "sources", "held_out", "parts", "language", "models", "shards")
SOURCE_FIELDS = ("format", "path", "images", "split", "options", "optional")
PART_FIELDS = ("name", "kind", "from", "samples", "options", "masks_from_boxes", "objects_from")
MODEL_FIELDS = ("masks", "boxes", "depth", "device")
SHARD_FIELDS = ("format", "samples", "media")
SHARD_SAMPLES = 1_000


@dataclass(frozen=True)
class SourceEntry:
    """A set that a recipe names. optional: it may be missing."""

    format: str
    config: DatasetConfig
    optional: bool = False

    @property
    def is_there(self) -> bool:
        return self.config.path.exists()


@dataclass(frozen=True)
class PartEntry:
    """A part that a recipe wants: `samples` of a kind, from the sources named, before scaling.

    masks_from_boxes: mark masks with the model first. objects_from: the source whose objects a dialogue's images show.
    """

    name: str
    kind: str
    sources: tuple[str, ...]
    samples: int
    options: Mapping[str, Any] = field(default_factory=dict)
    masks_from_boxes: bool = False
    objects_from: str | None = None


@dataclass(frozen=True)
class BuildRecipe:
    """A recipe as it was read; what its parts' kinds and options mean, `parts.py` and the run check."""

    sources: Mapping[str, SourceEntry]
    held_out: Mapping[str, SourceEntry]
    parts: tuple[PartEntry, ...]
    seed: int = 0
    scale: float = 1.0
    language: Mapping[str, Any] | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    ending: str = "tar"
    media: Placement = "link"
    shard_samples: int = SHARD_SAMPLES


def read_build_recipe(path: str | Path) -> BuildRecipe:
    """The recipe in a YAML file; `${NAME}` and `~` in paths are filled in.

    Raises ConfigError naming the field that is missing, unknown or wrong.
    """
    values = read_yaml(path)
    try:
        return build_recipe(values)
    except DeixisError as error:
        raise ConfigError(f"{path}: {error}") from None


def build_recipe(values: Any) -> BuildRecipe:
    """The recipe in values as YAML gives them. Raises ConfigError naming the field."""
    if isinstance(values, dict) and "stages" in values:
        raise ConfigError("expected a recipe of region data, got one of training: it is for deixis train")
    recipe = _mapping("the recipe", values, FIELDS)
    sources = {str(name): _source(f"sources.{name}", entry) for name, entry in _names("sources", recipe).items()}
    held_out = {str(name): _source(f"held_out.{name}", entry) for name, entry in _names("held_out", recipe).items()}
    if both := sources.keys() & held_out.keys():
        raise ConfigError(f"held_out: expected names that no source has, got {min(both)!r}")
    entries = recipe.get("parts")
    if not isinstance(entries, list) or not entries:
        raise ConfigError(f"parts: expected a list of at least one part, got {entries!r}")
    parts = tuple(_part(f"parts[{number}]", entry, sources) for number, entry in enumerate(entries))
    names = [part.name for part in parts]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"parts: expected a name for each that no other has, got {twice!r} twice")
    models = _mapping("models", recipe.get("models") or {}, MODEL_FIELDS)
    shards = _mapping("shards", recipe.get("shards") or {}, SHARD_FIELDS)
    language = recipe.get("language")
    return BuildRecipe(
        sources=sources,
        held_out=held_out,
        parts=parts,
        seed=_number("seed", recipe.get("seed", 0), int),
        scale=_number("scale", recipe.get("scale", 1.0), float),
        language=None if language is None else _mapping("language", language),
        models={name: _text(f"models.{name}", value) for name, value in models.items()},
        ending=_choice("shards.format", shards.get("format", "tar"), ENDINGS),
        media=_choice("shards.media", shards.get("media", "link"), PLACEMENTS),
        shard_samples=max(1, _number("shards.samples", shards.get("samples", SHARD_SAMPLES), int)),
    )


def _source(where: str, entry: Any) -> SourceEntry:
    values = _mapping(where, entry, SOURCE_FIELDS)
    for name in ("format", "path"):
        if name not in values:
            raise ConfigError(f"{where}: expected the field {name!r}, which is missing")
    options = _mapping(f"{where}.options", values.get("options") or {})
    split = values.get("split")
    config = DatasetConfig(
        _path(f"{where}.path", values["path"]),
        None if values.get("images") is None else _path(f"{where}.images", values["images"]),
        None if split is None else _text(f"{where}.split", split),
        {str(name): str(value) for name, value in options.items()},
    )
    return SourceEntry(_text(f"{where}.format", values["format"]), config, _flag(where, values, "optional"))


def _part(where: str, entry: Any, sources: Mapping[str, SourceEntry]) -> PartEntry:
    values = _mapping(where, entry, PART_FIELDS)
    for name in ("kind", "from", "samples"):
        if name not in values:
            raise ConfigError(f"{where}: expected the field {name!r}, which is missing")
    named = values["from"] if isinstance(values["from"], list) else [values["from"]]
    for source in (*named, *filter(None, [values.get("objects_from")])):
        if source not in sources:
            raise ConfigError(f"{where}: expected a source among {listed(sources)}, got {source!r}")
    kind = _text(f"{where}.kind", values["kind"])
    name = _text(f"{where}.name", values.get("name", kind))
    if Path(name).name != name or name.startswith("."):
        raise ConfigError(f"{where}.name: expected a name fit for a file, got {name!r}")
    return PartEntry(
        name=name,
        kind=kind,
        sources=tuple(dict.fromkeys(named)),
        samples=_number(f"{where}.samples", values["samples"], int),
        options=_mapping(f"{where}.options", values.get("options") or {}),
        masks_from_boxes=_flag(where, values, "masks_from_boxes"),
        objects_from=values.get("objects_from"),
    )


def _names(name: str, recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    entries = recipe.get(name) or {}
    if not isinstance(entries, dict) or (name == "sources" and not entries):
        raise ConfigError(f"{name}: expected sets by name, as in coco: {{format: coco, path: ...}}; got {entries!r}")
    for word in entries:
        if not isinstance(word, str) or not word.replace("_", "").replace("-", "").isalnum():
            raise ConfigError(f"{name}: expected names of letters, digits, - and _, got {word!r}")
    return entries


def _mapping(where: str, values: Any, known: tuple[str, ...] | None = None) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: expected fields with values, got {values!r}")
    if known is not None:
        check_known(f"{where}: ", values, known)
    return {str(key): value for key, value in values.items()}


def _number(where: str, value: Any, kind: type) -> Any:
    fits = isinstance(value, int) or (kind is float and isinstance(value, float))
    if isinstance(value, bool) or not fits or not 0 <= value < 1e15:
        raise ConfigError(f"{where}: expected a {'whole ' if kind is int else ''}number from 0, got {value!r}")
    return kind(value)


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{where}: expected text, got {value!r}")
    return value


def _choice(where: str, value: Any, known: tuple[str, ...]) -> Any:
    check_choice(where, value, known)
    return value


def _flag(where: str, values: Mapping[str, Any], name: str) -> bool:
    value = values.get(name, False)
    if not isinstance(value, bool):
        raise ConfigError(f"{where}.{name}: expected true or false, got {value!r}")
    return value


def _path(where: str, value: Any) -> Path:
    filled = os.path.expanduser(os.path.expandvars(_text(where, value)))
    return Path(filled)


def with_options(options: Any, where: str, values: Mapping[str, Any]) -> Any:
    """A part's options, a frozen dataclass, of a recipe's values; lists become tuples.

    Raises ConfigError for an option that it has not, and with whatever the dataclass says of a value.
    """
    check_known(f"{where}.options.", values, [option.name for option in fields(options)])
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    try:
        return options(**plain)
    except (DeixisError, TypeError) as error:  # TypeError: a value of another type than the option compares with
        raise ConfigError(f"{where}.options: {error}") from None
