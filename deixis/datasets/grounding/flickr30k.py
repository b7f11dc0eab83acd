"""Flickr30k Entities: five captions of an image, whose phrases are tied to boxes.

    Sentences/ID.txt      a caption a line: [/EN#1/people A man] pets [/EN#2/animals a dog] .
    Annotations/ID.xml    size, and objects: the names (ids) of entities, and a bndbox, or nobndbox or scene
    train.txt, val.txt, test.txt    ids of images; without these all that have sentences are taken

An entity may have several boxes (two men) and a box several entities (a man, and one of two men). Corners count from 1
and the last pixel is in the box, as in VOC. Phrases without a box, which mean the whole scene or what cannot be seen,
stay text.

Source: BryanPlummer/flickr30k_entities flickr30k_entities_utils.py and README.md.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element

from deixis.datasets.annotated import Annotated, Object
from deixis.datasets.files.boxes import box_from_xyxy
from deixis.datasets.files.caption_spans import bare, link_caption
from deixis.datasets.files.images import find_image
from deixis.datasets.files.safe_xml import read_xml, required_int
from deixis.datasets.source import DatasetConfig, Format, Item, Metadata, Row
from deixis.errors import DataError, DeixisError
from deixis.files.json_text import read_text
from deixis.geometry import Region
from deixis.samples.consistency import shown
from deixis.samples.sample import MediaReference, Skipped

SPLITS = ("train", "val", "test")
SENTENCES, ANNOTATIONS = "Sentences", "Annotations"
IMAGE_FOLDERS = ("flickr30k-images", "flickr30k_images", "images")
NOT_NAMES = frozenset(("he", "him", "she", "her", "it", "they", "them", "others", "one", "each", "his", "their", "who"))
"""Phrases that name nothing by themselves."""
_PHRASE = re.compile(r"\[/EN#(\d+)(?:/[^\s\]/]+)+\s+([^\[\]]+)\]")
_BLANK_BEFORE = re.compile(r" +(?=[.,;:!?](?:\s|$)|'s\b|n't\b)")


def scan_flickr30k(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """A row for each image, with its split."""
    if not (config.path / SENTENCES).is_dir() or not (config.path / ANNOTATIONS).is_dir():
        raise DataError(f"{config.path}: expected the folders {SENTENCES} and {ANNOTATIONS} in it, got none")
    lists = [config.path / f"{split}.txt" for split in SPLITS if (config.path / f"{split}.txt").is_file()]
    for path in lists:
        for number, line in enumerate(read_text(path, "utf-8").splitlines(), 1):
            name = line.strip().removesuffix(".jpg")
            if name.isascii() and name.isdigit():
                yield Row(name, "image", f"{path.name}:{number}", {"split": path.stem})
            elif name:
                yield Skipped(f"{path.name}:{number}", f"expected the number of an image, got {shown(line)}")
    for path in [] if lists else sorted((config.path / SENTENCES).glob("*.txt")):
        if path.stem.isascii() and path.stem.isdigit():
            yield Row(path.stem, "image", f"{SENTENCES}/{path.name}", {"split": config.split or "train"})


@dataclass
class _Entities:
    """Boxes in the order of the file, and which of them belong to each entity."""

    boxes: list[Region] = field(default_factory=list)
    of_entity: dict[str, list[int]] = field(default_factory=dict)


def read_flickr30k(item: Item, _: Metadata, config: DatasetConfig) -> Iterator[Annotated | Skipped]:
    """An image with its boxes and its captions."""
    row = item.one("image")
    root = read_xml(_file(config, ANNOTATIONS, f"{item.key}.xml"))
    size_hw = (required_int(root, "size/height"), required_int(root, "size/width"))
    entities = _Entities()
    for number, found in enumerate(root.iter("object")):
        try:
            _add(entities, found, size_hw)
        except DeixisError as error:
            yield Skipped(f"{ANNOTATIONS}/{item.key}.xml: object {number}", str(error))
    captions = []
    phrases: dict[str, list[str]] = {}
    lines = read_text(_file(config, SENTENCES, f"{item.key}.txt"), "utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            text, parts = parse_sentence(line)
            caption = link_caption(text, [(start, end, entities.of_entity.get(name, ())) for start, end, name in parts])
        except DeixisError as error:
            yield Skipped(f"{SENTENCES}/{item.key}.txt:{number}", str(error))
            continue
        captions.append(_BLANK_BEFORE.sub("", caption))
        for start, end, name in parts:
            phrases.setdefault(name, []).append(bare(text[start:end]))
    if not captions:
        raise DataError(f"{SENTENCES}/{item.key}.txt: expected a caption a line, got none to use")
    folders = [folder / name for folder in (config.path, config.path.parent) for name in IMAGE_FOLDERS]
    path = find_image(config.with_images(folders), [f"{item.key}.jpg"])
    yield Annotated(
        id=f"flickr30k/{item.key}",
        source="flickr30k",
        split=row.value["split"],
        signals=(MediaReference(f"flickr/{item.key}", "image", path=str(path), size_hw=size_hw),),
        objects=tuple(_objects(entities, phrases)),
        captions=tuple(captions),
        complete=False,
        licence=FLICKR30K.licence,
    )


def parse_sentence(line: str) -> tuple[str, list[tuple[int, int, str]]]:
    """The plain text of a line, and (start, end, entity) of each phrase in it.

    Raises DataError for a bracket that belongs to no phrase of the form.

    >>> parse_sentence("[/EN#1/people A man] pets [/EN#2/animals/other a dog] .")
    ('A man pets a dog .', [(0, 5, '1'), (11, 16, '2')])
    """
    pieces, parts, at, length = [], [], 0, 0
    for match in _PHRASE.finditer(line):
        pieces += [line[at : match.start()], match[2]]
        length += match.start() - at + len(match[2])
        parts.append((length - len(match[2]), length, match[1]))
        at = match.end()
    text = "".join([*pieces, line[at:]]).rstrip()
    if "/EN#" in text:
        raise DataError(
            f"expected phrases of the form [/EN#id/type words], got {shown(text[text.index('/EN#') - 1 :])}"
        )
    return text, parts


def _add(entities: _Entities, found: Element, size_hw: tuple[int, int]) -> None:
    """The box of an object to those of its entities; an object without a box has no place."""
    if found.find("bndbox") is None:
        return
    names = [name.text.strip() for name in found.iter("name") if name.text and name.text.strip()]
    if not names:
        raise DataError("name: expected the number of an entity, got none")
    left, top, right, bottom = (required_int(found, f"bndbox/{edge}") for edge in ("xmin", "ymin", "xmax", "ymax"))
    box_xyxy = box_from_xyxy([left - 1, top - 1, right, bottom], size_hw, "bndbox")
    for name in dict.fromkeys(names):
        entities.of_entity.setdefault(name, []).append(len(entities.boxes))
    entities.boxes.append(Region(box=box_xyxy))


def _objects(entities: _Entities, phrases: Mapping[str, list[str]]) -> Iterator[Object]:
    """The boxes with their names: phrases that mean this box alone."""
    names: dict[int, dict[str, None]] = {}
    for entity, numbers in entities.of_entity.items():
        if len(numbers) == 1:  # "two men" is no name of either
            own = [phrase for phrase in phrases.get(entity, ()) if phrase not in NOT_NAMES]
            names.setdefault(numbers[0], {}).update(dict.fromkeys(own))
    for number, region in enumerate(entities.boxes):
        name, *others = names.get(number) or ("",)
        yield Object(name, region, synonyms=tuple(others))


def _file(config: DatasetConfig, folder: str, name: str) -> Path:
    path = config.path / folder / name
    if not path.is_file():
        raise DataError(f"{folder}/{name}: expected the file of an image that is listed, got none")
    return path


FLICKR30K = Format(
    name="flickr30k",
    title="Flickr30k Entities",
    wants=f"the folder with {SENTENCES}/, {ANNOTATIONS}/ and train.txt, val.txt, test.txt; --images: flickr30k-images",
    home="https://github.com/BryanPlummer/flickr30k_entities",
    licence="for research and education; photos: terms of Flickr",
    scan=scan_flickr30k,
    read=read_flickr30k,
)
