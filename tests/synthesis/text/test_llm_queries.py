"""JSON from a response, one retry, and parallel requests."""

import threading

import pytest

from deixis.errors import DataError
from deixis.language.endpoint import EndpointError, RequestRefused
from deixis.samples.sample import Sample, Skipped
from deixis.synthesis.text.llm_queries import UnusableAnswer, json_object, map_until_quota, query_checked


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("I am sorry, I cannot do that.", id="prose"),
        pytest.param('{"turns": [1, 2', id="cut_off"),
        pytest.param('{"turn": []}', id="another_field"),
        pytest.param('["turns"]', id="a_list"),
        pytest.param("{" * 9_000, id="braces"),
        pytest.param('{"a":' * 9_000, id="deep"),
        pytest.param('<think>{"turns": 1}', id="a_thought_without_end"),
    ],
)
def test_no_object(text):
    with pytest.raises(ValueError, match="expected a JSON object with the field 'turns', got '"):
        json_object(text, "turns")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"turns": 7}', id="bare"),
        pytest.param('Here {it} is:\n```json\n{"turns": 7}\n```\nDone {3}.', id="fenced_in_prose"),
        pytest.param('<think>{"turns": 1} no</think>{"turns": 7}', id="after_thoughts"),
        pytest.param('{"turns": 1} or better {"turns": 7} {"note": 1}', id="the_last_one"),
    ],
)
def test_an_object(text):
    assert json_object(text, "turns")["turns"] == 7


def check(text: str) -> str:
    if text != "good":
        raise DataError(f"expected good, got {text!r}")
    return text.upper()


@pytest.mark.parametrize(
    ("answers", "made", "reasons"),
    [
        pytest.param(["good"], "GOOD", [], id="at_once"),
        pytest.param(["bad", "good"], "GOOD", ["asked again: expected good, got 'bad'"], id="again"),
        pytest.param(
            ["bad", ""], None, ["asked again: expected good, got 'bad'", "given up: expected good, got ''"], id="never"
        ),
    ],
)
def test_a_second_chance_with_the_complaint(answers, made, reasons):
    asked = []

    def ask(messages: list[dict]) -> str:
        asked.append(messages)
        return answers[len(asked) - 1]

    start = [{"role": "user", "content": "Be good."}]
    assert query_checked(ask, start, check, "w") == (made, [Skipped("w", reason) for reason in reasons])
    assert start == asked[0] == [{"role": "user", "content": "Be good."}]
    if len(answers) > 1:
        assert [message["role"] for message in asked[1]] == ["user", "assistant", "user"]
        assert asked[1][1]["content"] == "bad"
        assert "expected good, got 'bad'" in asked[1][2]["content"]


def test_each_item_of_an_unusable_answer_is_counted():
    def refuse(text: str) -> None:
        raise UnusableAnswer(["items[0]: bad", "items[1]: worse"])

    made, refused = query_checked(lambda messages: "x", [], refuse, "w")
    assert made is None
    assert [skip.why for skip in refused] == [
        *("asked again: items[0]: bad", "asked again: items[1]: worse"),
        *("given up: items[0]: bad", "given up: items[1]: worse"),
    ]


def failing(error: Exception):
    def ask(messages: list[dict]) -> str:
        raise error

    return ask


def test_a_request_refused_is_counted_and_a_server_gone_stops():
    made, refused = query_checked(failing(RequestRefused("too long")), [], check, "w")
    assert (made, refused) == (None, [Skipped("w", "given up: too long")])
    with pytest.raises(EndpointError, match="no server"):
        query_checked(failing(EndpointError("no server")), [], check, "w")


def numbered(job: int) -> Sample:
    return Sample(str(job), "made", "task", "train", ())


def test_jobs_run_in_parallel_and_samples_come_in_order():
    gate = threading.Barrier(3)

    def work(job: int) -> list[Sample]:
        gate.wait(10)  # opens for three at once, never for fewer
        return [numbered(job)]

    assert list(map_until_quota(work, range(9), 3, 9)) == [numbered(job) for job in range(9)]


@pytest.mark.parametrize("quota", [pytest.param(n, id=str(n)) for n in (0, 1, 5, 99)])
def test_no_more_jobs_run_than_samples_are_missing(quota):
    begun = []

    def work(job: int) -> list[Sample | Skipped]:
        begun.append(job)
        return [numbered(job) if job % 2 else Skipped(str(job), "even")]

    found = list(map_until_quota(work, range(20), 4, quota))
    samples = [each for each in found if isinstance(each, Sample)]
    assert samples == [numbered(job) for job in sorted(begun) if job % 2]
    assert len(samples) == min(quota, 10)
    assert len(begun) == len(found) == min(2 * quota, 20)


def test_samples_beyond_the_quota_are_dropped():
    found = map_until_quota(lambda job: [numbered(job), Skipped("w", "why"), numbered(job)], range(3), 1, 1)
    assert list(found) == [numbered(0), Skipped("w", "why")]


def test_an_exception_is_raised_in_its_turn_and_stops_the_rest():
    begun = []

    def work(job: int) -> list[Sample]:
        begun.append(job)
        if job == 2:
            raise EndpointError("gone")
        return [numbered(job)]

    results = map_until_quota(work, range(100), 2, 100)
    assert [next(results), next(results)] == [numbered(0), numbered(1)]
    with pytest.raises(EndpointError, match="gone"):
        next(results)
    assert len(begun) < 10
