"""PASCAL VOC's XML files, and those of all the tools that write them: a box for each object.

    Annotations/NAME.xml   JPEGImages/NAME.jpg   ImageSets/Main/train.txt   SegmentationObject/NAME.png

PASCAL counts pixels from 1 and its boxes hold their last pixel, so that 1 is taken from xmin and ymin; other tools
count from 0, and nothing is taken (the option `origin` says otherwise). `difficult` objects count neither way. Where
SegmentationObject has a map, its n-th number is the mask of the n-th object. SegmentationClass is read as class maps.

Sources: host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html; HumanSignal/labelImg libs/pascal_voc_io.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from deixis.datasets.annotated import Annotated, Object
from deixis.datasets.files.boxes import BoxXYXY, box_from_xyxy
from deixis.datasets.files.class_lists import readable
from deixis.datasets.files.images import checked_size_hw, declared_size_hw, find_image, set_name
from deixis.datasets.files.json_stream import flag_field
from deixis.datasets.files.map_files import read_map
from deixis.datasets.files.mask_regions import map_regions, sound_region
from deixis.datasets.files.paired_folders import shown_path, split_of_key
from deixis.datasets.files.safe_xml import read_xml
from deixis.datasets.source import DatasetConfig, Format, Item, Metadata, Row
from deixis.errors import DataError, DeixisError
from deixis.files.json_text import read_text
from deixis.geometry import Region, box_iou
from deixis.samples.consistency import shown
from deixis.samples.sample import MediaReference, Skipped

FOLDERS = ("Annotations", "annotations", "xml", "xmls", "labels")
LISTS = ("Main", "Segmentation", "Layout")
SPLITS = ("train", "val", "test")
ENDINGS = (".jpg", ".png", ".jpeg", ".JPG", ".JPEG", ".PNG", ".bmp", ".webp", ".tif")
"""Of images whose file name is not file_name."""
SPELLING = {"diningtable": "dining table", "pottedplant": "potted plant", "tvmonitor": "TV monitor"}
"""PASCAL's class names that are two words."""
BORDER = 255
SAME_IOU = 0.5
"""So much at least the box of an object and that of its mask overlap."""


