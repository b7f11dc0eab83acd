"""Osprey-724K: dialogues that a language model wrote about masks.

    [{file_name, height, width, annotation: [{bbox, segmentation}], conversations: [{from, value}]}]
    of osprey_detail_description.json   description: ["<region1>: text", ...] instead, one a mask

`<region1>` in a text is the first mask. A description is asked for in one wording.

Source: CircleRadon/Osprey@deb0e57 osprey/datasets/osprey_724k.py, osprey/data_generation/gpt_data_generation.py and
dataset.md.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from deixis.datasets.detection.coco import region_of_annotation
from deixis.datasets.files.dialogue import exchanges, marked
from deixis.datasets.files.images import declared_size_hw, image_reference
from deixis.datasets.files.json_stream import json_items, text_field
from deixis.datasets.image_ids import published_id
from deixis.datasets.source import DatasetConfig, Format, Item, Metadata, Row, record_rows
from deixis.errors import DataError, DeixisError
from deixis.geometry import Region
from deixis.samples.consistency import shown
from deixis.samples.sample import Sample, Skipped, Turn

Record = Mapping[str, Any]
TASKS = {
    "short_form": "question",
    "conversation": "dialogue",
    "detail": "describe",
    "part_level": "name",
    "positive_negative": "exists",
}
"""Words in a file's name, and what is asked in it."""
OTHER_TASK = "dialogue"
DESCRIBE = "Describe {%d} in detail."
_REGION = re.compile(r"<region\s*(\d{1,4})>")
_DESCRIPTION = re.compile(r"\s*<region\s*\d+>\s*:?\s*(.*\S)\s*", re.DOTALL)


def scan_osprey(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """The dialogues of every file, each an item of its own."""
    files = [config.path] if config.path.is_file() else sorted(config.path.glob("*.json"))
    if not files:
        raise DataError(f"{config.path}: expected osprey_conversation.json and the like in it, got no JSON file")
    for path in files:
        expected = "an object with annotation and conversations"
        yield from record_rows(
            json_items(path), "record", lambda number, _, stem=path.stem: f"{stem}#{number}", expected
        )


def read_osprey(item: Item, _: Metadata, config: DatasetConfig) -> Iterator[Sample | Skipped]:
    """A dialogue with the masks that it mentions."""
    row = item.one("record")
    record = row.value
    file = item.key.split("#")[0]
    name = text_field(record, "file_name", "the name of an image")
    # files call images COCO_train2014_N.jpg that lie as N.jpg in the folder that the set describes
    names = [name, name.split("_")[-1]]
    medium = image_reference(config, names, "osprey", declared_size_hw(record), known=published_id(names, "osprey"))
    annotations = record.get("annotation")
    if not isinstance(annotations, list) or not annotations:
        raise DataError(f"annotation: expected a list of masks, got {shown(annotations)}")
    regions = _Regions(annotations, medium.size_hw)
    if "description" in record:
        turns, left_out = _descriptions(record["description"], regions)
    else:
        found, left_out = exchanges(record.get("conversations"), has_medium=True)
        turns = [Turn(regions.markup(one.user, False), regions.markup(one.assistant, True)) for one in found]
    for why in (*left_out, *regions.complaints):
        yield Skipped(row.where, why)
    if turns:
        yield Sample(
            id=f"osprey/{file}/{item.key.split('#')[1]}",
            source="osprey",
            task=next((task for word, task in TASKS.items() if word in file), OTHER_TASK),
            split=config.split or "train",
            turns=tuple(turns),
            signals=(medium,),
            regions=tuple(regions.mentioned),
            licence=OSPREY.licence,
            author="model",
        )


class _Regions:
    """The masks of a record that its texts mention, in the order of mention."""

    def __init__(self, annotations: list[Any], size_hw: tuple[int, int]):
        self.annotations = annotations
        self.size_hw = size_hw
        self.mentioned: list[Region] = []
        self.complaints: list[str] = []
        self.number_of: dict[int, int] = {}

    def number(self, place: int) -> int:
        """The number among the mentioned of the mask at a place of the list. Raises DataError if it is of no use."""
        if place not in self.number_of:
            if not 0 <= place < len(self.annotations):
                raise DataError(f"<region{place + 1}>: expected one of {len(self.annotations)} masks, got none")
            annotation = self.annotations[place]
            if not isinstance(annotation, dict):
                raise DataError(f"annotation[{place}]: expected bbox and segmentation, got {shown(annotation)}")
            try:
                region, complaint = region_of_annotation(annotation, self.size_hw)
            except DeixisError as error:
                raise DataError(f"annotation[{place}].{error}") from None
            if complaint:
                self.complaints.append(f"annotation[{place}].{complaint}")
            self.number_of[place] = len(self.mentioned)
            self.mentioned.append(region)
        return self.number_of[place]

    def markup(self, text: str, is_answer: bool) -> str:
        return marked(text, _REGION.finditer(text), lambda match: self.number(int(match[1]) - 1), phrases=is_answer)


def _descriptions(descriptions: Any, regions: _Regions) -> tuple[list[Turn], list[str]]:
    """A question for each description, and what was skipped and why."""
    if not isinstance(descriptions, list):
        raise DataError(f"description: expected a list of texts, got {shown(descriptions)}")
    turns, left_out = [], []
    for place, description in enumerate(descriptions):
        match = _DESCRIPTION.fullmatch(description) if isinstance(description, str) else None
        try:
            if match is None:
                raise DataError(f"expected <region{place + 1}>: and a text, got {shown(description)}")
            turns.append(Turn(DESCRIBE % regions.number(place), regions.markup(match[1], True)))
        except DeixisError as error:
            left_out.append(f"description[{place}]: {error}")
    return turns, left_out


OSPREY = Format(
    name="osprey",
    title="Osprey-724K: dialogues about masks",
    wants="a JSON file (osprey_conversation.json, ...) or the folder of them; --images: COCO's images, all in one "
    "folder or in train2014, train2017, val2017",
    home="https://huggingface.co/datasets/AntGroup-MI/Osprey-724K",
    licence="Apache-2.0; photos: terms of Flickr and COCO",
    scan=scan_osprey,
    read=read_osprey,
)
