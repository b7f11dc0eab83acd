"""RefCOCO, RefCOCO+, RefCOCOg, refCLEF and gRefCOCO: what people say of an object so that another finds it.

    refs(unc).p or grefs(unc).json    [{ref_id, ann_id, image_id, split, sentences: [{sent, ...}], ...}]
    instances.json                    COCO's form; of refCLEF a segmentation is a list of run lengths

A record is an image in one split: some divisions share an image among splits and divide its objects. Only objects that
are spoken of in that split are in it. The pickles are read as plain data, so that nothing in them can run.

Sources: lichengunc/refer@e3bbaa3 refer.py; henghuiding/gRefCOCO; dvlab-research/LISA@3cb2d43 utils/refer.py,
utils/grefer.py and utils/refer_seg_dataset.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from deixis.datasets.annotated import Annotated, Expression, Object
from deixis.datasets.detection.coco import region_of_annotation
from deixis.datasets.files.class_lists import readable
from deixis.datasets.files.images import declared_size_hw, image_reference
from deixis.datasets.files.json_stream import json_items, text_field
from deixis.datasets.files.safe_pickle import load_pickle
from deixis.datasets.image_ids import flickr_aliases, published_id
from deixis.datasets.source import METADATA, DatasetConfig, Format, Item, Metadata, Row
from deixis.errors import DataError, DeixisError
from deixis.samples.consistency import listed, shown
from deixis.samples.sample import MediaReference, Skipped

INSTANCES = "instances.json"
REPEATS_KEPT = "keep"
NO_TARGET = -1
"""The ann_id of gRefCOCO's expressions that mean nothing in the image."""
REF_FIELDS = ("ref_id", "ann_id", "image_id", "split")
IMAGE_FIELDS = ("id", "file_name", "height", "width", "flickr_url")
ANNOTATION_FIELDS = ("id", "image_id", "category_id", "segmentation", "bbox", "iscrowd")


@dataclass(frozen=True)
class ReferringSet:
    """What the sets do not share. folder: its name in the official layout. refs: the file's name before the division.
    split_by: the division that is meant if none is named. images: where they lie in the layout, the best first."""

    name: str
    folder: str
    split_by: str
    images: tuple[str, ...]
    refs: str = "refs"


def scan_refs(dataset: ReferringSet, config: DatasetConfig) -> Iterator[Row | Skipped]:
    """The references, and of the instances only the images and annotations that they mean, by image.

    Held in memory are the ids of these, and the references while they are unpickled.
    """
    folder = _folder(dataset, config)
    if not (folder / INSTANCES).is_file():
        raise DataError(f"{folder}: expected {INSTANCES} beside the references, got none")
    images, annotations = set(), set()
    splits = set(filter(None, config.options.get("splits", "").split(",")))
    for where, ref in _refs(_refs_file(dataset, folder, config)):
        try:
            row = _slim(ref)
        except DeixisError as error:
            yield Skipped(where, str(error))
            continue
        if splits and not splits & set(splits_of(row["split"])):
            continue
        images.add(row["image_id"])
        annotations.update(row["ann_id"])
        yield Row(str(row["image_id"]), "ref", where, row)
    for where, category in json_items(folder / INSTANCES, "categories"):
        if isinstance(category, dict) and {"id", "name"} <= category.keys():
            yield Row(METADATA, "category", where, {"id": category["id"], "name": str(category["name"])})
    for where, image in json_items(folder / INSTANCES, "images"):
        if isinstance(image, dict) and _hashable(image.get("id")) in images:
            yield Row(str(image["id"]), "image", where, _picked(image, IMAGE_FIELDS))
    for where, annotation in json_items(folder / INSTANCES, "annotations"):
        if isinstance(annotation, dict) and _hashable(annotation.get("id")) in annotations:
            yield Row(str(annotation.get("image_id")), "annotation", where, _picked(annotation, ANNOTATION_FIELDS))


