"""Sets of short questions about images with one right answer: POPE, VQAv2, GQA.

    coco_pope_random.json               {"question_id", "image", "text", "label"}, one a line
    v2_OpenEnded_mscoco_val2014_questions.json      {"questions": [{"question_id", "image_id", "question"}]}
      and v2_mscoco_val2014_annotations.json        {"annotations": [{"question_id", "multiple_choice_answer",
                                                                      "answers": [{"answer"}, ...], "answer_type"}]}
    val_balanced_questions.json         {id: {"question", "answer", "fullAnswer", "imageId", ...}, ...}

Sources: RUCAIBox/POPE; visualqa.org/vqa_v2; cs.stanford.edu/people/dorarad/gqa.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deixis.datasets.files.images import split_of
from deixis.datasets.files.json_stream import json_items, json_pairs, json_rows, text_field
from deixis.datasets.instruction.llava import image_references
from deixis.datasets.source import DatasetConfig, Format, Item, Metadata, Row, by_field, record_rows
from deixis.errors import DataError
from deixis.geometry import escaped
from deixis.samples.consistency import shown
from deixis.samples.sample import Sample, Skipped, Turn

YES_NO = ("yes", "no")
_SUBSET = re.compile(r"(?:train|val|test)20\d\d")


def _text(record: Mapping[str, Any], field: str) -> str:
    """The text in a field as markup. Raises DataError for anything else."""
    return escaped(text_field(record, field).strip())


def _sample(config: DatasetConfig, form: Format, key: str, image: Any, turn: Turn, task: str) -> Sample:
    return Sample(
        id=f"{form.name}/{key}",
        source=form.name,
        task=task,
        split=config.split or split_of(config.path.name) or "test",
        turns=(turn,),
        signals=image_references({"image": image}, config, form.name, is_published=True),
        licence=form.licence,
        author="person" if form is VQAV2 else "template",
    )


def scan_pope(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """The lines of the file, each an item of its own."""
    yield from record_rows(json_rows(config.path), "question", lambda number, _: f"{config.path.stem}/{number}")


def read_pope(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Sample]:
    record = item.one("question").value
    if record.get("label") not in YES_NO:
        raise DataError(f"label: expected yes or no, got {shown(record.get('label'))}")
    turn = Turn(_text(record, "text"), record["label"], choices=YES_NO)
    yield _sample(config, POPE, item.key, record.get("image"), turn, "exists")


def scan_vqav2(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """The questions and their annotations, an item for each question.

    Raises DataError for a file without questions, and where the annotations are not there.
    """
    answers = vqav2_annotations(config)
    yield from _scan_list(config.path, "questions", "question")
    yield from _scan_list(answers, "annotations", "annotation")


def vqav2_annotations(config: DatasetConfig) -> Path:
    """The file of the annotations: the option `annotations`, else the one whose name goes with the questions'."""
    name = config.path.name.replace("OpenEnded_", "").replace("questions", "annotations")
    path = Path(config.options.get("annotations", config.path.with_name(name)))
    if path == config.path or not path.is_file():
        raise DataError(f"annotations: expected the file of the answers, {path.name}, got none; name it as an option")
    return path


def _scan_list(path: Path, field: str, part: str) -> Iterator[Row | Skipped]:
    count = 0
    for row in record_rows(json_items(path, field), part, *by_field("question_id")):
        count += 1
        yield row
    if not count:
        raise DataError(f"{path}: expected a list {field!r} as in VQAv2's files, got none")


def read_vqav2(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Sample]:
    """The sample of a question. references: the answers of all ten people, repeats too, by which it is scored."""
    question, annotation = item.one("question").value, item.one("annotation").value
    subset = _SUBSET.search(config.path.name)
    if subset is None:
        raise DataError(f"{config.path.name}: expected val2014 or the like in its name, which its images have too")
    if not isinstance(question.get("image_id"), int):
        raise DataError(f"image_id: expected a whole number, got {shown(question.get('image_id'))}")
    given = annotation.get("answers") or []
    turn = Turn(
        _text(question, "question"),
        _text(annotation, "multiple_choice_answer"),
        references=tuple(_text(answer, "answer") for answer in given),
    )
    image = f"{subset[0]}/COCO_{subset[0]}_{question['image_id']:012d}.jpg"
    yield _sample(config, VQAV2, item.key, image, turn, "answer")


def scan_gqa(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """The questions of the file, an item each."""
    for where, key, value in json_pairs(config.path):
        if isinstance(value, dict):
            yield Row(key, "question", where, value)
        else:
            yield Skipped(where, f"expected an object {{'question', 'answer', 'imageId'}}, got {shown(value)}")


def read_gqa(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Sample]:
    """The sample of a question; its full sentence is as right an answer."""
    record = item.one("question").value
    turn = Turn(
        _text(record, "question"),
        _text(record, "answer"),
        references=(_text(record, "fullAnswer"),) if record.get("fullAnswer") else (),
    )
    yield _sample(config, GQA, item.key, f"gqa/images/{record['imageId']}.jpg", turn, "answer")


POPE = Format(
    name="pope",
    title="POPE: is there such an object in the image?",
    wants="one of its files of lines (random, popular, adversarial); --images: COCO's val2014",
    home="https://github.com/RUCAIBox/POPE",
    licence="MIT",
    scan=scan_pope,
    read=read_pope,
)
VQAV2 = Format(
    name="vqav2",
    title="VQAv2, open questions with the answers of ten people",
    wants="its file of questions; --images: the folder of COCO's train2014 or val2014",
    home="https://visualqa.org/download.html",
    licence="CC-BY-4.0",
    scan=scan_vqav2,
    read=read_vqav2,
    options={"annotations": "the file of the answers; if not given, the one beside the questions"},
)
GQA = Format(
    name="gqa",
    title="GQA, questions made of scene graphs",
    wants="one of its files of questions; --images: the folder of Visual Genome's images",
    home="https://cs.stanford.edu/people/dorarad/gqa/download.html",
    licence="CC-BY-4.0",
    scan=scan_gqa,
    read=read_gqa,
)
