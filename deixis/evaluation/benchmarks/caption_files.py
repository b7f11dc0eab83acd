"""Readers of caption sets in the files of evaluations: per file format an iterator of `Item` with reference captions.

    COCO's format       {"images": [...], "annotations": [{"image_id", "caption"}]}, NoCaps' with a "domain" per image
    Karpathy's splits   dataset_coco.json, dataset_flickr30k.json: {"images": [{"filepath", "filename", "split",
                        "sentences": [{"raw"}]}]}
    BLIP's lists        coco_karpathy_test.json: [{"image": "val2014/COCO_val2014_....jpg", "caption": [...]}]
    PointLLM's          pointllm_test.json: {id: caption}; PointLLM_brief_description_val_200_GT.json: [{"object_id",
                        "conversations"}]

Sources: karpathy.github.io deepimagesent; salesforce/LAVIS and csuhan/OneLLM@8587a47 eval/; nocaps.org/download;
OpenRobotLab/PointLLM pointllm/eval.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from deixis.datasets.annotated import Annotated
from deixis.datasets.files.images import image_reference
from deixis.datasets.files.json_stream import json_items, json_rows
from deixis.datasets.image_ids import published_id
from deixis.datasets.instruction.caption_sets import AUDIOCAPS, CLOTHO, COCO_CAPTIONS
from deixis.datasets.instruction.onellm import ONELLM, POINTLLM_FILE
from deixis.datasets.instruction.onellm_media import locate, medium_id
from deixis.datasets.source import DatasetConfig, Format
from deixis.errors import DataError, DeixisError
from deixis.evaluation.benchmarks.official_files import Item, converted, records, unescaped
from deixis.samples.consistency import shown
from deixis.samples.sample import MediaReference, Skipped

DOMAINS = ("in-domain", "near-domain", "out-domain")
SPLITS = ("test", "val")


Read = Callable[[DatasetConfig, str], Iterator[Item | Skipped]]
"""(file, requested split, for files with several) -> records."""


def coco_form(config: DatasetConfig, split: str) -> Iterator[Item | Skipped]:
    """The images of a file in COCO's format, all of one part."""
    return _by(COCO_CAPTIONS, config, lambda _: _split_in(config.path, split))


def by_domain(config: DatasetConfig, split: str) -> Iterator[Item | Skipped]:
    """NoCaps: the part is the domain of an image, from the file or the files beside it; else "entire"."""
    domains = {str(image["id"]): str(image["domain"]) for image in _images(config.path) if "domain" in image}
    for domain in () if domains else DOMAINS:
        beside = config.path.with_name(f"nocaps_val_{domain}.json")
        domains |= {str(image["id"]): domain for image in _images(beside)} if beside.is_file() else {}
    return _by(COCO_CAPTIONS, config, lambda key: domains.get(key, "no domain" if domains else "entire"))


def karpathy(config: DatasetConfig, split: str) -> Iterator[Item | Skipped]:
    """The images of one split of Karpathy's files."""
    number = 0
    for where, image in json_items(config.path, "images"):
        if not isinstance(image, dict) or image.get("split") != split:
            continue
        number += 1
        names = [f"{image['filepath']}/{image['filename']}"] if image.get("filepath") else []
        texts = [sentence.get("raw") for sentence in image["sentences"]]
        yield _image_record(config, where, split, [*names, image["filename"]], texts)
    if not number:
        raise DataError(f"{config.path}: expected images with the split {split!r}, got none")


def blip_list(config: DatasetConfig, split: str) -> Iterator[Item | Skipped]:
    """The images of a list of files with captions."""
    for where, row in json_rows(config.path):
        if isinstance(row, dict) and isinstance(row.get("image"), str):
            caption = row.get("caption")
            texts = caption if isinstance(caption, list) else [caption]
            yield _image_record(config, where, _split_in(config.path, split), [row["image"]], texts)
        else:
            yield Skipped(where, f"expected an object with 'image' and 'caption', got {shown(row)}")


def clotho(config: DatasetConfig, split: str) -> Iterator[Item | Skipped]:
    return _by(CLOTHO, config, lambda _: "evaluation")


def audiocaps(config: DatasetConfig, split: str) -> Iterator[Item | Skipped]:
    return _by(AUDIOCAPS, config, lambda _: "test")


def of_onellm(modality: str) -> Read:
    """OneLLM's evaluation files about one of its modalities."""
    return lambda config, split: _by(
        ONELLM, DatasetConfig(config.path, config.images, "test", {"kind": modality}), lambda _: "test"
    )


def pointllm_list(config: DatasetConfig, split: str) -> Iterator[Item | Skipped]:
    """The objects of PointLLM's list, each with the answer of its conversation as caption."""
    for where, row in json_rows(config.path):
        try:
            name, caption = row["object_id"], row["conversations"][-1]["value"]
        except (KeyError, IndexError, TypeError):
            yield Skipped(where, f"expected an object with 'object_id' and 'conversations', got {shown(row)}")
            continue
        file = POINTLLM_FILE.format(name)
        medium = MediaReference(medium_id("point", file), "point_cloud", path=str(locate(config, file)))
        yield Item(f"pointllm/{name}", "test", (medium,), (caption.strip(),))


def _by(form: Format, config: DatasetConfig, part: Callable[[str], str]) -> Iterator[Item | Skipped]:
    def convert(record: Annotated) -> Item:
        key = record.id.rpartition("/")[2].rpartition(":")[2]
        return Item(record.id, part(key), record.signals, tuple(map(unescaped, record.captions)))

    return converted(records(form, config), convert)


def _images(path: Path) -> Iterator[Mapping[str, Any]]:
    return (image for _, image in json_items(path, "images") if isinstance(image, dict) and "id" in image)


def _image_record(config: DatasetConfig, where: str, part: str, names: list[str], texts: list[Any]) -> Item | Skipped:
    captions = tuple(" ".join(text.split()) for text in texts if isinstance(text, str) and text.strip())
    if not captions:
        return Skipped(where, f"caption: expected text, got {shown(texts[:1])}")
    try:
        medium = image_reference(config, names, "captions", known=published_id(names, "captions"))
    except DeixisError as error:
        return Skipped(where, str(error))
    return Item(medium.id, part, (medium,), captions)


def _split_in(path: Path, split: str) -> str:
    """The split in a file's name, else the requested one."""
    return next((word for word in SPLITS if word in path.stem.lower()), split)