def read_refs(
    dataset: ReferringSet, item: Item, metadata: Metadata, config: DatasetConfig
) -> Iterator[Annotated | Skipped]:
    """An image as it is in each of its splits."""
    if not item.of("ref"):  # an annotation that says it belongs to another image
        raise DataError(f"image_id: expected the image of the reference, got {item.key}")
    image = item.one("image")
    folders = [_folder(dataset, config).parent / name for name in dataset.images]
    try:
        names = _names(image.value)
        medium = image_reference(
            config.with_images(folders),
            names,
            dataset.name,
            declared_size_hw(image.value),
            known=published_id(names, dataset.name),
        )
    except DeixisError as error:
        raise DataError(f"{image.where}: {error}") from None
    names = {row.value["id"]: readable(row.value["name"]) for row in metadata.get("category", ())}
    objects: dict[int, Object] = {}
    for row in item.of("annotation"):
        try:
            objects[row.value["id"]] = _object(row.value, names, medium)
        except DeixisError as error:
            yield Skipped(row.where, str(error))
    records: dict[str, _Split] = {}
    for row in item.of("ref"):
        missing = [number for number in row.value["ann_id"] if number not in objects]
        if missing:
            yield Skipped(row.where, f"ann_id: expected annotations that can be used, got {listed(map(str, missing))}")
            continue
        for split in splits_of(row.value["split"]):
            records.setdefault(split, _Split()).add(row.value, objects)
    division, keeps = config.options.get("split_by", dataset.split_by), config.options.get("repeats") == REPEATS_KEPT
    for split, found in records.items():
        yield Annotated(
            id=f"{dataset.name}/{division}/{split}/{medium.id.split('/', 1)[1]}",
            source=dataset.name,
            split=split,
            signals=(medium,),
            objects=tuple(found.objects.values()),
            expressions=tuple(found.expressions if keeps else dict.fromkeys(found.expressions)),
            aliases=flickr_aliases(image.value.get("flickr_url")),
            complete=False,
            form="mask",
        )


@dataclass
class _Split:
    """What is in one split of an image: objects by the ids of their annotations, and the expressions."""

    objects: dict[int, Object] = field(default_factory=dict)
    expressions: list[Expression] = field(default_factory=list)

    def add(self, ref: Mapping[str, Any], objects: Mapping[int, Object]) -> None:
        for number in ref["ann_id"]:
            self.objects.setdefault(number, objects[number])
        places = list(self.objects)
        meant = tuple(dict.fromkeys(places.index(number) for number in ref["ann_id"]))
        self.expressions += [Expression(text, meant) for text in ref["sentences"]]


def splits_of(split: str) -> tuple[str, ...]:
    """The splits that a split's name stands for: refCLEF's test splits overlap, and letters at the end tell them.

    >>> splits_of("testAB"), splits_of("testA"), splits_of("val")
    (('testA', 'testB'), ('testA',), ('val',))
    """
    letters = split.removeprefix("test")
    return tuple(f"test{letter}" for letter in letters) if split.startswith("test") and letters.isupper() else (split,)


def _names(image: Mapping[str, Any]) -> list[str]:
    """What an image may be called; refCLEF's also lie in a folder for each thousand."""
    name, number = text_field(image, "file_name", "the name of an image"), image["id"]
    return [name, f"{number // 1_000:02d}/images/{number}.jpg"] if isinstance(number, int) else [name]


def _object(annotation: Mapping[str, Any], names: Mapping[int, str], medium: MediaReference) -> Object:
    region, complaint = region_of_annotation(annotation, medium.size_hw)
    if region.mask is None:
        raise DataError(complaint or "segmentation: expected polygons or run lengths, got none")
    return Object(names.get(annotation.get("category_id"), ""), region)


