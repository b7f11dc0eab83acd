"""One loop for every benchmark: examples are asked in batches, their answers judged, and the verdicts summed up.

A benchmark is a dict of `Task`s and the examples of each; it knows how to draw questions and what makes an answer
right. The loop knows neither. Answers are always generated; nothing of the right answer is ever given to the model.
Tasks that judge the same questions in different ways share one asking.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from deixis.assistant import Answer, Question
from deixis.evaluate.metrics import bootstrap_ci95, weighted_mean

Verdict = tuple[float, float]  # value 0..1 and its weight in the mean
BATCH = 32


@runtime_checkable
class Player(Protocol):
    """Whatever answers questions: `deixis.assistant.Model`, or a script in a test."""

    def answer(self, questions: Sequence[Question], max_new_tokens: int) -> list[Answer]:
        """One answer a question, in order."""
        ...


@dataclass(frozen=True)
class Example:
    """One question and what a verdict needs to judge its answer; `medium` names the signal the question is about."""

    id: str
    medium: str
    question: Question
    truth: Any = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Task:
    """One line of the table.

    questions: key of the examples it is judged on. metric: what the score is, in words. verdict: judges an answer by
    an example's truth. majority: what the best constant answer scores on some examples, None where there is no such
    thing. floor: the score that was promised, if one was. max_new_tokens: where an answer is cut.
    """

    questions: str
    metric: str
    verdict: Callable[[Any, Answer], Verdict]
    majority: Callable[[Sequence[Example]], float] | None = None
    floor: float | None = None
    max_new_tokens: int = 48


@dataclass(frozen=True)
class Reply:
    """What came back for one example; `failure` is the sentence of the error if the question was refused."""

    example: Example
    answer: Answer
    failure: str | None = None


@dataclass(frozen=True)
class TaskResult:
    """The line of one task: score, number of examples, interval, what blind and constant answers get, replies."""

    score: float
    n: int
    ci95: tuple[float, float]
    blind: float | None
    majority: float | None
    metric: str
    floor: float | None
    values: tuple[float, ...] = field(repr=False)
    replies: tuple[Reply, ...] = field(repr=False)

    @property
    def failures(self) -> list[str]:
        """The examples that got no answer, each with the reason; they count as wrong."""
        return [f"{reply.example.id}: {reply.failure}" for reply in self.replies if reply.failure]


def run_tasks(
    tasks: Mapping[str, Task],
    examples: Mapping[str, Sequence[Example]],
    player: Player,
    blind: Player | None = None,
    batch: int = BATCH,
    advance: Callable[[int], None] = lambda asked: None,
) -> dict[str, TaskResult]:
    """The results of `tasks` by name. `blind` answers the same questions again; `advance` hears how many were asked."""
    needed: dict[str, int] = {}
    for task in tasks.values():
        needed[task.questions] = max(task.max_new_tokens, needed.get(task.questions, 0))
    rounds = [player] if blind is None else [player, blind]
    replies = {
        key: [play(one, examples[key], tokens, batch, advance) for one in rounds] for key, tokens in needed.items()
    }
    return {name: _result(task, replies[task.questions]) for name, task in tasks.items()}


def play(
    player: Player,
    examples: Sequence[Example],
    max_new_tokens: int,
    batch: int = BATCH,
    advance: Callable[[int], None] = lambda asked: None,
) -> list[Reply]:
    """The replies to all examples, asked `batch` at a time.

    A batch that is refused is asked again one by one, so that only the example at fault fails; its answer is empty.
    """
    replies: list[Reply] = []
    for start in range(0, len(examples), batch):
        some = examples[start : start + batch]
        try:
            answers = player.answer([example.question for example in some], max_new_tokens)
            replies += [Reply(example, answer) for example, answer in zip(some, answers, strict=True)]
        except ValueError:
            replies += [_reply(player, example, max_new_tokens) for example in some]
        advance(len(some))
    return replies


def _reply(player: Player, example: Example, max_new_tokens: int) -> Reply:
    try:
        return Reply(example, player.answer([example.question], max_new_tokens)[0])
    except ValueError as error:
        return Reply(example, Answer("", (), example.question.signals), str(error))


def _result(task: Task, rounds: Sequence[Sequence[Reply]]) -> TaskResult:
    verdicts = [[_judged(task, reply) for reply in replies] for replies in rounds]
    values, weights = ([verdict[i] for verdict in verdicts[0]] for i in (0, 1))
    examples = [reply.example for reply in rounds[0]]
    blind = weighted_mean(*map(list, zip(*verdicts[1], strict=True))) if len(rounds) > 1 and examples else None
    return TaskResult(
        score=weighted_mean(values, weights),
        n=len(examples),
        ci95=bootstrap_ci95(values, weights, [example.medium for example in examples]),
        blind=blind,
        majority=task.majority(examples) if task.majority and examples else None,
        metric=task.metric,
        floor=task.floor,
        values=tuple(values),
        replies=tuple(rounds[0]),
    )


def _judged(task: Task, reply: Reply) -> Verdict:
    value, weight = task.verdict(reply.example.truth, reply.answer)
    return (0.0, weight) if reply.failure else (value, weight)
