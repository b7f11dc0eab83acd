"""Visual Genome: regions with a phrase each, objects with attributes, and how pairs of objects are related.

    image_data.json             [{image_id, url, width, height, coco_id, flickr_id}]
    region_descriptions.json    [{id, regions: [{region_id, phrase, x, y, width, height}]}]
    objects.json                [{image_id, objects: [{object_id, names, x, y, w, h, merged_object_ids}]}]
    attributes.json             [{image_id, attributes: [{object_id, names, attributes, x, y, w, h}]}]
    relationships.json          [{image_id, relationships: [{predicate, subject: {object_id, ...}, object: {...}}]}]

Any of them will do, of all versions. Half of the images are COCO's at another size, so that an image keeps its own
id and has COCO's as an alias. People marked what they liked, not every object of a name, and their boxes stick out of
images: these are cut.

Source: ranjaykrishna/visual_genome_python_driver visual_genome/local.py and utils.py.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deixis.datasets.annotated import Annotated, Expression, Object, Relation
from deixis.datasets.files.boxes import box_from_xywh
from deixis.datasets.files.images import declared_size_hw, find_image
from deixis.datasets.files.json_stream import json_items, text_field
from deixis.datasets.image_ids import coco_id
from deixis.datasets.source import DatasetConfig, Format, Item, Metadata, Row
from deixis.errors import DataError, DeixisError
from deixis.geometry import Region
from deixis.samples.consistency import listed, shown
from deixis.samples.headers import header_size_hw
from deixis.samples.sample import MediaReference, Skipped

Record = Mapping[str, Any]
FILES = {
    "image": "image_data.json",
    "objects": "objects.json",
    "attributes": "attributes.json",
    "relationships": "relationships.json",
    "regions": "region_descriptions.json",
}
"""Part of an image -> the file it is in, in the order in which they are read: relations are between objects."""


def scan_visual_genome(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """What each file says of each image, one image at a time."""
    there = {part: config.path / name for part, name in FILES.items() if (config.path / name).is_file()}
    if not set(there) - {"image"}:
        raise DataError(f"{config.path}: expected some of {listed(FILES.values())} in it, got none")
    for part, path in there.items():
        for where, record in json_items(path):
            number = record.get("image_id", record.get("id")) if isinstance(record, dict) else None
            if isinstance(number, int) and not isinstance(number, bool):
                yield Row(str(number), part, where, record)
            else:
                yield Skipped(where, f"image_id: expected the number of an image, got {shown(record)}")


def read_visual_genome(item: Item, _: Metadata, config: DatasetConfig) -> Iterator[Annotated | Skipped]:
    """An image with all that people said of it."""
    images = item.of("image")
    facts = images[0].value if images else {}
    medium = _medium(item.key, facts, config)
    found = _Found(medium.size_hw)
    adders = {
        "objects": found.add_object,
        "attributes": found.add_attributes,
        "relationships": found.add_relation,
        "regions": found.add_region,
    }
    for part, add in adders.items():
        for row in item.of(part):
            records = row.value.get(part)
            if not isinstance(records, list):
                yield Skipped(row.where, f"{part}: expected a list, got {shown(records)}")
                continue
            for number, record in enumerate(records):
                try:
                    add(_mapping(record, part))
                except DeixisError as error:
                    yield Skipped(f"{row.where}: {part}[{number}]", str(error))
    id_of = {"coco_id": coco_id, "flickr_id": "flickr/{}".format}
    yield Annotated(
        id=medium.id,
        source="visual_genome",
        split=config.split or "train",
        signals=(medium,),
        objects=tuple(found.objects),
        expressions=tuple(found.expressions),
        relations=tuple(dict.fromkeys(found.relations)),
        aliases=tuple(make(facts[name]) for name, make in id_of.items() if isinstance(facts.get(name), int)),
        complete=False,
        licence="CC-BY-4.0",
    )


@dataclass
class _Found:
    """What is found in an image. number_of: of an object, by the id of its object and of those merged into it."""

    size_hw: tuple[int, int]
    objects: list[Object] = field(default_factory=list)
    number_of: dict[Any, int] = field(default_factory=dict)
    expressions: list[Expression] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)

    def add_object(self, record: Record, attributes: tuple[str, ...] = ()) -> int:
        """The number of the object that an object is; one that is known by its id is not added again."""
        number = record.get("object_id", record.get("id"))
        if not isinstance(number, int):
            raise DataError(f"object_id: expected a number, got {shown(number)}")
        if number in self.number_of:
            return self.number_of[number]
        names = list(_texts(record.get("names", record.get("name"))))
        if not names:
            raise DataError(f"names: expected what the object is called, got {shown(record.get('names'))}")
        region = Region(box=self._box(record, "w", "h"))
        self.objects.append(Object(names[0], region, attributes, synonyms=tuple(names[1:])))
        merged = record.get("merged_object_ids")
        for one in (number, *(merged if isinstance(merged, list) else ())):
            if isinstance(one, int):
                self.number_of.setdefault(one, len(self.objects) - 1)
        return self.number_of[number]

    def add_attributes(self, record: Record) -> None:
        """To the object with that id, which is added if no file had it before."""
        number = self.add_object(record)
        obj = self.objects[number]
        attributes = tuple(dict.fromkeys((*obj.attributes, *_texts(record.get("attributes")))))
        self.objects[number] = Object(obj.name, obj.region, attributes, synonyms=obj.synonyms)

    def add_relation(self, record: Record) -> None:
        predicate = next(iter(_texts(record.get("predicate"))), None)
        if predicate is None:
            raise DataError(f"predicate: expected words, got {shown(record.get('predicate'))}")
        ends = []
        for end in ("subject", "object"):
            side = _mapping(record.get(end), end)
            try:
                ends.append(self.add_object(side))
            except DeixisError as error:
                raise DataError(f"{end}: {error}") from None
        if ends[0] == ends[1]:
            raise DataError("object: expected another object than the subject, got the same")
        self.relations.append(Relation(ends[0], predicate, ends[1]))

    def add_region(self, record: Record) -> None:
        phrase = text_field(record, "phrase")
        self.objects.append(Object("", Region(box=self._box(record, "width", "height"))))
        self.expressions.append(Expression(" ".join(phrase.split()), (len(self.objects) - 1,), unique=False))

    def _box(self, record: Record, width: str, height: str) -> tuple[float, float, float, float]:
        names = ("x", "y", width, height)
        return box_from_xywh([record.get(name) for name in names], self.size_hw, ", ".join(names))


def _medium(key: str, facts: Record, config: DatasetConfig) -> MediaReference:
    """The image: its address ends as its path begins ("VG_100K_2/1.jpg")."""
    address = str(facts.get("url") or "").split("/")
    names = ["/".join(address[-2:]), f"{key}.jpg"] if len(address) > 1 and address[-1] else [f"{key}.jpg"]
    path = find_image(config, names)
    return MediaReference(f"vg/{key}", "image", path=str(path), size_hw=declared_size_hw(facts) or header_size_hw(path))


def _texts(values: Any) -> Iterable[str]:
    """One text or a list of them, in small letters, each once, blanks made single; anything else is skipped."""
    listed_values = values if isinstance(values, list) else [values]
    words = (" ".join(value.lower().split()) for value in listed_values if isinstance(value, str))
    return dict.fromkeys(filter(None, words))


def _mapping(value: Any, name: str) -> Record:
    if not isinstance(value, dict):
        raise DataError(f"{name}: expected an object of JSON, got {shown(value)}")
    return value


VISUAL_GENOME = Format(
    name="visual_genome",
    title="Visual Genome: regions, objects, attributes, relations",
    wants=f"the folder with some of {', '.join(FILES.values())}; --images: the folder with VG_100K and VG_100K_2",
    home="https://homes.cs.washington.edu/~ranjay/visualgenome/api.html",
    licence="CC-BY-4.0",
    scan=scan_visual_genome,
    read=read_visual_genome,
)
