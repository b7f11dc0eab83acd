"""Writing marked-up texts in a model's notation: questions with region tokens, answers with coordinates and ``<seg>``.

It turns file units into grid cells through the frames and knows neither tokenizer nor network.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from deixis.errors import InputError
from deixis.geometry.extent import Extent
from deixis.geometry.frames import Frame
from deixis.geometry.markup import Reference, Text, parse_markup
from deixis.geometry.notations import Notation, coordinates_signal, region_numbers, shape_box
from deixis.geometry.points import bounding_box
from deixis.geometry.raster import rasterise
from deixis.geometry.regions import Region

# Forms of a region that can stand behind <seg>, for they are exact (a box around an object is not its mask), and fields
# written as coordinates where no form is asked for: by the axes of the signal.
_OUTLINES = ("mask", "polygon")
_SEG_FIELDS = {"t": ("span",), "xy": _OUTLINES, "xyt": _OUTLINES, "xyz": ("points", "box3d"), "": ()}
_DEFAULT_FIELDS = {"t": ("span",), "xy": ("box",), "xyt": ("tube",), "xyz": (), "": ()}
_BOX_FIELD = {"t": "span", "xy": "box", "xyt": "tube", "xyz": "box3d", "": "box"}


def write_prompt(
    text_markup: str, regions: Sequence[Region], frames: Sequence[Frame], notation: Notation
) -> tuple[str, list[int]]:
    """(text, order): a question with a region token for every mention, and which region each token stands for.

    A notation without one that gives regions by their coordinates writes these alone, with nothing in order. A region
    may be mentioned twice, or not at all. Raises InputError for malformed markup, a mention of a region that is not
    there, a region on a signal that is not there, a form or an empty mention, which only answers have, and for any
    mention in a notation whose questions cannot point.
    """
    order: list[int] = []
    parts: list[str] = []
    for piece in parse_markup(text_markup):
        if isinstance(piece, Text):
            parts.append(_plain(piece.text, notation))
            continue
        if piece.form is not None or not piece.indices:
            raise InputError(f"a question cannot ask for a form or for none inside braces, got {text_markup!r:.80}")
        _check_indices(piece, len(regions))
        if not (notation.region_token or notation.region_coordinates):
            raise InputError(
                f"a question in the notation '{notation.name}' cannot point at a region, which its models never saw"
            )
        if piece.phrase is not None:
            parts.append(_plain(piece.phrase, notation) + " ")
        tokens = [_prompt_region(regions[index], index, frames, notation) for index in piece.indices]
        parts.append(", ".join(tokens))
        order.extend(piece.indices if notation.region_token else ())
    return "".join(parts), order


def _prompt_region(region: Region, index: int, frames: Sequence[Frame], notation: Notation) -> str:
    signal = region.signal
    if not 0 <= signal < len(frames):
        raise InputError(f"region {index} lies on signal {signal}, but there {_are(len(frames), 'signal')}")
    if not notation.region_coordinates:
        return notation.region_token
    place = _asked_place(region, frames[signal].size, notation)
    return f"{_coordinates(place, signal, frames, notation)} {notation.region_token}".rstrip()


def _asked_place(region: Region, extent: Extent, notation: Notation) -> Any:
    """The numbers of a region in a question, in file units; of a free shape, by whole pixels, those at both ends."""
    if notation.cell_of != "place" and extent.axes == "xy":
        # the least form that is given is how a person pointed; a mask beside it only says which pixels are meant
        place = region.point or region.box
        return shape_box(rasterise(region, extent.size_hw).T) if place is None else place
    if region.form == "point" and len(region.point) == extent.dim:
        return region.point
    return bounding_box(region, extent)


def write_answer(
    text_markup: str, regions: Sequence[Region], frames: Sequence[Frame], notation: Notation
) -> tuple[str, list[int]]:
    """(text, seg_targets): an answer with phrases and marks, and which region each ``<seg>`` stands for, in order.

    ``regions`` have the attributes signal, box, span, box3d, point, mask, points and, in a video, time_s, None where
    absent, in file units. The form is the one the markup asks for; else a region with a box, a span or only a point is
    written as coordinates, and any other, and every region of a cloud, as ``<seg>``; a notation that has one of the two
    writes that one. Raises InputError for malformed markup, a mention of a region that is not there, a form that the
    region or the notation does not have.
    """
    seg_targets: list[int] = []
    parts: list[str] = []
    for piece in parse_markup(text_markup):
        if isinstance(piece, Text):
            parts.append(_plain(piece.text, notation))
            continue
        _check_indices(piece, len(regions))
        if piece.phrase is not None:
            parts.append(f"{notation.phrase_open}{_plain(piece.phrase, notation)}{notation.phrase_close}")
        marks = []
        for index in piece.indices:
            field = _answer_field(regions[index], index, piece.form, frames, notation)
            if field is None:
                signal = regions[index].signal
                marks.append(notation.seg_token + (f"@{signal}" if signal else ""))
                seg_targets.append(index)
            else:
                signal = regions[index].signal
                place = _place(regions[index], field, frames[signal])
                marks.append(_coordinates(place, signal, frames, notation))
        written = " ".join(marks) if marks else notation.none_text
        parts.append(notation.region_separator + written if written and piece.phrase else written)
    return "".join(parts), seg_targets


def _answer_field(
    region: Region, index: int, form: str | None, frames: Sequence[Frame], notation: Notation
) -> str | None:
    """The field of a region to be written as coordinates, or None for ``<seg>``."""
    if not 0 <= region.signal < len(frames):
        raise InputError(f"region {index} lies on signal {region.signal}, but there {_are(len(frames), 'signal')}")
    frame = frames[region.signal]
    axes = frame.size.axes
    seg_fields = [field for field in _SEG_FIELDS[axes] if getattr(region, field) is not None]
    if form is None:
        for field in _DEFAULT_FIELDS[axes] if notation.coordinates else ():
            if _place(region, field, frame) is not None:
                return field
        form = "mask" if seg_fields or not notation.coordinates else "point"
    if form in ("mask", "points"):
        if not notation.seg_token:
            raise InputError(f"region {index} has to be marked by a mask, and the notation '{notation.name}' has none")
        if not seg_fields:
            raise InputError(
                f"region {index} has no {form} to be marked as {{{index}:{form}}}: it has {', '.join(region.forms)}"
            )
        return None
    if not notation.coordinates:
        raise InputError(
            f"region {index} has to be written as a {form}, and the notation '{notation.name}' writes no coordinates"
        )
    field = "point" if form == "point" else _BOX_FIELD[axes]
    if (form == "span") != (axes == "t" and form != "point") or _place(region, field, frame) is None:
        raise InputError(f"region {index}, on {frame.size.noun}, has no {form} to be written as {{{index}:{form}}}")
    return field


def _place(region: Region, field: str, frame: Frame) -> tuple[float, ...] | None:
    """The coordinates of a form, in file units; a "tube" of a video is its box and its time, each whole if absent."""
    if field != "tube":
        return getattr(region, field)
    interval_s = region.time_s or region.span
    if region.box is None and interval_s is None:
        return None
    height, width = frame.size.size_hw
    x1, y1, x2, y2 = region.box or (0, 0, width, height)
    start_s, end_s = interval_s or (0, frame.size.duration_s)
    return x1, y1, start_s, x2, y2, end_s


def _coordinates(place: Any, signal: int, frames: Sequence[Frame], notation: Notation) -> str:
    """``[12, 40, 300, 620]``, with ``@signal`` where the numbers alone would mean another signal."""
    frame = frames[signal]
    places = np.asarray(place, dtype=np.float64).reshape(-1, frame.dim)  # (1 or 2, d): lows, highs
    if notation.cell_of != "place" and frame.dim == 2:
        size_wh = frame.size.size_hw[::-1]
        cells = region_numbers(places.ravel(), size_wh, notation.cell_of).tolist()
    else:
        cells = frame.to_grid(frame.to_unit(places), notation.grid).ravel().tolist()
    suffix = "" if coordinates_signal(len(cells), frames) == signal else f"@{signal}"
    return f"[{notation.number_separator.join(map(str, cells))}]{suffix}"


def _plain(text: str, notation: Notation) -> str:
    for marker in notation.markers:
        if marker in text:
            raise InputError(f"the text must not contain {marker}, which has a meaning for the model, got {text!r:.80}")
    return text


def _check_indices(piece: Reference, count: int) -> None:
    for index in piece.indices:
        if index >= count:
            raise InputError(f"{{{index}}} without a {_ordinal(index + 1)} region: there {_are(count, 'region')}")


def _ordinal(number: int) -> str:
    words = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
    return words[number - 1] if number <= len(words) else f"region number {number},"


def _are(count: int, noun: str) -> str:
    return f"is 1 {noun}" if count == 1 else f"are {count} {noun}s"
