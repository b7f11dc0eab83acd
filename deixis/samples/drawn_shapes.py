"""Region shapes that a user would point with, sampled on an object: point, box, scribble, blob, loose outline.

Ferret (You et al., ICLR 2024, section 3) is asked by points, boxes and free-form shapes that come from masks. Points,
scribbles and blobs lie in the mask, every pixel of them; points and the turns of scribbles the likelier, the farther
from its edge. A loose outline follows the mask and may cross its edge. An object without a mask is pointed at by
its box or by a point near the middle of that. It knows one region at a time and no text.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from deixis.geometry import Region
from deixis.geometry.mask_patches import Patch, mask_patch

SHAPES = ("point", "box", "scribble", "blob", "polygon", "mask")
FIELD_SIDE = 40
"""The distance to the edge is measured on at most so many rows and columns of a patch."""
TURNS = (3, 5)  # of a scribble
CURVE_STEPS = 6
SCRIBBLE_SHARE = (0.2, 0.7)  # half a scribble's width, as a share of the widest circle inside the mask
MIN_SCRIBBLE_PX = 2
BLOB_SHARE = (0.4, 0.9)  # a blob's radius, as a share of the radius of a disc of the mask's area
CORNERS = (9, 16)  # of a loose outline or a blob
LOOSENESS = (0.92, 1.12)
MIN_PRECISION = 0.6  # of a loose outline's pixels, this share must lie in the object


def asked_region(region: Region, shares: Mapping[str, float], rng: np.random.Generator) -> Region:
    """The region by which a question points at an object, of a shape sampled by the shares of SHAPES.

    Shapes that the region has not what they need for are left out; a region of another kind (a span, points of a
    cloud) stays as it is. Raises InputError for a mask that is malformed or empty.
    """
    kinds = SHAPES if region.mask is not None else ("point", "box")
    if region.mask is None and region.box is None:
        return region
    kind = _drawn({kind: shares.get(kind, 0.0) for kind in kinds if kind != "box" or region.box is not None}, rng)
    if kind == "box":
        return _like(region, box=region.box)
    if kind == "mask":
        return _like(region, mask=region.mask)
    if region.mask is None:
        return _like(region, point=point_in_box(region.box, rng))
    patch = mask_patch(region.mask)
    if kind == "point":
        return _like(region, point=point_in(patch, rng))
    draw = {"scribble": scribble_in, "blob": blob_in, "polygon": outline_of}[kind]
    return _like(region, mask=draw(patch, rng).to_rle())


def point_in(patch: Patch, rng: np.random.Generator) -> tuple[float, float]:
    """x, y of the middle of a pixel of the mask; likelier by the square of the distance to the edge."""
    row, column = _Field(patch.pixels).places(1, rng)[0]
    return float(patch.left + column + 0.5), float(patch.top + row + 0.5)


def point_in_box(box_xyxy: tuple[float, ...], rng: np.random.Generator) -> tuple[float, float]:
    """x, y of a point inside a box, near its middle: each from the density 30 t^2 (1 - t)^2 along its side."""
    x1, y1, x2, y2 = box_xyxy
    across, down = rng.beta(3, 3, 2).clip(1e-3, 1 - 1e-3)
    return round(float(x1 + across * (x2 - x1)), 2), round(float(y1 + down * (y2 - y1)), 2)


def scribble_in(patch: Patch, rng: np.random.Generator) -> Patch:
    """A curved scribble through some pixels of the mask, clipped to it; its width depends on the mask's."""
    field = _Field(patch.pixels)
    turns = field.places(int(rng.integers(TURNS[0], TURNS[1] + 1)), rng)
    direction = rng.uniform(0, math.pi)
    turns = turns[np.argsort(turns @ (math.sin(direction), math.cos(direction)), kind="stable")]
    width = max(MIN_SCRIBBLE_PX, round(2 * field.reach * rng.uniform(*SCRIBBLE_SHARE)))
    return _drawn_in(patch, turns, lambda draw: _draw_line(draw, _curve(turns.astype(float)), width))


def blob_in(patch: Patch, rng: np.random.Generator) -> Patch:
    """A roundish patch around a pixel of the mask, cut to the mask."""
    turns = _Field(patch.pixels).places(1, rng)
    radius = math.sqrt(patch.pixels.sum() / math.pi) * rng.uniform(*BLOB_SHARE)
    corners = turns[0] + _star(radius * rng.uniform(0.75, 1.25, int(rng.integers(*CORNERS))))
    return _drawn_in(patch, turns, lambda draw: draw.polygon([(x, y) for y, x in corners.tolist()], fill=1))