def _slim(ref: Any) -> dict[str, Any]:
    """A reference with what is used of it: ids of annotations as a list, empty where it means nothing; texts."""
    if not isinstance(ref, dict) or any(name not in ref for name in (*REF_FIELDS, "sentences")):
        raise DataError(f"expected a reference with {listed((*REF_FIELDS, 'sentences'))}, got {shown(ref)}")
    annotations = ref["ann_id"] if isinstance(ref["ann_id"], list) else [ref["ann_id"]]
    for name, ids in (("image_id", [ref["image_id"]]), ("ann_id", annotations)):
        if not all(isinstance(number, int | str) for number in ids):
            raise DataError(f"{name}: expected ids that are numbers or texts, got {shown(ref[name])}")
    split = text_field(ref, "split", "a name such as train").strip()
    sentences = ref["sentences"] if isinstance(ref["sentences"], list) else []
    found = [sentence.get("sent") for sentence in sentences if isinstance(sentence, dict)]
    texts = [" ".join(text.split()) for text in found if isinstance(text, str) and text.strip()]
    if not texts:
        raise DataError(f"sentences: expected some with a text in 'sent', got {shown(ref['sentences'])}")
    meant = [number for number in annotations if number != NO_TARGET]
    return {"image_id": ref["image_id"], "ann_id": meant, "split": split, "sentences": texts}


def _refs(path: Path) -> Iterator[tuple[str, Any]]:
    """(where, reference) of each in a pickle or a JSON file."""
    if path.suffix == ".json":
        yield from json_items(path)
        return
    refs = load_pickle(path)
    if not isinstance(refs, list):
        raise DataError(f"{path}: expected a list of references, got {type(refs).__name__}")
    for number, ref in enumerate(refs):
        yield f"{path.name}: [{number}]", ref


def _refs_file(dataset: ReferringSet, folder: Path, config: DatasetConfig) -> Path:
    name = f"{dataset.refs}({config.options.get('split_by', dataset.split_by)})"
    for suffix in (".p", ".json"):
        if (folder / f"{name}{suffix}").is_file():
            return folder / f"{name}{suffix}"
    there = sorted(path.name for path in folder.glob(f"{dataset.refs}(*)*"))
    raise DataError(
        f"{folder}: expected {name}.p or {name}.json, got {listed(there) or 'no references'}"
        + (": the option split_by chooses among them" if there else "")
    )


def _folder(dataset: ReferringSet, config: DatasetConfig) -> Path:
    """The folder of the set, of which PATH may also be the one above."""
    inner = config.path / dataset.folder
    return inner if (inner / INSTANCES).is_file() else config.path


def _picked(record: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: record[name] for name in names if name in record}


def _hashable(value: Any) -> Any:
    return value if isinstance(value, int | str) else None


def _format(dataset: ReferringSet, title: str, home: str, licence: str) -> Format:
    return Format(
        name=dataset.name,
        title=title,
        wants=f"the folder {dataset.folder} with {dataset.refs}({dataset.split_by}).p and {INSTANCES}; "
        f"--images: {dataset.images[0]}",
        home=home,
        licence=licence,
        scan=partial(scan_refs, dataset),
        read=partial(read_refs, dataset),
        options={
            "split_by": f"who divided it into splits: unc, google, umd, berkeley (default: {dataset.split_by})",
            "splits": "only these, by commas (default: all)",
            "repeats": "keep: an expression used twice for an object counts twice, as in scoring (default: once)",
        },
    )


_COCO_IMAGES = ("images/mscoco/images/train2014", "images/train2014", "train2014", "coco/train2014")
_HOME, _LICENCE = "https://github.com/lichengunc/refer", "of the words not stated; photos: terms of Flickr and COCO"
REFCOCO = _format(ReferringSet("refcoco", "refcoco", "unc", _COCO_IMAGES), "RefCOCO", _HOME, _LICENCE)
REFCOCO_PLUS = _format(ReferringSet("refcoco_plus", "refcoco+", "unc", _COCO_IMAGES), "RefCOCO+", _HOME, _LICENCE)
REFCOCOG = _format(ReferringSet("refcocog", "refcocog", "umd", _COCO_IMAGES), "RefCOCOg", _HOME, _LICENCE)
REFCLEF = _format(
    ReferringSet("refclef", "refclef", "unc", ("images/saiapr_tc-12", "saiapr_tc-12")),
    "refCLEF (ReferIt)",
    _HOME,
    "of the words not stated; photos: IAPR TC-12, free for research",
)
GREFCOCO = _format(
    ReferringSet("grefcoco", "grefcoco", "unc", _COCO_IMAGES, "grefs"),
    "gRefCOCO: expressions of several objects, and of none",
    "https://github.com/henghuiding/gRefCOCO",
    _LICENCE,
)
