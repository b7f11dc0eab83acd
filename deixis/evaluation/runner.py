"""The evaluation loop: examples are asked in blocks, each stored as one file, so that a stopped run resumes and several
processes can share one.

    OUT/rows/00000.jsonl     the results of examples 0 .. 31 and their digest, complete or absent
    OUT/rows/00001.lock      locked by the process that works on block 1; released if it dies
    OUT/run.json             the settings and the model

An example that the model refuses (`DeixisError`) is a result too: counted, listed, and scored as an empty answer. Any
other exception stops the run; its finished blocks stay, so that it resumes there.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from hashlib import blake2b
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from deixis.conversation import open_signals, question_sample, with_answer
from deixis.errors import DataError, DeixisError, InputError, UnsupportedError
from deixis.evaluation.benchmark import JUDGE_PREFIX, TEACHER_FORCED, Benchmark, BenchmarkInfo, Example, ExampleResult
from deixis.files.locks import claimed
from deixis.files.state import fields_of, read_state, stored
from deixis.files.whole import whole_file
from deixis.geometry import Region
from deixis.inference import Answer, Model
from deixis.inference.abilities import WANTS
from deixis.samples.sample import Sample, Skipped

BLOCK = 32
ASK_AGAIN = "remove it, and the same command asks these examples again"
WAIT_S = 0.2
TargetAnswer = tuple[str, tuple[Region, ...]]
"""A target answer in markup, and the regions that it refers to."""


@runtime_checkable  # isinstance is what the tests' type checks call
class EvaluatedModel(Protocol):
    """What the loop asks: `ModelAdapter`, or a script in a test."""

    name: str

    def answer(self, samples: Sequence[Sample], max_new_tokens: int) -> list[Answer]:
        """One generated answer per question, in order."""
        ...

    def point(self, samples: Sequence[Sample], targets: Sequence[TargetAnswer]) -> list[Answer]:
        """One teacher-forced answer per question: the target's text, with the masks that the model predicts for it."""
        ...


@dataclass(frozen=True)
class EvaluationRun:
    """The settings of a run. data: the folder of the official files. limit: examples per part."""

    benchmark: Benchmark
    data: Path
    options: Mapping[str, str]
    mode: str
    limit: int | None = None
    batch: int = 8

    def description(self, model: str) -> dict[str, Any]:
        """What must be equal for a run to resume; the judge may change, for its scores are computed afterwards."""
        return {
            "benchmark": self.benchmark.info.name,
            "data": _as_unicode(str(self.data)),
            "options": {
                name: _as_unicode(value) for name, value in self.options.items() if not name.startswith(JUDGE_PREFIX)
            },
            "mode": self.mode,
            "limit": self.limit,
            "model": _as_unicode(model),
        }


