"""What a schema cannot say of a sample: regions fit their signals, and texts fit the regions.

Takes records that the schema has passed. Every function raises DataError, one sentence that begins with the field,
or returns nothing. It opens no file.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from deixis.errors import DataError, DeixisError
from deixis.geometry import Extent, Reference, check_region, parse_markup, rle_area
from deixis.geometry.region_json import region_from_json
from deixis.signals import MODALITIES

REGION_FIELDS = ("point", "box", "mask", "span", "points", "box3d")
"""The fields that say where a region is."""
_FIELDS_OF_AXES = {
    "xy": ("point", "box", "mask"),
    "xyt": ("point", "box", "mask", "span", "time_s"),
    "t": ("point", "span"),
    "xyz": ("point", "points", "box3d"),
}
_POINT_AXES = {"xy": 2, "xyt": 2, "t": 1, "xyz": 3}  # a point of a video is a pixel, its time stands in time_s
FIELDS_BEHIND = {
    "mask": ("mask", "span", "points", "box3d"),
    "points": ("points", "mask", "span", "box3d"),
    "box": ("box", "box3d"),
    "span": ("span",),
    "point": ("point",),
}
"""What can stand behind a form that a text asks for: {1:box} of a cloud is its box3d, {1:mask} of audio its span."""
SHOWN_LENGTH = 60


def fields_of(modality: str) -> tuple[str, ...]:
    """The fields that a region may have on a signal of this modality.

    >>> fields_of("audio")
    ('point', 'span')
    """
    return (*_FIELDS_OF_AXES[MODALITIES[modality].axes], *MODALITIES[modality].region_fields)


def check_region_record(path: str, region: Mapping[str, Any], signals: list[Mapping[str, Any]]) -> None:
    """One region of a record: its signal is there, its fields fit the kind of that signal, its places lie inside."""
    number = int(region["signal"])
    if number >= len(signals):
        raise DataError(f"{path}.signal: expected a number below {len(signals)}, the count of signals, got {number}")
    medium = signals[number]
    kind = medium["kind"]
    forms = fields_of(kind)
    for name in region:
        if name not in (*forms, "signal", "ignore", "crowd"):
            noun = MODALITIES[kind].noun
            raise DataError(f"{path}.{name}: expected one of {listed(forms)}, as signal {number} is {noun}")
    length = _POINT_AXES[MODALITIES[kind].axes]
    if "point" in region and len(region["point"]) != length:
        raise DataError(f"{path}.point: expected {length} numbers for {kind!r}, got {len(region['point'])}")
    for name, axes in (("box", "xy"), ("span", "t"), ("box3d", "xyz"), ("time_s", "t"), ("point", "")):
        if name in region:
            _check_numbers(f"{path}.{name}", region[name], axes)
    if "mask" in region:
        _check_mask(f"{path}.mask", region["mask"], medium)
    if "points" in region:
        _check_indices(f"{path}.points", region["points"], medium.get("point_count"))
    _check_inside(path, region, medium)


def _check_numbers(path: str, values: list[float], axes: str) -> None:
    """Finite, and lows below highs along the named axes."""
    if not np.isfinite(values).all():
        raise DataError(f"{path}: expected finite numbers, got {values}")
    for axis, low, high in zip(axes, values, values[len(axes) :], strict=False):
        if low >= high:
            raise DataError(f"{path}: expected {axis}1 < {axis}2, got {low:g} and {high:g}: it is reversed or empty")


def _check_mask(path: str, mask: Mapping[str, Any], medium: Mapping[str, Any]) -> None:
    if medium.get("size_hw") not in (None, mask["size"]):
        raise DataError(f"{path}.size: expected {medium['size_hw']}, the signal's size_hw, got {mask['size']}")
    try:
        area = rle_area(dict(mask))
    except DeixisError as error:
        raise DataError(f"{path}: {error}") from None
    if not area:
        raise DataError(f"{path}: expected at least one pixel set, got an empty mask")


def _check_indices(path: str, indices: list[Any], count: int | None) -> None:
    wrong = next((index for index in indices if type(index) is not int or index < 0), None)
    if wrong is not None:
        raise DataError(f"{path}: expected whole numbers from 0, got {shown(wrong)}")
    if count is not None and max(indices) >= count:
        raise DataError(f"{path}: expected indices below {count}, the signal's point_count, got {max(indices)}")


def _check_inside(path: str, region: Mapping[str, Any], medium: Mapping[str, Any]) -> None:
    """Whether places lie on the signal, with the slack that a person's regions have, where its size is known."""
    size_hw, duration_s = medium.get("size_hw"), medium.get("duration_s")
    kind, number = medium["kind"], int(region["signal"])
    length, places = _POINT_AXES[MODALITIES[kind].axes], []
    if size_hw is not None:
        extent = Extent(kind, size_hw=tuple(size_hw))
        places += [("box", "box", extent), *([("point", "point", extent)] if length == 2 else [])]
    if duration_s is not None:
        extent = Extent(kind, duration_s=duration_s)
        places += [("span", "span", extent), ("time_s", "span", extent)]
        places += [("point", "point", extent)] if length == 1 else []
    for name, form, extent in places:
        if name in region:
            try:
                check_region(region_from_json({form: region[name], "signal": number}), extent)
            except DeixisError as error:
                raise DataError(f"{path}.{name}: {error}") from None


def check_turn(path: str, turn: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    """One turn of a record: references are well formed and name regions that have the form; choices hold the answer."""
    regions = record["regions"]
    for reference in _references(f"{path}.user", turn["user"], len(regions)):
        if reference.form is not None or not reference.indices:
            raise DataError(f"{path}.user: expected no form and no {{}} in a question, got {shown(turn['user'])}")
    texts = {"assistant": turn["assistant"]}
    for name in ("references", "choices"):
        texts |= {f"{name}[{number}]": text for number, text in enumerate(turn.get(name, ()))}
    for name, text in texts.items():
        for reference in _references(f"{path}.{name}", text, len(regions)):
            for index in reference.indices if reference.form else ():
                if not any(field in regions[index] for field in FIELDS_BEHIND[reference.form]):
                    raise DataError(
                        f"{path}.{name}: {{{index}:{reference.form}}} asks for a form that regions[{index}] has not: "
                        f"it has {listed(name for name in REGION_FIELDS if name in regions[index])}"
                    )
    answers = {_bare(text) for text in (turn["assistant"], *turn.get("references", ()))}
    if turn.get("choices") and not answers & set(map(_bare, turn["choices"])):
        raise DataError(f"{path}.choices: expected the answer among them, got {shown(turn['choices'])}")


def _references(path: str, text: str, count: int) -> list[Reference]:
    try:
        found = [piece for piece in parse_markup(text) if isinstance(piece, Reference)]
    except DeixisError as error:
        raise DataError(f"{path}: {error}") from None
    for index in (index for reference in found for index in reference.indices):
        if index >= count:
            raise DataError(f"{path}: {{{index}}} names a region that is not there: the sample has {count}")
    return found


def _bare(text: str) -> str:
    """A text as it is compared with a choice: case and the full stop apart."""
    return text.strip().rstrip(".").casefold()


def listed(names: Iterable[str]) -> str:
    """Names for a sentence: a, b, c."""
    return ", ".join(map(str, names))


def shown(value: Any) -> str:
    """A value for a sentence: text in quotes, anything else as JSON, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=repr)
    text = text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 3] + "..."
    return repr(text) if isinstance(value, str) else text
