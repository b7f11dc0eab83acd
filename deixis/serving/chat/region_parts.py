"""Regions as the API writes them: the forms of `geometry.Region` under names that say order and unit.

    {"type": "region", "signal": 0, "box_xyxy": [33, 329, 143, 434]}          pixels of the upright image
    {"type": "region", "signal": 1, "span_s": [1.2, 2.0]}                      seconds
    {"type": "region", "signal": 2, "points": [3, 4, 17]}                      indices of the cloud's points

They come back in the same form, with unit, label, score, and the phrase of the answer that they belong to.
"""

from collections.abc import Mapping
from typing import Any

from deixis.geometry import Extent, Region
from deixis.geometry.region_json import region_from_json
from deixis.inference.answer import Answer, AnswerPhrase, answer_region_to_json

FIELDS = {
    "point": "point",
    "box_xyxy": "box",
    "scribble_xy": "scribble",
    "polygon_xy": "polygon",
    "mask": "mask",
    "span_s": "span",
    "box3d_xyzxyz": "box3d",
    "points": "points",
    "time_s": "time_s",
}
"""Name in the API -> field of `Region`."""
NAMES = {field: name for name, field in FIELDS.items()}
FORMS = tuple(name for name in FIELDS if name != "time_s")
UNITS = {"xy": "px", "t": "s", "xyt": "px", "xyz": "cloud units", "": "index"}
"""Of coordinates by the axes of a signal; sets of points are indices, whatever the signal."""


def region_from_part(part: Mapping[str, Any]) -> Region:
    """The region of an object of the API; fields that are no form are ignored. Raises InputError as `Region` does."""
    given = {field: part[name] for name, field in FIELDS.items() if part.get(name) is not None}
    return region_from_json({"signal": part.get("signal", 0), **given})


def region_to_part(region: Region, extent: Extent) -> dict[str, Any]:
    """A region of an answer as an object of the API, without its phrase."""
    values = {NAMES.get(name, name): value for name, value in answer_region_to_json(region).items()}
    values.pop("phrase")
    unit = "index" if region.form == "points" else UNITS[extent.axes]
    return values | {"unit": unit}


def answer_parts(answer: Answer) -> list[dict[str, Any]]:
    """Every region of an answer with its phrase, `content[start:end]`; a phrase without one is said to be absent."""
    return [part for phrase in answer.phrases for part in phrase_parts(answer, phrase)]


def phrase_parts(answer: Answer, phrase: AnswerPhrase) -> list[dict[str, Any]]:
    """The regions of one phrase."""
    said = {"phrase": phrase.text, "start": phrase.start, "end": phrase.end}
    if not phrase.regions:
        return [{"absent": True, **said}]
    return [region_to_part(region, answer.signals[region.signal].extent) | said for region in phrase.regions]
