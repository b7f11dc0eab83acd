"""Referring expression comprehension, boxes, on RefCOCO, RefCOCO+ and RefCOCOg.

    finetune_{refcoco,refcoco+,refcocog}_{val,testA,testB,test}.json    MDETR's, on which Ferret is evaluated; or
    {refcoco,refcoco+,refcocog}/refs(..).p and instances.json           the original sets

The official score parses the answer's text with its own parser and takes the first box, whatever else there is; the
strict one uses our grammar and requires exactly one box.

Source: apple/ml-ferret@3c9e5c93 ferret/eval/{model_refcoco,eval_refexp}.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deixis.datasets.annotated import Annotated
from deixis.datasets.grounding.mdetr import MDETR
from deixis.datasets.grounding.refcoco import REFCOCO, REFCOCO_PLUS, REFCOCOG
from deixis.datasets.plain_questions import plain_text
from deixis.datasets.source import DatasetConfig, Format
from deixis.errors import DataError, DeixisError
from deixis.evaluation.benchmark import BenchmarkInfo, Example, PublishedScore, RequiredFile
from deixis.evaluation.benchmarks.answer_boxes import box_of, phrase_boxes
from deixis.evaluation.benchmarks.official_files import IMAGES, find_files, place_for, records, split_option
from deixis.evaluation.benchmarks.referring_segmentation import (
    UMD,
    UNC,
    check_size,
    expressions_of,
    has_set,
    required_files_of,
)
from deixis.evaluation.benchmarks.wording import notation_of, question_for
from deixis.evaluation.metrics.aggregation import ExampleMetrics, mean
from deixis.evaluation.metrics.iou import is_correct
from deixis.inference import Answer
from deixis.samples.sample import Sample, Skipped, Turn
from deixis.systems.ferret.scoring import Rank, score_refexp, script_input

SOURCE = "as printed in later papers (COMM, LLaVA-Grounding, SPR) and a review"
KEY_OF: dict[Rank, str] = {1: "first", "mean": "mean", "upper bound": "any"}
IMAGE_FOLDERS = ("train2014", "images/train2014", "coco/train2014", "images/mscoco/images/train2014")
METRICS = (
    mean("acc@0.5", "first", "accuracy of the first box at IoU threshold 0.5"),
    mean("acc@0.5 mean box", "mean", "the same for the mean of all boxes, as the script also prints"),
    mean("acc@0.5 any box", "any", "the same for any box, as the script also prints"),
    mean("strict acc@0.5", "strict", "the same, requiring exactly one box, by our grammar", official=False),
    mean("script stops", "stops", "share of answers at which the official script would end with an error; scored "
         "as wrong", official=False),
)  # fmt: skip
_TABLE = {
    "refcoco": {"Ferret-7B": (87.49, 91.35, 82.45), "Ferret-13B": (89.48, 92.41, 84.36)},
    "refcoco_plus": {"Ferret-7B": (80.78, 87.38, 73.14), "Ferret-13B": (82.81, 88.14, 75.17)},
    "refcocog": {"Ferret-7B": (83.93, 84.76), "Ferret-13B": (85.83, 86.34)},
}
NOTES = (
    "One example is one expression of MDETR's files, or, if only the original set is present, of that, repeated ones "
    "included.",
    "The official script parses text: it takes the first box, after any phrase; a bracket without integers makes the "
    "whole answer one without boxes, and one with fewer than four ends the script. A Ferret's raw answer is parsed as "
    "it is, any other model's is rewritten in Ferret's notation.",
    "The strict accuracy requires exactly one box; an answer with several scores in the official one if the first is "
    "correct, and never in the strict one.",
)


@dataclass(frozen=True)
class TargetBox:
    """The target box, and the notation of the answer. dataset: its name in MDETR's files."""

    box_xyxy: tuple[float, float, float, float]
    size_hw: tuple[int, int]
    dataset: str
    notation: str


