"""The interface of a benchmark: it yields examples, scores each answer, and describes itself (`BenchmarkInfo`).

A benchmark is a small class in `deixis.evaluation.benchmarks`. It reads the official files, words the questions and
computes per-example metrics; asking, resuming and reporting are the same for all (`runner`, `evaluate`). It knows no
model.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from deixis.evaluation.metrics.aggregation import ExampleMetrics, Metric
from deixis.geometry import Region
from deixis.inference import Answer
from deixis.samples.sample import MediaReference, Sample, Skipped

JUDGE_PREFIX = "judge_"
"""Prefix of the options that configure the judge (`JudgedBenchmark`); they may change when a run resumes."""
GENERATED, TEACHER_FORCED = "generated", "forced"
"""Modes: the model generates its answer; or it is teacher-forced: the target answer is fed, and only masks are read."""


@dataclass(frozen=True)
class RequiredFile:
    """A file or folder that a benchmark reads. path: relative to --data, or a pattern. home: its official address."""

    path: str
    what: str
    home: str
    licence: str


@dataclass(frozen=True)
class PublishedScore:
    """Scores of a system in a paper: values by metric as printed. part: as in `Example`."""

    system: str
    part: str
    values: Mapping[str, float]
    source: str


@dataclass(frozen=True)
class BenchmarkInfo:
    """The description of a benchmark, known before it runs.

    notes: sentences under every table, on how answers are obtained and how empty targets and several masks are scored.
    modes: the supported ones of GENERATED and TEACHER_FORCED, the default first. options: name -> meaning and permitted
    values. answer_form: the form that the model's answers must support ("mask"), checked before anything is asked.
    combined_parts: rows of the table that combine several parts ("test overall": ("test short", "test long")).
    """

    name: str
    title: str
    required_files: tuple[RequiredFile, ...]
    metrics: tuple[Metric, ...]
    notes: tuple[str, ...]
    published: tuple[PublishedScore, ...] = ()
    modes: tuple[str, ...] = (GENERATED,)
    options: Mapping[str, str] = field(default_factory=dict)
    max_new_tokens: int = 160
    answer_form: str | None = None
    combined_parts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Example:
    """One question with its ground truth.

    part: the subset that it counts in, a row of the table ("val", "testA"). group: the unit that the bootstrap
    resamples, such as the image. text, regions: the question in markup. media: unopened. ground_truth: whatever
    `example_metrics` needs. answer_form: the form that the answer must have. forced_answer: the target answer in markup
    for TEACHER_FORCED, about the regions of `sample`. sample: question and ground truth in the sample format, for
    drawing. earlier: the conversation that the question follows, with its answers. max_new_tokens: overrides that of
    `BenchmarkInfo`.
    """

    id: str
    part: str
    group: str
    text: str
    media: tuple[MediaReference, ...]
    ground_truth: Any = field(repr=False)
    regions: tuple[Region, ...] = ()
    answer_form: str | None = None
    forced_answer: str | None = None
    sample: Sample | None = field(default=None, repr=False)
    earlier: Sample | None = field(default=None, repr=False)
    max_new_tokens: int | None = None


@dataclass(frozen=True)
class ExampleResult:
    """The result of one example, as stored on disk. answer: `Answer.to_dict()`. failure: why there is no answer."""

    id: str
    part: str
    group: str
    question: str
    answer: Mapping[str, Any]
    raw: str
    metrics: ExampleMetrics
    failure: str | None = None


@runtime_checkable
class Benchmark(Protocol):
    """What the classes of `deixis.evaluation.benchmarks` implement; they inherit nothing."""

    @property
    def info(self) -> BenchmarkInfo: ...

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        """The examples in the official order, deterministic; unreadable ones as `Skipped`.

        options: the benchmark's own, and "notation", the notation of the model, which selects the wording of questions
        (`benchmarks.wording`; plain wording without it). Raises InputError: a required file is missing, or an option
        has a value that is not permitted.
        """
        ...

    def example_metrics(self, example: Example, answer: Answer) -> ExampleMetrics:
        """The per-example metrics of one answer, also of an empty one: plain JSON values."""
        ...


@runtime_checkable
class CorpusBenchmark(Protocol):
    """A benchmark with metrics that depend on all examples."""

    def corpus_metrics(self, rows: Sequence[ExampleResult]) -> Sequence[ExampleResult]:
        """The results with those metrics added per example (such as CIDEr, by its document frequencies)."""
        ...


def corpus_metrics(benchmark: Benchmark, rows: Sequence[ExampleResult]) -> Sequence[ExampleResult]:
    """The results with the corpus metrics of a benchmark; unchanged if it has none."""
    return benchmark.corpus_metrics(rows) if isinstance(benchmark, CorpusBenchmark) else rows


Cell = tuple[str, str]
"""(part, name of a metric): what one number of the table is of."""


@runtime_checkable
class BenchmarkWithBaselines(Protocol):
    """A benchmark with scores of answers that ignore the signal, or with minimum scores."""

    def baselines(self, examples: Sequence[Example]) -> Mapping[str, Mapping[Cell, float]]:
        """Additional columns by name, such as "majority" and "floor": fractions by cell."""
        ...


@runtime_checkable
class JudgedBenchmark(Protocol):
    """A benchmark whose answers a language model judges, after corpus metrics are added."""

    def judge(
        self, rows: Sequence[ExampleResult], options: Mapping[str, str], folder: Path
    ) -> tuple[Sequence[ExampleResult], Sequence[str]]:
        """The results with the judge's metrics, and sentences on what is missing or failed.

        options: those that begin with `JUDGE_PREFIX`. folder: of the run, where responses are cached. Without a judge,
        or where it fails, its metrics are missing.
        """
        ...
