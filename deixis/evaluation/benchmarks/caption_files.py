"""Captioned signals in the files that evaluations use: one iterator a form, each yielding (part, signals, captions).

    COCO's form         {"images": [...], "annotations": [{"image_id", "caption"}]}, NoCaps' with a "domain" an image
    Karpathy's splits   dataset_coco.json, dataset_flickr30k.json: {"images": [{"filepath", "filename", "split",
                        "sentences": [{"raw"}]}]}
    BLIP's lists        coco_karpathy_test.json: [{"image": "val2014/COCO_val2014_....jpg", "caption": [...]}]
    PointLLM's          pointllm_test.json: {id: caption}; PointLLM_brief_description_val_200_GT.json: [{"object_id",
                        "conversations"}]

Sources: karpathy.github.io deepimagesent; salesforce/LAVIS and csuhan/OneLLM@8587a47 eval/; nocaps.org/download;
OpenRobotLab/PointLLM pointllm/eval.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deixis.datasets.annotated import Annotated
from deixis.datasets.files.dialogue import json_rows
from deixis.datasets.files.images import picture
from deixis.datasets.files.json_stream import json_items
from deixis.datasets.instruction.caption_sets import AUDIOCAPS, CLOTHO, COCO_CAPTIONS
from deixis.datasets.instruction.onellm import ONELLM, POINTLLM_FILE
from deixis.datasets.instruction.onellm_media import locate, medium_id
from deixis.datasets.source import Format, Place
from deixis.errors import DataError, DeixisError
from deixis.evaluation.benchmarks.records import records, unescaped
from deixis.samples.consistency import shown
from deixis.samples.sample import MediaReference
from deixis.samples.skipped import Skipped

DOMAINS = ("in-domain", "near-domain", "out-domain")
SPLITS = ("test", "val")


@dataclass(frozen=True)
class Captioned:
    """Signals and their right captions, as plain text. part: the row of the table that it counts in."""

    id: str
    part: str
    signals: tuple[MediaReference, ...]
    captions: tuple[str, ...]


Read = Callable[[Place, str], Iterator[Captioned | Skipped]]
"""From a file, and the split that is asked for where it holds several."""


def coco_form(place: Place, split: str) -> Iterator[Captioned | Skipped]:
    """Pictures of a file in COCO's form, all of one part."""
    return _by(COCO_CAPTIONS, place, lambda _: _split_in(place.path, split))


def by_domain(place: Place, split: str) -> Iterator[Captioned | Skipped]:
    """NoCaps: the part is a picture's domain, where the file or one beside it tells; else "entire"."""
    domains = {str(image["id"]): str(image["domain"]) for image in _images(place.path) if "domain" in image}
    for domain in () if domains else DOMAINS:
        beside = place.path.with_name(f"nocaps_val_{domain}.json")
        domains |= {str(image["id"]): domain for image in _images(beside)} if beside.is_file() else {}
    return _by(COCO_CAPTIONS, place, lambda key: domains.get(key, "no domain" if domains else "entire"))


def karpathy(place: Place, split: str) -> Iterator[Captioned | Skipped]:
    """The pictures of one split of Karpathy's files."""
    number = 0
    for where, image in json_items(place.path, "images"):
        if not isinstance(image, dict) or image.get("split") != split:
            continue
        number += 1
        names = [f"{image['filepath']}/{image['filename']}"] if image.get("filepath") else []
        yield _pictured(place, where, split, [*names, image["filename"]], [s.get("raw") for s in image["sentences"]])
    if not number:
        raise DataError(f"{place.path}: expected pictures with the split {split!r}, got none")


def blip_list(place: Place, split: str) -> Iterator[Captioned | Skipped]:
    """The pictures of a list of files with captions."""
    for where, row in json_rows(place.path):
        if isinstance(row, dict) and isinstance(row.get("image"), str):
            said = row.get("caption")
            texts = said if isinstance(said, list) else [said]
            yield _pictured(place, where, _split_in(place.path, split), [row["image"]], texts)
        else:
            yield Skipped(where, f"expected an object with 'image' and 'caption', got {shown(row)}")


def of_onellm(kind: str) -> Read:
    """OneLLM's evaluation files about signals of its `kind`."""

    def read(place: Place, split: str) -> Iterator[Captioned | Skipped]:
        of_kind = Place(place.path, place.images, "test", {"kind": kind})
        return _by(ONELLM, of_kind, lambda _: "test")

    return read


def clotho(place: Place, split: str) -> Iterator[Captioned | Skipped]:
    return _by(CLOTHO, place, lambda _: "evaluation")


def audiocaps(place: Place, split: str) -> Iterator[Captioned | Skipped]:
    return _by(AUDIOCAPS, place, lambda _: "test")


def pointllm_list(place: Place, split: str) -> Iterator[Captioned | Skipped]:
    """The objects of PointLLM's list, each with the answer to its question."""
    for where, row in json_rows(place.path):
        try:
            name, caption = row["object_id"], row["conversations"][-1]["value"]
        except (KeyError, IndexError, TypeError):
            yield Skipped(where, f"expected an object with 'object_id' and 'conversations', got {shown(row)}")
            continue
        file = POINTLLM_FILE.format(name)
        medium = MediaReference(medium_id("point", file), "point_cloud", path=str(locate(place, file)))
        yield Captioned(f"pointllm/{name}", "test", (medium,), (caption.strip(),))


def _by(form: Format, place: Place, part: Callable[[str], str]) -> Iterator[Captioned | Skipped]:
    for record in records(form, place):
        if isinstance(record, Annotated):
            key = record.id.rpartition("/")[2].rpartition(":")[2]
            yield Captioned(record.id, part(key), record.signals, tuple(map(unescaped, record.captions)))
        elif isinstance(record, Skipped):
            yield record


def _images(path: Path) -> Iterator[Mapping[str, Any]]:
    return (image for _, image in json_items(path, "images") if isinstance(image, dict) and "id" in image)


def _pictured(place: Place, where: str, part: str, names: list[str], texts: list[Any]) -> Captioned | Skipped:
    captions = tuple(" ".join(text.split()) for text in texts if isinstance(text, str) and text.strip())
    if not captions:
        return Skipped(where, f"caption: expected text, got {shown(texts[:1])}")
    try:
        medium = picture(place, names, "captions")
    except DeixisError as error:
        return Skipped(where, str(error))
    return Captioned(medium.id, part, (medium,), captions)


def _split_in(path: Path, split: str) -> str:
    """The split that a file's name tells, else the one asked for."""
    return next((word for word in SPLITS if word in path.stem.lower()), split)
