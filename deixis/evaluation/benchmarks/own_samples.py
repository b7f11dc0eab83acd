"""Any samples as a benchmark: every question is asked, and its answer is compared with the sample's.

An answer's regions are compared with the expected ones in whatever form both have; its words as yes or no, as a short
answer, or word by word. So the same samples that a model is fine-tuned on, held out, say what it learnt.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from deixis.errors import DataError
from deixis.evaluation.benchmark import BenchmarkInfo, Example, RequiredFile
from deixis.evaluation.metrics.aggregation import ExampleMetrics, Metric, mean
from deixis.evaluation.metrics.answer_text import parse_yes_no
from deixis.evaluation.metrics.f1 import multiset_f1
from deixis.evaluation.metrics.region_iou import matched_iou
from deixis.evaluation.metrics.vqa import vqa_text
from deixis.geometry import Reference, named_regions, parse_markup, without_references
from deixis.inference import Answer
from deixis.samples.conversations import with_turns
from deixis.samples.sample import Sample, Skipped
from deixis.samples.shards import open_samples

SHORT_WORDS = 5
"""Answers of up to so many words are compared as a whole, longer ones word by word."""


def _ours(name: str, key: str, meaning: str) -> Metric:
    return mean(name, key, meaning, official=False, scale=1)


_METRICS = (
    _ours("IoU", "iou", "mean IoU of the regions, matched one to one; a missing or additional one counts 0"),
    _ours("F1@0.5", "f1", "F1 of the regions of IoU ≥ 0.5, matched one to one"),
    _ours("found or none", "found", "accuracy: a region where one is expected, none where there is none"),
    _ours("yes or no", "yes_no", "accuracy: the answer states yes or no as expected"),
    _ours("short answer", "exact", "accuracy: equal to an answer that is right, both normalised as in VQA"),
    _ours("words F1", "words", "F1 of the words of answers of more than five words"),
)
_INFO = BenchmarkInfo(
    name="samples",
    title="Samples of your own",
    required_files=(
        RequiredFile("*.jsonl or *.tar", "samples, as deixis data read writes them", "docs/DATA.md", "own"),
    ),
    metrics=_METRICS,
    notes=(
        "A later question of a conversation is asked behind the earlier ones and their right answers.",
        "Regions are compared in the predicted form: a box with the box around a mask, a mask with a mask.",
        "95 % CI: bootstrap confidence interval over the media.",
    ),
    options={"split": "only samples of this split (default: all)"},
)


class OwnSamples:
    """The samples of a folder of shards, by task."""

    info = _INFO

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        """In the order of the shards. Raises DataError where no sample is of the split."""
        split, others = options.get("split"), set()
        found = False
        for _, sample in open_samples(data):
            if isinstance(sample, Skipped):
                yield sample
            elif split is not None and sample.split != split:
                others.add(sample.split)
            else:
                found = True
                yield from examples_of(sample)
        if not found and others:
            raise DataError(f"split: expected one of {', '.join(sorted(others))}, which {data} has; got {split!r}")

    def example_metrics(self, example: Example, answer: Answer) -> ExampleMetrics:
        return {**_region_metrics(example.ground_truth, answer), **_word_metrics(example.ground_truth, answer)}


def examples_of(sample: Sample) -> Iterator[Example]:
    """The questions of a sample, each about the regions that it names; the ground truth is its answer, a sample too."""
    group = sample.signals[0].id if sample.signals else sample.id
    for number, turn in enumerate(sample.turns):
        truth = with_turns(sample, (turn,))
        user, asked = truth.turns[0].user, len(named_regions(turn.user))
        where = (f"{sample.id}/{number}" if number else sample.id, sample.task, group)
        earlier = with_turns(sample, sample.turns[:number]) if number else None
        yield Example(*where, user, sample.signals, truth, truth.regions[:asked], sample=truth, earlier=earlier)


def _region_metrics(truth: Sample, answer: Answer) -> dict[str, float]:
    """The metrics of regions, where the expected answer refers to some, or says that there is none."""
    references = [piece for piece in parse_markup(truth.turns[0].assistant) if isinstance(piece, Reference)]
    if not references:
        return {}
    expected = [truth.regions[index] for index in dict.fromkeys(i for own in references for i in own.indices)]
    predicted = [region for region in answer.regions if not region.is_empty]
    found = {"found": float(bool(predicted) == bool(expected))}
    if not expected:
        return found
    iou, f1 = matched_iou(predicted, expected)
    return {"iou": iou, "f1": f1, **found}


def _word_metrics(truth: Sample, answer: Answer) -> dict[str, float]:
    """The metrics of words, where the expected answer has any beside the phrases of regions."""
    turn = truth.turns[0]
    pieces = parse_markup(turn.assistant)
    if all(isinstance(piece, Reference) or not vqa_text(piece.text) for piece in pieces):
        return {}
    expected = vqa_text(without_references(pieces))
    given = vqa_text(answer.text)
    if expected in ("yes", "no"):
        return {"yes_no": float(parse_yes_no(answer.text) == expected)}
    if len(expected.split()) > SHORT_WORDS:
        return {"words": multiset_f1(given.split(), expected.split())}
    if any(isinstance(piece, Reference) for piece in pieces):
        return {}
    right = {expected, *(vqa_text(without_references(parse_markup(other))) for other in turn.references)}
    return {"exact": float(given in right)}
