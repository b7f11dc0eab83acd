"""Referring comprehension: the box of the one thing that a person's words mean. RefCOCO, RefCOCO+, RefCOCOg.

    finetune_{refcoco,refcoco+,refcocog}_{val,testA,testB,test}.json    MDETR's, on which Ferret is scored; or
    {refcoco,refcoco+,refcocog}/refs(..).p and instances.json           the sets themselves

The official score reads the answer's text with its own parser and takes the first box it finds, whatever else there is;
the strict one takes the answer as our grammar reads it and wants that box alone.

Source: apple/ml-ferret@3c9e5c93 ferret/eval/{model_refcoco,eval_refexp}.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deixis.datasets.annotated import Annotated
from deixis.datasets.grounding.mdetr import MDETR
from deixis.datasets.grounding.refcoco import REFCOCO, REFCOCO_PLUS, REFCOCOG
from deixis.datasets.plain_questions import plain_text
from deixis.datasets.source import Format, Place
from deixis.errors import DataError, DeixisError
from deixis.evaluation.benchmark import BenchmarkInfo, Example, PublishedScore, RequiredFile
from deixis.evaluation.benchmarks.answer_boxes import box_of, phrase_boxes
from deixis.evaluation.benchmarks.records import records
from deixis.evaluation.benchmarks.referring_segmentation import (
    UMD,
    UNC,
    chosen_splits,
    expressions_of,
    has_set,
    sized,
    wanted,
)
from deixis.evaluation.benchmarks.required_files import IMAGES, find_files, place_for
from deixis.evaluation.benchmarks.wording import notation_of, question_for
from deixis.evaluation.metrics.aggregation import ExampleMetrics, mean
from deixis.evaluation.metrics.iou import is_correct
from deixis.inference import Answer
from deixis.samples.sample import Sample, Turn
from deixis.samples.skipped import Skipped
from deixis.systems.ferret.scoring import Rank, score_refexp, script_input

SOURCE = "as later papers print it (COMM, LLaVA-Grounding, SPR), and a review"
MARK_OF: dict[Rank, str] = {1: "first", "mean": "mean", "upper bound": "any"}
PICTURES = ("train2014", "images/train2014", "coco/train2014", "images/mscoco/images/train2014")
METRICS = (
    mean("acc@0.5", "first", "share of answers whose first box has an IoU of at least 0.5 with the true one"),
    mean("acc@0.5 mean box", "mean", "the same of the mean of all boxes in the answer, as the script also prints it"),
    mean("acc@0.5 any box", "any", "the same of any box in the answer, as the script also prints it"),
    mean("strict acc@0.5", "strict", "the same of answers with one box alone, as our grammar reads it", official=False),
    mean("script stops", "stops", "share of answers at which the official script would end in an error; scored as "
         "wrong", official=False),
)  # fmt: skip
_TABLE = {
    "refcoco": {"Ferret-7B": (87.49, 91.35, 82.45), "Ferret-13B": (89.48, 92.41, 84.36)},
    "refcoco_plus": {"Ferret-7B": (80.78, 87.38, 73.14), "Ferret-13B": (82.81, 88.14, 75.17)},
    "refcocog": {"Ferret-7B": (83.93, 84.76), "Ferret-13B": (85.83, 86.34)},
}
NOTES = (
    "One example is one expression, as MDETR's files have it, or, where only the set itself is there, each of its "
    "expressions, repeated ones too.",
    "The official script reads text: it takes the first box in it, behind whatever phrase; a bracket without whole "
    "numbers makes the whole answer one without boxes, and one with fewer than four ends the script. A Ferret's answer "
    "is given to it as it was written, any other model's written again in Ferret's words.",
    "The strict number wants one box and no other; an answer that lists boxes to be safe scores in the official one "
    "if the first is right, and here never.",
)


@dataclass(frozen=True)
class BoxGroundTruth:
    """The box that is meant, and whose words the answer is in. dataset: as MDETR's files name it."""

    box_xyxy: tuple[float, float, float, float]
    size_hw: tuple[int, int]
    dataset: str
    notation: str


