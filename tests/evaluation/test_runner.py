"""The loop: every example once, however often it is stopped and however many share it; failures are rows."""

import json
import multiprocessing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from deixis.errors import DataError, InputError
from deixis.evaluation.benchmark import GENERATED, TEACHER_FORCED, Benchmark, BenchmarkInfo, Example
from deixis.evaluation.metrics.aggregation import mean
from deixis.evaluation.runner import BLOCK, EvaluationRun, examples, run_examples
from deixis.inference import Answer
from deixis.samples.sample import MediaReference, Skipped

IMAGE = np.zeros((8, 8, 3), np.uint8)


class Parity:
    """Whether a number is even: as many examples as --data says, every tenth unreadable."""

    info = BenchmarkInfo("parity", "Parity", (), (mean("accuracy", "correct", "share of right answers"),), ("Plain.",))

    def examples(self, data, options):
        for number in range(int(data.name)):
            if number % 10 == 9:
                yield Skipped(f"number {number}", "it is unreadable")
                continue
            medium = MediaReference(f"n/{number}", "image", values=IMAGE, size_hw=(8, 8))
            ground_truth = "even" if number % 2 == 0 else "odd"
            part = "low" if number < 50 else "high"
            yield Example(
                f"n/{number}",
                part,
                f"n/{number}",
                f"What is {number}?",
                (medium,),
                ground_truth,
                forced_answer=ground_truth,
            )

    def example_metrics(self, example, answer):
        return {"correct": answer.text == example.ground_truth}


@dataclass
class Counting:
    """Answers right, and writes down what it was asked; refuses numbers that end with `refuses`."""

    name: str = "counting"
    refuses: str = "none"
    stop_after: int | None = None
    asked: list[str] = field(default_factory=list)

    def answer(self, questions, max_new_tokens):
        numbers = [question.turns[-1].user.split()[-1].rstrip("?") for question in questions]
        if any(number.endswith(self.refuses) for number in numbers):
            raise InputError(f"no number that ends with {self.refuses}")
        if self.stop_after is not None and len(self.asked) >= self.stop_after:
            raise KeyboardInterrupt
        self.asked += numbers
        return [
            Answer("even" if int(n) % 2 == 0 else "odd", (), tuple(own.values for own in q.signals))
            for n, q in zip(numbers, questions, strict=True)
        ]

    def point(self, questions, given):
        return [
            Answer(text, (), tuple(own.values for own in question.signals))
            for question, (text, _) in zip(questions, given, strict=True)
        ]


def of(count: int, **options) -> EvaluationRun:
    assert isinstance(Parity(), Benchmark)
    return EvaluationRun(Parity(), Path(str(count)), {}, **{"mode": GENERATED} | options)


def test_every_example_is_asked_once_and_skipped_ones_are_reported(tmp_path):
    adapter, reported = Counting(), []
    rows, skipped = run_examples(of(75), adapter, tmp_path, reported.append)
    assert [row.id for row in rows] == [f"n/{n}" for n in range(75) if n % 10 != 9]
    assert all(row.metrics == {"correct": True} for row in rows)
    assert skipped == [Skipped(f"number {n}", "it is unreadable") for n in range(9, 75, 10)]
    assert sum(reported) == len(rows) == len(adapter.asked) == len(set(adapter.asked))
    assert not list(tmp_path.rglob("*.lock"))


def test_stopped_run_resumes_with_the_same_results(tmp_path):
    whole, _ = run_examples(of(120), Counting(), tmp_path / "whole")
    first = Counting(stop_after=BLOCK)
    with pytest.raises(KeyboardInterrupt):
        run_examples(of(120), first, tmp_path / "stopped")
    second = Counting()
    rows, _ = run_examples(of(120), second, tmp_path / "stopped")
    assert rows == whole
    assert not set(first.asked[:BLOCK]) & set(second.asked), "blocks that are done are not asked again"
    third = Counting()
    assert run_examples(of(120), third, tmp_path / "stopped")[0] == whole
    assert third.asked == []


def _share(folder: str, name: str, out: str) -> None:
    adapter = Counting()
    rows, _ = run_examples(of(200, batch=1), adapter, Path(folder))
    Path(out).write_text(json.dumps({"asked": adapter.asked, "rows": [row.id for row in rows]}))


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")  # nothing waits for the threads
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="its processes are forked")
def test_two_processes_share_one_run(tmp_path):
    context = multiprocessing.get_context("fork")
    outs = [tmp_path / f"{n}.json" for n in range(2)]
    shared = [context.Process(target=_share, args=(str(tmp_path / "run"), str(n), str(outs[n]))) for n in range(2)]
    for process in shared:
        process.start()
    for process in shared:
        process.join()
        assert process.exitcode == 0
    reported = [json.loads(path.read_text()) for path in outs]
    alone, _ = run_examples(of(200), Counting(), tmp_path / "alone")
    assert reported[0]["rows"] == reported[1]["rows"] == [row.id for row in alone]
    assert sorted(reported[0]["asked"] + reported[1]["asked"]) == sorted(row.id.removeprefix("n/") for row in alone)


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        pytest.param(lambda text: "", "its last line is not the digest", id="empty"),
        pytest.param(lambda text: text[: len(text) // 2], "its last line is not the digest", id="cut"),
        pytest.param(lambda text: text.replace("true", "null"), "its last line is not the digest", id="changed"),
        pytest.param(lambda text: "\n".join(text.split("\n")[1:]), "its last line is not the digest", id="shorter"),
        pytest.param(lambda text: text + "\xff", "ascii", id="no_text"),
    ],
)
def test_a_damaged_block_is_named_and_can_be_removed(tmp_path, damage, why):
    whole, _ = run_examples(of(75), Counting(), tmp_path)
    path = tmp_path / "rows" / "00001.jsonl"
    path.write_text(damage(path.read_text()), encoding="latin-1")
    with pytest.raises(DataError, match=f"'.*00001.jsonl': .* got a damaged file .*{why}.*; remove it, and .* again"):
        run_examples(of(75), Counting(), tmp_path)
    path.unlink()
    again = Counting()
    assert run_examples(of(75), again, tmp_path)[0] == whole
    assert len(again.asked) == BLOCK


