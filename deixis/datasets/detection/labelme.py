"""labelme's files: one JSON beside each image, with shapes that a person drew.

Shapes of one label and one group_id are one object. A shape's `description` is an expression that means it, its flags
say what it is like ("open"); flags of the image that are set are objects without a place, the others are absent.
Labels that begin with "__" (labelme's "__ignore__") are no objects, but something may be there. The image that lies in
the JSON is the one that was drawn on; a file of its name is used where it is the same. Shapes become regions:

    polygon, circle, mask    a mask; of a line or a linestrip what a pen of some width draws, as labelme exports it
    rectangle                a box
    point                    a point

Sources: wkentaro/labelme@51e50e4 labelme/_label_file.py, labelme/utils/shape.py.
"""

import base64
import binascii
import io
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8

from deixis.datasets.annotated import Annotated, Expression, Object
from deixis.datasets.files.boxes import box_from_xyxy
from deixis.datasets.files.class_lists import readable
from deixis.datasets.files.images import checked_size_hw, declared_size_hw, find_image, own_media_id, set_name
from deixis.datasets.files.json_stream import flag_field
from deixis.datasets.files.mask_regions import mask_region, rle_box, segmentation_rle
from deixis.datasets.files.paired_folders import shown_path, split_of_key
from deixis.datasets.source import DatasetConfig, Format, Item, Metadata, Row
from deixis.errors import DataError, DeixisError
from deixis.files.budget import read_whole
from deixis.files.json_text import read_json
from deixis.geometry import Region
from deixis.samples.consistency import listed, shown
from deixis.samples.sample import MediaReference, Skipped

LINE_WIDTH_PX = 10
"""labelme's own, where it makes masks of lines."""
CIRCLE_CORNERS = 90
MIN_POINTS = {"polygon": 3, "rectangle": 2, "circle": 2, "line": 2, "linestrip": 2, "point": 1, "mask": 2}
Points = Float64[np.ndarray, "point 2"]