def outline_of(patch: Patch, rng: np.random.Generator) -> Patch:
    """A polygon loosely around the mask, as someone draws it by hand; the mask itself where such would miss it.

    A corner in each of some directions from the mask's middle, at its farthest pixel there, moved a little.
    """
    step = max(1, math.isqrt(patch.pixels.size) // FIELD_SIDE)
    rows, columns = np.nonzero(patch.pixels[::step, ::step])
    if len(rows) < CORNERS[1]:
        return patch
    places = np.stack([rows, columns], axis=1) * float(step)
    middle = places.mean(axis=0)
    down, across = (places - middle).T
    count = int(rng.integers(*CORNERS))
    sector = ((np.arctan2(down, across) / (2 * math.pi) % 1) * count).astype(np.int64) % count
    radii = np.full(count, 1.0)
    np.maximum.at(radii, sector, np.hypot(down, across))
    corners = middle + _star(radii * rng.uniform(*LOOSENESS, count), first=0.5)
    return _polygon_over(patch, corners)


def _polygon_over(patch: Patch, corners: Float[np.ndarray, "corner 2"]) -> Patch:
    """The pixels of a polygon (row, column of the patch), as far as it lies in the image."""
    from PIL import Image, ImageDraw

    height, width = patch.size_hw
    low = np.floor(corners.min(axis=0)).astype(int)
    high = np.ceil(corners.max(axis=0)).astype(int) + 1
    top, left = max(patch.top + int(low[0]), 0), max(patch.left + int(low[1]), 0)
    bottom, right = min(patch.top + int(high[0]), height), min(patch.left + int(high[1]), width)
    if bottom <= top or right <= left:
        return patch
    canvas = Image.new("L", (right - left, bottom - top))
    moved = corners + np.array([patch.top - top, patch.left - left])
    ImageDraw.Draw(canvas).polygon([(x, y) for y, x in moved.tolist()], fill=1)
    drawn = Patch(top, left, np.asarray(canvas).astype(bool), patch.size_hw)
    return drawn if _overlap(drawn, patch) >= max(1, MIN_PRECISION * drawn.pixels.sum()) else patch


def _overlap(one: Patch, other: Patch) -> int:
    top, left = max(one.top, other.top), max(one.left, other.left)
    bottom = min(patch.top + patch.pixels.shape[0] for patch in (one, other))
    right = min(patch.left + patch.pixels.shape[1] for patch in (one, other))
    if bottom <= top or right <= left:
        return 0
    cut = [p.pixels[top - p.top : bottom - p.top, left - p.left : right - p.left] for p in (one, other)]
    return int((cut[0] & cut[1]).sum())


def _drawn_in(patch: Patch, turns: np.ndarray, draw: Callable[[Any], None]) -> Patch:
    """What is drawn on the patch, cut to its pixels; the pixels at the turns are always in it."""
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (patch.pixels.shape[1], patch.pixels.shape[0]))
    draw(ImageDraw.Draw(canvas))
    pixels = np.asarray(canvas).astype(bool)
    pixels[turns[:, 0], turns[:, 1]] = True
    return Patch(patch.top, patch.left, pixels & patch.pixels, patch.size_hw)


class _Field:
    """How far the pixels of a mask are from its edge, on a grid coarse enough to be quick."""

    def __init__(self, pixels: Bool[np.ndarray, "rows columns"]):
        from scipy.ndimage import distance_transform_cdt

        step = max(1, -(-max(pixels.shape) // FIELD_SIDE))
        coarse = pixels[step // 2 :: step, step // 2 :: step]
        if not coarse.any():  # too thin for the grid
            step, coarse = 1, pixels
        self.first, self.step = step // 2 if step > 1 else 0, step
        distance = distance_transform_cdt(np.pad(coarse, 1), metric="chessboard")[1:-1, 1:-1]
        self.rows, self.columns = np.nonzero(coarse)
        inside = distance[self.rows, self.columns].astype(np.float64)
        self.reach = float(inside.max()) * step
        self.sums = np.cumsum(inside**2)

    def places(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """(count, 2) rows and columns of pixels of the mask."""
        drawn = np.searchsorted(self.sums, rng.random(count) * self.sums[-1], side="right")
        drawn = np.minimum(drawn, len(self.sums) - 1)
        return np.stack([self.rows[drawn], self.columns[drawn]], axis=1) * self.step + self.first


def _star(radii: Float[np.ndarray, " corner"], first: float = 0.0) -> Float[np.ndarray, "corner 2"]:
    """Corners (down, across) at even angles around the origin, from that of `first` steps on."""
    angles = (np.arange(len(radii)) + first) * (2 * math.pi / len(radii))
    return np.stack([np.sin(angles), np.cos(angles)], axis=1) * radii[:, None]


def _curve(turns: Float[np.ndarray, "turn 2"]) -> Float[np.ndarray, "place 2"]:
    """A smooth line through the turns (Catmull and Rom, 1974)."""
    padded = np.concatenate([turns[:1], turns, turns[-1:]])
    t = (np.arange(CURVE_STEPS) / CURVE_STEPS)[None, :, None]
    a, b, c, d = (padded[start : len(padded) - 3 + start, None] for start in range(4))
    line = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    return np.concatenate([line.reshape(-1, 2), turns[-1:]])


def _draw_line(draw: Any, line: Float[np.ndarray, "place 2"], width: int) -> None:
    draw.line([(x, y) for y, x in line.tolist()], fill=1, width=width, joint="curve")
    for y, x in line[[0, -1]].tolist():  # round ends
        draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=1)


def _like(region: Region, **place: Any) -> Region:
    return Region(signal=region.signal, time_s=region.time_s, **place)


def _drawn(shares: Mapping[str, float], rng: np.random.Generator) -> str:
    """A key by its share; the first where all shares are 0."""
    mark = rng.random() * sum(shares.values())
    for key, share in shares.items():
        mark -= share
        if mark < 0:
            return key
    return next(iter(shares))
