"""ReasonSeg, reasoning segmentation: implicit questions and the mask of the object that answers them.

Options for what the official script leaves open: which of several texts is asked, whether the answer is generated or
teacher-forced, and which of several masks counts. Each text is one example.

Source: Lai et al., LISA, CVPR 2024; dvlab-research/LISA@3cb2d430 utils/dataset.py ValDataset, train_ds.py validate.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from deixis.datasets.annotated import Annotated
from deixis.datasets.segmentation.reason_seg import REASON_SEG
from deixis.datasets.source import DatasetConfig
from deixis.errors import DataError, InputError
from deixis.evaluation.benchmark import GENERATED, TEACHER_FORCED, BenchmarkInfo, Example, PublishedScore, RequiredFile
from deixis.evaluation.benchmarks.mask_metrics import (
    EXACT_METRICS,
    FIRST,
    HOW_MASKS_COUNT,
    LISA_METRICS,
    MASKS,
    UNION,
    TargetMask,
    mask_metrics,
    masked_example,
)
from deixis.evaluation.benchmarks.official_files import choice_option, records, split_option
from deixis.evaluation.benchmarks.wording import answer_for, notation_of, question_for
from deixis.evaluation.metrics.aggregation import ExampleMetrics
from deixis.inference import Answer
from deixis.samples.sample import Skipped

SPLITS = ("val", "test")
ALL, LAST = "all", "last"
TEXTS = (FIRST, LAST, ALL)
FOLDERS = ("", "ReasonSeg", "reason_seg/ReasonSeg")
REQUIRED_FILES = tuple(
    RequiredFile(f"ReasonSeg/{split}", "NAME.jpg and NAME.json of the split", REASON_SEG.home, REASON_SEG.licence)
    for split in SPLITS
)
PARTS = ("val", "test short", "test long", "test overall")
_LISA = {  # gIoU, cIoU on val, test short, test long, test overall
    "LISA-7B": (44.4, 46.0, 37.6, 34.4, 36.6, 34.7, 36.8, 34.1),
    "LISA-7B, tuned on 239": (52.9, 54.0, 40.6, 40.6, 49.4, 51.0, 47.3, 48.4),
    "LISA-13B": (48.9, 46.9, 39.9, 43.3, 46.4, 46.5, 44.8, 45.8),
    "LISA-13B, tuned on 239": (56.2, 62.9, 44.3, 42.0, 54.0, 54.3, 51.7, 51.1),
    "LISA-7B-LLaVA1.5": (53.6, 52.3, 47.1, 48.5, 49.2, 48.9, 48.7, 48.8),
    "LISA-7B-LLaVA1.5, tuned on 239": (61.3, 62.9, 48.3, 46.3, 57.9, 59.7, 55.6, 56.9),
    "LISA-13B-LLaVA1.5": (57.7, 60.3, 50.8, 50.0, 54.7, 50.9, 53.8, 50.8),
    "LISA-13B-LLaVA1.5, tuned on 239": (65.0, 72.9, 55.4, 50.6, 63.2, 65.3, 61.3, 62.2),
    "LLaVA1.5-7B + OVSeg": (38.2, 23.5, 24.2, 18.7, 44.6, 37.1, 39.7, 31.8),
    "LLaVA1.5-13B + OVSeg": (37.9, 26.4, 27.1, 19.4, 46.1, 40.6, 41.5, 34.1),
}
_OTHERS = {  # gIoU, cIoU on val, test overall
    "OVSeg": (28.5, 18.6, 26.1, 20.8),
    "GRES": (22.4, 19.9, 21.3, 22.0),
    "X-Decoder": (22.6, 17.9, 21.7, 16.3),
    "SEEM": (25.5, 21.2, 24.3, 18.7),
    "Grounded-SAM": (26.0, 14.5, 21.3, 16.4),
}


def _published() -> Iterator[PublishedScore]:
    for table, parts in ((_LISA, PARTS), (_OTHERS, (PARTS[0], PARTS[-1]))):
        for system, values in table.items():
            for part, giou, ciou in zip(parts, values[::2], values[1::2], strict=True):
                yield PublishedScore(system, part, {"gIoU": giou, "cIoU": ciou}, "Lai et al., CVPR 2024, table 1")


class ReasonSeg:
    """Reasoning segmentation, by split and by the length of the question."""

    info = BenchmarkInfo(
        name="reasonseg",
        title="ReasonSeg",
        required_files=REQUIRED_FILES,
        metrics=(*LISA_METRICS, *EXACT_METRICS),
        notes=(
            "LISA's published scores are teacher-forced: its script feeds an answer with the mask token, and only the "
            "mask is predicted (mode forced). Generated answers, where the model has to decide on a mask, are the "
            "default here; compare only scores of one mode.",
            "Of several texts for an image the official script asks the first; text=all asks each, as one example.",
            "test short are phrases, test long are sentences, test overall is both.",
            HOW_MASKS_COUNT,
            "Pixels labelled as ignored are excluded; an image without a target polygon is skipped and counted.",
        ),
        published=tuple(_published()),
        modes=(GENERATED, TEACHER_FORCED),
        options={
            "text": "text that is asked: first (default, as officially), last or all; per split as val:first,test:all",
            "split": "val or test (default: all that exist)",
            **MASKS,
        },
        answer_form="mask",
        combined_parts={PARTS[3]: PARTS[1:3]},
    )

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        """One example per selected text, by split and file name."""
        texts, (root, splits) = _texts(options), _place(data, options)
        masks, notation = choice_option(options, "masks", UNION, FIRST), notation_of(options)
        for record in records(REASON_SEG, DatasetConfig(root)):
            if isinstance(record, Skipped):
                if record.where.split("/")[0] in splits:
                    yield record
                continue
            assert isinstance(record, Annotated)
            if record.split in splits:
                count = len(record.expressions)
                numbers = {FIRST: range(1), LAST: range(count - 1, count), ALL: range(count)}[texts[record.split]]
                yield from (_example(record, number, masks, notation) for number in numbers)

    def example_metrics(self, example: Example, answer: Answer) -> ExampleMetrics:
        return mask_metrics(answer, example.ground_truth)


def _example(record: Annotated, number: int, masks: str, notation: str) -> Example:
    expression = record.expressions[number]
    (medium,) = record.signals
    target, *ignored = [obj.region for obj in record.objects if obj.region is not None]
    length = "long" if expression.implicit else "short"
    task = "reason_sentence" if expression.implicit else "reason_phrase"
    question = question_for(task, notation, text=expression.text)
    answer = answer_for(task, notation, text=expression.text)
    part = record.split if record.split == "val" else f"{record.split} {length}"
    assert medium.size_hw is not None
    ground_truth = TargetMask(medium.size_hw, target, ignored[0] if ignored else None, masks)
    return masked_example(record, number, part, ground_truth, "reason", question, answer, (target, *ignored), answer)


def _texts(options: Mapping[str, str]) -> dict[str, str]:
    """The selection of texts (first, last or all) per split."""
    text = options.get("text", FIRST)
    pairs = [pair.split(":") for pair in text.split(",")] if ":" in text else [[split, text] for split in SPLITS]
    if any(len(pair) != 2 or pair[0] not in SPLITS or pair[1] not in TEXTS for pair in pairs):
        raise InputError(f"text: expected {', '.join(TEXTS)}, or per split as val:first,test:all, got {text!r}")
    return dict.fromkeys(SPLITS, FIRST) | dict(pairs)


def _place(data: Path, options: Mapping[str, str]) -> tuple[Path, tuple[str, ...]]:
    """(folder that contains the splits: --data or below it, selected splits: all that exist by default)."""
    selected = split_option(options, SPLITS)
    for root in (data / folder for folder in FOLDERS):
        if found := tuple(split for split in selected if any((root / split).glob("*.json"))):
            return root, found
    required = [file for split, file in zip(SPLITS, REQUIRED_FILES, strict=True) if split in selected]
    names, first = " or ".join(file.path for file in required), required[0]
    raise DataError(f"{data}: expected the folder {names} with {first.what}, got none; it is from {first.home}")
