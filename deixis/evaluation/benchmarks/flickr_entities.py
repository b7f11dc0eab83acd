"""Reader of Flickr30k Entities for evaluation: the phrases of each caption with their entities, and their boxes.

    Sentences/ID.txt, Annotations/ID.xml    (format: `deixis.datasets.grounding.flickr30k`)

Corners are those of the files, counted from 1, as in the official scripts.

Source: BryanPlummer/flickr30k_entities flickr30k_entities_utils.py; apple/ml-ferret@3c9e5c93
ferret/eval/eval_flickr_entities.py (get_annotations, get_sentence_data).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deixis.datasets.files.images import find_image
from deixis.datasets.files.safe_xml import read_xml, required_int
from deixis.datasets.grounding.flickr30k import ANNOTATIONS, IMAGE_FOLDERS, SENTENCES, parse_sentence
from deixis.datasets.source import DatasetConfig
from deixis.errors import DataError
from deixis.evaluation.benchmark import RequiredFile
from deixis.evaluation.benchmarks.official_files import place_for
from deixis.files.json_text import read_text
from deixis.samples.sample import MediaReference

BoxXYXY = tuple[float, float, float, float]
HOME = "https://github.com/BryanPlummer/flickr30k_entities"
LICENCE = "for research and education; photos: terms of Flickr"
ENTITIES = RequiredFile("Sentences/ and Annotations/", "Flickr30k Entities (annotations.zip)", HOME, LICENCE)
PHOTOS = RequiredFile(
    f"{IMAGE_FOLDERS[0]}/", "the images of Flickr30k", "https://shannon.cs.illinois.edu/DenotationGraph/", LICENCE
)


@dataclass(frozen=True)
class Phrase:
    """A phrase of a caption, `caption[start:end]`, and the id of its entity."""

    text: str
    start: int
    end: int
    entity: str


@dataclass(frozen=True)
class AnnotatedImage:
    """The captions of an image, the phrases of each, and the boxes of each entity (xyxy in pixels)."""

    size_hw: tuple[int, int]
    captions: tuple[str, ...]
    phrases: tuple[tuple[Phrase, ...], ...]
    boxes: Mapping[str, tuple[BoxXYXY, ...]] = field(repr=False)

    def boxed(self, sentence: int) -> tuple[Phrase, ...]:
        """The phrases of a caption whose entities have boxes."""
        return tuple(phrase for phrase in self.phrases[sentence] if self.boxes.get(phrase.entity))


def entities_folder(data: Path) -> Path | None:
    """The folder with sentences and annotations: --data or a folder directly below; None if there is none."""
    folders = [data, *(path for path in sorted(data.glob("*")) if path.is_dir())] if data.is_dir() else []
    return next((f for f in folders if (f / SENTENCES).is_dir() and (f / ANNOTATIONS).is_dir()), None)


def photo_folders(data: Path, options: Mapping[str, str]) -> list[Path]:
    """The folders that may contain the images: that of the option, else those below --data."""
    if images := place_for(data, options).images:
        return [images]
    folders = [data / name for name in IMAGE_FOLDERS] + [data / "flickr30k" / name for name in IMAGE_FOLDERS]
    return [*filter(Path.is_dir, folders), data]


def photo(folders: Sequence[Path], number: str, file_name: str, size_hw: tuple[int, int]) -> MediaReference:
    """The image of a number, in the first folder that has it."""
    paths = [find_image(DatasetConfig(folder, folder), [file_name]) for folder in folders]
    path = next((path for path in paths if path.is_file()), paths[0])
    return MediaReference(f"flickr/{number}", "image", path=str(path), size_hw=size_hw)


def annotated_image(folder: Path, number: str) -> AnnotatedImage:
    """The annotations of an image; DataError if a file is missing or has another format."""
    for name in (f"{ANNOTATIONS}/{number}.xml", f"{SENTENCES}/{number}.txt"):
        if not (folder / name).is_file():
            raise DataError(f"{name}: expected the file of an image of the split, got none")
    root = read_xml(folder / ANNOTATIONS / f"{number}.xml")
    boxes: dict[str, list[BoxXYXY]] = {}
    for found in root.iter("object"):
        if found.find("bndbox") is None:
            continue
        x1, y1, x2, y2 = (float(required_int(found, f"bndbox/{edge}")) for edge in ("xmin", "ymin", "xmax", "ymax"))
        for name in found.iter("name"):
            boxes.setdefault((name.text or "").strip(), []).append((x1, y1, x2, y2))
    lines = read_text(folder / SENTENCES / f"{number}.txt", "utf-8").split("\n")
    parsed = [parse_sentence(line) for line in lines if line.strip()]
    return AnnotatedImage(
        (required_int(root, "size/height"), required_int(root, "size/width")),
        tuple(text for text, _ in parsed),
        tuple(tuple(Phrase(text[a:b], a, b, entity) for a, b, entity in parts) for text, parts in parsed),
        {name: tuple(found) for name, found in boxes.items()},
    )


def enclosing(boxes: Sequence[BoxXYXY]) -> BoxXYXY:
    """The smallest box that contains all boxes.

    >>> enclosing([(0, 5, 10, 10), (5, 0, 6, 7)])
    (0, 0, 10, 10)
    """
    x1, y1, x2, y2 = zip(*boxes, strict=True)
    return min(x1), min(y1), max(x2), max(y2)
