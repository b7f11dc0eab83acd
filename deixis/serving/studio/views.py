"""What the studio shows of a signal: facts as JSON, and parts that any browser draws, whatever the file was.

    view = view_of(signal)
    view.facts                  {"modality": "image", "drawn_as": "pixels", "size_hw": [480, 640], "parts": [...]}
    view.part("picture.jpg")    its bytes

A part is made when it is asked for. Which view a signal has follows from its axes, not from its modality.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from deixis.inference.answer import describe
from deixis.signals import MODALITIES, Signal

FLOATS = "application/octet-stream"
MEDIA_TYPES = (FLOATS, "image/png", "image/jpeg", "audio/wav")
"""Of all parts of all views."""


@dataclass(frozen=True)
class Part:
    """One piece of a view.

    name: the last part of its address. media_type: of its bytes. content: makes them. facts: what must be known to read
    them, such as the shape and dtype of an array, little endian.
    """

    name: str
    media_type: str
    content: Callable[[], bytes]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """The facts of a signal as JSON, and its parts by name."""

    facts: dict[str, Any]
    parts: Mapping[str, Part]

    def part(self, name: str) -> bytes | None:
        """The bytes of a part; None where the view has none of this name."""
        return self.parts[name].content() if name in self.parts else None


def view_of(signal: Signal) -> View:
    """What the studio shows of a signal."""
    from deixis.serving.studio import pixel_views, place_views, time_views

    draw: Callable[[Signal], tuple[dict[str, Any], Sequence[Part]]] = {
        "xy": pixel_views.pixels,
        "xyt": pixel_views.frames,
        "t": time_views.series,
        "xyz": place_views.places,
        "": place_views.numbers,
    }[signal.extent.axes]
    facts, parts = draw(signal)
    size = {name: value for name, value in describe(signal).items() if name not in ("path", "kind")}
    common = {
        "modality": signal.modality,
        "noun": MODALITIES[signal.modality].noun,
        "name": signal.name,
        "axes": signal.extent.axes,
    }
    listed = [{"name": part.name, "type": part.media_type, **part.facts} for part in parts]
    return View({**common, **size, **facts, "parts": listed}, {part.name: part for part in parts})


def array_part(name: str, values: Callable[[], np.ndarray], shape: Sequence[int], dtype: str = "<f4") -> Part:
    """A part of numbers, row by row; `values` has this shape, and is converted to the dtype."""
    names = {"<f4": "float32", "<u4": "uint32", "|u1": "uint8", "<i4": "int32"}

    def content() -> bytes:
        return np.ascontiguousarray(values(), dtype=dtype).tobytes()

    return Part(name, FLOATS, content, {"shape": [int(side) for side in shape], "dtype": names[dtype]})
