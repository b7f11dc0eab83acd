"""Views of signals made of pixels: images, depth and normal maps as colours with the values under them, and videos."""

import io
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from deixis.serving.studio.views import Part, array_part
from deixis.signals import Signal
from deixis.signals.normal import normal_colours
from deixis.visualize.panels.image_panel import depth_colours

MAX_PICTURE_PX, MAX_VALUES_PX, MAX_FRAME_PX = 2048, 1024, 960
"""Of the longer side of a picture, of values under the cursor, and of the frames of a video."""
SHARP_PX = 1 << 18
"""Pictures of no more pixels are sent without loss: in them a person looks at single pixels."""
JPEG_QUALITY = 90


def pixels(signal: Signal) -> tuple[dict[str, Any], list[Part]]:
    """An image, or a map of numbers as colours beside the numbers themselves and the photo that it belongs to."""
    values = signal.values
    if values.dtype == np.uint8:
        return {"drawn_as": "pixels"}, [_picture("picture", values)]
    facts: dict[str, Any] = {"drawn_as": "pixels", "value_axes": ["x", "y", "z"], "value_unit": ""}
    if values.ndim == 2:
        _, near_m, far_m = depth_colours(values)
        facts |= {"value_axes": ["depth"], "value_unit": "m", "near": near_m, "far": far_m}
        colours = partial(lambda own: depth_colours(own)[0], values)
    else:
        colours = partial(normal_colours, values)
    step = -(-max(values.shape[:2]) // MAX_VALUES_PX)
    thinned = values[::step, ::step]
    parts = [
        Part("picture.png", "image/png", lambda: _encoded(colours(), "PNG")),
        array_part("values", lambda: thinned, thinned.shape),
    ]
    if signal.image is not None:
        parts.append(_picture("photo", signal.image))
    return facts, parts


def frames(signal: Signal) -> tuple[dict[str, Any], list[Part]]:
    """The frames of a video that are held in memory, with their times."""
    times_s = [round(float(time_s), 4) for time_s in signal.info["times_s"]]
    parts = [_picture(f"frame-{number}", frame, MAX_FRAME_PX) for number, frame in enumerate(signal.values)]
    return {"drawn_as": "frames", "times_s": times_s}, parts


def _picture(name: str, rgb: np.ndarray, longest_px: int = MAX_PICTURE_PX) -> Part:
    """A picture as PNG where it is small, else as JPEG."""
    height, width = rgb.shape[:2]
    form = "PNG" if height * width <= SHARP_PX else "JPEG"
    ending, media_type = ("png", "image/png") if form == "PNG" else ("jpg", "image/jpeg")
    return Part(f"{name}.{ending}", media_type, lambda: _encoded(rgb, form, longest_px))


def _encoded(rgb: np.ndarray, form: str, longest_px: int = MAX_PICTURE_PX) -> bytes:
    image, file = Image.fromarray(rgb), io.BytesIO()
    if max(image.size) > longest_px:
        image.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    image.save(file, form, **({"quality": JPEG_QUALITY} if form == "JPEG" else {}))
    return file.getvalue()
