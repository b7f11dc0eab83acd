"""The files of COCO's form: which they are, and one pass over each that yields their rows.

    {"images": [...], "annotations": [...], "categories": [...], "licenses": [...]}, in any order

LVIS, Objects365, PACO, PASCAL-Part and most tools that people draw with write this form. The lists of categories and of
licences are held in memory and become one row each; images and annotations are streamed.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deixis.datasets.files.images import split_of
from deixis.datasets.files.json_stream import json_items
from deixis.datasets.source import METADATA, DatasetConfig, Metadata, Row
from deixis.errors import DataError
from deixis.samples.consistency import shown
from deixis.samples.sample import Skipped

FORMS = ("box", "mask")
LISTS = {"categories": "categories", "licences": "licenses", "attributes": "attributes"}
"""What a file says for all its images, and the field of it; `attributes` is PACO's."""
UNPLACED = "annotations of no image"
"""What is kept as such a list of annotations that do not say whose they are: one of each category."""
OTHER_FILES = ("captions", "person_keypoints", "panoptic", "stuff", "image_info")
"""Beginnings of names of COCO's other files, which lie beside its instances."""


def coco_files(config: DatasetConfig) -> list[Path]:
    """The JSON file that PATH is, or those in the folder or its `annotations` that hold instances.

    Of several, those whose name tells another split than the one that is given are skipped. Raises DataError where
    there is none.
    """
    if config.path.is_file():
        return [config.path]
    for folder in (config.path / "annotations", config.path):
        found = sorted(path for path in folder.glob("*.json") if not path.name.startswith(OTHER_FILES))
        instances = [path for path in found if path.name.startswith("instances")]
        if found:
            files = instances or found
            return [path for path in files if config.split is None or split_of(path.name) in (None, config.split)]
    raise DataError(f"{config.path}: expected a COCO JSON file, or a folder with some in it or in its annotations/")


def scan_coco(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """The rows of every file: its lists for all images, "image" and "annotation" (and "caption") by image.

    A key is the file's name and the image's id, as two files may count their images from 1. Raises DataError for a
    file without images.
    """
    config.choice("form", FORMS)
    for path in coco_files(config):
        for name, field in LISTS.items():
            yield from _scan_list(path, name, field)
        images = 0
        for row in _scan_images(path, "images", "id", "image"):
            images += isinstance(row, Row)
            yield row
        if not images:
            raise DataError(f"{path}: expected a list 'images' as in COCO's files, got none")
        yield from _scan_annotations(path)
        if captions := _captions_file(path, config.options.get("captions")):
            yield from _scan_images(captions, "annotations", "image_id", "caption", path)


def id_text(value: Any) -> str | None:
    """An id as text, by which it is compared; None for what is none. Tools write numbers as text or with a fraction.

    >>> id_text(7), id_text(7.0), id_text("7"), id_text(7.5)
    ('7', '7', '7', None)
    """
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value) if isinstance(value, int | str) and not isinstance(value, bool) else None


def file_of(key: str) -> str:
    """The name of the file that an item comes from."""
    return key.split("#")[0]


def heading(metadata: Metadata, name: str, key: str) -> Mapping[str, Any]:
    """What a file lists for all its images, one of `LISTS`, by id as text."""
    rows = metadata.get(f"{name} of {file_of(key)}", ())
    return rows[0].value if rows else {}


def _scan_list(path: Path, name: str, field: str) -> Iterator[Row | Skipped]:
    found: dict[str, Any] = {}
    for where, record in json_items(path, field):
        number = id_text(record.get("id")) if isinstance(record, dict) else None
        if number is None or not record.get("name"):
            if name == "categories":  # tools write licences without a name, which tell nothing
                yield Skipped(where, f"expected a category with an id and a name, got {shown(record)}")
        elif number in found:
            yield Skipped(where, f"id: expected one that none of the {name} before has, got {shown(record['id'])}")
        else:
            found[number] = record
    yield Row(METADATA, f"{name} of {path.name}", f"{path.name}: {field}", found)


def _scan_images(path: Path, field: str, id_field: str, part: str, of: Path | None = None) -> Iterator[Row | Skipped]:
    """A row for each record of a list, under the image (of the file `of`) whose id the field `id_field` holds."""
    for where, record in json_items(path, field):
        number = id_text(record.get(id_field)) if isinstance(record, dict) else None
        if number is not None:
            yield Row(f"{(of or path).name}#{number}", part, where, record)
        else:
            yield Skipped(where, f"{id_field}: expected the id of an image, got {shown(record)}")


def _scan_annotations(path: Path) -> Iterator[Row | Skipped]:
    """The annotations by image. One without an image may be of any: of its name more may be in each image."""
    unplaced: dict[str, Any] = {}
    for where, record in json_items(path, "annotations"):
        number = id_text(record.get("image_id")) if isinstance(record, dict) else None
        if number is not None:
            yield Row(f"{path.name}#{number}", "annotation", where, record)
            continue
        category = record.get("category_id") if isinstance(record, dict) else None
        unplaced[str(id_text(category))] = {"category_id": category}
        yield Skipped(
            where,
            f"image_id: expected the id of an image, got {shown(record)}; as it may be of any image, none of the file "
            "is taken to have all objects of its category",
        )
    if unplaced:
        yield Row(METADATA, f"{UNPLACED} of {path.name}", f"{path.name}: annotations", unplaced)


def _captions_file(path: Path, option: str | None) -> Path | None:
    """The file of captions that the option names; for "beside", the one that belongs to this file."""
    if option is None:
        return None
    beside = path.with_name(path.name.replace("instances", "captions"))
    found = beside if option == "beside" else Path(option)
    if not found.is_file() or found == path:
        raise DataError(f"captions: expected a JSON file of captions, got {found}, which is none")
    return found
