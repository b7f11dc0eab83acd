"""A language model as judge (LLM-as-a-judge) that scores two answers, in both orders, `TRIES` times each.

    order 1: reference, ours      order 2: ours, reference

A judge favours the answer that it reads first, and its scores vary; both effects are measured. Responses are cached on
disk by request, so that a run that was stopped, or that had no judge, resumes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deixis.errors import DeixisError, InputError
from deixis.evaluation.benchmark import JUDGE_PREFIX
from deixis.evaluation.metrics.aggregation import ExampleMetrics, Metric, mean, ratio
from deixis.language.endpoint import STOPS_ALL, Endpoint
from deixis.systems.ferret.bench import MAX_TOKENS, TEMPERATURE, judge_messages, official_scores, parse_scores

TRIES = 3
NUMBERS = ("max_cost_usd", "usd_per_million_in", "usd_per_million_out", "temperature")
OPTIONS = {
    f"{JUDGE_PREFIX}url": "OpenAI-compatible endpoint of the judge, such as http://localhost:8000/v1",
    f"{JUDGE_PREFIX}model": "model name of the judge",
    f"{JUDGE_PREFIX}key_env": "environment variable with the API key (not needed for a server without keys)",
    f"{JUDGE_PREFIX}max_cost_usd": "maximum total cost (default 0: a server without prices)",
    f"{JUDGE_PREFIX}usd_per_million_in": "price of a million input tokens; not needed for a local server",
    f"{JUDGE_PREFIX}usd_per_million_out": "price of a million output tokens",
    f"{JUDGE_PREFIX}temperature": f"sampling temperature of the judge (default {TEMPERATURE}, as officially)",
    f"{JUDGE_PREFIX}length_field": "max_completion_tokens for models that refuse max_tokens",
}
NO_JUDGE = (
    f"The answers are complete but not judged, for no judge is configured: the same command with {JUDGE_PREFIX}url and "
    f"{JUDGE_PREFIX}model resumes here."
)


def _between_tries(*sums: Any) -> Any:
    """The standard deviation of the score over tries. sums: ours and the reference's, alternating, per try."""
    return np.std(_scores(sums), axis=0, ddof=1)


def _by_order(*sums: Any) -> Any:
    """The score with ours read first minus that with ours read last."""
    last, first = _scores(sums)
    return first - last


def _scores(sums: Sequence[Any]) -> list[Any]:
    return [ratio(ours, its, undefined=1.0) for ours, its in zip(sums[::2], sums[1::2], strict=True)]


METRICS = (
    mean("score", "official ours", "our score / the reference's, one request, reference first", "official reference"),
    mean("score, both orders", "ours", "the same, mean of both orders and all tries", "reference", official=False),
    Metric(
        "between tries", _between_tries, tuple(f"{who} {n}" for n in range(TRIES) for who in ("ours", "reference")),
        "standard deviation of the score over tries, both orders", official=False,
    ),
    Metric(
        "order", _by_order, tuple(f"{who} {when}" for when in ("last", "first") for who in ("ours", "reference")),
        "position bias: score with ours first minus score with ours last", official=False,
    ),
    mean("unparsed", "unparsed", "share of responses without two scores from 1 to 10", "responses", official=False),
)  # fmt: skip


def endpoint_from_recipe(options: Mapping[str, str], cache: str | Path) -> Endpoint | None:
    """The endpoint of the judge from the options; None without options. Raises InputError for a wrong one."""
    given = {name.removeprefix(JUDGE_PREFIX): value for name, value in options.items() if name.startswith(JUDGE_PREFIX)}
    if not given:
        return None
    for name in ("url", "model"):
        if name not in given:
            raise InputError(f"{JUDGE_PREFIX}{name}: expected {OPTIONS[JUDGE_PREFIX + name]}, got none")
    values: dict[str, Any] = {"max_cost_usd": 0.0, "temperature": TEMPERATURE, "max_tokens": MAX_TOKENS} | given
    for name in NUMBERS:
        if name in given:
            try:
                values[name] = float(given[name])
            except ValueError:
                raise InputError(f"{JUDGE_PREFIX}{name}: expected a number, got {given[name]!r}") from None
    try:
        return Endpoint(**values, cache=cache)
    except TypeError:
        unknown = next(name for name in given if JUDGE_PREFIX + name not in OPTIONS)
        raise InputError(f"{JUDGE_PREFIX}{unknown}: unknown option; known are {', '.join(OPTIONS)}") from None
    except DeixisError as error:
        raise InputError(f"{JUDGE_PREFIX}{error}") from None


def judged(
    cases: Sequence[Mapping[str, str]], options: Mapping[str, str], cache: Path
) -> tuple[list[ExampleMetrics], list[str]]:
    """The marks of each case, none for one that could not be judged, and sentences on what is missing.

    A case: context, question, reference, candidate, prompt, role. Raises InputError for options that are wrong.
    """
    endpoint = endpoint_from_recipe(options, cache)
    if endpoint is None:
        return [{} for _ in cases], [NO_JUDGE]
    pairs = [(case, (case["reference"], case["candidate"])) for case in cases]
    requests = [judge_messages(case, answers) for case, pair in pairs for answers in (pair, pair[::-1])]
    model = endpoint.open()
    responses = [model.query_many(requests, tries) for tries in range(TRIES)]
    metrics, failures = [], []
    for number in range(len(cases)):
        reviews = [[one[2 * number], one[2 * number + 1]] for one in responses]
        errors = [review for pair in reviews for review in pair if isinstance(review, DeixisError)]
        failures += errors[:1]
        metrics.append({} if errors else _metrics([[str(review) for review in pair] for pair in reviews]))
    return metrics, [_failed(failures, len(cases))] if failures else []


def _metrics(reviews: Sequence[Sequence[str]]) -> ExampleMetrics:
    """The metrics from reviews (try, order); a mean over no parsed review is None."""
    reference, ours = official_scores(reviews[0][0])
    metrics: dict[str, Any] = {"official ours": ours, "official reference": reference}
    parsed: dict[tuple[int, int], tuple[float, float]] = {}
    for tries, pair in enumerate(reviews):
        for order, review in enumerate(pair):
            if (scores := parse_scores(review)) is not None:
                parsed[tries, order] = scores if order == 0 else (scores[1], scores[0])
    groups = {"": list(parsed)} | {f" {n}": [key for key in parsed if key[0] == n] for n in range(TRIES)}
    groups |= {" last": [key for key in parsed if key[1] == 0], " first": [key for key in parsed if key[1] == 1]}
    for name, keys in groups.items():
        for place, who in enumerate(("reference", "ours")):
            metrics[f"{who}{name}"] = sum(parsed[key][place] for key in keys) / len(keys) if keys else None
    responses = TRIES * 2
    counts = {"unparsed": responses - len(parsed), "responses": responses}
    return metrics | counts | {"reviews": [list(pair) for pair in reviews]}


def _failed(failures: Sequence[Exception], count: int) -> str:
    stopped = next((error for error in failures if isinstance(error, STOPS_ALL)), failures[0])
    return f"Of {count} answers {len(failures)} are not judged and excluded from all scores: {stopped}"
