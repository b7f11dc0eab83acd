"""Sets of class maps: ADE20K, COCO-Stuff, Mapillary Vistas, and any folder of images and maps with a list of classes.

Lists of classes are read from the files that the sets ship, or from the ones that people use for them.

Sources: csailvision/sceneparsing README.md, objectInfo150.txt; nightrome/cocostuff README.md, labels.txt; Mapillary
Vistas 2.0 README; dvlab-research/LISA@3cb2d430 utils/sem_seg_dataset.py.
"""

from functools import partial
from pathlib import Path
from typing import Any

from deixis.datasets.files.class_lists import FILES, ClassList, find_class_list, is_void, read_class_list
from deixis.datasets.files.paired_folders import Pair, find_pairs
from deixis.datasets.segmentation.class_maps import MapSet, read_maps, scan_maps
from deixis.datasets.source import DatasetConfig, Format
from deixis.errors import DataError, DeixisError
from deixis.files.json_text import read_json
from deixis.samples.consistency import shown

ADE_FILES = ("objectInfo150", "ade20k_classes", *FILES)
COCO_STUFF_FILES = ("labels", "cocostuff_classes", "cocostuff-labels", *FILES)
VISTAS_CONFIG = "config_v2.0.json"


def class_file(config: DatasetConfig, stems: tuple[str, ...], wanted: str) -> Path:
    """The file of classes that the option names, else one that lies in PATH or above. Raises DataError for none."""
    if "classes" in config.options:
        return Path(config.options["classes"])
    found = find_class_list((config.path, config.path.parent), stems)
    if found is None:
        raise DataError(f"classes: expected {wanted} in {config.path}, or a list of classes by classes=FILE, got none")
    return found


def ade_classes(config: DatasetConfig) -> ClassList:
    """The 150 classes, whose numbers in maps begin with 1; 0 is no class.

    objectInfo150.txt counts from 1; other lists are in this order, as LISA's ade20k_classes.json is.
    """
    found = read_class_list(class_file(config, ADE_FILES, "objectInfo150.txt"))
    start = min(found.names)
    return ClassList({number - start + 1: names for number, names in found.names.items()})


def coco_stuff_classes(config: DatasetConfig) -> ClassList:
    """The classes, whose numbers in maps are one less than in the list, which begins with "0: unlabeled".

    Names such as "wall-brick" or "food-other" are skipped, as LISA does; `dashed=keep` says "brick wall" and "food".
    """
    found = read_class_list(class_file(config, COCO_STUFF_FILES, "labels.txt"))
    has_none = is_void(found.names.get(0, ("",))[0])
    names = {number - has_none: of_class for number, of_class in found.names.items() if number or not has_none}
    if config.choice("dashed", ("drop", "keep")) == "keep":
        return ClassList({number: (undashed(of_class[0]),) for number, of_class in names.items()})
    # still in the list, as what is skipped must not count as foreign
    return ClassList({number: ("void",) if "-" in of_class[0] else of_class for number, of_class in names.items()})


def undashed(name: str) -> str:
    """A name of COCO-Stuff as a person says it.

    >>> undashed("wall-brick"), undashed("food-other"), undashed("window-blind"), undashed("cloud")
    ('brick wall', 'food', 'window blind', 'cloud')
    """
    first, dash, second = name.partition("-")
    if not dash or second in ("other", "stuff"):
        return first
    return f"{first} {second}" if second == "blind" else f"{second} {first}"


def vistas_labels(config: DatasetConfig) -> list[dict[str, Any]]:
    """The labels of config_v2.0.json. Raises DataError where it is not there or has no labels."""
    path = Path(config.options.get("classes", config.path / VISTAS_CONFIG))
    try:
        labels = read_json(path)["labels"]
        if not all(isinstance(label["readable"], str) for label in labels):
            raise KeyError("readable")
    except (OSError, DeixisError, KeyError, TypeError) as error:
        raise DataError(f"{path}: expected Mapillary's {VISTAS_CONFIG} with labels[].readable; {error!r}") from None
    return labels


def vistas_classes(config: DatasetConfig) -> ClassList:
    """The classes by their place in the list; those that Mapillary does not evaluate ("Unlabeled") mean nothing."""
    labels = enumerate(vistas_labels(config))
    return ClassList(
        {n: (label["readable"].lower() if label.get("evaluate", True) else "void",) for n, label in labels}
    )


