"""Flickr30k Entities as its scores need it: each caption's phrases with their entities, each entity's boxes.

    Sentences/ID.txt, Annotations/ID.xml    (`deixis.datasets.grounding.flickr30k` says more of them)

The official scorers take the corners as the file has them, from 1, and so does this; training data are made elsewhere.

Source: BryanPlummer/flickr30k_entities flickr30k_entities_utils.py; apple/ml-ferret@3c9e5c93
ferret/eval/eval_flickr_entities.py (get_annotations, get_sentence_data).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deixis.datasets.files.safe_xml import read_xml, whole_of
from deixis.datasets.grounding.flickr30k import ANNOTATIONS, PICTURES, SENTENCES, parse_sentence
from deixis.errors import DataError
from deixis.evaluation.benchmark import RequiredFile

BoxXYXY = tuple[float, float, float, float]
HOME = "https://github.com/BryanPlummer/flickr30k_entities"
LICENCE = "for research and education; photos: terms of Flickr"
ENTITIES = RequiredFile("Sentences/ and Annotations/", "Flickr30k Entities (annotations.zip)", HOME, LICENCE)
PHOTOS = RequiredFile(
    f"{PICTURES[0]}/", "the pictures of Flickr30k", "https://shannon.cs.illinois.edu/DenotationGraph/", LICENCE
)


@dataclass(frozen=True)
class Phrase:
    """Words of a caption, `caption[start:end]`, and the entity that they mean."""

    text: str
    start: int
    end: int
    entity: str


@dataclass(frozen=True)
class Picture:
    """A picture's captions, the phrases in each, and x1, y1, x2, y2 in pixels of the boxes of each entity."""

    size_hw: tuple[int, int]
    captions: tuple[str, ...]
    phrases: tuple[tuple[Phrase, ...], ...]
    boxes: Mapping[str, tuple[BoxXYXY, ...]] = field(repr=False)

    def boxed(self, sentence: int) -> tuple[Phrase, ...]:
        """The phrases of a caption whose entities have boxes."""
        return tuple(phrase for phrase in self.phrases[sentence] if self.boxes.get(phrase.entity))


def entities_folder(data: Path) -> Path | None:
    """The folder in --data, or --data itself, that holds the sentences and the annotations."""
    folders = [data, *(path for path in sorted(data.glob("*")) if path.is_dir())] if data.is_dir() else []
    return next((f for f in folders if (f / SENTENCES).is_dir() and (f / ANNOTATIONS).is_dir()), None)


def photo_roots(data: Path) -> list[Path]:
    """The folders below --data in which the pictures may lie."""
    folders = [data / name for name in PICTURES] + [data / "flickr30k" / name for name in PICTURES]
    return [*filter(Path.is_dir, folders), data]


def picture_of(folder: Path, number: str) -> Picture:
    """What the files say of a picture. Raises ValueError for files that are missing or of another form."""
    for name in (f"{ANNOTATIONS}/{number}.xml", f"{SENTENCES}/{number}.txt"):
        if not (folder / name).is_file():
            raise DataError(f"{name}: expected the file of a picture of the split, got none")
    root = read_xml(folder / ANNOTATIONS / f"{number}.xml")
    boxes: dict[str, list[BoxXYXY]] = {}
    for found in root.iter("object"):
        if found.find("bndbox") is None:
            continue
        x1, y1, x2, y2 = (float(whole_of(found, f"bndbox/{edge}")) for edge in ("xmin", "ymin", "xmax", "ymax"))
        for name in found.iter("name"):
            boxes.setdefault((name.text or "").strip(), []).append((x1, y1, x2, y2))
    lines = (folder / SENTENCES / f"{number}.txt").read_text("utf-8", "replace").split("\n")
    parsed = [parse_sentence(line) for line in lines if line.strip()]
    return Picture(
        (whole_of(root, "size/height"), whole_of(root, "size/width")),
        tuple(text for text, _ in parsed),
        tuple(tuple(Phrase(text[a:b], a, b, entity) for a, b, entity in parts) for text, parts in parsed),
        {name: tuple(found) for name, found in boxes.items()},
    )


def enclosing(boxes: Sequence[BoxXYXY]) -> BoxXYXY:
    """The smallest box around all.

    >>> enclosing([(0, 5, 10, 10), (5, 0, 6, 7)])
    (0, 0, 10, 10)
    """
    x1, y1, x2, y2 = zip(*boxes, strict=True)
    return min(x1), min(y1), max(x2), max(y2)
