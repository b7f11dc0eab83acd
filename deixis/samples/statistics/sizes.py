"""How large regions are: in pixels, by COCO's classes, and as a share of their signal."""

from deixis.geometry import Region, rle_area
from deixis.samples.sample import MediaReference

SMALL_PX, LARGE_PX = 32**2, 96**2
"""Areas below which COCO calls an object small, and from which on it calls it large (pycocotools' COCOeval)."""
CLASSES = ("small", "medium", "large")


def size_class(area_px: float) -> str:
    """COCO's class of an area in pixels.

    >>> size_class(1023), size_class(1024), size_class(9216)
    ('small', 'medium', 'large')
    """
    return CLASSES[(area_px >= SMALL_PX) + (area_px >= LARGE_PX)]


def area_px(region: Region) -> float | None:
    """The area of a region of an image or video: that of its mask, else of its box; None if it has neither."""
    if isinstance(region.mask, dict):
        return float(rle_area(region.mask))
    if region.mask is not None:
        return float(region.mask.sum())
    if region.box is None:
        return None
    x1, y1, x2, y2 = region.box
    return (x2 - x1) * (y2 - y1)


def shares(region: Region, medium: MediaReference) -> tuple[float | None, float | None, float | None]:
    """The share, 0 to 1, that a region has of the area, the duration and the points of its medium.

    None where the region has no such form, or the sample does not say how large the medium is.
    """
    area, size_hw = area_px(region), medium.size_hw
    if isinstance(region.mask, dict):
        size_hw = region.mask["size"]
    span, count = region.span or region.time_s, medium.point_count
    return (
        min(area / (size_hw[0] * size_hw[1]), 1.0) if area is not None and size_hw is not None else None,
        min((span[1] - span[0]) / medium.duration_s, 1.0) if span is not None and medium.duration_s else None,
        len(region.points) / count if region.points is not None and count else None,
    )
