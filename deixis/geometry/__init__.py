"""Regions of signals, the frames that carry their coordinates, and the grammar that writes and reads them.

This room knows numbers and text only: no file, no network. It imports numpy, and pycocotools when a run-length code
is first used.
"""

from deixis.geometry.boxes import box_iou, mask_to_box_xyxy
from deixis.geometry.check import check_region
from deixis.geometry.extent import Extent
from deixis.geometry.frames import GRID_CELLS, Frame, cloud_frame, letterbox_frame, window_frame
from deixis.geometry.markup import (
    Reference,
    Text,
    escaped,
    named_question,
    named_regions,
    numbers_in,
    parse_markup,
    renumbered,
    to_markup,
    without_references,
)
from deixis.geometry.notations import Notation
from deixis.geometry.parse import (
    ParsedRegion,
    Phrase,
    coordinate_spans,
    coordinates_as_masks,
    parse_answer,
    region_in_file,
)
from deixis.geometry.points import bounding_box, covered_s, region_points, video_parts
from deixis.geometry.raster import point_mask, rasterise
from deixis.geometry.region_json import as_regions
from deixis.geometry.regions import (
    Box,
    Box3D,
    Mask,
    Point,
    PointSet,
    Polygon,
    Region,
    Scribble,
    Span,
    Tube,
    region_digest,
)
from deixis.geometry.rle import mask_to_rle, rle_area, rle_to_mask
from deixis.geometry.write import write_answer, write_prompt

__all__ = [
    "GRID_CELLS",
    "Box",
    "Box3D",
    "Extent",
    "Frame",
    "Mask",
    "Notation",
    "ParsedRegion",
    "Phrase",
    "Point",
    "PointSet",
    "Polygon",
    "Reference",
    "Region",
    "Scribble",
    "Span",
    "Text",
    "Tube",
    "as_regions",
    "bounding_box",
    "box_iou",
    "check_region",
    "cloud_frame",
    "coordinate_spans",
    "coordinates_as_masks",
    "covered_s",
    "escaped",
    "letterbox_frame",
    "mask_to_box_xyxy",
    "mask_to_rle",
    "named_question",
    "named_regions",
    "numbers_in",
    "parse_answer",
    "parse_markup",
    "point_mask",
    "rasterise",
    "region_digest",
    "region_in_file",
    "region_points",
    "renumbered",
    "rle_area",
    "rle_to_mask",
    "to_markup",
    "video_parts",
    "window_frame",
    "without_references",
    "write_answer",
    "write_prompt",
]
