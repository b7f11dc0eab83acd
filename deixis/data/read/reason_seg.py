"""One annotation of ReasonSeg: what is asked for, and the mask drawn from its polygons.

In a mask 1 is what is meant, 255 counts neither way, 0 is the rest. It knows no picture but its size, and no question:
how a text is asked is the benchmark's affair.

Source: dvlab-research/LISA@3cb2d430 utils/data_processing.py:9-60.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from deixis.data.polygons import polygon_mask

MEANT, IGNORED = 1, 255


@dataclass(frozen=True)
class ReasonSegAnnotation:
    """texts: ways to ask for the same thing. is_sentence: they are sentences, not phrases. mask: 0, 1 or 255."""

    texts: tuple[str, ...]
    is_sentence: bool
    mask: UInt8[np.ndarray, "h w"] = field(repr=False)


def read_reason_seg(path: str | Path, size_hw: tuple[int, int]) -> ReasonSegAnnotation:
    """The annotation in a file beside a picture of this size; UTF-8, or Windows-1252 as some of the published ones are.

    Raises ValueError for a file that is no such annotation.
    """
    content = Path(path).read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    try:
        return parse_reason_seg(json.loads(text), size_hw)
    except ValueError as error:
        raise ValueError(f"'{path}' is no annotation of ReasonSeg: {error}") from None


def parse_reason_seg(annotation: Mapping[str, Any], size_hw: tuple[int, int]) -> ReasonSegAnnotation:
    """The annotation of a JSON object with the fields text, is_sentence and shapes (label, points).

    Raises ValueError for a missing field and for points that are not pairs of numbers.
    """
    for name in ("text", "is_sentence", "shapes"):
        if name not in annotation:
            raise ValueError(f"the field '{name}' is missing, there are {', '.join(annotation) or 'none'}")
    texts = annotation["text"]
    texts = (texts,) if isinstance(texts, str) else tuple(texts)
    return ReasonSegAnnotation(texts, bool(annotation["is_sentence"]), reason_seg_mask(annotation["shapes"], size_hw))


def reason_seg_mask(shapes: list[dict[str, Any]], size_hw: tuple[int, int]) -> UInt8[np.ndarray, "h w"]:
    """0, 1 or 255 at each pixel: the polygons drawn from the largest to the smallest, later ones over earlier ones.

    Corners are cut to whole pixels toward zero. A label with "ignore" in it is 255, any other is 1; "flag" is not
    drawn. Raises ValueError for points that are not pairs of numbers.
    """
    drawn = []
    for number, shape in enumerate(shapes):
        label = str(shape["label"]).lower()
        if label == "flag":
            continue
        points = np.asarray(shape["points"], dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
            raise ValueError(f"shape {number} needs points of shape (N, 2), finite numbers, got {points.shape}")
        drawn.append((IGNORED if "ignore" in label else MEANT, polygon_mask(points.astype(np.int32), size_hw)))
    mask = np.zeros(size_hw, dtype=np.uint8)
    areas = np.array([int(pixels.sum()) for _, pixels in drawn], dtype=np.uint64)
    for index in np.argsort(areas)[::-1]:  # the official order, of equal ones too
        value, pixels = drawn[index]
        mask[pixels] = value
    return mask
