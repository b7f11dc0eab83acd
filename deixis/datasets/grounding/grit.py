"""Ferret's GRIT: dialogues whose texts hold places for boxes, in the form that Ferret and Ferret-UI train on.

    [{"id", "image", "image_h", "image_w",
      "conversations": [{"from": "human", "value": "<image>\\nWhat is <bbox_location0>?"}, {"from": "gpt", ...}],
      "box_x1y1x2y2": [[[x1, y1, x2, y2], ...] for each turn],        absent: no boxes
      "masks": [[{"size": [image_h, image_w], "counts": text}, ...] for each turn]}, ...]     absent: no masks

Boxes are pixels of the image. Masks are COCO's run lengths of it, rows first; the transposed masks of Ferret's code
([w, h]) are made of them there, and are not in the files. Ferret shows a human's region as a point or as a box, drawn
by lot; a model's answer is a box. Which of the sets in GRIT a file is, Ferret reads off its name.

Source: apple/ml-ferret@3c9e5c9 ferret/train/train.py:668-1010, ferretui/playground/sample_data/train_data_example.json.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from deixis.datasets.files.boxes import BoxXYXY, box_from_xyxy
from deixis.datasets.files.dialogue import exchanges, marked
from deixis.datasets.files.images import declared_size_hw, image_reference
from deixis.datasets.files.mask_regions import segmentation_rle
from deixis.datasets.instruction.llava import image_references, list_image_id
from deixis.datasets.source import DatasetConfig, Format, Item, Metadata, Row, numbered_rows
from deixis.errors import DataError, DeixisError
from deixis.geometry import Region
from deixis.samples.consistency import shown
from deixis.samples.sample import MediaReference, Sample, Skipped, Turn

SUBSETS = {
    "vg_object": "name",
    "vg_yesno_object": "exists",
    "vg_attribute": "describe",
    "vg_relation": "relate",
    "vg_region": "describe",
    "git_instruction": "dialogue",
    "llava_instruct": "dialogue",
    "grounded_llava_boxes": "dialogue",
    "refexp": "ground",
    "flickr": "caption",
    "objects365": "detect",
    "cc3m_595k": "caption",
}
"""The sets in GRIT, by the word in the name of the file, in the order in which Ferret looks for it -> our task."""
OTHER_TASK = "dialogue"
_PLACE = re.compile(r"<bbox_location(\d{1,6})>(?:\s*<region_fea>)?")


def scan_grit(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """The rows of the file, each an item of its own."""
    config.choice("kind", SUBSETS)
    yield from numbered_rows(config, "an object {'image', 'conversations', ...}")


def subset_of(config: DatasetConfig) -> str | None:
    """Which set of GRIT a file is: the option `kind`, else by its name; None where that does not tell."""
    return config.options.get("kind") or next((subset for subset in SUBSETS if subset in config.path.name), None)


def read_grit(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Sample | Skipped]:
    """The sample of a row; a `Skipped` for each part that cannot be used.

    A mention of boxes that are not there, or of one without an area, makes the row unreadable, as its text would say
    nothing; a bad mask is skipped and the box stays.
    """
    row = item.one("record")
    record = row.value
    subset = subset_of(config)
    source = f"grit/{subset}" if subset else f"grit/{config.path.stem}"
    medium = _medium(record, config, source)
    found, left_out = exchanges(record.get("conversations"), has_medium=True)
    regions = _Regions(record, medium.size_hw)
    turns = tuple(
        Turn(regions.text(one.user, one.number, False), regions.text(one.assistant, one.number + 1, True))
        for one in found
    )
    for why in (*left_out, *regions.left_out):
        yield Skipped(row.where, why)
    yield Sample(
        id=f"{source}/{config.path.stem}/{record['number']}",
        source=source,
        task=SUBSETS.get(subset or "", OTHER_TASK),
        split=config.split or "train",
        turns=turns,
        signals=(medium,),
        regions=tuple(regions.records),
        licence=GRIT.licence,
        author="model",
    )


def _medium(record: dict[str, Any], config: DatasetConfig, source: str) -> MediaReference:
    """The image of a row; where nothing is pointed at, a size is not needed."""
    name = record.get("image")
    if not isinstance(name, str) or not PurePosixPath(name).name:
        raise DataError(f"image: expected the path of an image, got {shown(name)}")
    try:
        size_hw = declared_size_hw({"height": record.get("image_h"), "width": record.get("image_w")})
    except DeixisError as error:
        raise DataError(f"image_h, image_w: {error}") from None
    if size_hw is None and not record.get("box_x1y1x2y2"):
        return image_references(record, config, source)[0]
    known = list_image_id(name, record.get("id"), config)
    return image_reference(config, [name], source, size_hw, known=known)


class _Regions:
    """The regions that the texts of a row mention: one for each box, however often it is mentioned."""

    def __init__(self, record: dict[str, Any], size_hw: tuple[int, int] | None):
        self.boxes, self.masks = record.get("box_x1y1x2y2") or [], record.get("masks") or []
        if not isinstance(self.boxes, list) or not isinstance(self.masks, list):
            raise DataError("box_x1y1x2y2, masks: expected a list for each turn, got no list")
        self.size_hw = size_hw
        self.records: list[Region] = []
        self.left_out: list[str] = []
        self._number_of: dict[BoxXYXY, int] = {}

    def text(self, text: str, turn: int, phrases: bool) -> str:
        """The markup of turn number `turn`."""
        places = list(_PLACE.finditer(text))
        mentioned = {int(place[1]) for place in places}
        for number in sorted(set(range(len(self._of_turn(self.boxes, turn)))) - mentioned):
            self.left_out.append(
                f"box_x1y1x2y2[{turn}][{number}]: expected <bbox_location{number}> in the text, got none"
            )
        return marked(text, places, lambda place: self._number(turn, int(place[1])), phrases)

    def _of_turn(self, lists: list[Any], turn: int) -> list[Any]:
        own = lists[turn] if turn < len(lists) else []
        return own if isinstance(own, list) else []

    def _number(self, turn: int, place: int) -> int:
        """The number, in the sample, of the region at a place of a turn."""
        field = f"box_x1y1x2y2[{turn}][{place}]"
        boxes = self._of_turn(self.boxes, turn)
        if place >= len(boxes):
            raise DataError(f"{field}: expected a box for <bbox_location{place}>, got {len(boxes)} in this turn")
        box = box_from_xyxy(boxes[place], self.size_hw, field)
        mask = self._mask(turn, place)
        if box not in self._number_of:
            self._number_of[box] = len(self.records)
            self.records.append(Region(box=box, mask=mask))
        number = self._number_of[box]
        if self.records[number].mask is None and mask is not None:
            self.records[number] = Region(box=box, mask=mask)
        return number

    def _mask(self, turn: int, place: int) -> dict[str, Any] | None:
        own = self._of_turn(self.masks, turn)
        if place >= len(own) or own[place] is None:
            return None
        try:
            if not isinstance(own[place], dict):
                raise DataError(f"expected run lengths, got {shown(own[place])}")
            return segmentation_rle(own[place], self.size_hw)
        except DeixisError as error:
            self.left_out.append(f"masks[{turn}][{place}]: {error}")
            return None


GRIT = Format(
    name="grit",
    title="Ferret's GRIT and data in its form, Ferret-UI's too",
    wants="a JSON or JSONL file of the set; --images: the folder that the paths in it start from",
    home="https://github.com/apple/ml-ferret",
    licence="CC-BY-NC-4.0",
    scan=scan_grit,
    read=read_grit,
    options={"kind": f"which set of GRIT it is, if the file's name does not tell: {', '.join(SUBSETS)}"},
)
