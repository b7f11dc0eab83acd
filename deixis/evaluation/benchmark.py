"""What a benchmark is: examples in, a verdict on each answer out, and numbers of all verdicts.

A benchmark is a small class with `facts` and three methods (`Benchmark`), in `deixis/evaluate/benchmarks`. It reads the
official files, says how a question is put, and judges; asking, resuming and reporting are the loop's (`playing`), the
same for all. It knows no model.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from deixis.evaluation.metrics.scores import Marks, Metric
from deixis.geometry import Region
from deixis.inference import Answer
from deixis.samples.sample import Medium, Sample
from deixis.samples.skipped import Skipped

JUDGE = "judge_"
"""Options that begin so say who judges (`Judged`), and may change between runs that share answers."""
GENERATED, FORCED = "generated", "forced"
"""How an answer is had: the model writes it; or it is given the right text and only points (`Model.score`)."""


@dataclass(frozen=True)
class Wanted:
    """A file or folder that a benchmark reads. path: relative to --data, or a pattern. home: where it officially is."""

    path: str
    what: str
    home: str
    licence: str


@dataclass(frozen=True)
class Published:
    """What a paper says a system scores: values by metric, as the paper prints them; `part` as in rows."""

    system: str
    part: str
    values: Mapping[str, float]
    source: str


@dataclass(frozen=True)
class Facts:
    """What there is to know of a benchmark before it runs.

    means: what a score of it means, in sentences that stand under every table: how answers are had, which text of
    several, the rule for empty targets, one mask or many. modes: which of GENERATED and FORCED it has, the usual one
    first. options: further options by name, each with its meaning and the values it takes. want: the form that every
    answer must be able to have ("mask"): a model without it is refused before anything is asked. unions: rows of the
    table that are several parts together ("test overall": ("test short", "test long")).
    """

    name: str
    title: str
    wants: tuple[Wanted, ...]
    metrics: tuple[Metric, ...]
    means: tuple[str, ...]
    published: tuple[Published, ...] = ()
    modes: tuple[str, ...] = (GENERATED,)
    options: Mapping[str, str] = field(default_factory=dict)
    max_new_tokens: int = 160
    want: str | None = None
    unions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Example:
    """One question with the truth that its answer is judged by.

    part: the row of the table it counts in ("val", "testA"); group: what is right or wrong together, such as the
    picture. text, regions: the question in markup. media: not yet opened. want: the form the answer must be able to
    have. truth: whatever the verdict needs. forced: the right answer in markup with the regions of `sample`, for
    FORCED. sample: question and truth as the sample format has them, for drawing. max_new_tokens: where the answer is
    cut, if elsewhere than `Facts` has it.
    """

    id: str
    part: str
    group: str
    text: str
    media: tuple[Medium, ...]
    truth: Any = field(repr=False)
    regions: tuple[Region, ...] = ()
    want: str | None = None
    forced: str | None = None
    sample: Sample | None = field(default=None, repr=False)
    max_new_tokens: int | None = None


@dataclass(frozen=True)
class Row:
    """One example's outcome, as it is kept on disk. answer: `Answer.to_json()`. failure: why there is no answer."""

    id: str
    part: str
    group: str
    question: str
    answer: Mapping[str, Any]
    raw: str
    marks: Marks
    failure: str | None = None


@runtime_checkable
class Benchmark(Protocol):
    """A benchmark; classes of `deixis.evaluation.benchmarks` have these, and inherit nothing."""

    @property
    def facts(self) -> Facts:
        """What there is to know before it runs."""
        ...

    def examples(self, data: Path, options: Mapping[str, str]) -> Iterator[Example | Skipped]:
        """The examples in the official order, always the same; what cannot be read as Skipped.

        options: the benchmark's own, and "notation", that of the model, whose words the questions are put in
        (`benchmarks.wording`; plain words where there is none).

        Raises ValueError, naming it, where a file that is needed is missing or no such file.
        """
        ...

    def verdict(self, example: Example, answer: Answer) -> Marks:
        """The marks of one answer: plain JSON values that the metrics add up. An empty answer has marks too."""
        ...

    def finish(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows with marks that need all of them (a caption metric's document frequencies) or a judge."""
        ...


@runtime_checkable
class Judged(Protocol):
    """A benchmark whose answers a language model judges, once all are there; called after `finish`."""

    def judge(
        self, rows: Sequence[Row], options: Mapping[str, str], folder: Path
    ) -> tuple[Sequence[Row], Sequence[str]]:
        """The rows with the judge's marks, and sentences on what is missing or went wrong.

        options: those that begin with `JUDGE`. folder: of the run, where what the judge says is kept, so that it is
        asked once. Without a judge, or where it fails on the way, marks are missing and a sentence says so.
        """
        ...
