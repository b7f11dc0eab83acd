"""The report of a run: a table for a terminal, JSON for a program, and every prediction on a line of its own."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from deixis.evaluate.loop import TaskResult

NOT_LEARNT_WITHIN = 0.10  # of what a blind or a constant answer scores
DIGITS = 4
FAILURES_SHOWN = 5


@dataclass(frozen=True)
class Report:
    """The results of one run by task, the seeds of its scenes and the model's name."""

    tasks: Mapping[str, TaskResult]
    seeds: Mapping[str, Any]
    model: str = ""

    def to_json(self) -> dict[str, Any]:
        """{"tasks": {name: {"score", "n", "ci95", "blind", "majority"}}, "seeds", "model"}; null where not known."""
        tasks = {
            name: {
                "score": _rounded(result.score),
                "n": result.n,
                "ci95": [_rounded(edge) for edge in result.ci95],
                "blind": _rounded(result.blind),
                "majority": _rounded(result.majority),
            }
            for name, result in self.tasks.items()
        }
        return {"tasks": tasks, "seeds": dict(self.seeds), "model": self.model}

    def table(self) -> Table:
        """The table by task: score with its interval, the two baselines, the floor and whether it is reached."""
        seeds = f"{self.seeds['split']} scenes {self.seeds['first']} to {self.seeds['last']}"
        title = f"{self.model or 'model'}, {seeds}, answers generated"
        table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
        for column in ("task", "metric"):
            table.add_column(column, no_wrap=True)
        for column in ("score", "95 %", "n", "blind", "majority", "floor"):
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("note")
        for name, result in self.tasks.items():
            low, high = result.ci95
            cells = (f"{result.score:.3f}", f"{low:.2f}–{high:.2f}", str(result.n))
            others = ("" if v is None else f"{v:.2f}" for v in (result.blind, result.majority, result.floor))
            note = "; ".join(filter(None, (floor_note(result), learning_note(result))))
            table.add_row(name, result.metric, *cells, *others, note)
        return table

    def failures(self) -> list[str]:
        """One line a task that had questions refused: how many, and the first few."""
        lines = []
        for name, result in self.tasks.items():
            if failed := result.failures:
                more = f" and {len(failed) - FAILURES_SHOWN} more" if len(failed) > FAILURES_SHOWN else ""
                lines.append(f"{name}: {len(failed)} of {result.n} failed: {'; '.join(failed[:FAILURES_SHOWN])}{more}")
        return lines

    def predictions(self) -> Iterable[dict[str, Any]]:
        """Every question with its answer, the right answer and the value it got, task by task."""
        for name, result in self.tasks.items():
            for reply, value in zip(result.replies, result.values, strict=True):
                example, answer = reply.example, reply.answer.to_json()
                yield {
                    "task": name,
                    "id": example.id,
                    "question": example.question.text,
                    "text": answer["text"],
                    "phrases": answer["phrases"],
                    "raw": reply.answer.raw,
                    "right": example.truth.turns[-1].assistant,
                    "value": _rounded(value),
                    "failure": reply.failure,
                }


def learning_note(result: TaskResult) -> str:
    """The words "not learnt" with the baseline that is near, for a score within 0.10 of one or below it; else empty."""
    near = [
        name
        for name, baseline in (("blind", result.blind), ("majority", result.majority))
        if baseline is not None and result.score - baseline <= NOT_LEARNT_WITHIN
    ]
    return f"not learnt: near {', '.join(near)}" if near else ""


def floor_note(result: TaskResult) -> str:
    """Whether the score reaches the floor, or by how much it misses it; empty for a task without one."""
    if result.floor is None:
        return ""
    return "reached" if result.score >= result.floor else f"missed by {result.floor - result.score:.3f}"


def write_json(value: Any, path: Path) -> None:
    """Writes one JSON value, readable, and whole or not at all."""
    write_lines([json.dumps(value, indent=2, ensure_ascii=False)], path)


def write_predictions(report: Report, path: Path) -> None:
    """Writes the report's predictions, one JSON object a line, and whole or not at all."""
    write_lines((json.dumps(row, ensure_ascii=False) for row in report.predictions()), path)


def write_lines(lines: Iterable[str], path: Path) -> None:
    """Writes lines under a temporary name beside `path`, then renames: no reader sees half a file."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8") as stream:
            stream.writelines(f"{line}\n" for line in lines)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), DIGITS)
