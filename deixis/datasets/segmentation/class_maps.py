"""Class maps: images with a number of a class at every pixel, as objects with masks.

Each class that is present becomes one object, all its pixels together, for a map cannot tell one car from the next;
`stuff` says so. Only where maps of instances lie beside, objects are told apart. What means nothing (a class called
"void" or "unlabelled"; 0 and 255 where no class has them) is skipped; other numbers that no class has are counted.
Which folders and which numbers a set has, `map_sets` knows.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deixis.datasets.annotated import Annotated, Object
from deixis.datasets.files.class_lists import ClassList, is_void
from deixis.datasets.files.images import own_media_id, set_name
from deixis.datasets.files.map_files import read_map
from deixis.datasets.files.mask_regions import map_regions
from deixis.datasets.files.paired_folders import Pair, pair_rows, split_of_key
from deixis.datasets.image_ids import published_id
from deixis.datasets.source import METADATA, DatasetConfig, Item, Metadata, Row
from deixis.errors import DataError
from deixis.geometry import Region, rle_area
from deixis.samples.headers import header_size_hw
from deixis.samples.sample import MediaReference, Skipped

VOID_NUMBERS = (0, 255)
"""Numbers that by custom mean nothing, where the list of classes does not name them."""
PER_INSTANCE = 256
"""Mapillary's instance maps hold class * 256 + instance."""


@dataclass(frozen=True)
class MapSet:
    """What sets of class maps do not share: where the two folders are, and what the numbers mean.

    source: its name in ids; None: the folder's. pairs: the folders. classes: the list; a class that it has not is no
    class. countable: numbers of the classes of which instances are told apart, in maps in the folder `instances`.
    licence: of all of it.
    """

    source: str | None
    pairs: Callable[[DatasetConfig], list[Pair]]
    classes: Callable[[DatasetConfig], ClassList]
    countable: Callable[[DatasetConfig], tuple[int, ...]] = lambda _: ()
    instances: str = ""
    licence: str = "unknown"


def scan_maps(config: DatasetConfig, map_set: MapSet) -> Iterator[Row | Skipped]:
    """The list of classes for all, and a row for each image and each map. Raises DataError without either."""
    pairs, classes = map_set.pairs(config), map_set.classes(config)
    yield Row(METADATA, "classes", "classes", classes.to_json())
    yield Row(METADATA, "countable", "classes", list(map_set.countable(config)))
    for pair in pairs:
        yield from pair_rows(pair, config)


def read_maps(item: Item, metadata: Metadata, config: DatasetConfig, map_set: MapSet) -> Iterator[Annotated | Skipped]:
    """The image of an item with its classes; a `Skipped` for each number that no class has."""
    for have, lack, noun in (("image", "map", "a map"), ("map", "image", "an image")):
        if item.of(have) and not item.of(lack):
            raise DataError(f"expected {noun} of the same name as this {have}, got none")
    image, labels = item.one("image"), item.one("map")
    classes = ClassList.from_json(metadata["classes"][0].value)
    found = read_map(labels.value, as_colours=classes.by_colour)
    if found.is_colour and not classes.by_colour:
        raise DataError(f"{labels.where}: expected a number at each pixel, as the classes have numbers, got colours")
    medium = _medium(item.key, image, labels, config, map_set, found.values.shape)
    named = {number: names for number, names in classes.names.items() if not is_void(names[0])}
    objects = []
    unusable: list[Object | None] = []
    for number, region in map_regions(found.values):
        if number in named:
            objects.append(Object(named[number][0], region, synonyms=named[number][1:], stuff=True))
        elif number not in classes.names and (classes.by_colour or number not in VOID_NUMBERS):
            unusable.append(None)
            yield Skipped(labels.where, _foreign(number, region, classes))
    if (instances := _instances(Path(labels.value), config, map_set)) is not None:
        numbers = read_map(instances).values
        if numbers.shape != found.values.shape:
            raise DataError(f"{instances}: expected the size of the map, {found.values.shape}, got {numbers.shape}")
        objects = _instance_objects(numbers, named, metadata["countable"][0].value)
    source = map_set.source or set_name(config)
    yield Annotated(
        id=f"{source}/{medium.id.split('/', 1)[1]}",
        source=source,
        split=split_of_key(item.key, config),
        signals=(medium,),
        objects=tuple(objects),
        form="mask",
        licence=map_set.licence,
    ).without(unusable)


def _medium(
    key: str, row: Row, labels: Row, config: DatasetConfig, map_set: MapSet, map_hw: tuple[int, ...]
) -> MediaReference:
    size_hw = header_size_hw(Path(row.value))
    if size_hw != tuple(map_hw):
        raise DataError(
            f"{labels.where}: expected the size of its image, {size_hw[1]} x {size_hw[0]} pixels, got "
            f"{map_hw[1]} x {map_hw[0]}"
        )
    if map_set.source is None:
        medium_id = own_media_id(Path(row.value), config, set_name(config))
    else:
        medium_id = published_id([f"{key}{Path(row.value).suffix}"], map_set.source)
    return MediaReference(medium_id, "image", path=row.value, size_hw=size_hw)


def _foreign(number: int, region: Region, classes: ClassList) -> str:
    """The sentence for a number that no class has."""
    shown = f"the colour {number >> 16}, {number >> 8 & 255}, {number & 255}" if classes.by_colour else number
    return f"expected one of the {len(classes.names)} classes, got {shown} at {rle_area(region.mask)} pixels"


def _instances(path: Path, config: DatasetConfig, map_set: MapSet) -> Path | None:
    """The map of instances of a map of classes, if the set has some, and they are not refused."""
    found = path.parent.parent / map_set.instances / path.name
    return found if map_set.instances and config.options.get("instances") != "no" and found.is_file() else None


def _instance_objects(numbers: np.ndarray, named: Mapping[int, tuple[str, ...]], countable: list[int]) -> list[Object]:
    """An object for each instance of a map of class * 256 + instance; of a class that is not countable one."""
    of_class = numbers // PER_INSTANCE
    numbers = np.where(np.isin(of_class, countable), numbers, of_class * PER_INSTANCE)
    objects = []
    for number, region in map_regions(numbers):
        if number // PER_INSTANCE in named:
            names, is_stuff = named[number // PER_INSTANCE], number // PER_INSTANCE not in countable
            objects.append(Object(names[0], region, synonyms=names[1:], stuff=is_stuff))
    return objects
