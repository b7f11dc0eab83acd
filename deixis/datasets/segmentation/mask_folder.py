"""A folder of images and masks, as people have it: in two folders, side by side, or in a folder for each image.

    images/a.jpg masks/a.png      images/a.jpg masks/a/cat_1.png      a.jpg a_mask.png      a/image.jpg a/mask.png

What a mask shows its name tells ("a_cat.png", "cat/a.png"), else a list of classes, else the option `name`. A mask is
of one object where it is black and white (or has soft edges, or is an alpha channel); else each number or colour in it
is an object of its own and black is nothing. A black mask says that what it would show is not there. Names of all
images are held.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deixis.datasets.annotated import Annotated, Object
from deixis.datasets.files.class_lists import ClassList, find_class_list, is_void, read_class_list
from deixis.datasets.files.images import own_media_id, set_name
from deixis.datasets.files.map_files import HALF, NumberMap, counted, read_map, soft_mask
from deixis.datasets.files.mask_names import image_names, owner
from deixis.datasets.files.mask_regions import map_regions, mask_region
from deixis.datasets.files.paired_folders import files_below, find_pairs, shown_path, split_of_key
from deixis.datasets.source import METADATA, DatasetConfig, Format, Item, Metadata, Row
from deixis.errors import DataError, DeixisError
from deixis.geometry import Region
from deixis.samples.headers import header_size_hw
from deixis.samples.sample import MediaReference, Skipped

MAX_OBJECTS = 1_000
"""A mask of more numbers or colours is a photograph."""
PALETTE_BORDER = 255
"""In a map of a palette, as PASCAL's, the border around objects."""
VALUES = ("auto", "mask", "instances", "classes")


def scan_masks(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """A row for each image and each mask, and one for the list of classes, if there is one.

    Raises DataError for a folder without masks, and where nothing tells what the masks show.
    """
    values = config.choice("values", VALUES, "auto")
    classes = _class_file(config)
    if classes is not None:
        yield Row(METADATA, "classes", shown_path(classes, config), read_class_list(classes).to_json())
    elif values == "classes":
        raise DataError(f"classes: expected classes.json or classes.txt in {config.path}, or classes=FILE, got none")
    is_named = "name" in config.options or classes is not None
    for row in _rows(config):
        if isinstance(row, Row) and row.part == "mask" and row.value["shows"] is None and not is_named:
            raise DataError(
                f"name: expected what the masks show, as the name of {row.where} does not tell: give name=..., or put "
                "it in the names of the files (a_cat.png), of folders (cat/a.png), or in classes.txt"
            )
        yield row


def read_masks(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Annotated | Skipped]:
    """The image of an item with the objects of its masks; a `Skipped` for each mask that cannot be used."""
    image, masks = item.one("image"), item.of("mask")
    if not masks:
        raise DataError("expected a mask of this image, got none")
    size_hw = header_size_hw(Path(image.value))
    classes = ClassList.from_json(metadata["classes"][0].value) if "classes" in metadata else None
    collected = _MaskObjects(size_hw, classes, config.options.get("name"), config.options.get("values", "auto"))
    unusable: list[Object | None] = []
    used = 0
    for row in masks:
        name = collected.name_of(row.value["shows"])
        try:
            if complaint := collected.add(Path(row.value["path"]), name):
                unusable.append(None)
                yield Skipped(row.where, complaint)
            used += 1
        except DeixisError as error:
            unusable.append(None if name is None else Object(name))
            yield Skipped(row.where, str(error))
    if not used:
        return
    source = set_name(config)
    medium_id = own_media_id(Path(image.value), config, source)
    medium = MediaReference(medium_id, "image", path=image.value, size_hw=size_hw)
    there = {obj.name for obj in collected.objects}
    yield Annotated(
        id=f"{source}/{medium.id.split('/', 1)[1]}",
        source=source,
        split=split_of_key(item.key, config),
        signals=(medium,),
        objects=tuple(collected.objects),
        absent=tuple(dict.fromkeys(name for name in collected.empty if name not in there)),
        form="mask",
    ).without(unusable)


@dataclass
class _MaskObjects:
    """What the masks of one image have said so far. empty: names of masks in which nothing is."""

    size_hw: tuple[int, int]
    classes: ClassList | None
    name: str | None
    values: str
    objects: list[Object] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)

    def name_of(self, shows: str | None) -> str | None:
        """The name of what a mask shows; None where the classes in it tell."""
        by_class = self.classes is not None and self.values in ("auto", "classes")
        return shows or (None if by_class else self.name)

    def add(self, path: Path, name: str | None) -> str:
        """Takes in a mask, of the classes in it if it has no name; what of it cannot be used, else "".

        Raises DataError for one that does not fit.
        """
        by_class = self.classes if name is None else None
        found = read_map(path, as_colours=by_class is not None and by_class.by_colour)
        if found.values.shape != self.size_hw:
            (height, width), (mask_height, mask_width) = self.size_hw, found.values.shape
            raise DataError(
                f"expected the size of its image, {width} x {height} pixels, got {mask_width} x {mask_height}: was "
                "one of them resized or turned?"
            )
        if by_class is not None:
            objects, complaint = _of_classes(found, by_class)
            self.objects += objects
            return complaint
        regions = _regions(found, self.values)
        self.objects += [Object(name, region) for region in regions]
        if not regions:
            self.empty.append(name)
        return ""


