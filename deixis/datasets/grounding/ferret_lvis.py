"""Ferret's LVIS-ROC: what is at a point, in a box or under a stroke, of two names?

    {"id", "image_path", "name", "synonyms", "neg_class", "bbox", "bbox_norm", "width", "height", "sample_point",
     "free_shape_bbox_raw", "free_shape_segment_mask"}, one a line

bbox_norm: x1, y1, x2, y2 as shares of the image. sample_point: x, y in pixels. free_shape_bbox_raw: x1, y1, x2, y2 in
whole pixels, its last ones in it. free_shape_segment_mask: nested lists, columns first (`[width][height]`), which count
within that box only. The file was never published; it has to be made by whoever wants it.

Source: apple/ml-ferret@3c9e5c9 ferret/eval/model_lvis.py:51-142, ferret/eval/eval_lvis.py:38-52.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from deixis.datasets.files.boxes import box_from_xyxy, numbers
from deixis.datasets.files.class_lists import readable
from deixis.datasets.files.images import declared_size_hw, image_reference
from deixis.datasets.files.text_boxes import box_from_shares
from deixis.datasets.image_ids import published_id
from deixis.datasets.plain_questions import plain_text
from deixis.datasets.source import DatasetConfig, Format, Item, Metadata, Row, numbered_rows
from deixis.errors import DataError, DeixisError
from deixis.geometry import Region, mask_to_rle
from deixis.samples.consistency import shown
from deixis.samples.sample import Sample, Skipped, Turn

SOURCE = "ferret_lvis"
FORMS = ("point", "box", "free_shape")


def scan_ferret_lvis(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """The rows of the file, each an item of its own."""
    config.choice("form", FORMS)
    yield from numbered_rows(config)


def read_ferret_lvis(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Sample | Skipped]:
    """A sample for each form in which the object is pointed at; a `Skipped` for a form that cannot be used.

    The order of the two names changes from row to row, as in Ferret's evaluation.
    """
    row = item.one("record")
    record = row.value
    file = [PurePosixPath(record["image_path"]).name]
    medium = image_reference(config, file, SOURCE, declared_size_hw(record), known=published_id(file, SOURCE))
    names = [_readable(record[field]) for field in ("name", "neg_class")]
    options = names if record["number"] % 2 == 0 else names[::-1]
    turn = Turn(
        f"Is the object {{0}} of the image a {plain_text(options[0])} or a {plain_text(options[1])}?",
        plain_text(names[0]),
        references=tuple(map(plain_text, synonyms(record["synonyms"], names[0]))),
        choices=tuple(map(plain_text, options)),
    )
    for form in FORMS if "form" not in config.options else (config.options["form"],):
        try:
            region = REGIONS[form](record, medium.size_hw)
        except (DeixisError, KeyError, TypeError) as error:
            yield Skipped(row.where, f"{form}: {error}")
            continue
        yield Sample(
            id=f"{SOURCE}/{record['number']}/{form}",
            source=SOURCE,
            task="refer",
            split=config.split or "test",
            turns=(turn,),
            signals=(medium,),
            regions=(region,),
            licence=FERRET_LVIS.licence,
        )


def synonyms(words: list[str], name: str) -> list[str]:
    """The other names that count as right: a word in brackets is a name of its own.

    >>> synonyms(["cup_(drink)", "mug"], "mug")
    ['cup', 'drink']
    """
    split = [_readable(part.rstrip(")")) for word in words for part in word.split("(")]
    return [word for word in dict.fromkeys(split) if word and word != name]


def _readable(name: Any) -> str:
    if not isinstance(name, str) or not name.strip("_ "):
        raise DataError(f"name, neg_class, synonyms: expected names, got {shown(name)}")
    return readable(name)


def _point(record: Mapping[str, Any], size_hw: tuple[int, int]) -> Region:
    x, y = numbers(record["sample_point"], "x, y", "sample_point")
    height, width = size_hw
    if not (0 <= x <= width and 0 <= y <= height):
        raise DataError(f"sample_point: expected x, y on the image of {width} x {height} pixels, got {[x, y]}")
    return Region(point=(x, y))


def _box(record: Mapping[str, Any], size_hw: tuple[int, int]) -> Region:
    return Region(box=box_from_shares(numbers(record["bbox_norm"], "x1, y1, x2, y2", "bbox_norm"), size_hw))


def _free_shape(record: Mapping[str, Any], size_hw: tuple[int, int]) -> Region:
    x1, y1, x2, y2 = map(int, numbers(record["free_shape_bbox_raw"], "x1, y1, x2, y2", "free_shape_bbox_raw"))
    try:
        columns_first = np.asarray(record["free_shape_segment_mask"])
    except ValueError:  # lists of uneven length
        columns_first = np.zeros(0)
    if columns_first.shape != size_hw[::-1]:
        raise DataError(
            f"free_shape_segment_mask: expected lists [width][height], {list(size_hw[::-1])}, got "
            f"{list(columns_first.shape)}"
        )
    mask = columns_first.T != 0
    within = np.zeros_like(mask)
    within[max(y1, 0) : y2 + 1, max(x1, 0) : x2 + 1] = True
    if not (mask & within).any():
        raise DataError("free_shape_segment_mask: expected a pixel within free_shape_bbox_raw, got none")
    box = box_from_xyxy([x1, y1, x2 + 1, y2 + 1], size_hw, "free_shape_bbox_raw")
    return Region(box=box, mask=mask_to_rle(mask & within))


REGIONS = {"point": _point, "box": _box, "free_shape": _free_shape}

FERRET_LVIS = Format(
    name="ferret_lvis",
    title="Ferret's LVIS referring object classification (LVIS-ROC)",
    wants="the JSONL file of its evaluation; --images: COCO's val2017",
    home="https://github.com/apple/ml-ferret",
    licence="CC-BY-NC-4.0",
    scan=scan_ferret_lvis,
    read=read_ferret_lvis,
    options={"form": f"only samples that point in this form: {', '.join(FORMS)}"},
)
