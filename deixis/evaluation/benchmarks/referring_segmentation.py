"""Referring expression segmentation on RefCOCO, RefCOCO+, RefCOCOg and gRefCOCO.

Each expression is one example, repeated ones too, as in the official scripts. gRefCOCO's expressions may refer to
several objects, whose masks are united, or to none, for which the expected answer has no mask.

Sources: dvlab-research/LISA@3cb2d430 utils/dataset.py ValDataset, train_ds.py validate; henghuiding/ReLA@3ca9551
gres_model/evaluation/refer_evaluation.py; Lai et al., CVPR 2024, table 2.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deixis.datasets.annotated import Annotated, Expression
from deixis.datasets.files.images import checked_size_hw
from deixis.datasets.grounding.refcoco import GREFCOCO, INSTANCES, REFCOCO, REFCOCO_PLUS, REFCOCOG
from deixis.datasets.plain_questions import plain_text
from deixis.datasets.source import Format
from deixis.errors import DataError, DeixisError
from deixis.evaluation.benchmark import GENERATED, TEACHER_FORCED, BenchmarkInfo, Example, PublishedScore, RequiredFile
from deixis.evaluation.benchmarks.mask_metrics import (
    EXACT_METRICS,
    FIRST,
    HOW_MASKS_COUNT,
    LISA_METRICS,
    MASKS,
    PRECISION_METRICS,
    UNION,
    TargetMask,
    mask_metrics,
    masked_example,
)
from deixis.evaluation.benchmarks.official_files import (
    IMAGES,
    choice_option,
    integer_option,
    place_for,
    records,
    split_option,
)
from deixis.evaluation.benchmarks.wording import answer_for, notation_of, question_for
from deixis.evaluation.metrics.aggregation import ExampleMetrics, mean
from deixis.geometry import Region, mask_to_rle
from deixis.inference import Answer
from deixis.samples.sample import MediaReference, Skipped

UNC, UMD = ("val", "testA", "testB"), ("val", "test")
OPTIONS = {
    "split": "one split (default: all)",
    "split_by": "authors of the splits: unc (RefCOCO, RefCOCO+), umd (RefCOCOg; the defaults), google or berkeley",
    **MASKS,
    **IMAGES,
}
_TABLE = {  # cIoU on val, testA, testB; or val, test
    "refcoco": {"ReLA": (73.8, 76.5, 70.2), "LISA-7B": (74.1, 76.5, 71.1), "LISA-7B, tuned": (74.9, 79.1, 72.3)},
    "refcoco_plus": {"ReLA": (66.0, 71.0, 57.7), "LISA-7B": (62.4, 67.4, 56.5), "LISA-7B, tuned": (65.1, 70.8, 58.1)},
    "refcocog": {"ReLA": (65.0, 66.0), "LISA-7B": (66.4, 68.5), "LISA-7B, tuned": (67.9, 70.6)},
}
NOTES = (
    "One example is one expression; an expression that several annotators wrote for an object counts each time.",
    "LISA's published scores are teacher-forced (mode forced): an answer with the mask token is fed, and only the mask "
    "is predicted; its table prints cIoU. Generated answers are the default here.",
    HOW_MASKS_COUNT,
    "Where polygons of one object overlap, LISA's script excludes their common pixels from the target; here they are "
    "part of it. COCO has few such objects.",
)
NO_TARGET_METRICS = (
    mean("gIoU", "iou", "mean IoU; for an expression without target 1 without a mask, else 0"),
    mean("cIoU", "intersection", "sum of intersections over sum of unions", weight="union"),
    mean("N-acc", "no_target_correct", "of the expressions without target, share of answers without a mask"),
    mean("T-acc", "target_correct", "of the expressions with a target, share of answers with a mask"),
    *(mean(f"Pr@{least}", f"over_{round(100 * least)} of targets", f"of the expressions with a target, share of "
           f"masks with an IoU of at least {least}") for least in (0.7, 0.8, 0.9)),
    mean("gIoU of targets", "iou of targets", "gIoU over the expressions with a target", official=False),
)  # fmt: skip


def published(name: str, splits: Sequence[str]) -> tuple[PublishedScore, ...]:
    return tuple(
        PublishedScore(system, split, {"cIoU": value}, "Lai et al., CVPR 2024, table 2")
        for system, values in _TABLE.get(name, {}).items()
        for split, value in zip(splits, values, strict=True)
    )


def required_files_of(form: Format, folder: str, split_by: str, refs: str = "refs") -> tuple[RequiredFile, ...]:
    """The files of a set in the official layout."""
    return (
        RequiredFile(f"{folder}/{refs}({split_by}).p", "the expressions (or .json)", form.home, form.licence),
        RequiredFile(f"{folder}/{INSTANCES}", "the objects, with polygons", form.home, form.licence),
        RequiredFile("images/mscoco/images/train2014", "the images (or train2014; or --option images)",
               "https://cocodataset.org/#download", "terms of Flickr"),
    )  # fmt: skip


@dataclass(frozen=True)
class ReferringSegmentation:
    """One set of referring expressions with masks."""

    form: Format
    info: BenchmarkInfo
    splits: tuple[str, ...]

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        """One example per expression, image by image."""
        notation, masks = notation_of(options), choice_option(options, "masks", UNION, FIRST)
        empty_below = integer_option(options, "empty_below", 1, least=1)
        for record in expressions_of(self.form, self.info.required_files, self.splits, data, options):
            if isinstance(record, Skipped):
                yield record
                continue
            try:
                medium = check_size(record.signals[0])
            except DeixisError as error:
                yield Skipped(record.id, str(error))
                continue
            for number, expression in enumerate(record.expressions):
                region = _target_region(record, expression)
                assert medium.size_hw is not None
                ground_truth = TargetMask(medium.size_hw, region, masks=masks, empty_below_px=empty_below)
                yield _example(record, number, ground_truth, notation)

    def example_metrics(self, example: Example, answer: Answer) -> ExampleMetrics:
        """IoU (`mask_metrics`); for gRefCOCO also whether a mask was correctly given or withheld."""
        metrics = mask_metrics(answer, example.ground_truth)
        return {**metrics, **_no_target_metrics(metrics, example.ground_truth)} if self.form is GREFCOCO else metrics


def expressions_of(
    form: Format, required_files: Sequence[RequiredFile], splits: Sequence[str], data: Path, options: Mapping[str, str]
) -> Iterator[Annotated | Skipped]:
    """The images of the selected splits with their expressions, repeated ones too, in the order of the splits."""
    references, instances, *_ = required_files
    if not has_set(required_files, data):
        raise DataError(
            f"{data}: expected {instances.path}, {instances.what}, and {references.path}, {references.what}, got none; "
            f"they are from {references.home}"
        )
    for split in split_option(options, splits):
        more = {"splits": split, "repeats": "keep"} | {key: options[key] for key in ("split_by",) if key in options}
        for record in records(form, place_for(data, options, **more)):
            if isinstance(record, Skipped) or (isinstance(record, Annotated) and record.split == split):
                yield record


def has_set(required_files: Sequence[RequiredFile], data: Path) -> bool:
    """Whether the files of a set are in --data or in its own folder below."""
    return any((root / INSTANCES).is_file() for root in (data, data / required_files[1].path.split("/")[0]))


def check_size(medium: MediaReference) -> MediaReference:
    """The medium, once the header of its image confirms the size in the annotations; DataError if it does not."""
    checked_size_hw(Path(str(medium.path)), medium.size_hw, "height, width")
    return medium


def _target_region(record: Annotated, expression: Expression) -> Region | None:
    """The union of the masks of all objects that are referred to; None for none."""
    regions = [region for obj in expression.objects if (region := record.objects[obj].region) is not None]
    if len(regions) < 2:
        return regions[0] if regions else None
    return Region(mask=mask_to_rle(np.logical_or.reduce([region.mask_array for region in regions])))


def _example(record: Annotated, number: int, ground_truth: TargetMask, notation: str) -> Example:
    text = record.expressions[number].text
    objects = [record.objects[obj].region for obj in record.expressions[number].objects]
    question = question_for("refer_mask", notation, text=text)
    forced = answer_for("refer_mask", notation, text=text) if len(objects) == 1 else None
    numbers = ",".join(map(str, range(len(objects))))
    answer = forced or f"[{plain_text(text)}]{{{numbers}{':mask' if objects else ''}}}."
    regions = tuple(region for region in objects if region is not None)
    return masked_example(record, number, record.split, ground_truth, "ground", question, answer, regions, forced)


def _no_target_metrics(metrics: ExampleMetrics, ground_truth: TargetMask) -> ExampleMetrics:
    """ReLA's metrics; an answer without a foreground pixel predicts that there is no target."""
    has_target, predicted = ground_truth.region is not None, metrics["pixels"] > 0
    iou = metrics["iou"] if has_target else None
    over = {f"over_{least} of targets": None if iou is None else iou >= least / 100 for least in (70, 80, 90)}
    target_correct = predicted if has_target else None
    no_target_correct = None if has_target else not predicted
    return {"no_target_correct": no_target_correct, "target_correct": target_correct, "iou of targets": iou, **over}


