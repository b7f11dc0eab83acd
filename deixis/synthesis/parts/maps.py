"""Depth maps and surface normals for images, by a depth model, and questions about them.

As OneLLM's data for these signals (Han et al., CVPR 2024; csuhan/OneLLM@8587a47 docs/Data.md): images with maps that
a model made, and the words of the images. The signals of a sample are the image and then its map. Normals are
computed from the depth by its gradient, for a camera of an assumed focal length, and are as good as that: flat objects
are flat, steps are steep. Further questions come from the depth itself: which of two objects is nearer.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, no_type_check

import numpy as np
from jaxtyping import Float32

from deixis.datasets.annotated import Annotated
from deixis.datasets.object_names import is_single
from deixis.errors import ConfigError, DataError
from deixis.geometry import Reference, Region, Text, parse_markup, to_markup
from deixis.geometry.mask_patches import mask_patch
from deixis.language.english import listed, name_words, with_article
from deixis.options import NonNegative
from deixis.samples.media import read_content
from deixis.samples.rng import rng_for
from deixis.samples.sample import MediaReference, Sample, Skipped, Turn
from deixis.synthesis.annotators import Annotators, DepthOf
from deixis.synthesis.conversations import ConversationPlan, conversations, shuffled
from deixis.synthesis.draft import Draft, QuestionOptions, weights_of
from deixis.synthesis.parts.masks import image_pixels

RELATIVE = "relative"
"""The unit of depths that no one knows the metres of: they say which of two places is nearer, and so are they asked."""
FARTHEST_M = 65.0  # what a PNG of 16 bits in millimetres holds; what is farther is written so
MAX_NAMES = 5  # in one answer
MAX_COMPARED = 8  # objects of an image
NEARER_SHARE = 0.8  # of two objects, the nearer one's far side is at most so much of the farther one's near side


@no_type_check
@dataclass(frozen=True)
class MapsOptions(QuestionOptions):
    """Options of maps: which kinds to make; how often, by weight, a caption, some names, and which object is nearer (of
    depth alone) is asked for; the camera's focal length as a share of the image's longer side, for normals."""

    kinds: tuple[Literal["depth", "normal"], ...] = ("depth", "normal")
    caption: NonNegative = 0.6
    names: NonNegative = 0.15
    nearer: NonNegative = 0.25
    focal_share: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.shares()
        if not self.kinds:
            raise ConfigError("kinds: expected depth, normal or both; got none")
        if not 0.1 <= self.focal_share <= 10:
            raise ConfigError(f"focal_share: expected 0.1 to 10 of the longer side; got {self.focal_share!r}")

    def shares(self) -> dict[str, float]:
        """The weight of each question."""
        return weights_of(self, ("caption", "names", "nearer"))


def make(
    items: Sequence[Annotated], quota: int, seed: str, annotators: Annotators, options: MapsOptions
) -> Iterator[Sample | Skipped]:
    """Conversations about maps of the items' images; an image has one kind of map, drawn at random.

    Raises DataError where there is no depth model.
    """
    maps = _Maps(annotators.open("depth", "maps"), seed, options)
    quoted = frozenset(["caption"])
    talk = ConversationPlan("maps", options.shares(), maps.topics, _turn, quoted=quoted, opened=maps.opened)
    yield from conversations(items, quota, seed, talk, options)


class _Maps:
    """The map of one image at a time."""

    def __init__(self, depth_of: DepthOf, seed: str, options: MapsOptions):
        self.depth_of, self.seed, self.options = depth_of, seed, options
        self.is_metric = getattr(depth_of, "metric", False)
        self.depth_m: np.ndarray = np.zeros((1, 1), dtype=np.float32)

    def opened(self, item: Annotated) -> Annotated:
        """The item with the map behind its image, as the bytes of its file."""
        if len(item.signals) != 1 or item.signals[0].modality != "image":
            raise DataError(f"signals: expected one image to make a map of, got {[m.modality for m in item.signals]}")
        image = item.signals[0]
        pixels = image_pixels(image)
        self.depth_m = np.minimum(self.depth_of(pixels), np.float32(FARTHEST_M))
        if self.depth_m.shape != pixels.shape[:2]:
            raise DataError(f"depth: expected a map of {pixels.shape[:2]}, got {self.depth_m.shape}")
        kind = self.options.kinds[int(rng_for(self.seed, item.id, "map").integers(len(self.options.kinds)))]
        values = self.depth_m if kind == "depth" else normals_of(self.depth_m, self.options.focal_share)
        unit = {"depth": "m" if self.is_metric else RELATIVE}.get(kind)
        medium = MediaReference(f"{image.id}/{kind}", kind, size_hw=pixels.shape[:2], unit=unit, values=values)
        written = replace(medium, values=None, content=read_content(medium), path=f"{kind}.png")
        return replace(item, signals=(image, written))

    def topics(self, item: Annotated, rng: np.random.Generator) -> dict[str, list]:
        named = [number for number, obj in enumerate(item.objects) if is_single(obj)]
        names = list(dict.fromkeys(item.objects[n].full_name for n in shuffled(named, rng)))[:MAX_NAMES]
        compared = shuffled([n for n in named if not item.objects[n].stuff], rng)[:MAX_COMPARED]
        return {
            "caption": shuffled(item.captions, rng),
            "names": [tuple(names)] if names else [],
            "nearer": self._nearer(item, compared) if item.signals[1].modality == "depth" else [],
        }

    def _nearer(self, item: Annotated, numbers: Sequence[int]) -> list[tuple[int, int]]:
        """Pairs of objects of which the first is clearly nearer."""
        reach = {number: _reach(self.depth_m, item.objects[number].region) for number in numbers}
        known = [number for number in numbers if reach[number] is not None]
        return [
            (near, far)
            for near in known
            for far in known
            if near != far and reach[near][1] <= NEARER_SHARE * reach[far][0]
        ]


def _turn(draft: Draft, kind: str, topic: str | tuple) -> Turn:
    map_kind = draft.item.signals[1].modality
    if kind == "caption":
        return draft.turn(f"maps.{map_kind}", "one", {}, markup={"caption": without_places(topic)})
    if kind == "names":
        stuff = {obj.full_name for obj in draft.item.objects if obj.stuff}
        return draft.turn("maps.names", "one", {"caption": listed([with_article(n, n in stuff) for n in topic])})
    is_near = draft.chance(0.5)
    answer, other = topic if is_near else topic[::-1]
    objects = draft.item.objects
    values = name_words(objects[answer].full_name) | name_words(objects[other].full_name, "other")
    asked = [draft.asked(number) for number in (topic if draft.chance(0.5) else topic[::-1])]
    return draft.turn("maps.nearer" if is_near else "maps.farther", "one", values, asked, [(answer,)])


def normals_of(
    depth_m: Float32[np.ndarray, "height width"], focal_share: float = 1.0
) -> Float32[np.ndarray, "height width 3"]:
    """Unit normals of the surface that a depth map describes: x to the right, y up, z to the camera; 0 for no reading.

    The camera looks along its middle, with a focal length of focal_share times the longer side. Each pixel becomes a
    point in space; the normal is across its differences to the neighbours to the right and below.

    >>> normals_of(np.full((4, 4), 2.0, dtype=np.float32))[1, 1].tolist()
    [0.0, 0.0, 1.0]
    """
    height, width = depth_m.shape
    if min(height, width) < 2:
        raise DataError(f"depth: expected a map of at least 2 x 2 pixels, got {height} x {width}")
    focal_px = focal_share * max(height, width)
    x = (np.arange(width) + 0.5 - width / 2) / focal_px
    y = (np.arange(height) + 0.5 - height / 2)[:, None] / focal_px
    places = np.stack([x * depth_m, y * depth_m, depth_m], axis=-1)  # x right, y down, z away
    down, across = np.gradient(places, axis=(0, 1))
    normals = np.cross(down, across) * (1, -1, -1)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    known = (depth_m[..., None] > 0) & (length > 0)
    return np.where(known, normals / np.where(length > 0, length, 1), 0).astype(np.float32) + 0.0


def without_places(caption: str) -> str:
    """A grounded caption as words alone.

    >>> without_places("[A dog]{0} on {1,2}, {{so}}")
    'A dog on it, {{so}}'
    """
    pieces = parse_markup(caption)
    return to_markup(Text(piece.phrase or "it") if isinstance(piece, Reference) else piece for piece in pieces)


def _reach(depth_m: np.ndarray, region: Region) -> tuple[float, float] | None:
    """How far the near and the far side of an object are: the quarters of its readings; None without a reading.

    Of an object without a mask, the middle half of its box is read, which is likeliest its own.
    """
    if region.mask is not None:
        patch = mask_patch(region.mask)
        rows, columns = patch.pixels.shape
        inside = depth_m[patch.top : patch.top + rows, patch.left : patch.left + columns]
        readings = inside[patch.pixels] if inside.shape == patch.pixels.shape else inside[:0]
    elif region.box is not None:
        x1, y1, x2, y2 = region.box
        quarter_x, quarter_y = (x2 - x1) / 4, (y2 - y1) / 4
        rows = slice(max(int(y1 + quarter_y), 0), math.ceil(y2 - quarter_y))
        readings = depth_m[rows, max(int(x1 + quarter_x), 0) : math.ceil(x2 - quarter_x)]
    else:
        return None
    readings = readings[readings > 0]
    if readings.size == 0:
        return None
    near, far = np.quantile(readings, (0.25, 0.75))
    return float(near), float(far)