@dataclass(frozen=True)
class ReferringComprehension:
    """One set. folder: its name in both layouts, which MDETR calls it too."""

    form: Format
    folder: str
    splits: tuple[str, ...]
    info: BenchmarkInfo

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        """An example for each expression; from MDETR's files if any is there. Raises ValueError where none is."""
        notation = notation_of(options)
        for record in self._records(data, options):
            try:
                if isinstance(record, Skipped):
                    yield record
                else:
                    sized(record.signals[0])
                    yield from (self._example(record, n, notation) for n in range(len(record.expressions)))
            except DeixisError as error:
                yield Skipped(record.id, str(error))

    def example_metrics(self, example: Example, answer: Answer) -> ExampleMetrics:
        """Whether the first, the mean and any box by the official parser hit, and the only box by ours."""
        ground_truth: BoxGroundTruth = example.ground_truth
        x1, y1, x2, y2 = ground_truth.box_xyxy
        height, width = ground_truth.size_hw
        image = {"id": 0, "dataset_name": ground_truth.dataset, "width": width, "height": height}
        text = script_input(answer.raw, answer.text, phrase_boxes(answer), ground_truth.size_hw, ground_truth.notation)
        try:
            hits = score_refexp(
                [image], [{"image_id": 0, "bbox": (x1, y1, x2 - x1, y2 - y1)}], [{"image_id": 0, "text": text}]
            )[ground_truth.dataset]
        except IndexError:
            hits = None
        boxes = [box for region in answer.regions if (box := box_of(region)) is not None]
        return {
            **{mark: bool(hits and hits[rank]) for rank, mark in MARK_OF.items()},
            "stops": hits is None,
            "boxes": len(boxes),
            "strict": len(boxes) == 1 and bool(is_correct(boxes[0], ground_truth.box_xyxy)),
        }

    def _records(self, data: Path, options: Mapping[str, str]) -> Iterator[Annotated | Skipped]:
        named = {split: f"finetune_{self.folder}_{split}.json" for split in chosen_splits(options, self.splits)}
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
            images = place.images or next((data / name for name in PICTURES if (data / name).is_dir()), None)
            for record in records(MDETR, Place(path, images, split)):
                assert isinstance(record, Annotated | Skipped)
                yield record

    def _example(self, record: Annotated, number: int, notation: str) -> Example:
        expression, (medium,) = record.expressions[number], record.signals
        regions = [region for thing in expression.things if (region := record.things[thing].region) is not None]
        if len(regions) != 1 or regions[0].box is None:
            raise DataError(f"expected one box of what {expression.text!r} means, got {len(regions)}")
        assert medium.size_hw is not None
        asked = question_for("refer_box", notation, text=expression.text)
        answer = f"[{plain_text(expression.text)}]{{0:box}}."
        identity = record.id if len(record.expressions) == 1 else f"{record.id}/{number}"
        return Example(
            id=identity,
            part=record.split,
            group=medium.id,
            text=asked,
            media=(medium,),
            ground_truth=BoxGroundTruth(regions[0].box, medium.size_hw, self.folder, notation),
            answer_form="box",
            sample=Sample(identity, record.source, "ground", record.split, (Turn(asked, answer),), (medium,),
                          tuple(regions)),
        )  # fmt: skip


def _set(form: Format, folder: str, title: str, splits: tuple[str, ...], split_by: str) -> ReferringComprehension:
    files = RequiredFile(
        f"finetune_{folder}_{splits[0]}.json",
        "MDETR's expressions and boxes (or the set itself)",
        "https://zenodo.org/record/4729015 (mdetr_annotations.tar.gz)",
        form.licence,
    )
    info = BenchmarkInfo(
        name=form.name,
        title=f"{title}, boxes",
        required_files=(files, *wanted(form, folder, split_by)),
        metrics=METRICS,
        notes=NOTES,
        published=tuple(
            PublishedScore(system, split, {"acc@0.5": value}, SOURCE)
            for system, values in _TABLE[form.name].items()
            for split, value in zip(splits, values, strict=True)
        ),
        options={
            "split": "one split alone; all that are there if not given",
            "split_by": f"who divided the set, where MDETR's files are not there: {split_by} if not given",
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