def vistas_countable(config: DatasetConfig) -> tuple[int, ...]:
    """The numbers of the classes of which Mapillary tells instances apart."""
    return tuple(number for number, label in enumerate(vistas_labels(config)) if label.get("instances"))


def ade_pairs(config: DatasetConfig) -> list[Pair]:
    """images/training with annotations/training, and validation likewise."""
    return _split_pairs(config, ("training", "validation"), "images/{}", "annotations/{}")


def coco_stuff_pairs(config: DatasetConfig) -> list[Pair]:
    """The folders of maps by split in PATH, each with COCO's of the same name: in --images, or beside PATH."""
    pairs = []
    for split in ("train2017", "val2017"):
        beside = [config.path.parent / name / split for name in ("coco", "images", "")]
        images = [config.images / split] if config.images else [path for path in beside if path != config.path / split]
        found = next(filter(Path.is_dir, images), None)
        if (config.path / split).is_dir() and found is not None:
            pairs.append(Pair(found, config.path / split, f"{split}/"))
    if not pairs:
        raise DataError(
            f"{config.path}: expected train2017/ or val2017/ with maps, and the folder of COCO's images that has the "
            "same two by --images, got no such pair"
        )
    return pairs


def vistas_pairs(config: DatasetConfig) -> list[Pair]:
    """training/images with training/v2.0/labels, and validation likewise."""
    return _split_pairs(config, ("training", "validation"), "{}/images", "{}/v2.0/labels")


def _split_pairs(config: DatasetConfig, splits: tuple[str, ...], images: str, maps: str) -> list[Pair]:
    found = [
        Pair(config.folder / images.format(split), config.path / maps.format(split), f"{split}/")
        for split in splits
        if (config.path / maps.format(split)).is_dir()
    ]
    if not found:
        raise DataError(f"{config.path}: expected the folder {maps.format(splits[0])}/, got none")
    return found


def any_classes(config: DatasetConfig) -> ClassList:
    """The classes of the list in or above PATH, or of the option."""
    found = read_class_list(class_file(config, FILES, "classes.json or classes.txt"))
    if all(is_void(names[0]) for names in found.names.values()):
        raise DataError(f"classes: expected a class that means something, got {shown(list(found.names.values()))}")
    return found


def _format(name: str, map_set: MapSet, options: dict[str, str], **facts: str) -> Format:
    options = {"classes": "a file with the list of classes", **options}
    return Format(
        name,
        scan=partial(scan_maps, map_set=map_set),
        read=partial(read_maps, map_set=map_set),
        options=options,
        **facts,
    )


ADE20K = _format(
    "ade20k",
    MapSet("ade20k", ade_pairs, ade_classes),
    {},
    title="ADE20K's scene parsing: 150 classes of objects and stuff",
    wants="the folder ADEChallengeData2016 with images/, annotations/ and objectInfo150.txt",
    home="http://sceneparsing.csail.mit.edu",
    licence="BSD-3-Clause (annotations); images for research and education",
)
COCO_STUFF = _format(
    "coco_stuff",
    MapSet("coco_stuff", coco_stuff_pairs, coco_stuff_classes),
    {"dashed": "keep or drop: classes such as wall-brick and food-other (default: drop, as LISA does)"},
    title="COCO-Stuff: 171 classes of objects and stuff in COCO's images",
    wants="the folder stuffthingmaps with train2017/ and val2017/, and labels.txt; --images: COCO's folder",
    home="https://github.com/nightrome/cocostuff",
    licence="annotations CC-BY-4.0; each image has its own",
)
MAPILLARY = _format(
    "mapillary",
    MapSet("mapillary", vistas_pairs, vistas_classes, vistas_countable, "instances", "CC-BY-NC-SA-4.0"),
    {"instances": "no: classes alone, as LISA reads them (default: instances where their maps are)"},
    title="Mapillary Vistas 2.0: street scenes, 124 classes and their instances",
    wants="the folder with config_v2.0.json, training/ and validation/",
    home="https://www.mapillary.com/dataset/vistas",
    licence="CC-BY-NC-SA-4.0",
)
CLASS_MAPS = _format(
    "class_maps",
    MapSet(None, find_pairs, any_classes),
    {"source": "what the set is called in ids (default: the name of its folder)"},
    title="any folder of images and class maps",
    wants="a folder with images/ and labels/ (or the like) and classes.json or classes.txt; --images: the images",
    home="your own",
    licence="your own",
)