def _set(form: Format, folder: str, title: str, splits: tuple[str, ...], split_by: str) -> ReferringSegmentation:
    info = BenchmarkInfo(
        name=f"{form.name}_seg",
        title=f"{title}, masks",
        required_files=required_files_of(form, folder, split_by),
        metrics=(*LISA_METRICS, *EXACT_METRICS, *PRECISION_METRICS),
        notes=NOTES,
        published=published(form.name, splits),
        modes=(GENERATED, TEACHER_FORCED),
        options=OPTIONS,
        answer_form="mask",
    )
    return ReferringSegmentation(form, info, splits)


REFERRING_SEGMENTATION = (
    _set(REFCOCO, "refcoco", "RefCOCO", UNC, "unc"),
    _set(REFCOCO_PLUS, "refcoco+", "RefCOCO+", UNC, "unc"),
    _set(REFCOCOG, "refcocog", "RefCOCOg", UMD, "umd"),
    ReferringSegmentation(
        GREFCOCO,
        BenchmarkInfo(
            name="grefcoco",
            title="gRefCOCO, masks of several objects, one or none",
            required_files=required_files_of(GREFCOCO, "grefcoco", "unc", "grefs"),
            metrics=(*NO_TARGET_METRICS, EXACT_METRICS[-1]),
            notes=(
                NOTES[0],
                "An expression may refer to several objects, whose masks are united, or to none. ReLA, whose rules "
                "these are, has a separate output for no target; here an answer without a foreground pixel, or with "
                "fewer than empty_below, predicts it. Answers are generated: a teacher-forced one would reveal the "
                "target.",
                HOW_MASKS_COUNT,
            ),
            published=(
                PublishedScore("ReLA, Swin-B", "val", {"cIoU": 62.42, "gIoU": 63.60}, "henghuiding/ReLA, README"),
            ),
            options={**OPTIONS, "empty_below": "masks with fewer pixels count as empty (default 1)"},
            answer_form="mask",
        ),
        UNC,
    ),
)
