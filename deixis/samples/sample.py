"""The sample: one record of signals, regions and turns, which every data set becomes and every model trains on.

Coordinates are in the signals' own units (pixels of the upright image, seconds, the cloud's units). Text carries
references to regions by number, never coordinates: `What is {0}?`, `[a red mug]{1}`, `{1,2}`, `{1:mask}`, `[a dog]{}`
for "there is none" (see `deixis.geometry` for the markup). It becomes model text only when loaded, in the notation of
the model that is trained. `schema.json` beside this file is the same contract for other languages.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from deixis.geometry import Region
from deixis.geometry.region_json import region_from_json, region_to_json

VERSION = 1
AUTHORS = ("person", "template", "model")  # who wrote the text
TRAIN = "train"  # what the splits that are trained on begin with


@dataclass(frozen=True)
class MediaReference:
    """One signal of a sample: a stable id of the medium, its modality, where it lies, and its size, rate or unit.

    `values` holds the signal in memory where there is no file (the world while training), `content` the bytes of a file
    that lies in an archive; neither is part of the record. `deixis.samples.media.open_media` opens any of the three.
    """

    id: str
    modality: str
    path: str | None = None
    size_hw: tuple[int, int] | None = None
    duration_s: float | None = None
    rate_hz: float | None = None
    point_count: int | None = None
    unit: str | None = None
    values: Any = field(default=None, repr=False, compare=False)
    content: bytes | None = field(default=None, repr=False, compare=False)

    @property
    def name(self) -> str:
        """What messages call it: the name of the signal in memory, the path, or the id."""
        return getattr(self.values, "name", None) or self.path or self.id


@dataclass(frozen=True)
class Turn:
    """One question and its answer, which is empty where a model is to give it.

    references: other right answers. choices: what may be chosen from. In memory only: `generated`, an answer as a model
    wrote it, in its own notation, instead of `assistant`; `want`, the form that the answer must be able to hold
    ("text", "box" or "mask").
    """

    user: str
    assistant: str = ""
    references: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    generated: str | None = None
    want: str | None = None


@dataclass(frozen=True)
class Sample:
    """One training or test sample; without signals it is text alone."""

    id: str
    source: str
    task: str
    split: str
    turns: tuple[Turn, ...]
    signals: tuple[MediaReference, ...] = ()
    regions: tuple[Region, ...] = ()
    licence: str = "Apache-2.0"
    author: str = "template"
    version: int = VERSION

    def to_json(self) -> dict[str, Any]:
        """The sample as plain JSON values: absent fields left out, masks as run lengths, points as lists."""
        record = {name: getattr(self, name) for name in _HEAD}
        record["signals"] = [
            _renamed(_plain(medium, skip=("values", "content")), "modality", "kind") for medium in self.signals
        ]
        record["regions"] = [region_to_json(region, self._size_hw(region)) for region in self.regions]
        record["turns"] = [_plain(turn, skip=("generated", "want")) for turn in self.turns]
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Sample":
        """The sample of a record that `deixis.samples.validate` has passed."""
        head = {name: record[name] for name in _HEAD if name in record}
        media = (_renamed(item, "kind", "modality") for item in record.get("signals", ()))
        return cls(
            **head,
            signals=tuple(_build(MediaReference, item) for item in media),
            regions=tuple(map(region_from_json, record.get("regions", ()))),
            turns=tuple(_build(Turn, item) for item in record["turns"]),
        )

    def _size_hw(self, region: Region) -> tuple[int, int] | None:
        return self.signals[region.signal].size_hw if region.signal < len(self.signals) else None


def is_train(split: str) -> bool:
    """Whether samples of a split are trained on: "train", "train2017", "training", "train-clean".

    >>> is_train("train2014"), is_train("testA"), is_train("val")
    (True, False, False)
    """
    return split.lower().startswith(TRAIN)


_HEAD = ("version", "id", "source", "task", "split", "licence", "author")


def _plain(record: Any, skip: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields of a record that are set, tuples as lists."""
    pairs = ((f.name, getattr(record, f.name), f.default) for f in fields(record) if f.name not in skip)
    kept = {name: value for name, value, default in pairs if value is not default and value not in (None, ())}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}


def _renamed(record: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    """A copy with one key renamed, in its position: the format calls a modality "kind"."""
    return {new if key == old else key: value for key, value in record.items()}


def _build(cls: type, item: Mapping[str, Any]) -> Any:
    return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in item.items()})


@dataclass(frozen=True)
class Skipped:
    """Something that could not be used. why: one sentence, with the field, what was expected and what came."""

    where: str
    why: str