def _regions(found: NumberMap, values: str) -> list[Region]:
    """The regions of the objects in a mask."""
    mask = soft_mask(found) if values == "auto" else None
    if values == "mask":
        mask = found.values >= HALF if found.is_lossy and not found.is_colour else found.values != 0
    if mask is not None:
        return [mask_region(mask)] if mask.any() else []
    numbers, _ = counted(found.values)
    if len(numbers) > MAX_OBJECTS:
        raise DataError(
            f"expected a mask, or at most {MAX_OBJECTS} objects, got {len(numbers)} numbers: is it a photo?"
        )
    nothing = (0, PALETTE_BORDER) if found.is_palette else (0,)
    return [region for number, region in map_regions(found.values) if number not in nothing]


def _of_classes(found: NumberMap, classes: ClassList) -> tuple[list[Object], str]:
    """An object for each class in a map, and a sentence about the numbers that no class has, if there are some.

    Raises DataError where no number is of a class.
    """
    objects: list[Object] = []
    foreign: list[int] = []
    is_known = False
    for number, region in map_regions(found.values):
        names = classes.names.get(number, ("void",) if number in (0, PALETTE_BORDER) else None)
        if names is None:
            foreign.append(number)
            continue
        is_known = True
        if not is_void(names[0]):
            objects.append(Object(names[0], region, synonyms=names[1:], stuff=True))
    if not foreign:
        return objects, ""
    more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
    complaint = f"expected one of the {len(classes.names)} classes, got {foreign[0]}{more}"
    if not is_known:
        raise DataError(complaint)
    return objects, complaint


def _class_file(config: DatasetConfig) -> Path | None:
    if "classes" in config.options:
        return Path(config.options["classes"])
    return None if "name" in config.options else find_class_list([config.path])


def _rows(config: DatasetConfig) -> Iterator[Row | Skipped]:
    try:
        pairs = find_pairs(config)
    except DeixisError:  # no such folders, so they lie side by side
        pairs = []
    if not pairs:
        images, masks = _images_and_masks(_by_name(config.path))
        if not masks:
            raise DataError(
                f"{config.path}: expected images and masks, in two folders such as images/ and masks/, or side by "
                "side as a.jpg and a_mask.png, got no mask; folders of other names are given as PATH (the masks) and "
                "--images (the images)"
            )
        yield from _image_rows(images, "", config)
        yield from _mask_rows(masks, images, "", config)
    for pair in pairs:
        images = _by_name(pair.images)
        yield from _image_rows(images, pair.name, config)
        yield from _mask_rows(_by_name(pair.maps), images, pair.name, config)


Files = dict[str, list[Path]]
"""Files by their names without endings."""


def _by_name(folder: Path) -> Files:
    found: Files = {}
    for name, path in files_below(folder):
        found.setdefault(name, []).append(path)
    return found


def _images_and_masks(files: Files) -> tuple[Files, Files]:
    """Images and masks that lie in one folder.

    A mask has the name of another file and more, and a word such as "mask" in it, or is a PNG of what is none.
    """
    names = image_names(files)
    images: Files = {}
    masks: Files = {}
    for name, paths in files.items():
        lossless = [path for path in paths if path.suffix.lower() == ".png"]
        others = [path for path in paths if path not in lossless]
        found = owner(name, names, but=name)
        if found and (found.is_marked or (not others and files[found.image][0].suffix.lower() != ".png")):
            masks[name] = paths
            continue
        images[name] = others or lossless
        if others and lossless:
            masks[name] = lossless
    return images, masks


def _image_rows(images: Files, prefix: str, config: DatasetConfig) -> Iterator[Row | Skipped]:
    for name, (first, *more) in images.items():
        yield Row(prefix + name, "image", shown_path(first, config), str(first))
        for path in more:
            yield Skipped(shown_path(path, config), f"expected a name of its own, got that of {first.name}")


def _mask_rows(masks: Files, images: Files, prefix: str, config: DatasetConfig) -> Iterator[Row | Skipped]:
    names = image_names(images)
    only = next(iter(images)) if len(images) == 1 else None
    for name, path in ((name, path) for name, paths in masks.items() for path in paths):
        found = owner(name, names)
        image, shows = (found.image, found.shows) if found else (only, None)
        if image is None:
            yield Skipped(shown_path(path, config), "expected an image that this is a mask of, got none of such a name")
        else:
            yield Row(prefix + image, "mask", shown_path(path, config), {"path": str(path), "shows": shows})


MASKS = Format(
    name="masks",
    title="a folder of images and masks",
    wants="a folder with images/ and masks/, or with a.jpg and a_mask.png side by side; --images: the images",
    home="your own",
    licence="your own",
    scan=scan_masks,
    read=read_masks,
    options={
        "name": "what the masks show, where their names do not tell",
        "values": "mask: what is not black is one object; instances: each number or colour is one; classes: each is a "
        "class (default: auto, by what is in them)",
        "classes": "a file with the list of classes, for maps with a number or a colour of a class",
        "source": "what the set is called in ids (default: the name of its folder)",
    },
)
