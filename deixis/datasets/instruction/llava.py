"""LLaVA's instruction data: dialogues about images, questions with answers, images with captions and boxes.

    llava_instruct_150k.json, llava_v1_5_mix665k.json, blip_laion_cc_sbu_558k.json, or the like as JSONL
        [{"id", "image" (absent: text alone; a list: several), "conversations": [{"from", "value"}, ...]}, ...]
    coco2014_val_gpt4_qa_30x3.jsonl     {"id", "image", "instruction", "output", "type"}
    qa90_questions.jsonl                {"question_id", "image", "text", "category"}, with the option answers=FILE
                                        {"question_id", "text"}
    caps_boxes_coco2014_val_80.jsonl    {"id", "image", "captions", "instances": [{"category", "bbox"}]}, x1, y1, x2, y2
                                        as shares of the image

Boxes in texts (in the rows of mix665k from RefCOCO and Visual Genome) are shares of the square that the image is
padded to, in its middle (haotian-liu/LLaVA#606). Ids in these files repeat, so a sample is called by its place in its
file.

Source: haotian-liu/LLaVA@c121f04 docs/Data.md, llava/train/train.py.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from deixis.datasets.annotated import Annotated, Object
from deixis.datasets.files.boxes import box_from_xyxy
from deixis.datasets.files.dialogue import Exchange, exchanges, strip_media_tokens
from deixis.datasets.files.images import find_image, own_media_id
from deixis.datasets.files.json_stream import json_rows, text_field
from deixis.datasets.files.text_boxes import AS_TEXT, WAYS, TextBoxes, box_from_shares
from deixis.datasets.image_ids import coco_id_of_name, numbered_id, path_id, published_id
from deixis.datasets.source import DatasetConfig, Format, Item, Metadata, Row, by_field, numbered_rows, record_rows
from deixis.errors import DataError, DeixisError
from deixis.geometry import Region, escaped
from deixis.samples.consistency import shown
from deixis.samples.headers import header_size_hw
from deixis.samples.sample import MediaReference, Sample, Skipped, Turn

TASKS = {"conv": "dialogue", "detail": "caption", "complex": "reason"}
"""LLaVA's types of questions -> our tasks."""
LISTS = (
    *("llava_instruct_", "llava_v1_5_mix", "conversation_58k", "detail_23k", "complex_reasoning_77k"),
    *("coco2014_val_", "caps_boxes_coco2014_val_", "qa90_questions"),
)
"""Beginnings of the names of LLaVA's own lists, whose images are COCO's by their names alone."""


def scan_llava(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """The rows of the file, each an item of its own; an answer goes with its question."""
    config.choice("boxes", WAYS)
    for row in numbered_rows(config, "an object such as {'image', 'conversations'}"):
        if isinstance(row, Row) and "question_id" in row.value:
            row = replace(row, key=f"question {row.value['question_id']}")
        yield row
    if "answers" in config.options:
        answers = json_rows(Path(config.options["answers"]))
        yield from record_rows(answers, "answer", *by_field("question_id", "question "))


def read_llava(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Sample | Annotated | Skipped]:
    """The sample of a row, or what it says of its image; a `Skipped` for each part that cannot be used."""
    row, *others = item.of("record") or [item.one("record")]
    for other in others:
        yield Skipped(other.where, f"question_id: expected one that no other row has, got that of {row.where}")
    record = row.value
    source = config.options.get("source") or config.path.stem
    media = image_references(record, config, source)
    if "captions" in record:
        yield from _read_captions(row, media, config, source)
        return
    found, task, left_out = _exchanges(item, record, bool(media))
    for why in left_out:
        yield Skipped(row.where, why)
    texts = TextBoxes(config.options.get("boxes", AS_TEXT), media)
    yield Sample(
        id=f"{source}/{record['number']}",
        source=source,
        task=config.options.get("task") or task,
        split=config.split or "train",
        turns=tuple(Turn(texts.markup(one.user, False), texts.markup(one.assistant, True)) for one in found),
        signals=media,
        regions=texts.regions(),
        licence=LLAVA.licence,
        author="model",
    )


def image_references(
    record: dict[str, Any], config: DatasetConfig, source: str, is_published: bool = False
) -> tuple[MediaReference, ...]:
    """The images of a row. Their sizes are of their files, None where these are not there.

    is_published: the set has images of COCO, Visual Genome or its own, not those of whoever wrote a list in its form.
    """
    names = record.get("image") or []
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) and name.strip() for name in names):
        raise DataError(f"image: expected a path or a list of paths, got {shown(record['image'])}")
    media = []
    for name in names:
        path = find_image(config, [name])
        size_hw = header_size_hw(path) if path.is_file() else None
        known = published_id([name], source) if is_published else list_image_id(name, record.get("id"), config)
        medium_id = known or own_media_id(path, config, source)
        media.append(MediaReference(medium_id, "image", path=str(path), size_hw=size_hw))
    return tuple(media)


