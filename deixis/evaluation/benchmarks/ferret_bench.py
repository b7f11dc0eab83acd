"""Ferret-Bench: referring and grounding in conversation, scored by a language model as judge."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from deixis.datasets.files.json_stream import json_lines
from deixis.datasets.files.text_boxes import ON_IMAGE, TextBoxes
from deixis.datasets.grounding.ferret_bench import FERRET_BENCH as READER
from deixis.datasets.instruction.llava import image_references
from deixis.errors import DataError, DeixisError
from deixis.evaluation.benchmark import BenchmarkInfo, Example, ExampleResult, PublishedScore, RequiredFile
from deixis.evaluation.benchmarks.answer_boxes import phrase_boxes
from deixis.evaluation.benchmarks.judge import METRICS, OPTIONS, endpoint_from_recipe, judged
from deixis.evaluation.benchmarks.official_files import IMAGES, coco_images, place_for, require_files
from deixis.evaluation.benchmarks.wording import notation_of
from deixis.evaluation.metrics.aggregation import ExampleMetrics
from deixis.files.json_text import read_json, read_text
from deixis.inference import Answer
from deixis.samples.consistency import shown
from deixis.samples.sample import Sample, Skipped, Turn
from deixis.systems.ferret.bench import GROUNDED, format_fractions, judged_text
from deixis.systems.ferret.notation import NOTATION
from deixis.systems.ferret.scoring import insert_boxes

PARTS = {"refer_caption": "refer_desc", "refer_reason": "refer_reason", "ground_conv": GROUNDED}
"""Folder, a part of the table -> name of its category."""
PAPER = "Ferret (You et al., ICLR 2024), Ferret-Bench"
SCORES = {
    "LLaVA": (41.4, 31.7, 28.8),
    "Kosmos-2": (51.8, 33.7, 48.4),
    "Shikra-7B": (46.0, 41.6, 50.1),
    "Ferret-7B": (68.7, 67.3, 57.5),
    "Ferret-13B": (70.6, 68.7, 59.7),
}
QUESTIONS = RequiredFile(
    "*/question.jsonl",
    "the folders refer_caption, refer_reason and ground_conv, each with question.jsonl, answer.jsonl, context.jsonl",
    READER.home,
    READER.licence,
)
RULES = RequiredFile("rule.json", "the prompts of the judge", READER.home, READER.licence)
INFO = BenchmarkInfo(
    name="ferret_bench",
    title="Ferret-Bench: describing and reasoning about regions, and grounding in conversation",
    required_files=(QUESTIONS, RULES, coco_images("val2017/")),
    metrics=METRICS,
    notes=(
        "A language model that gets a list of the objects instead of the image scores the reference answer (GPT-4's) "
        "and the model's answer from 1 to 10; the score is the sum of the model's over the sum of the references'.",
        "The papers' judge was gpt-4-0314, which is no longer available: scores of different judges are not "
        "comparable. The official script asks once, with the reference first; the mean over both orders, each asked "
        "three times, is added.",
        "Regions are given as regions; boxes in answers to ground_conv are shown to the judge as fractions of the "
        "image, those in other answers are removed, as officially.",
    ),
    published=tuple(
        PublishedScore(system, part, {"score": value}, PAPER)
        for system, values in SCORES.items()
        for part, value in zip(PARTS, values, strict=True)
    ),
    options=IMAGES | OPTIONS,
    max_new_tokens=512,
)


class FerretBench:
    """Answers about regions and with regions, compared with a reference answer."""

    info = INFO

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        notation = notation_of(options)
        endpoint_from_recipe(options, "judge.sqlite")  # an invalid option is reported before anything is asked
        folders = {path.parent.name: path.parent for path in require_files(data, QUESTIONS, "question.jsonl")}
        folders = {part: folders.get(part, folders.get(category)) for part, category in PARTS.items()}
        if not any(folders.values()):
            raise DataError(f"{data}: expected {QUESTIONS.what}, got other folders")
        rules = read_json(require_files(data, RULES)[0])
        for part, folder in folders.items():
            if folder is not None:
                yield from _of_folder(part, folder, data, rules, dict(options) | {"notation": notation})

    def example_metrics(self, example: Example, answer: Answer) -> ExampleMetrics:
        category, notation, size_hw = (example.ground_truth[name] for name in ("category", "notation", "size_hw"))
        if notation == NOTATION.name:
            text = judged_text(answer.raw or answer.text, category)
        elif category == GROUNDED:
            size = (*size_hw[::-1], *size_hw[::-1])
            fractions = lambda box: format_fractions([value / of for value, of in zip(box, size, strict=True)])  # noqa: E731
            text = insert_boxes(answer.text, phrase_boxes(answer), fractions)
        else:
            text = answer.text
        return {"judge_input": example.ground_truth["judge_input"] | {"candidate": text}}

    def judge(
        self, rows: Sequence[ExampleResult], options: Mapping[str, str], folder: Path
    ) -> tuple[Sequence[ExampleResult], Sequence[str]]:
        metrics, notes = judged([row.metrics["judge_input"] for row in rows], options, folder / "judge.sqlite")
        return [replace(row, metrics={**row.metrics, **more}) for row, more in zip(rows, metrics, strict=True)], notes


def _of_folder(
    part: str, folder: Path, data: Path, rules: Mapping[str, Any], options: Mapping[str, str]
) -> Iterator[Example | Skipped]:
    """The questions of one folder, each with the texts for the judge."""
    references = _texts(folder / "answer.jsonl", "question_id")
    contexts = _texts(folder / "context.jsonl", "image")
    place = place_for(data, options)
    for where, record in json_lines(folder / "question.jsonl"):
        where = f"{folder.name}/{where}"
        try:
            judge_input = _judge_input(record, references, contexts, rules)
            yield _example(
                part,
                record,
                judge_input,
                image_references(record, place, "coco", is_published=True),
                options["notation"],
            )
        except DeixisError as error:
            yield Skipped(where, str(error))


def _judge_input(
    record: Any, references: Mapping[Any, str], contexts: Mapping[Any, str], rules: Mapping[str, Any]
) -> dict[str, str]:
    """The texts for the judge; DataError for a line without a field, or without its line in the other files."""
    if isinstance(record, ValueError):  # a value of the reader, not raised: the line is no JSON
        raise DataError(str(record))
    try:
        rule, question, reference = rules[record["category"]], record["text"], references[record["question_id"]]
        texts = {"context": contexts[record["image"]], "question": question, "reference": reference}
        question.strip()
        return texts | {"prompt": rule["prompt"], "role": rule["role"]}
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"expected its field or its line, got none: {error}") from None


def _example(
    part: str, record: Mapping[str, Any], judge_input: Mapping[str, str], media: tuple[Any, ...], notation: str
) -> Example:
    texts = TextBoxes(ON_IMAGE, media)
    question = texts.markup(record["text"].strip(), False)
    if not media or media[0].size_hw is None:
        raise DataError(f"{media[0].path if media else 'image'}: expected the image, got no such file")
    asked = texts.regions()
    turn = Turn(question, texts.markup(judge_input["reference"].strip(), True))
    name = f"ferret_bench/{part}/{record['question_id']}"
    head = (name, "ferret_bench", "dialogue", "test", (turn,))
    sample = Sample(*head, media, texts.regions(), licence=READER.licence, author="model")
    ground_truth = {"notation": notation, "size_hw": media[0].size_hw, "judge_input": judge_input}
    ground_truth |= {"category": record["category"]}
    return Example(name, part, media[0].id, question, media, ground_truth, tuple(asked), sample=sample)


def _texts(path: Path, key: str) -> dict[Any, str]:
    """The texts of a file's lines by a field; the last of several."""
    if not path.is_file():
        raise DataError(f"{path}: expected the file that goes with question.jsonl, got none")
    lines = (value for _, value in json_lines(path))
    found = {line[key]: line["text"] for line in lines if isinstance(line, dict) and key in line and "text" in line}
    if not found:
        raise DataError(f"{path}: expected lines with {key!r} and 'text', got {shown(read_text(path)[:60])}")
    return found