def scan_labelme(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """A row for each JSON file in the folder and below, or for the one that PATH is. Raises DataError for none."""
    files = [config.path] if config.path.is_file() else sorted(config.path.rglob("*.json"))
    if not files:
        raise DataError(f"{config.path}: expected JSON files of labelme, got none")
    _line_width(config)
    for path in files:
        where = shown_path(path, config) if path != config.path else path.name
        yield Row(where.removesuffix(".json"), "file", where, str(path))


def read_labelme(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Annotated | Skipped]:
    """The image of a file with its objects; a `Skipped` for each shape that cannot be used."""
    row = item.one("file")
    document = _document(Path(row.value))
    source = set_name(config)
    medium = _medium(document, Path(row.value), config, source)
    shapes: list[_Shape] = []
    unusable: list[Object | None] = []
    for number, record in enumerate(document["shapes"]):
        obj = None
        try:
            label = _label(record)
            if label.startswith("__"):  # something that the person would not name
                unusable.append(None)
                continue
            obj = Object(readable(label))
            shapes.append(_shape(record, medium.size_hw, _line_width(config)))
        except DeixisError as error:
            unusable.append(obj)
            yield Skipped(f"{row.where}: shapes[{number}]", str(error))
    drawn = [_joined(group, medium.size_hw) for group in _groups(shapes)]
    flags = document.get("flags")
    flags = flags if isinstance(flags, dict) else {}
    is_present = {readable(name): flag_field(flags, name) for name in flags if not name.startswith("__")}
    objects = [obj for obj, _ in drawn] + [Object(name) for name, is_set in is_present.items() if is_set]
    there = {obj.name for obj in objects}
    has_masks = bool(drawn) and all(obj.region.mask is not None for obj, _ in drawn)
    yield Annotated(
        id=f"{source}/{item.key}",
        source=source,
        split=split_of_key(item.key, config),
        signals=(medium,),
        objects=tuple(objects),
        expressions=tuple(Expression(text, (number,)) for number, (_, text) in enumerate(drawn) if text),
        absent=tuple(name for name, is_set in is_present.items() if not is_set and name not in there),
        form="mask" if has_masks else "box",
    ).without(unusable)


@dataclass(frozen=True)
class _Shape:
    """A shape's object, the group it is of, and what is said of it."""

    obj: Object
    group: Any
    description: str


def _document(path: Path) -> dict[str, Any]:
    try:
        document = read_json(path)
    except (OSError, DeixisError) as error:
        raise DataError(f"expected a JSON file of labelme; {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("shapes"), list):
        raise DataError(f"expected a JSON file of labelme with the list 'shapes', got {shown(document)}")
    return document


def _medium(document: Mapping[str, Any], path: Path, config: DatasetConfig, source: str) -> MediaReference:
    name = str(document.get("imagePath") or "").replace("\\", "/")
    if not name:
        raise DataError(f"imagePath: expected the name of an image, got {shown(document.get('imagePath'))}")
    beside = path.parent / name
    image = beside if beside.is_file() else find_image(config, [name])
    declared = declared_size_hw({"height": document.get("imageHeight"), "width": document.get("imageWidth")})
    # labelme draws on the embedded image, whatever lies under its name by now
    try:
        values = _embedded_image(document["imageData"], path, image) if document.get("imageData") else None
    except DataError:
        if not image.is_file():
            raise
        values = None
    if values is not None:  # the file's own, as many may name their images alike
        medium_id = own_media_id(path.with_suffix(Path(name).suffix), config, source)
        return MediaReference(medium_id, "image", size_hw=values.shape[:2], values=values)
    medium_id = own_media_id(image if image.is_file() else beside, config, source)
    size_hw = checked_size_hw(image, declared, "imageHeight, imageWidth")
    return MediaReference(medium_id, "image", path=str(image), size_hw=size_hw)


def _embedded_image(data: Any, path: Path, image: Path) -> UInt8[np.ndarray, "h w 3"] | None:
    """The pixels of the image in a JSON file; None where the file `image` holds the same. Raises DataError for none."""
    try:
        content = base64.b64decode(str(data).encode())
        if image.is_file() and image.stat().st_size == len(content) and read_whole(image) == content:
            return None
        values = _pixels(io.BytesIO(content), path.name)
    except (OSError, binascii.Error, DeixisError) as error:
        raise DataError(f"imageData: expected an image in base64; {error}") from None
    return None if image.is_file() and _has_pixels(image, values) else values


def _has_pixels(image: Path, values: UInt8[np.ndarray, "h w 3"]) -> bool:
    try:
        return np.array_equal(_pixels(image, image.name), values)
    except (OSError, DeixisError):
        return False


def _pixels(file: Any, name: str) -> UInt8[np.ndarray, "h w 3"]:
    from deixis.signals.image import open_value
    from deixis.signals.image_files import opened

    with opened(file, name) as image:
        return open_value(image, name).values


def _label(record: Any) -> str:
    label = record.get("label") if isinstance(record, dict) else None
    if not isinstance(label, str) or not readable(label):
        raise DataError(f"label: expected a name, got {shown(label)}")
    return label


def _shape(record: Mapping[str, Any], size_hw: tuple[int, int], line_width_px: int) -> _Shape:
    region = region_of_shape(record, size_hw, line_width_px)
    flags = record.get("flags")
    flags = flags if isinstance(flags, dict) else {}
    attributes = tuple(readable(name) for name in flags if flag_field(flags, name))
    description = record.get("description")
    text = " ".join(description.split()) if isinstance(description, str) else ""
    return _Shape(Object(readable(record["label"]), region, attributes), record.get("group_id"), text)


def _groups(shapes: list[_Shape]) -> list[list[_Shape]]:
    """Shapes of one name and one group together, in the order of their first; points are never joined."""
    groups: dict[Any, list[_Shape]] = {}
    for number, shape in enumerate(shapes):
        is_alone = shape.group is None or shape.obj.region.point is not None
        groups.setdefault(number if is_alone else (shape.obj.name, str(shape.group)), []).append(shape)
    return list(groups.values())


def _joined(group: list[_Shape], size_hw: tuple[int, int]) -> tuple[Object, str]:
    """The object that some shapes are together, and what is said of it."""
    text = next((shape.description for shape in group if shape.description), "")
    first = group[0].obj
    attributes = tuple(dict.fromkeys(word for shape in group for word in shape.obj.attributes))
    regions = [shape.obj.region for shape in group]
    if len(group) == 1:
        return first, text
    boxes = np.array([region.box for region in regions])
    box = (*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist())
    masks = [region.mask for region in regions if region.mask is not None]
    # of boxes among masks only the outline is known, so that the object has a box alone
    mask = segmentation_rle(masks, size_hw) if len(masks) == len(regions) else None
    return replace(first, region=Region(box=box, mask=mask), attributes=attributes), text


def _line_width(config: DatasetConfig) -> int:
    width = config.options.get("line_width", str(LINE_WIDTH_PX))
    if not width.isdigit() or int(width) < 1:
        raise DataError(f"line_width: expected whole pixels from 1, got {width!r}")
    return int(width)


def region_of_shape(record: Mapping[str, Any], size_hw: tuple[int, int], line_width_px: int = LINE_WIDTH_PX) -> Region:
    """The region of one of labelme's `shapes`, cut to the image.

    Raises DataError, naming the field, for an unknown shape_type, too few points, and what leaves nothing on the image.
    """
    shape_type = record.get("shape_type") or "polygon"  # early versions knew no other
    if shape_type not in DRAW:
        raise DataError(f"shape_type: expected one of {listed(DRAW)}, got {shown(shape_type)}")
    return DRAW[shape_type](_points(record.get("points"), MIN_POINTS[shape_type]), record, size_hw, line_width_px)


def _points(points: Any, least: int) -> Points:
    try:
        array = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.zeros((0, 0))
    if array.ndim != 2 or array.shape[1] != 2 or len(array) < least or not np.isfinite(array).all():
        raise DataError(f"points: expected at least {least} points [x, y], got {shown(points)}")
    return array


def _draw_polygon(points: Points, record: Any, size_hw: tuple[int, int], line_width_px: int) -> Region:
    rle = segmentation_rle([points.ravel().tolist()], size_hw)
    return Region(box=rle_box(rle), mask=rle)


def _draw_rectangle(points: Points, record: Any, size_hw: tuple[int, int], line_width_px: int) -> Region:
    return Region(box=box_from_xyxy([*points.min(axis=0).tolist(), *points.max(axis=0).tolist()], size_hw, "points"))


def _draw_circle(points: Points, record: Any, size_hw: tuple[int, int], line_width_px: int) -> Region:
    (x, y), radius = points[0], float(np.hypot(*(points[1] - points[0])))
    turns = np.linspace(0, 2 * math.pi, CIRCLE_CORNERS, endpoint=False)
    corners = np.stack([x + radius * np.cos(turns), y + radius * np.sin(turns)], axis=1)
    return _draw_polygon(corners.clip(0, size_hw[::-1]), record, size_hw, line_width_px)


def _draw_line(points: Points, record: Any, size_hw: tuple[int, int], line_width_px: int) -> Region:
    from PIL import Image, ImageDraw

    image = Image.new("1", size_hw[::-1])
    reach = np.array(size_hw[::-1])
    way = [tuple(point) for point in points.clip(-reach, 2 * reach).tolist()]
    ImageDraw.Draw(image).line(way, fill=1, width=line_width_px)
    return mask_region(np.asarray(image), "points")


def _draw_point(points: Points, record: Any, size_hw: tuple[int, int], line_width_px: int) -> Region:
    x, y = points[0].tolist()
    if not (0 <= x <= size_hw[1] and 0 <= y <= size_hw[0]):
        raise DataError(f"points: expected a point on the image of {size_hw[1]} x {size_hw[0]} pixels, got {x}, {y}")
    return Region(point=(x, y))


def _draw_mask(points: Points, record: Any, size_hw: tuple[int, int], line_width_px: int) -> Region:
    """The mask whose pixels lie in the record, its first corner at the first point."""
    from deixis.signals.image_files import decode, opened

    try:
        with opened(io.BytesIO(base64.b64decode(record["mask"])), "mask") as image:
            decode(image, "mask")
            inside = np.asarray(image.convert("L")) > 0
    except (OSError, KeyError, TypeError, binascii.Error, ValueError) as error:
        raise DataError(f"mask: expected a PNG in base64; {error!r}") from None
    left, top = points.min(axis=0).astype(int).tolist()
    mask = np.zeros(size_hw, dtype=bool)
    rows, columns = mask[max(top, 0) :, max(left, 0) :].shape
    seen = inside[max(-top, 0) :, max(-left, 0) :][:rows, :columns]
    mask[max(top, 0) :, max(left, 0) :][: seen.shape[0], : seen.shape[1]] = seen
    return mask_region(mask)


DRAW: Mapping[str, Callable[[Points, Any, tuple[int, int], int], Region]] = {
    "polygon": _draw_polygon,
    "rectangle": _draw_rectangle,
    "circle": _draw_circle,
    "line": _draw_line,
    "linestrip": _draw_line,
    "point": _draw_point,
    "mask": _draw_mask,
}
"""Kind of shape -> its region."""


LABELME = Format(
    name="labelme",
    title="labelme's JSON files beside images",
    wants="a folder of JSON files, or one; --images: the images, where they lie elsewhere",
    home="https://github.com/wkentaro/labelme",
    licence="your own",
    scan=scan_labelme,
    read=read_labelme,
    options={
        "line_width": f"pixels that a line is wide, as a mask (default: {LINE_WIDTH_PX})",
        "source": "what the set is called in ids (default: the name of its folder)",
    },
)