def _as_unicode(text: str) -> str:
    """The text, with halves of characters written out: names of files may have them, a file that is read again not."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def run_examples(
    run: EvaluationRun, model: EvaluatedModel, folder: Path, advance: Callable[[int], None] = lambda count: None
) -> tuple[list[ExampleResult], list[Skipped]]:
    """The results of all examples, in order, and what was skipped; finished blocks are read from disk.

    Several processes may run it on one folder at a time: each takes blocks that no other works on, and all return all
    results. Raises InputError: the folder holds a run with other settings.
    """
    rows = folder / "rows"
    rows.mkdir(parents=True, exist_ok=True)
    _open_run(folder, run.description(model.name))
    results: dict[int, list[ExampleResult]] = {}
    waiting = True
    # A pass takes every free block; passes repeat while other processes still work on theirs.
    while waiting:
        waiting, skipped = False, []
        for number, block in enumerate(_blocks(run, skipped)):
            path = rows / f"{number:05d}.jsonl"
            if number not in results and not path.is_file():
                with claimed(path.with_suffix(".lock")) as mine:
                    # Checked again under the lock: the block may have been finished between the check and the lock.
                    if mine and not path.is_file():
                        _write_block(path, ask(run, model, block))
                        advance(len(block))
            if number not in results and path.is_file():
                results[number] = _read_block(path, block)
            waiting = waiting or number not in results
        if waiting:
            time.sleep(WAIT_S)
    return [row for number in sorted(results) for row in results[number]], skipped


def examples(run: EvaluationRun) -> Iterator[Example | Skipped]:
    """The examples of a run, at most `limit` per part, and what was skipped."""
    seen: dict[str, int] = {}
    for example in run.benchmark.examples(run.data, run.options):
        if isinstance(example, Example):
            seen[example.part] = seen.get(example.part, 0) + 1
            if run.limit is not None and seen[example.part] > run.limit:
                continue
        yield example


def _blocks(run: EvaluationRun, skipped: list[Skipped]) -> Iterator[list[Example]]:
    """The examples in blocks; what could not be read is added to `skipped`."""

    def readable() -> Iterator[Example]:
        for example in examples(run):
            if isinstance(example, Skipped):
                skipped.append(example)
            else:
                yield example

    stream = readable()
    while block := list(islice(stream, BLOCK)):
        yield block


def ask(run: EvaluationRun, model: EvaluatedModel, block: Sequence[Example]) -> list[ExampleResult]:
    """The results of some examples, asked `batch` at a time with the same maximum answer length."""
    rows: list[ExampleResult] = []
    for _, group in groupby(block, lambda example: _max_new_tokens(run, example)):
        while batch := list(islice(group, run.batch)):
            answers = answer_or_refuse(batch, partial(_answers, run, model))
            rows += [_result(run.benchmark, example, answer) for example, answer in zip(batch, answers, strict=True)]
    return rows


def answer_or_refuse(
    batch: Sequence[Any], answer: Callable[[Sequence[Any]], Sequence[Answer]]
) -> list[Answer | DeixisError]:
    """An answer or the model's refusal per question; a refused batch is asked again one by one."""
    try:
        return list(answer(batch))
    except DeixisError as error:
        return [error] if len(batch) == 1 else [answer_or_refuse([one], answer)[0] for one in batch]


def _max_new_tokens(run: EvaluationRun, example: Example) -> int:
    return example.max_new_tokens or run.benchmark.info.max_new_tokens


def _answers(run: EvaluationRun, model: EvaluatedModel, batch: Sequence[Example]) -> list[Answer]:
    samples = [question_sample(e.text, e.media, e.regions, e.earlier, e.answer_form) for e in batch]
    with open_signals(samples) as opened:  # here, so that the same file serves the whole batch
        if run.mode == TEACHER_FORCED:
            targets = [(e.forced_answer or "", e.sample.regions if e.sample else ()) for e in batch]
            return model.point(opened, targets)
        return model.answer(opened, _max_new_tokens(run, batch[0]))


def _result(benchmark: Benchmark, example: Example, answer: Answer | DeixisError) -> ExampleResult:
    failure, scored = (str(answer), Answer("", (), ())) if isinstance(answer, DeixisError) else (None, answer)
    metrics = benchmark.example_metrics(example, scored)
    asked = (example.id, example.part, example.group, example.text)
    return ExampleResult(*asked, scored.to_dict(), scored.raw, metrics, failure)


def _write_block(path: Path, rows: Sequence[ExampleResult]) -> None:
    lines = [json.dumps(asdict(row)) for row in rows]
    with whole_file(path) as part:
        part.write_text("\n".join([*lines, _last_line(lines)]) + "\n", encoding="ascii")


def _read_block(path: Path, block: Sequence[Example]) -> list[ExampleResult]:
    """The stored results of the examples of a block. Raises DataError for a damaged file, or one of other examples."""
    with stored(path, ASK_AGAIN):
        *lines, last = path.read_text(encoding="ascii").removesuffix("\n").split("\n")
        if last != _last_line(lines):
            raise DataError("its last line is not the digest of the others")
        rows = [ExampleResult(**json.loads(line)) for line in lines]
        if [row.id for row in rows] != [example.id for example in block]:
            raise DataError("its results are not of the examples that the files of --data have now")
        return rows