@dataclass(frozen=True)
class ReferringComprehension:
    """One set. folder: its name in both layouts and in MDETR's file names."""

    form: Format
    folder: str
    splits: tuple[str, ...]
    info: BenchmarkInfo

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        """One example per expression, from MDETR's files if there are any."""
        notation = notation_of(options)
        for record in self._records(data, options):
            if isinstance(record, Skipped):
                yield record
                continue
            try:
                check_size(record.signals[0])
                yield from (self._example(record, n, notation) for n in range(len(record.expressions)))
            except DeixisError as error:
                yield Skipped(record.id, str(error))

    def example_metrics(self, example: Example, answer: Answer) -> ExampleMetrics:
        """Whether the first, the mean and any box of the official parser, and the only box of ours, are correct."""
        ground_truth: TargetBox = example.ground_truth
        x1, y1, x2, y2 = ground_truth.box_xyxy
        height, width = ground_truth.size_hw
        image = {"id": 0, "dataset_name": ground_truth.dataset, "width": width, "height": height}
        text = script_input(answer.raw, answer.text, phrase_boxes(answer), ground_truth.size_hw, ground_truth.notation)
        try:
            target, given = {"image_id": 0, "bbox": (x1, y1, x2 - x1, y2 - y1)}, {"image_id": 0, "text": text}
            scores = score_refexp([image], [target], [given])[ground_truth.dataset]
        except IndexError:
            scores = None
        boxes = [box for region in answer.regions if (box := box_of(region)) is not None]
        return {
            **{key: bool(scores and scores[rank]) for rank, key in KEY_OF.items()},
            "stops": scores is None,
            "boxes": len(boxes),
            "strict": len(boxes) == 1 and bool(is_correct(boxes[0], ground_truth.box_xyxy)),
        }

    def _records(self, data: Path, options: Mapping[str, str]) -> Iterator[Annotated | Skipped]:
        named = {split: f"finetune_{self.folder}_{split}.json" for split in split_option(options, self.splits)}
        files = {split: paths[0] for split, name in named.items() if (paths := find_files(data, name))}
        mdetr, *own = self.info.required_files
        if not files and not has_set(own, data):
            names = " or ".join(named.values())
            raise DataError(f"{data}: expected {names}, {mdetr.what}, got none; it is from {mdetr.home}")
        if not files:
            yield from expressions_of(self.form, own, self.splits, data, options)
            return
        for split, path in files.items():
            place = place_for(path, options)
            images = place.images or next((data / name for name in IMAGE_FOLDERS if (data / name).is_dir()), None)
            for record in records(MDETR, DatasetConfig(path, images, split)):
                assert isinstance(record, Annotated | Skipped)
                yield record

    def _example(self, record: Annotated, number: int, notation: str) -> Example:
        expression, (medium,) = record.expressions[number], record.signals
        regions = [region for obj in expression.objects if (region := record.objects[obj].region) is not None]
        if len(regions) != 1 or regions[0].box is None:
            raise DataError(f"expected one box for {expression.text!r}, got {len(regions)}")
        assert medium.size_hw is not None
        question = question_for("refer_box", notation, text=expression.text)
        answer = f"[{plain_text(expression.text)}]{{0:box}}."
        name = record.id if len(record.expressions) == 1 else f"{record.id}/{number}"
        turns, ground_truth = (
            (Turn(question, answer),),
            TargetBox(regions[0].box, medium.size_hw, self.folder, notation),
        )
        sample = Sample(name, record.source, "ground", record.split, turns, (medium,), tuple(regions))
        asked = (name, record.split, medium.id, question, (medium,))
        return Example(*asked, ground_truth, answer_form="box", sample=sample)


def _set(form: Format, folder: str, title: str, splits: tuple[str, ...], split_by: str) -> ReferringComprehension:
    files = RequiredFile(
        f"finetune_{folder}_{splits[0]}.json",
        "MDETR's expressions and boxes (or the original set)",
        "https://zenodo.org/record/4729015 (mdetr_annotations.tar.gz)",
        form.licence,
    )
    info = BenchmarkInfo(
        name=form.name,
        title=f"{title}, boxes",
        required_files=(files, *required_files_of(form, folder, split_by)),
        metrics=METRICS,
        notes=NOTES,
        published=tuple(
            PublishedScore(system, split, {"acc@0.5": value}, SOURCE)
            for system, values in _TABLE[form.name].items()
            for split, value in zip(splits, values, strict=True)
        ),
        options={
            "split": "one split (default: all that exist)",
            "split_by": f"authors of the splits, without MDETR's files (default {split_by})",
            **IMAGES,
        },
        answer_form="box",
    )
    return ReferringComprehension(form, folder, splits, info)


REFERRING_COMPREHENSION = (
    _set(REFCOCO, "refcoco", "RefCOCO", UNC, "unc"),
    _set(REFCOCO_PLUS, "refcoco+", "RefCOCO+", UNC, "unc"),
    _set(REFCOCOG, "refcocog", "RefCOCOg", UMD, "umd"),
)
