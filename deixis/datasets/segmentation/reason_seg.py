"""ReasonSeg: questions whose answer must be thought of, and the mask drawn from polygons.

    train/, val/, test/: NAME.jpg and NAME.json {text: [...], is_sentence, shapes: [{label, points}]}
    explanatory/train.json: [{image, query, outputs}], why the object of an image is the answer

In a mask 1 is what is meant, 255 counts neither way, 0 is the rest. It knows no question: how a text is asked is the
benchmark's affair.

Source: dvlab-research/LISA@3cb2d430 utils/data_processing.py:9-60 and utils/reason_seg_dataset.py:56-86.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from deixis.datasets.annotated import Annotated, Expression, Object
from deixis.datasets.files.images import find_image, split_of
from deixis.datasets.files.json_stream import json_items
from deixis.datasets.files.mask_regions import mask_region
from deixis.datasets.files.polygons import polygon_mask
from deixis.datasets.source import DatasetConfig, Format, Item, Metadata, Row
from deixis.errors import DataError, DeixisError
from deixis.files.json_text import parse_json, read_text
from deixis.samples.consistency import shown
from deixis.samples.headers import header_size_hw
from deixis.samples.sample import MediaReference, Skipped

SPLITS = ("train", "val", "test")
EXPLANATIONS = Path("explanatory", "train.json")
MEANT, IGNORED = 1, 255


@dataclass(frozen=True)
class ReasonSegAnnotation:
    """texts: ways to ask for the same object. is_sentence: they are sentences, not phrases. mask: 0, 1 or 255."""

    texts: tuple[str, ...]
    is_sentence: bool
    mask: UInt8[np.ndarray, "h w"] = field(repr=False)


def read_reason_seg(path: str | Path, size_hw: tuple[int, int]) -> ReasonSegAnnotation:
    """The annotation in a file beside an image of this size; UTF-8, or Windows-1252 as some of the published ones are.

    Raises DataError for a file that is no such annotation.
    """
    text = read_text(path, fallback="cp1252")
    try:
        return parse_reason_seg(parse_json(text), size_hw)
    except DeixisError as error:
        raise DataError(f"'{path}' is no annotation of ReasonSeg: {error}") from None


def parse_reason_seg(annotation: Any, size_hw: tuple[int, int]) -> ReasonSegAnnotation:
    """The annotation of a JSON object with the fields text, is_sentence and shapes (label, points).

    Raises DataError for a missing field and for points that are not pairs of numbers.
    """
    if not isinstance(annotation, Mapping):
        raise DataError(f"expected an object with text, is_sentence and shapes, got {shown(annotation)}")
    for name in ("text", "is_sentence", "shapes"):
        if name not in annotation:
            raise DataError(f"the field '{name}' is missing, there are {', '.join(annotation) or 'none'}")
    texts = [annotation["text"]] if isinstance(annotation["text"], str) else annotation["text"]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise DataError(f"text: expected texts, got {shown(texts)}")
    mask = reason_seg_mask(annotation["shapes"], size_hw)
    return ReasonSegAnnotation(tuple(texts), bool(annotation["is_sentence"]), mask)


def reason_seg_mask(shapes: Any, size_hw: tuple[int, int]) -> UInt8[np.ndarray, "h w"]:
    """0, 1 or 255 at each pixel: the polygons drawn from the largest to the smallest, later ones over earlier ones.

    Corners are cut to whole pixels toward zero. A label with "ignore" in it is 255, any other is 1; "flag" is not
    drawn. Raises DataError for points that are not pairs of numbers.
    """
    if not isinstance(shapes, list) or not all(
        isinstance(s, Mapping) and {"label", "points"} <= s.keys() for s in shapes
    ):
        raise DataError(f"shapes: expected a list of label and points, got {shown(shapes)}")
    drawn = []
    for number, shape in enumerate(shapes):
        label = str(shape["label"]).lower()
        if label == "flag":
            continue
        try:
            points = np.asarray(shape["points"], dtype=np.float64)
        except (TypeError, ValueError):  # ragged, or no numbers
            points = np.zeros(0)
        if points.ndim != 2 or points.shape[-1] != 2 or not np.isfinite(points).all():
            raise DataError(f"shape {number} needs points of shape (N, 2), finite numbers, got {points.shape}")
        drawn.append((IGNORED if "ignore" in label else MEANT, polygon_mask(points.astype(np.int32), size_hw)))
    mask = np.zeros(size_hw, dtype=np.uint8)
    areas = np.array([int(pixels.sum()) for _, pixels in drawn], dtype=np.uint64)
    for index in np.argsort(areas)[::-1]:  # the official order, of equal ones too
        value, pixels = drawn[index]
        mask[pixels] = value
    return mask


def scan_reason_seg(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """A row for each annotation file, with its split, and one for each explanation."""
    folders = _folders(config)
    if not any(any(folder.glob("*.json")) for folder in folders.values()):
        raise DataError(
            f"{config.path}: expected NAME.jpg and NAME.json in {', '.join(SPLITS)}, got no JSON file there"
        )
    for split, folder in folders.items():
        for path in sorted(folder.glob("*.json")):
            yield Row(f"{split}/{path.stem}", "annotation", f"{split}/{path.name}", {"path": str(path), "split": split})
    explanations = next(iter(folders.values())).parent / EXPLANATIONS
    for where, record in json_items(explanations) if explanations.is_file() else ():
        name, outputs = (record.get("image"), record.get("outputs")) if isinstance(record, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(outputs, str) or not outputs.strip():
            yield Skipped(where, f"expected an explanation with the texts image and outputs, got {shown(record)}")
            continue
        stem = Path(name).stem
        split = next((split for split, folder in folders.items() if (folder / f"{stem}.json").is_file()), None)
        if split is None:
            yield Skipped(where, f"image: expected an image with an annotation, got {shown(name)}")
        else:
            yield Row(f"{split}/{stem}", "explanation", where, outputs.strip())


def read_reason_seg_item(item: Item, _: Metadata, config: DatasetConfig) -> Iterator[Annotated]:
    """An image with the one object that its texts ask for, and what counts neither way, as an object without a name."""
    row = item.one("annotation")
    split, path = row.value["split"], Path(row.value["path"])
    image = find_image(
        DatasetConfig(path.parent, images=config.images), [f"{path.stem}.jpg", f"{path.stem}.png"], split
    )
    size_hw = header_size_hw(image)
    found = read_reason_seg(path, size_hw)
    if not (found.mask == MEANT).any():
        raise DataError("shapes: expected a polygon of what is meant, got none: the image has no answer to score")
    if not found.texts:
        raise DataError("text: expected at least one, got none")
    objects = [Object("", mask_region(found.mask == MEANT))]
    if (found.mask == IGNORED).any():
        objects.append(Object("", replace(mask_region(found.mask == IGNORED), ignore=True)))
    explanation = next((row.value for row in item.of("explanation")), None)
    yield Annotated(
        id=f"reason_seg/{split}/{path.stem}",
        source="reason_seg",
        split=split,
        signals=(MediaReference(f"reason_seg/{split}/{path.stem}", "image", path=str(image), size_hw=size_hw),),
        objects=tuple(objects),
        expressions=tuple(
            Expression(text, (0,), implicit=found.is_sentence, explanation=explanation) for text in found.texts
        ),
        complete=False,
        licence=REASON_SEG.licence,
        form="mask",
    )


def _folders(config: DatasetConfig) -> dict[str, Path]:
    """The folders of the splits: in PATH, in ReasonSeg below it, or PATH itself."""
    for root in (config.path, config.path / "ReasonSeg", config.path / "reason_seg" / "ReasonSeg"):
        found = {split: root / split for split in SPLITS if (root / split).is_dir()}
        if found:
            return found
    return {split_of(config.path.name) or config.split or "train": config.path}


REASON_SEG = Format(
    name="reason_seg",
    title="ReasonSeg",
    wants="the folder ReasonSeg with train/, val/, test/ of NAME.jpg and NAME.json, and explanatory/",
    home="https://github.com/dvlab-research/LISA#dataset",
    licence="not stated; photos: OpenImages (CC-BY-2.0) and ScanNet (its terms of use)",
    scan=scan_reason_seg,
    read=read_reason_seg_item,
)