def list_image_id(name: str, number: Any, config: DatasetConfig) -> str | None:
    """The id of an image in a list of dialogues, if path, number of the row or list tell that it is another set's."""
    return (
        path_id(name)
        or numbered_id(name, number)
        or (coco_id_of_name(name) if config.path.name.startswith(LISTS) else None)
    )


def _exchanges(item: Item, record: dict[str, Any], has_medium: bool) -> tuple[list[Exchange], str, list[str]]:
    """(exchanges, task, what was skipped) of a row of any form."""
    if "conversations" in record:
        found, left_out = exchanges(record["conversations"], has_medium)
        return found, "dialogue", left_out
    if "instruction" in record:
        question, answer, category = record["instruction"], record.get("output"), record.get("type")
    elif "question_id" in record:
        question, category = record.get("text"), record.get("category")
        if not item.of("answer"):
            raise DataError("expected an answer to it in the file that the option answers= names, got none")
        answer = item.one("answer").value.get("text")
    else:
        raise DataError(
            f"expected 'conversations', 'instruction', 'question_id' or 'captions' among the fields, got "
            f"{', '.join(name for name in record if name != 'number') or 'none'}"
        )
    question, answer = (text_field({name: text}, name) for name, text in (("question", question), ("answer", answer)))
    return [Exchange(0, strip_media_tokens(question), answer.strip())], TASKS.get(str(category), "dialogue"), []


def _read_captions(
    row: Row, media: tuple[MediaReference, ...], config: DatasetConfig, source: str
) -> Iterator[Annotated | Skipped]:
    """What a row with captions and boxes says of its image."""
    record = row.value
    objects = []
    for number, instance in enumerate(record.get("instances", ())):
        field = f"instances[{number}].bbox"
        try:
            if media[0].size_hw is None:
                raise DataError(f"{field}: expected the image {media[0].path}, of which it is a share, got none")
            box_from_xyxy(instance["bbox"], (1, 1), field)
            box = box_from_shares(instance["bbox"], media[0].size_hw, on_square=False)
            objects.append(Object(instance["category"], Region(box=box)))
        except (DeixisError, KeyError, TypeError) as error:
            yield Skipped(row.where, f"{error}")
    yield Annotated(
        id=f"{source}/{record['number']}",
        source=source,
        split=config.split or "val",
        signals=media,
        objects=tuple(objects),
        captions=tuple(escaped(caption.strip()) for caption in record["captions"]),
        complete=False,  # nothing says that all objects are in it
        licence=LLAVA.licence,
    )


LLAVA = Format(
    name="llava",
    title="LLaVA-Instruct, mix665k, the 558k pretraining list, and any list of dialogues in their form",
    wants="the JSON or JSONL file of the list; --images: the folder that the paths in it start from",
    home="https://huggingface.co/datasets/liuhaotian/LLaVA-Instruct-150K",
    licence="CC-BY-4.0",
    scan=scan_llava,
    read=read_llava,
    options={
        "boxes": "boxes in texts: text (as they are), square (regions, of shares of the image padded to a square, "
        "which mix665k has) or image (regions, of shares of the image)",
        "answers": "the JSONL file with the answers to a JSONL file of questions",
        "task": "what the samples' task is called; dialogue if not given",
        "source": "what the set is called; the file's name if not given",
    },
)
