"""MDETR's annotations, on which Ferret is scored: COCO's form, an image entry for each expression or caption.

    finetune_{refcoco,refcoco+,refcocog}_{train,val,testA,testB,test}.json, final_flickr_{mergedGT,separateGT}_*.json
    images: id, file_name, height, width, caption, dataset_name    annotations: image_id, bbox, tokens_positive

Of RefCOCO's an entry is an expression and the object that it means; of all others a caption and the places in it of the
words that mean each box. Files to which masks were added (Osprey's `segmentation`, GranD-f's `sam_mask`) give these.
Records are entries, so that an image occurs as often as something is said of it.

Sources: ashkamath/mdetr; apple/ml-ferret@3c9e5c9 ferret/eval/model_refcoco.py and model_flickr.py;
mbzuai-oryx/groundingLMM@e74865f dataset/gcg_datasets/GranDf_gcg_ds.py.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from deixis.datasets.annotated import Annotated, Expression, Object
from deixis.datasets.detection.coco import region_of_annotation
from deixis.datasets.detection.coco_files import file_of, scan_coco
from deixis.datasets.files.caption_spans import Part, bare, link_caption, trimmed
from deixis.datasets.files.images import declared_size_hw, image_reference
from deixis.datasets.files.json_stream import text_field
from deixis.datasets.image_ids import published_id
from deixis.datasets.source import DatasetConfig, Format, Item, Metadata, Row
from deixis.errors import DataError, DeixisError
from deixis.geometry import Region
from deixis.samples.consistency import shown
from deixis.samples.sample import Skipped

SETS = {"refcoco+": "refcoco_plus", "refcocog": "refcocog", "refcoco": "refcoco", "flickr": "flickr30k"}
"""A set's name in the field `dataset_name`, or within the file's name, and its name here."""
ID_PREFIXES = {"flickr30k": "flickr", "flickr": "flickr", "vg": "vg", "gqa": "vg"}
"""A set, or what `data_source` says, and the first part of its images' ids where the names of files do not tell."""
_SPLIT = re.compile(r"(?:^|[_-])(train|val|minival|test[A-C]?)(?=[_.-])")


def read_mdetr(item: Item, _: Metadata, config: DatasetConfig) -> Iterator[Annotated | Skipped]:
    """The entry of an item with its expression or caption."""
    entry = item.one("image")
    file = file_of(item.key)
    source = set_of(entry.value, file)
    try:
        caption = text_field(entry.value, "caption")
        name = text_field(entry.value, "file_name", "the name of an image")
        family = ID_PREFIXES.get(str(entry.value.get("data_source")), ID_PREFIXES.get(source, source))
        split = _SPLIT.search(file)
        split = config.split or (split[1] if split else "train")
        known = published_id([name], family)
        medium = image_reference(config, [name], family, declared_size_hw(entry.value), split, known)
    except DeixisError as error:
        raise DataError(f"{entry.where}: {error}") from None
    is_expression = source.startswith("refcoco")
    regions: list[Region] = []
    parts: list[Part] = []
    partial: set[tuple[int, int]] = set()  # phrases of which not all that they mean can be used
    for row in item.of("annotation"):
        spans: list[tuple[int, int]] = []
        try:
            spans = [] if is_expression else _spans(row, caption)
            region, complaint = region_of_annotation(with_mask(row.value), medium.size_hw)
        except DeixisError as error:
            yield Skipped(row.where, str(error))
            if is_expression:
                return
            partial.update(spans)
            continue
        if complaint:
            yield Skipped(row.where, complaint)
        parts += [(start, end, [len(regions)]) for start, end in spans]
        regions.append(region)
    parts = [part for part in parts if part[:2] not in partial]
    if not regions:
        raise DataError(f"{entry.where}: expected an annotation of what {shown(caption)} means, got none to use")
    objects = [Object(name, region) for name, region in zip(_names(caption, parts, len(regions)), regions, strict=True)]
    yield Annotated(
        id=f"{source}/{split}/{entry.value['id']}",
        source=source,
        split=split,
        signals=(medium,),
        objects=tuple(objects),
        expressions=(Expression(caption.strip(), tuple(range(len(objects)))),) if is_expression else (),
        captions=() if is_expression else (link_caption(caption, parts).strip(),),
        complete=False,
        form="mask" if all(obj.region.mask for obj in objects) else "box",
    )


def _names(caption: str, parts: list[Part], count: int) -> list[str]:
    """A name for each object: the first phrase that means it alone."""
    shares = Counter((start, end) for start, end, _ in parts)
    names = [""] * count
    for start, end, (number,) in parts:
        if shares[start, end] == 1 and not names[number]:
            names[number] = bare(caption[start:end])
    return names


def set_of(entry: Mapping[str, Any], file: str) -> str:
    """The set that an entry is of, by what it says itself, else by the file's name.

    >>> set_of({"dataset_name": "refcoco+"}, "x.json"), set_of({}, "final_flickr_val.json"), set_of({}, "x.json")
    ('refcoco_plus', 'flickr30k', 'mdetr')
    """
    named = SETS.get(str(entry.get("dataset_name")))
    return named or next((name for part, name in SETS.items() if part in file), "mdetr")


def with_mask(annotation: Mapping[str, Any]) -> Mapping[str, Any]:
    """An annotation with the mask that SAM drew in its box, if there is one, as its own."""
    return {**annotation, "segmentation": annotation["sam_mask"]} if annotation.get("sam_mask") else annotation


def _spans(row: Row, caption: str) -> list[tuple[int, int]]:
    """The parts of the caption that mean the box of an annotation; at least one."""
    places = row.value.get("tokens_positive")
    if not isinstance(places, list) or not places or not all(isinstance(p, list) and len(p) == 2 for p in places):
        raise DataError(f"tokens_positive: expected a list of [start, end], got {shown(places)}")
    try:
        return [trimmed(caption, start, end) for start, end in places]
    except DeixisError as error:
        raise DataError(f"tokens_positive: {error}") from None


MDETR = Format(
    name="mdetr",
    title="MDETR's RefCOCO, RefCOCO+, RefCOCOg and Flickr30k annotations",
    wants="a JSON file (finetune_refcoco_val.json, final_flickr_mergedGT_test.json) or a folder of such; --images: "
    "train2014, or Flickr30k's images",
    home="https://github.com/ashkamath/mdetr",
    licence="that of the sets they are made of",
    scan=scan_coco,
    read=read_mdetr,
)