def test_a_block_of_other_examples_is_refused(tmp_path):
    run_examples(of(75), Counting(), tmp_path)
    (tmp_path / "rows" / "00001.jsonl").replace(tmp_path / "rows" / "00000.jsonl")
    with pytest.raises(DataError, match=r"00000.jsonl': .*its results are not of the examples that the files"):
        run_examples(of(75), Counting(), tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00"])
def test_a_damaged_run_file_is_named(tmp_path, content):
    run_examples(of(5), Counting(), tmp_path)
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(
        DataError, match=f"run.json': .* got a damaged file .*; remove the folder '{tmp_path}' to begin"
    ):
        run_examples(of(5), Counting(), tmp_path)


def test_a_refused_example_fails_alone(tmp_path):
    rows, _ = run_examples(of(40), Counting(refuses="3"), tmp_path)
    failed = [row for row in rows if row.failure]
    assert [row.id for row in failed] == ["n/3", "n/13", "n/23", "n/33"]
    assert {row.failure for row in failed} == {"no number that ends with 3"}
    assert all(row.metrics == {"correct": False} for row in failed)
    assert sum(row.metrics["correct"] for row in rows) == len(rows) - 4


@pytest.mark.parametrize(
    "bug",
    [
        pytest.param(ValueError("zip() argument 2 is shorter than argument 1"), id="zip"),
        pytest.param(KeyError("phrase"), id="key"),
        pytest.param(OSError(28, "No space left on device"), id="full_disk"),
    ],
)
def test_a_bug_stops_the_run_which_resumes(tmp_path, bug):
    class Failing(Counting):
        def answer(self, questions, max_new_tokens):
            if len(self.asked) >= BLOCK:
                raise bug
            return super().answer(questions, max_new_tokens)

    with pytest.raises(type(bug)) as raised:
        run_examples(of(120), Failing(), tmp_path)
    assert raised.value is bug
    second = Counting()
    rows, _ = run_examples(of(120), second, tmp_path)
    assert not any(row.failure for row in rows)
    assert len(second.asked) == len(rows) - BLOCK


def test_unreadable_media_fail_alone(tmp_path):
    class Broken(Parity):
        def examples(self, data, options):
            for example in super().examples(data, options):
                gone = (
                    MediaReference(example.media[0].id, "image", "gone.png")
                    if example.id == "n/5"
                    else example.media[0]
                )
                yield Example(example.id, "all", example.group, example.text, (gone,), example.ground_truth)

    rows, _ = run_examples(EvaluationRun(Broken(), Path("8"), {}, GENERATED), Counting(), tmp_path)
    assert [row.id for row in rows if row.failure] == ["n/5"]
    assert "gone.png" in next(row.failure for row in rows if row.failure)


def test_limit_applies_per_part():
    limited = [e.id for e in examples(of(75, limit=3)) if isinstance(e, Example)]
    assert limited == ["n/0", "n/1", "n/2", "n/50", "n/51", "n/52"]


def test_teacher_forced_run_calls_point(tmp_path):
    adapter = Counting(refuses="")
    rows, _ = run_examples(of(8, mode=TEACHER_FORCED), adapter, tmp_path)
    assert all(row.metrics["correct"] and row.failure is None for row in rows)
    assert adapter.asked == []


def test_folder_of_another_run_is_refused(tmp_path):
    run_examples(of(8), Counting(), tmp_path)
    with pytest.raises(ValueError, match=r"holds another run \(its limit is None, now it is 3\)"):
        run_examples(of(8, limit=3), Counting(), tmp_path)
    with pytest.raises(ValueError, match=r"its model is 'counting', now it is 'other'"):
        run_examples(of(8), Counting("other"), tmp_path)


def test_a_run_resumes_whose_names_are_no_unicode(tmp_path):
    """Bytes that are no UTF-8 come as halves of characters: "caf" and b"\\xe9" of Latin-1."""
    cafe = "caf\udce9"
    first = EvaluationRun(Parity(), Path(cafe) / "8", {"list": cafe}, GENERATED)
    rows, _ = run_examples(first, Counting(cafe), tmp_path)
    adapter = Counting(cafe)
    assert run_examples(first, adapter, tmp_path)[0] == rows
    assert adapter.asked == []
    other = EvaluationRun(Parity(), Path("caf\udce8") / "8", {"list": cafe}, GENERATED)
    with pytest.raises(InputError, match=r"its data is 'caf\\\\udce9.8', now it is 'caf\\\\udce8.8'"):
        run_examples(other, adapter, tmp_path)


def test_run_resumes_with_another_judge(tmp_path):
    rows, _ = run_examples(EvaluationRun(Parity(), Path("8"), {"judge_model": "one"}, GENERATED), Counting(), tmp_path)
    adapter = Counting()
    again, _ = run_examples(EvaluationRun(Parity(), Path("8"), {"judge_model": "other"}, GENERATED), adapter, tmp_path)
    assert again == rows
    assert adapter.asked == []
    with pytest.raises(ValueError, match="holds another run"):
        run_examples(EvaluationRun(Parity(), Path("8"), {"notation": "lisa"}, GENERATED), adapter, tmp_path)