def _last_line(lines: Sequence[str]) -> str:
    return json.dumps({"digest": blake2b("\n".join(lines).encode("ascii"), digest_size=8).hexdigest()})


def _open_run(folder: Path, description: dict[str, Any]) -> None:
    path = folder / "run.json"
    if not path.is_file():
        write_json_lines(path, [description], indent=1)
    earlier = read_state(path, fields_of, f"remove the folder '{folder}' to begin again")
    for name, value in description.items():
        if earlier.get(name) != value:
            raise InputError(
                f"{folder}: holds another run (its {name} is {earlier.get(name)!r}, now it is {value!r}); choose "
                "another folder, or remove this one"
            )


def write_json_lines(path: Path, records: Iterable[Mapping[str, Any]], indent: int | None = None) -> None:
    """Writes a file with one JSON object per record, complete or not at all."""
    # names of files may hold halves of characters, which become JSON's own escapes
    with whole_file(path) as part, part.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(json.dumps(record, ensure_ascii=False, indent=indent) + "\n" for record in records)


FINGERPRINT_VALUES = 16
"""Evenly spaced values of each tensor that enter the fingerprint."""


class ModelAdapter:
    """A model as `EvaluatedModel`. name: the model's name with the fingerprint of its weights."""

    def __init__(self, model: Model, name: str = ""):
        self.model = model
        network = model.network if hasattr(model, "network") else model.classifier.network
        self.name = f"{name or model.name} ({weights_fingerprint(network)})"

    def answer(self, samples: Sequence[Sample], max_new_tokens: int) -> list[Answer]:
        """One generated answer per question, decoded greedily."""
        return self.model.answer(samples, max_new_tokens)

    def point(self, samples: Sequence[Sample], targets: Sequence[TargetAnswer]) -> list[Answer]:
        """One teacher-forced answer per question, in one forward pass: the target's text with the predicted masks.

        targets: per question an answer in markup ("[the cup]{0:mask}.") and the regions it refers to. Boxes are written
        into the text as coordinates; masks are never shown to the model. Raises DeixisError: the model predicts no
        masks, a region does not fit the signals, or it refuses the question.
        """
        if "mask" not in self.model.abilities["answers"]:
            raise UnsupportedError(
                f"'{self.model.name}': cannot answer teacher-forced, for it predicts no masks; {WANTS['mask']}"
            )
        answered = [with_answer(sample, *target) for sample, target in zip(samples, targets, strict=True)]
        return [scored.answer for scored in self.model.score(answered)]


def check_able(model: Model, info: BenchmarkInfo, mode: str) -> None:
    """Checks, before anything is asked, that the model's answers can have the form that a benchmark requires.

    Teacher-forced answers require a model that predicts masks: everything else in them is given. Raises
    UnsupportedError: the model does not support the form.
    """
    required = "mask" if mode == TEACHER_FORCED else info.answer_form
    supported = model.abilities["answers"]
    if required not in (None, "text", *supported):
        raise UnsupportedError(
            f"{info.name}: answers need a {required}, and '{model.name}' answers in {' and '.join(supported)}; "
            f"{WANTS[str(required)]}"
        )


def weights_fingerprint(network: torch.nn.Module) -> str:
    """Eight hexadecimal digits that change with the weights; equal on every device and in float32 and bfloat16."""
    digest = blake2b(digest_size=4)
    for name, tensor in network.state_dict().items():
        digest.update(name.encode())
        # Values of a quantised tensor (a subclass) cannot be read at single positions.
        if type(tensor) is torch.Tensor and tensor.numel():
            flat = tensor.detach().reshape(-1)
            at = torch.linspace(0, len(flat) - 1, min(FINGERPRINT_VALUES, len(flat)), device=flat.device).long()
            # Rounded to bfloat16, so that loading in half precision does not count as other weights.
            digest.update(flat[at].to(torch.bfloat16).float().cpu().numpy().tobytes())
    return digest.hexdigest()
