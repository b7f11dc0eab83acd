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

from collections.abc import Mapping
from dataclasses import dataclass, field
from os.path import expanduser, expandvars
from pathlib import Path
from typing import Any, no_type_check

from deixis.datasets.source import DatasetConfig
from deixis.errors import ConfigError, DeixisError
from deixis.files.yaml_text import read_yaml
from deixis.options import (
    Checked,
    Count,
    Natural,
    NonNegative,
    check_choice,
    check_fields,
    check_known,
    check_value,
    read_options,
)
from deixis.samples.consistency import listed
from deixis.samples.media import PLACEMENTS
from deixis.samples.shard_files import FORMS
from deixis.samples.shards import Placement

ENDINGS = tuple(ending.removeprefix(".") for ending in FORMS)
FIELDS = ("seed", "scale", "sources", "held_out", "parts", "language", "models", "shards")
PART_FIELDS = ("name", "kind", "from", "samples", "options", "masks_from_boxes", "objects_from")
MODEL_FIELDS = ("masks", "boxes", "depth", "device")


@no_type_check
@dataclass(frozen=True)
class SourceEntry:
    """A set that a recipe names. optional: it may be missing."""

    format: str
    path: str
    images: str | None = None
    split: str | None = None
    options: Mapping[str, Any] | None = None
    optional: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("format", "path", "images", "split"):
            if getattr(self, name) == "":
                raise ConfigError(f"{name}: expected text; got ''")

    @property
    def config(self) -> DatasetConfig:
        """Where the set lies, with `${NAME}` and `~` filled in."""
        images = None if self.images is None else _path(self.images)
        options = {str(name): str(value) for name, value in (self.options or {}).items()}
        return DatasetConfig(_path(self.path), images, self.split, options)

    @property
    def is_there(self) -> bool:
        return self.config.path.exists()


@no_type_check
@dataclass(frozen=True)
class PartEntry:
    """A part that a recipe requests: `samples` of a kind, from the sources named, before scaling.

    masks_from_boxes: mark masks with the model first. objects_from: the source whose objects a dialogue's images show.
    """

    name: str
    kind: str
    sources: tuple[str, ...]
    samples: Natural
    options: Mapping[str, Any] = field(default_factory=dict)
    masks_from_boxes: bool = False
    objects_from: str | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        if Path(self.name).name != self.name or self.name.startswith("."):
            raise ConfigError(f"name: expected a name fit for a file; got {self.name!r}")


@no_type_check
@dataclass(frozen=True)
class BuildRecipe(Checked):
    """A recipe as it was read; `build_run.plan_build` checks the kinds and options of its parts.

    models: the model of each task, by the names of `open_annotators`. ending, media, shard_samples: of the shards.
    """

    sources: Mapping[str, SourceEntry]
    held_out: Mapping[str, SourceEntry]
    parts: tuple[PartEntry, ...]
    seed: Natural = 0
    scale: NonNegative = 1.0
    language: Mapping[str, Any] | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    ending: str = "tar"
    media: Placement = "link"
    shard_samples: Count = 1_000


def read_build_recipe(path: str | Path) -> BuildRecipe:
    """The recipe in a YAML file.

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
    sources, held_out = _sources("sources", recipe), _sources("held_out", recipe)
    if both := sources.keys() & held_out.keys():
        raise ConfigError(f"held_out: expected names that no source has; got {min(both)!r}")
    entries = recipe.get("parts")
    if not isinstance(entries, list) or not entries:
        raise ConfigError(f"parts: expected a list of at least one part; got {entries!r}")
    parts = tuple(_part(f"parts[{number}]", entry, sources) for number, entry in enumerate(entries))
    names = [part.name for part in parts]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"parts: expected a name for each that no other has; got {twice!r} twice")
    models = _mapping("models", recipe.get("models") or {}, MODEL_FIELDS)
    if wrong := [name for name, value in models.items() if not isinstance(value, str) or not value]:
        raise ConfigError(f"models.{wrong[0]}: expected text; got {models[wrong[0]]!r}")
    shards = _mapping("shards", recipe.get("shards") or {}, ("format", "samples", "media"))
    for name, choices in (("format", ENDINGS), ("media", PLACEMENTS)):
        check_choice(f"shards.{name}", shards.get(name, choices[0]), choices)
    check_value("shards.samples", shards.get("samples", 1), Count)
    renamed = {"format": "ending", "samples": "shard_samples", "media": "media"}
    return BuildRecipe(
        **{name: recipe[name] for name in ("seed", "scale", "language") if name in recipe},
        **{renamed[name]: value for name, value in shards.items()},
        sources=sources,
        held_out=held_out,
        parts=parts,
        models=models,
    )


def _path(text: str) -> Path:
    return Path(expanduser(expandvars(text)))


def _sources(name: str, recipe: Mapping[str, Any]) -> dict[str, SourceEntry]:
    entries = recipe.get(name) or {}
    if not isinstance(entries, dict) or (name == "sources" and not entries):
        raise ConfigError(f"{name}: expected sets by name, as in coco: {{format: coco, path: ...}}; got {entries!r}")
    for word in entries:
        if not isinstance(word, str) or not word.replace("_", "").replace("-", "").isalnum():
            raise ConfigError(f"{name}: expected names of letters, digits, - and _; got {word!r}")
    return {word: read_options(SourceEntry, entry, f"{name}.{word}.") for word, entry in entries.items()}


def _part(where: str, entry: Any, sources: Mapping[str, SourceEntry]) -> PartEntry:
    values = _mapping(where, entry, PART_FIELDS)
    for name in ("kind", "from", "samples"):
        if name not in values:
            raise ConfigError(f"{where}: expected the field {name!r}, which is missing")
    named = values.pop("from")
    named = named if isinstance(named, list) else [named]
    for source in (*named, *filter(None, [values.get("objects_from")])):
        if not isinstance(source, str) or source not in sources:
            raise ConfigError(f"{where}: expected a source among {listed(sources)}; got {source!r}")
    values = {"name": values["kind"], **values, "options": values.get("options") or {}}
    return read_options(PartEntry, values | {"sources": tuple(dict.fromkeys(named))}, f"{where}.")


def _mapping(where: str, values: Any, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: expected fields with values; got {values!r}")
    check_known(f"{where}: ", values, known)
    return dict(values)
