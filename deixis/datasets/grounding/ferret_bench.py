"""Ferret-Bench: questions about images with boxes in them, and the answers that a judge compares with.

    {ground_conv,refer_caption,refer_reason}/question.jsonl     {"question_id", "image", "category", "text"}
                                            /answer.jsonl       the same, "text" being the answer
                                            /context.jsonl      what the judge is told of the image: not read here

Boxes are shares x1, y1, x2, y2 of the image (COCO's val2017), whose size is that of its file.

Source: apple/ml-ferret@3c9e5c9 ferret/eval/ferret_gpt4_data, ferret/eval/model_gpt4eval_3newclass.py:73-99.
"""

from collections.abc import Iterator
from pathlib import Path

from deixis.datasets.files.json_stream import json_lines
from deixis.datasets.files.text_boxes import AS_TEXT, ON_IMAGE, TextBoxes
from deixis.datasets.instruction.llava import image_references
from deixis.datasets.source import DatasetConfig, Format, Item, Metadata, Row, by_field, record_rows
from deixis.errors import DataError
from deixis.samples.sample import Sample, Skipped, Turn

SOURCE = "ferret_bench"
TASKS = {"ground_conv": "dialogue", "refer_desc": "describe", "refer_reason": "reason"}
"""Its categories -> our tasks."""
FILES = ("question.jsonl", "answer.jsonl")


def scan_ferret_bench(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """The questions and answers of the folders, an item for each question.

    Raises DataError for a folder without a question.jsonl in it or in a folder below.
    """
    config.choice("boxes", (ON_IMAGE, AS_TEXT))
    questions = [
        path for path in (config.path / FILES[0], *sorted(config.path.glob(f"*/{FILES[0]}"))) if path.is_file()
    ]
    if not questions:
        raise DataError(f"{config.path}: expected a folder with {FILES[0]} in it, or folders with such, got none")
    for folder in [path.parent for path in questions]:
        for name in FILES:
            records = ((f"{folder.name}/{where}", value) for where, value in json_lines(folder / name))
            yield from record_rows(records, Path(name).stem, *by_field("question_id", f"{folder.name}/"))


def read_ferret_bench(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Sample]:
    """The sample of a question and its answer."""
    question, answer = item.one("question").value, item.one("answer").value
    media = image_references(question, config, SOURCE, is_published=True)
    texts = TextBoxes(config.options.get("boxes", ON_IMAGE), media)
    turn = Turn(texts.markup(question["text"].strip(), False), texts.markup(answer["text"].strip(), True))
    yield Sample(
        id=f"{SOURCE}/{item.key}",
        source=SOURCE,
        task=TASKS.get(question.get("category"), "dialogue"),
        split=config.split or "test",
        turns=(turn,),
        signals=media,
        regions=texts.regions(),
        licence=FERRET_BENCH.licence,
        author="model",
    )


FERRET_BENCH = Format(
    name="ferret_bench",
    title="Ferret-Bench: referring and grounding in conversation",
    wants="the folder of ground_conv, refer_caption and refer_reason; --images: COCO's val2017",
    home="https://github.com/apple/ml-ferret/tree/main/ferret/eval/ferret_gpt4_data",
    licence="CC-BY-NC-4.0",
    scan=scan_ferret_bench,
    read=read_ferret_bench,
    options={"boxes": "boxes in texts: image (regions) or text (as they are, without a look at the images)"},
)
