"""Which format a file or folder is of, told by what a few of its files hold: for commands that are given no format.

Only forms that people keep their own data in, and the commonest public ones, are told; every other has to be named.
Nothing is read whole: of JSON the keys of the first records, of tables the names of their columns.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

from deixis.datasets.classification import class_folders, time_series
from deixis.datasets.detection import coco_files, voc
from deixis.datasets.files.class_lists import find_class_list
from deixis.datasets.files.json_heads import JsonHead, json_head
from deixis.datasets.files.mask_names import image_names, owner
from deixis.datasets.files.paired_folders import (
    IMAGE_FOLDERS,
    IMAGE_SUFFIXES,
    MAP_ENDINGS,
    MAP_FOLDERS,
    files_below,
    find_pairs,
    without_ending,
)
from deixis.datasets.files.safe_xml import read_xml
from deixis.datasets.files.tables import table_rows
from deixis.datasets.segmentation.labelled_clouds import LABEL_KEYS
from deixis.datasets.source import DatasetConfig
from deixis.errors import DataError, DeixisError
from deixis.samples.sample import Sample
from deixis.samples.shard_files import FORMS
from deixis.samples.shards import open_samples
from deixis.signals.point_cloud import XYZ_KEYS

LOOKED_AT = 20
"""So many files of a kind at most are opened, and so many names of images and masks compared."""
COMMON = (
    "files of samples, COCO's or LLaVA's JSON, labelme or VOC files, images with masks or class maps, a folder for "
    "each class or labels.csv, .ts files"
)
MANY = 20_000
"""So many files of a folder at most are told classes by."""
ANNOTATIONS = (".json", ".jsonl", ".xml", ".p", ".parquet")
"""Endings of files that lie beside signals in the same folder where these have annotations of their own."""
NOT_CLASSES = frozenset(
    {*IMAGE_FOLDERS, *MAP_FOLDERS, "color", "colour", "depth", "normal", "normals", "stuffthingmaps"}
)
"""Names of folders that say what their files are, not what is in them."""


@dataclass(frozen=True)
class Place:
    """A path as the functions below see it."""

    path: Path

    @property
    def folders(self) -> list[Path]:
        """Itself, and below it where annotations usually lie; none for a file."""
        return [folder for folder in (self.path, self.path / "annotations") if folder.is_dir()]

    @cached_property
    def json(self) -> dict[Path, JsonHead]:
        """The heads of the JSON files there; of the file that it is."""
        files = [own for folder in self.folders for own in sorted(folder.glob("*.json*"))] or [self.path]
        heads = {path: json_head(path) for path in files[:LOOKED_AT] if path.is_file()}
        return {path: head for path, head in heads.items() if head is not None}

    @cached_property
    def below(self) -> dict[str, list[Path]]:
        """The first files of each ending below it; or itself."""
        found: defaultdict[str, list[Path]] = defaultdict(list)
        for path in [self.path] if self.path.is_file() else class_folders.every_file(self.path):
            own = found[path.suffix.lower()]
            if len(own) < LOOKED_AT:
                own.append(path)
        return found

    def json_path(self, fits: Callable[[JsonHead], bool]) -> Path | None:
        """The one JSON file that fits, the path itself where several do; None for none."""
        found = [path for path, head in self.json.items() if fits(head)]
        return None if not found else self.path if len(found) > 1 else found[0]


def format_of(path: Path, name_it: str) -> tuple[str, Path]:
    """(name of the format that a file or folder is of, what of it to read).

    name_it: how the user names a format, for the sentences. Raises DataError where several formats fit, or none.
    """
    place = Place(path)
    found: dict[str, Path] = {}
    for name, recognise in RECOGNISED.items():
        if (read := recognise(place)) is not None:
            found[name] = read
        if "samples" in found:  # the first; whatever else lies there belongs to them
            break
    if len(found) == 1:
        return next(iter(found.items()))
    got = f"what may be {' or '.join(found)}" if found else "none that is recognised"
    raise DataError(
        f"{path}: expected data of one form ({COMMON}), got {got}; {name_it} names it, and deixis data read --list "
        "shows all"
    )


def _samples(place: Place) -> Path | None:
    if not (place.path.is_dir() or place.path.suffix in FORMS):
        return None
    try:
        found = any(isinstance(sample, Sample) for _, sample in islice(open_samples(place.path), LOOKED_AT))
    except (DeixisError, OSError, ImportError):
        return None
    return place.path if found else None


def _boxes(head: JsonHead) -> bool:
    """COCO's instances, whoever's."""
    objects = head.get("annotations", frozenset())
    return "images" in head and {"image_id", "category_id"} <= objects and bool({"bbox", "segmentation"} & objects)


def _is_lvis(head: JsonHead) -> bool:
    return _boxes(head) and "neg_category_ids" in head["images"] and not _is_paco(head)


def _is_paco(head: JsonHead) -> bool:
    return _boxes(head) and {"attribute_ids", "obj_ann_id"} <= head["annotations"]


def _is_objects365(head: JsonHead) -> bool:
    return _boxes(head) and {"isfake", "isreflected"} <= head["annotations"]


def _is_coco(head: JsonHead) -> bool:
    # MDETR's images have captions, whose words its annotations are about
    others = _is_lvis(head) or _is_paco(head) or _is_objects365(head) or "caption" in head.get("images", ())
    return _boxes(head) and not others


def _coco(place: Place) -> Path | None:
    if any(own for folder in place.folders for own in folder.glob("refs(*).p")):  # RefCOCO's, which are referred to
        return None
    found = place.json_path(_is_coco)
    others = coco_files.OTHER_FILES
    return None if found is None or (found.is_file() and found.name.startswith(others)) else found


def _is_captions(head: JsonHead) -> bool:
    return "images" in head and {"image_id", "caption"} <= head.get("annotations", frozenset())


def _is_llava(head: JsonHead) -> bool:
    row = head.get("", frozenset(head))  # of a list, or of lines
    return "conversations" in row and not {"image_h", "annotation", "bbox"} & row


def _labelme(place: Place) -> Path | None:
    heads = (json_head(path) or {} for path in place.below[".json"])
    return place.path if any({"shapes", "imagePath"} <= head.keys() for head in heads) else None


def _voc(place: Place) -> Path | None:
    if (place.path / "Sentences").is_dir():  # Flickr30k's boxes are of phrases in these
        return None
    within = next((place.path / name for name in voc.FOLDERS if (place.path / name).is_dir()), place.path)
    for path in Place(within).below[".xml"]:
        try:
            root = read_xml(path)
        except (DeixisError, OSError):
            continue
        if root.tag == "annotation" and root.find("object/bndbox") is not None:
            return place.path
    return None


def _masks(place: Place) -> Path | None:
    """Masks that belong to images by their names, unless they are the class maps of a list."""
    if not place.path.is_dir() or _class_maps(place) or _published_maps(place):
        return None
    try:
        pairs = find_pairs(DatasetConfig(place.path))
    except DeixisError:
        pairs = []
    for pair in pairs:
        names = image_names(name for name, _ in islice(files_below(pair.images), LOOKED_AT))
        if any(owner(name, names) for name, _ in islice(files_below(pair.maps), LOOKED_AT)):
            return place.path
    names = image_names(name for name, _ in islice(files_below(place.path), 10 * LOOKED_AT))
    marked = (owner(name, names, but=name) for name in names)
    return place.path if any(own is not None and own.is_marked for own in marked) else None


def _class_maps(place: Place) -> Path | None:
    """A list of classes, and maps that are called as their images are."""
    if not place.path.is_dir() or _published_maps(place) or find_class_list([place.path]) is None:
        return None
    try:
        pairs = find_pairs(DatasetConfig(place.path))
    except DeixisError:
        return None
    for pair in pairs:
        images = {without_ending(name, IMAGE_SUFFIXES) for name, _ in files_below(pair.images)}
        maps = [without_ending(name, MAP_ENDINGS) for name, _ in islice(files_below(pair.maps), LOOKED_AT)]
        if maps and images.issuperset(maps):
            return place.path
    return None


def _published_maps(place: Place) -> bool:
    """ADE20K's and Mapillary's own folders, whose numbers their formats know."""
    return (place.path / "objectInfo150.txt").is_file() or (place.path / "config_v2.0.json").is_file()


def _class_folders(place: Place) -> Path | None:
    """A list of files and classes; or two folders or more of signals, with nothing else that tells."""
    if not place.path.is_dir():
        return None
    for name in class_folders.LISTS:
        if (path := place.path / name).is_file():
            _, header = next(table_rows(path), ("", DataError("empty")))
            if not isinstance(header, DataError) and {own.lower() for own in header} & {*class_folders.FILE_COLUMNS}:
                return place.path
    names: set[str] = set()
    for path in islice(class_folders.every_file(place.path), MANY):
        below = PurePosixPath(path.relative_to(place.path).as_posix())
        name = class_folders.class_of(below)
        if name is None or class_folders.is_split(name):
            continue
        if path.suffix.lower() in class_folders.MODALITY_OF_SUFFIX:
            names.add(name.lower())
        elif path.suffix.lower() in ANNOTATIONS:
            return None
    return place.path if len(names) > 1 and not names & NOT_CLASSES else None


def _clouds(place: Place) -> Path | None:
    """Clouds with a label at each point."""
    for path in place.below[".npz"]:
        try:
            with ZipFile(path) as file:
                arrays = {name.removesuffix(".npy") for name in file.namelist()}
        except (BadZipFile, OSError):
            continue
        if arrays & {*XYZ_KEYS} and arrays & {*LABEL_KEYS}:
            return place.path
    return None


def _time_series(place: Place) -> Path | None:
    return place.path if any(map(time_series.is_time_series, place.below[time_series.SUFFIX])) else None


RECOGNISED: dict[str, Callable[[Place], Path | None]] = {
    "samples": _samples,
    "coco": _coco,
    "lvis": lambda place: place.json_path(_is_lvis),
    "objects365": lambda place: place.json_path(_is_objects365),
    "paco_lvis": lambda place: place.json_path(_is_paco),
    "coco_captions": lambda place: place.json_path(_is_captions),
    "llava": lambda place: place.json_path(_is_llava),
    "labelme": _labelme,
    "voc": _voc,
    "masks": _masks,
    "class_maps": _class_maps,
    "clouds": _clouds,
    "class_folders": _class_folders,
    "time_series": _time_series,
}
"""Of each format: what to read of a place that holds it, or None."""
