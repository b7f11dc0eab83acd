"""Asking a language model for something that can be checked: JSON out of its answer, a second chance, many at a time.

What is refused is counted, and asked for once more with the complaint. It knows neither prompts nor samples.
"""

import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeVar

from deixis.errors import DataError, DeixisError
from deixis.language.endpoint_errors import RequestRefused
from deixis.samples.consistency import shown
from deixis.samples.sample import Sample, Skipped
from deixis.synthesis.annotators import ChatClient

AGAIN, GIVEN_UP, LEFT_OUT = "asked again", "given up", "left out"
"""How a reason to skip begins: asked for once more; failed twice; one of several in an answer that is used."""
_COMPLAINT = (
    "This cannot be used: {}. Give the whole JSON object once more, with that mended and everything else as asked."
)
_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
Job = TypeVar("Job")
Result = TypeVar("Result")


class UnusableAnswer(DataError):
    """An answer of which nothing can be used, with what is wrong with each of its items."""

    def __init__(self, complaints: Sequence[str]):
        super().__init__("; ".join(complaints))
        self.complaints = tuple(complaints)


def json_object(text: str, field: str) -> dict[str, Any]:
    """The last JSON object with a field in a text that may hold prose, fences and a model's thoughts around it.

    Raises DataError if there is none.

    >>> json_object('Sure {0}: ```{"turns": []}```', "turns")
    {'turns': []}
    """
    text = _THOUGHTS.sub("", text)
    decoder, found, start = json.JSONDecoder(), None, text.find("{")
    while start >= 0:
        try:
            value, end = decoder.raw_decode(text, start)
        except (json.JSONDecodeError, RecursionError):
            end = start + 1
        else:
            found = value if field in value else found
        start = text.find("{", end)
    if found is None:
        raise DataError(f"expected a JSON object with the field {field!r}, got {shown(text.strip())}")
    return found


def query_checked(
    ask: ChatClient, messages: list[dict], check: Callable[[str], Result], where: str
) -> tuple[Result | None, list[Skipped]]:
    """(what `check` makes of the answer, None if even the second one fails; each answer that was refused, and why).

    `check` raises ValueError for an answer that cannot be used. Errors of
    `deixis.language.endpoint.STOPS_ALL` pass.
    """
    refused: list[Skipped] = []
    for then in (AGAIN, GIVEN_UP):
        try:
            text = ask(messages)
        except RequestRefused as error:
            return None, [*refused, Skipped(where, f"{GIVEN_UP}: {error}")]
        try:
            return check(text), refused
        except DeixisError as error:
            complaints = error.complaints if isinstance(error, UnusableAnswer) else (str(error),)
            refused += [Skipped(where, f"{then}: {complaint}") for complaint in complaints]
            messages = [
                *messages,
                {"role": "assistant", "content": text or "{}"},  # some servers refuse an empty message
                {"role": "user", "content": _COMPLAINT.format(error)},
            ]
    return None, refused


def map_until_quota(
    work: Callable[[Job], Sequence[Sample | Skipped]], jobs: Iterable[Job], at_once: int, quota: int
) -> Iterator[Sample | Skipped]:
    """The samples of `work(job)` of each job, in order, by `at_once` threads, until the quota; and all that is skipped.

    An exception of a job is raised in its turn.
    """
    waiting: deque[Future[Sequence[Sample | Skipped]]] = deque()
    ahead, missing = iter(jobs), quota
    with ThreadPoolExecutor(at_once) as pool:
        try:
            while missing > 0:
                # No more jobs run than samples are missing, so that no answer is paid for and thrown away.
                for job in islice(ahead, min(2 * at_once, missing) - len(waiting)):
                    waiting.append(pool.submit(work, job))
                if not waiting:
                    return
                for found in waiting.popleft().result():
                    if isinstance(found, Skipped) or missing > 0:
                        missing -= isinstance(found, Sample)
                        yield found
        finally:
            for future in waiting:
                future.cancel()