def scan_voc(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """A row for each XML file, and one for each line of the lists of splits. Raises DataError for a folder without."""
    config.choice("origin", ("0", "1"))
    folder = next((config.path / name for name in FOLDERS if (config.path / name).is_dir()), config.path)
    files = sorted(folder.rglob("*.xml")) if config.path.is_dir() else [config.path]
    if not files:
        raise DataError(f"{config.path}: expected XML files in the folder or its Annotations/, got none")
    for path in files:
        name = path.relative_to(folder).with_suffix("").as_posix() if path != config.path else path.stem
        yield Row(name, "file", shown_path(path, config) if path != config.path else path.name, str(path))
    lists = [config.path / "ImageSets" / name for name in LISTS if (config.path / "ImageSets" / name).is_dir()]
    for path, split in ((folder / f"{split}.txt", split) for folder in lists[:1] for split in SPLITS):
        lines = read_text(path).splitlines() if path.is_file() else []
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield Row(line.split()[0], "split", f"{shown_path(path, config)}:{number}", split)


def read_voc(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Annotated | Skipped]:
    """The image of an item with its objects and their parts; a `Skipped` for each that cannot be used."""
    files, splits = item.of("file"), item.of("split")
    if not files:
        raise DataError(f"expected a file {item.key}.xml in Annotations/, got none")
    path, where = Path(files[0].value), files[0].where
    root = _root(path)
    is_pascal = _is_pascal(root)
    origin = int(config.options.get("origin", is_pascal))
    medium = _medium(root, path, config, is_pascal, item.key)
    found = _Found(medium.size_hw, origin)
    map_path = path.parent.parent / "SegmentationObject" / f"{path.stem}.png"
    if map_path.is_file():
        try:
            found.read_masks(map_path)
        except DeixisError as error:
            yield Skipped(shown_path(map_path, config), str(error))
    for number, element in enumerate(root.findall("object"), 1):
        for why in found.add(number, element):
            yield Skipped(f"{where}: object {number}", why)
    for number in found.masks:  # those left are of no object
        found.unusable.append(None)
        yield Skipped(shown_path(map_path, config), f"expected the number of one of the objects, got {number}")
    marked = (*found.objects, *found.parts)
    source = medium.id.split("/")[0]
    yield Annotated(
        id=medium.id,
        source=source,
        split=config.split or (splits[0].value if splits else split_of_key(item.key, config)),
        signals=(medium,),
        objects=marked,
        form="mask" if marked and all(obj.region.mask is not None for obj in marked) else "box",
    ).without(found.unusable)


def _root(path: Path) -> Element:
    root = read_xml(path)
    if root.tag != "annotation":
        raise DataError(f"expected an XML file of PASCAL VOC's form, with <annotation>, got <{root.tag}>")
    return root


def _is_pascal(root: Element) -> bool:
    """Whether a file is one of PASCAL's own."""
    return _text(root, "source/database").startswith("The VOC") or _text(root, "source/annotation").startswith("PASCAL")


def _text(element: Element, path: str) -> str:
    return (element.findtext(path) or "").strip()


def _medium(root: Element, path: Path, config: DatasetConfig, is_pascal: bool, key: str) -> MediaReference:
    file_name = _text(root, "filename").replace("\\", "/").rsplit("/", 1)[-1]
    names = [file_name] if file_name else []
    names += [f"{path.stem}{ending}" for ending in ENDINGS]
    beside = [path.parent / name for name in names] if config.images is None else []
    image = next(filter(Path.is_file, beside), None) or find_image(config, names, split_of_key(key, config))
    height, width = (_side(_text(root, f"size/{side}")) for side in ("height", "width"))
    declared = declared_size_hw({"height": height, "width": width})
    size_hw = checked_size_hw(image, declared, "size")
    source = config.options.get("source") or ("voc" if is_pascal else set_name(config))
    return MediaReference(f"{source}/{key}", "image", path=str(image), size_hw=size_hw)


def _side(text: str) -> int | None:
    """A side in pixels; None where a tool wrote 0 or nothing for what it did not know."""
    return int(text) if text.isdigit() and int(text) > 0 else None


def _name(element: Element) -> str:
    name = readable(_text(element, "name"))
    if not name:
        raise DataError("name: expected the name of a class, got none")
    return SPELLING.get(name, name)


@dataclass
class _Found:
    """What is read of an image. masks: of the map's numbers that no object has taken yet. unusable: objects that cannot
    be used; None: one of an unknown name."""

    size_hw: tuple[int, int]
    origin: int
    masks: dict[int, Region] = field(default_factory=dict)
    objects: list[Object] = field(default_factory=list)
    parts: list[Object] = field(default_factory=list)
    unusable: list[Object | None] = field(default_factory=list)

    def read_masks(self, path: Path) -> None:
        """Takes in a map whose n-th number is the mask of the n-th object. Raises DataError for another size."""
        values = read_map(path).values
        if values.shape != self.size_hw:
            raise DataError(f"expected the image's size {list(self.size_hw)}, got {list(values.shape)}")
        self.masks = {number: region for number, region in map_regions(values) if number not in (0, BORDER)}

    def add(self, number: int, element: Element) -> Iterator[str]:
        """Takes in an object and its parts, and says why one is skipped, or its box or mask is not used."""
        mask = self.masks.pop(number, None)
        for each in (element, *element.findall("part")):
            obj = None
            try:
                obj = Object(_name(each), part_of=None if each is element else _name(element))
                region, complaint = self._region(each, number, mask if each is element else None)
                (self.objects if each is element else self.parts).append(replace(obj, region=region))
                if complaint:
                    yield complaint
            except DeixisError as error:
                self.unusable.append(obj)
                yield str(error)

    def _region(self, element: Element, number: int, mask: Region | None) -> tuple[Region, str]:
        region, complaint = sound_region(
            lambda: _box(element, self.size_hw, self.origin), None if mask is None else lambda: mask.mask
        )
        if mask is not None and box_iou(np.array([region.box]), np.array([mask.box]))[0, 0] < SAME_IOU:
            complaint = f"expected the pixels of object {number} in its box {region.box}, got {mask.box}"
            region = Region(box=region.box)
        return replace(region, ignore=flag_field({"difficult": _text(element, "difficult")}, "difficult")), complaint


def _box(element: Element, size_hw: tuple[int, int], origin: int) -> BoxXYXY:
    texts = [_text(element, f"bndbox/{edge}") for edge in ("xmin", "ymin", "xmax", "ymax")]
    try:
        x1, y1, x2, y2 = map(float, texts)
    except ValueError:
        raise DataError(f"bndbox: expected numbers xmin, ymin, xmax, ymax, got {shown(', '.join(texts))}") from None
    return box_from_xyxy([x1 - origin, y1 - origin, x2, y2], size_hw, "bndbox")


VOC = Format(
    name="voc",
    title="PASCAL VOC, and any folder of XML files in its form",
    wants="a folder with Annotations/ and JPEGImages/, or XML files beside images; --images: the images",
    home="http://host.robots.ox.ac.uk/pascal/VOC/",
    licence="images under Flickr's terms",
    scan=scan_voc,
    read=read_voc,
    options={
        "origin": "what the first pixel is called: 1 (default for PASCAL's own files) or 0 (for all others)",
        "source": "what the set is called in ids (default: voc, or the name of the folder)",
    },
)
