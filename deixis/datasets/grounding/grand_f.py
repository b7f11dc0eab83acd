"""GranD-f: captions in which phrases are tied to masks, made of four sets for grounded conversation.

    GranDf_HA_GCG_train.json, OpenPsgGCG_*.json    [{file_name, caption, groundings: {phrase: {token_positives: [start,
                                                   end], rle_masks: [run lengths]}}}]
    RefCOCOg_GCG_*.json                            [{id: {img_file_name, caption, refs: [{sentence, segmentation}]}}]
    flickr_mergedGT_GCG_*.json                     MDETR's form, each annotation with a `sam_mask`

People wrote the captions of GranDf_HA and of Flickr30k, a language model those of the others. The two files by which a
split is scored (val_test/) hold captions and masks apart, and are not read.

Source: mbzuai-oryx/groundingLMM@e74865f dataset/gcg_datasets/GranDf_gcg_ds.py and docs/datasets.md.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from deixis.datasets.annotated import Annotated, Expression, Object
from deixis.datasets.detection.coco_files import scan_coco
from deixis.datasets.files.caption_spans import Part, bare, link_caption, trimmed
from deixis.datasets.files.images import find_image, split_of
from deixis.datasets.files.json_stream import json_items
from deixis.datasets.files.mask_regions import rle_box, segmentation_rle
from deixis.datasets.grounding.grand import find_phrase, grand_id, masks_size_hw
from deixis.datasets.grounding.mdetr import read_mdetr
from deixis.datasets.source import DatasetConfig, Format, Item, Metadata, Row
from deixis.errors import DataError, DeixisError
from deixis.geometry import Region
from deixis.samples.consistency import shown
from deixis.samples.headers import header_size_hw
from deixis.samples.sample import MediaReference, Skipped

Record = Mapping[str, Any]
FOR_SCORING = "_gcg_coco_"
"""In the names of the files by which splits are scored."""
MDETRS = "flickr"
FOLDERS = (
    "GranDf_HA_images/train",
    "coco_2017/train2017",
    "coco_2014/train2014",
    "flikcr_30k/train",
    "flickr_30k/train",
)
"""Where the images lie below the folder of the media in the official layout."""
BY_PEOPLE = ("GranDf_HA", "flickr")
"""Beginnings of the names of files whose captions people wrote."""


def scan_grand_f(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """The captions of every file, each an item of its own."""
    files = [config.path] if config.path.is_file() else sorted(config.path.rglob("*.json"))
    read = [path for path in files if FOR_SCORING not in path.name]
    if not read:
        raise DataError(f"{config.path}: expected GranD-f's files of captions (*_GCG_*.json), got none")
    for path in read:
        if path.name.startswith(MDETRS):
            yield from scan_coco(replace(config, path=path))
            continue
        for number, (where, record) in enumerate(json_items(path)):
            inner = next(iter(record.values())) if isinstance(record, dict) and len(record) == 1 else record
            if isinstance(inner, dict) and isinstance(inner.get("caption"), str):
                yield Row(f"{path.name}#{number}", "record", where, inner)
            else:
                yield Skipped(where, f"expected an image with a caption, got {shown(record)}")


def read_grand_f(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Annotated | Skipped]:
    """An image with a caption, and the masks of its phrases."""
    file = item.key.split("#")[0]
    author = "person" if file.startswith(BY_PEOPLE) else "model"
    if not item.of("record"):
        # Flickr30k's images, where the official layout has them
        images = next(filter(Path.is_dir, (config.folder / name for name in FOLDERS[-2:])), config.images)
        for found in read_mdetr(item, metadata, replace(config, images=images)):
            if isinstance(found, Annotated):
                found = replace(found, id=f"grand_f/{item.key.replace('.json#', '/')}", source="grand_f", author=author)
            yield found
        return
    row = item.one("record")
    caption = row.value["caption"].strip('"').strip()
    medium = _medium(row.value, config)
    objects: list[Object] = []
    parts: list[Part] = []
    expressions: list[Expression] = []
    for where, phrase, span, masks in _groundings(row.value):
        try:
            part = _part(caption, phrase, span)
            rle = segmentation_rle(masks, medium.size_hw)
        except DeixisError as error:
            yield Skipped(f"{row.where}.{where}", str(error))
            continue
        if part is not None:
            parts.append((*part, [len(objects)]))
        if "refs" in row.value:
            expressions.append(Expression(phrase.strip(), (len(objects),)))
        name = "" if "refs" in row.value else bare(phrase)
        objects.append(Object(name, Region(box=rle_box(rle), mask=rle)))
    if not objects:
        raise DataError("expected a phrase with a mask, got none to use")
    yield Annotated(
        id=f"grand_f/{item.key.replace('.json#', '/')}",
        source="grand_f",
        split=config.split or split_of(file) or "train",
        signals=(medium,),
        objects=tuple(objects),
        expressions=tuple(expressions),
        captions=(link_caption(caption, parts),),
        complete=False,
        licence=GRAND_F.licence,
        form="mask",
        author=author,
    )


def _groundings(record: Record) -> Iterator[tuple[str, str, Any, Any]]:
    """(field, phrase, place in the caption if the file says it, masks) of each phrase, in either form."""
    if "refs" in record:
        for number, ref in enumerate(record["refs"] if isinstance(record["refs"], list) else ()):
            if isinstance(ref, dict) and isinstance(ref.get("sentence"), str):
                yield f"refs[{number}]", ref["sentence"], None, ref.get("segmentation")
        return
    groundings = record.get("groundings")
    if not isinstance(groundings, dict):
        raise DataError(f"groundings: expected phrases with their masks, got {shown(groundings)}")
    for phrase, found in groundings.items():
        found = found if isinstance(found, dict) else {}
        yield f"groundings[{phrase!r}]", phrase, found.get("token_positives"), found.get("rle_masks")


def _part(caption: str, phrase: str, span: Any) -> tuple[int, int] | None:
    """Where a phrase stands: where the file says, else where it is found; None if it is not in the caption."""
    if span is None:
        return find_phrase(caption, phrase)
    if not isinstance(span, list) or len(span) != 2:
        raise DataError(f"token_positives: expected [start, end], got {shown(span)}")
    try:
        return trimmed(caption, *span)
    except DeixisError as error:
        raise DataError(f"token_positives: {error}") from None


def _medium(record: Record, config: DatasetConfig) -> MediaReference:
    """The image; its size is that of its masks where these tell it, else of its file."""
    name = record.get("file_name", record.get("img_file_name"))
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"file_name: expected the name of an image, got {shown(name)}")
    path = find_image(config, [name, *(f"{folder}/{PurePath(name).name}" for folder in FOLDERS)])
    masks = (mask for _, _, _, own in _groundings(record) for mask in (own if isinstance(own, list) else ()))
    size_hw = masks_size_hw(masks) or header_size_hw(path)
    return MediaReference(grand_id(name, "grand_f"), "image", path=str(path), size_hw=size_hw)


GRAND_F = Format(
    name="grand_f",
    title="GranD-f: captions tied to masks (GCG)",
    wants="a JSON file (GranDf_HA_GCG_train.json, OpenPsgGCG_train.json, ...) or the folder of them; --images: the "
    "folder with GranDf_HA_images, coco_2017, coco_2014, flikcr_30k, or that of the images",
    home="https://huggingface.co/datasets/MBZUAI/GranD-f",
    licence="Apache-2.0; photos: as SA-1B, COCO and Flickr30k have them",
    scan=scan_grand_f,
    read=read_grand_f,
)
