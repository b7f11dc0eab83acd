"""A language model behind a real server on the loopback: answers, cache, cost and everything that goes wrong."""

import pickle
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from deixis.language.endpoint import CostCapReached, Endpoint, EndpointError, RequestRefused, endpoint_from_recipe
from deixis.language.response_cache import ResponseCache
from tests.language.language_server import Reply, echo, endpoint, language_server, question

SOON = {"Retry-After": "0.01"}


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        pytest.param(
            {"url": "localhost:8000"}, "url: expected an address such as http.*, got 'localhost:8000'", id="url"
        ),
        pytest.param({"url": "http://"}, "url: expected an address", id="no_host"),
        pytest.param({"model": ""}, "model: expected the name that the server has for it, got ''", id="model"),
        pytest.param({"max_cost_usd": -1}, "max_cost_usd: expected an amount from 0, got -1", id="cap"),
        pytest.param({"max_cost_usd": float("nan")}, "max_cost_usd: expected an amount", id="cap_nan"),
        pytest.param({"usd_per_million_in": -0.5}, "usd_per_million_in: expected the price", id="price"),
        pytest.param(
            {"url": "https://api.example.org/v1", "usd_per_million_in": 1.0},
            "usd_per_million_out: expected the price of a million tokens, 0 if they are free, got None",
            id="price_untold",
        ),
        pytest.param({"temperature": 3}, "temperature: expected a number from 0 to 2, got 3", id="temperature"),
        pytest.param({"max_tokens": 0}, "max_tokens: expected 1 or more, got 0", id="max_tokens"),
        pytest.param({"length_field": "n"}, "length_field: expected one of max_tokens, .*got 'n'", id="length_field"),
        pytest.param({"timeout_s": 0}, "timeout_s: expected seconds above 0", id="timeout"),
        pytest.param({"retries": -1}, "retries: expected 0 or more", id="retries"),
        pytest.param({"concurrency": 0}, "concurrency: expected 1 or more", id="concurrency"),
    ],
)
def test_settings_are_checked(fields, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        endpoint(
            fields.get("url", "http://127.0.0.1:9/v1"), tmp_path, **{k: v for k, v in fields.items() if k != "url"}
        )


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        pytest.param({}, "language: expected the field 'url', which is missing", id="empty"),
        pytest.param(
            {"url": "http://localhost/v1", "model": "m"}, "the field 'max_cost_usd', which is missing", id="cap"
        ),
        pytest.param(
            {"url": "http://localhost/v1", "model": "m", "max_cost_usd": 1, "key": "k"},
            "language: unknown field 'key'; known are url, model, ",
            id="unknown",
        ),
        pytest.param({"url": "x", "model": "m", "max_cost_usd": 1}, "language: url: expected an address", id="value"),
    ],
)
def test_a_recipe_that_describes_no_endpoint(values, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        endpoint_from_recipe(values, tmp_path / "a.sqlite")


def test_a_recipe_says_where_answers_are_kept_or_leaves_it_to_the_run(tmp_path):
    values = {"url": "http://localhost:8000/v1", "model": "m", "max_cost_usd": 0}
    assert endpoint_from_recipe(values, "run.sqlite").cache == "run.sqlite"
    assert endpoint_from_recipe(values | {"cache": "own.sqlite"}, "run.sqlite") == Endpoint(
        **values, cache="own.sqlite"
    )


def test_a_question_is_sent_as_it_is_set_and_once(tmp_path):
    with language_server(echo) as server:
        ask = endpoint(server.url, tmp_path, temperature=0.25, max_tokens=9).open()
        assert [ask(question("a")), ask(question("a")), ask(question("b"))] == ["a!", "a!", "b!"]
    assert server.requests == [
        {"model": "m", "messages": question(text), "max_tokens": 9, "temperature": 0.25} for text in "ab"
    ]


def test_another_try_and_other_settings_are_other_questions(tmp_path):
    with language_server(lambda request, number: str(number)) as server:
        ask = endpoint(server.url, tmp_path).open()
        assert [
            ask(question("a")),
            ask(question("a"), tries=1),
            ask(question("a")),
            ask(question("a"), tries=1),
        ] == list("0101")
        assert (
            endpoint(server.url, tmp_path, temperature=None, length_field="max_completion_tokens").open()(question("a"))
            == "2"
        )
    assert server.requests[-1] == {"model": "m", "messages": question("a"), "max_completion_tokens": 2048}


def test_what_is_kept_needs_no_server_and_no_key(tmp_path, monkeypatch):
    monkeypatch.setenv("A_KEY", "secret-7")
    with language_server(echo) as server:
        settings = endpoint(server.url, tmp_path, key_env="A_KEY")
        settings.open()(question("a"))
    assert server.keys == ["Bearer secret-7"]
    monkeypatch.delenv("A_KEY")
    assert pickle.loads(pickle.dumps(settings.open.__self__)).open()(question("a")) == "a!"
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"secret-7" not in kept + repr(settings).encode()
    assert b"a!" in kept
    with pytest.raises(EndpointError, match="environment variable A_KEY, which is not set"):
        settings.open()(question("b"))


@pytest.mark.parametrize(
    "busy",
    [
        pytest.param(Reply("slow down", 429, headers=SOON), id="busy_429"),
        pytest.param(Reply("sorry", 503, headers=SOON), id="failing_503"),
        pytest.param(Reply(status=500, body=b"<html>", headers=SOON), id="failing_500_in_html"),
    ],
)
def test_a_busy_server_is_asked_again(busy, tmp_path):
    with language_server(lambda request, number: "done" if number == 2 else busy) as server:
        assert endpoint(server.url, tmp_path, retries=2).open()(question("a")) == "done"
    assert len(server.requests) == 3


HTML = Reply(body=b"<html>Welcome</html>", headers={"Content-Type": "text/html"})
GONE_WRONG = [
    pytest.param(Reply("x", 500, headers=SOON), 2, "got 500 .x; asked 2 times over.; run again", id="given_up"),
    pytest.param(Reply("x", 429, headers=SOON), 2, "got 429 .x; asked 2 times over.; run again", id="always_busy"),
    pytest.param(Reply("x", 401), 1, "expected a key that may use 'm', .* set key_env", id="key"),
    pytest.param(Reply("no such model", 404), 1, "expected the model 'm' there, got 404 .no such model", id="model"),
    pytest.param(HTML, 1, "as OpenAI's chat completions are, got <html>Welcome</html>; is this", id="web_page"),
    pytest.param(Reply(body=b"{nonsense"), 1, "as OpenAI's chat completions are, got", id="broken_json"),
    pytest.param(Reply(body=b"[]"), 1, "as OpenAI's chat completions are, got", id="a_list"),
    pytest.param(Reply(body=b"7"), 1, "as OpenAI's chat completions are, got", id="a_number"),
    pytest.param(Reply(body=b'{"choices": []}'), 1, 'as OpenAI\'s .* got {"choices":\\[\\]}', id="no_choice"),
    pytest.param(Reply(body=b'{"choices": [{}]}'), 1, "as OpenAI's chat completions are", id="no_message"),
    pytest.param(Reply(body=b'{"choices": [null]}'), 1, "as OpenAI's chat completions are", id="null_choice"),
    pytest.param(Reply(body=b'{"error": "overloaded"}'), 1, "got .*overloaded", id="error_that_looks_fine"),
    pytest.param(Reply("use max_completion_tokens", 400), 1, "refuses .* .400: use max_comp", id="field_unknown"),
]


@pytest.mark.parametrize(("reply", "requests", "sentence"), GONE_WRONG)
def test_what_goes_wrong_is_one_sentence_and_costs_nothing(reply, requests, sentence, tmp_path):
    with language_server(lambda request, number: reply) as server:
        ask = endpoint(server.url, tmp_path, retries=1, usd_per_million_in=1.0, usd_per_million_out=1.0).open()
        with pytest.raises(EndpointError, match=sentence):
            ask(question("a"))
        assert ask.cache.spent_usd == 0
    assert len(server.requests) == requests


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply("This model's maximum context length is 10 tokens", 400), id="too_long"),
        pytest.param(Reply("flagged by content policy", 400), id="not_allowed"),
        pytest.param(Reply("entity too large", 413), id="too_large"),
    ],
)
def test_a_request_refused_stops_no_others(reply, tmp_path):
    with language_server(lambda request, number: reply if number == 0 else "fine") as server:
        refused, fine = endpoint(server.url, tmp_path, concurrency=1).open().query_many([question("a"), question("b")])
    assert fine == "fine"
    assert isinstance(refused, RequestRefused)
    assert reply.text in str(refused)


def test_no_server(tmp_path):
    with language_server(echo) as server:
        pass
    with pytest.raises(EndpointError, match=r"expected a server that answers, got none .*is it running"):
        endpoint(server.url, tmp_path).open()(question("a"))


def test_the_key_is_in_no_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("A_KEY", "secret-7")
    with (
        language_server(lambda request, number: Reply("bad key secret-7", 418)) as server,
        pytest.raises(EndpointError, match=r"418: bad key \*\*\*\)"),
    ):
        endpoint(server.url, tmp_path, key_env="A_KEY").open()(question("a"))


def test_a_server_that_says_nothing_and_may_have_done_the_work_is_paid(tmp_path):
    release = threading.Event()
    with language_server(lambda request, number: Reply("late", wait_for=release)) as server:
        ask = endpoint(server.url, tmp_path, timeout_s=0.05, usd_per_million_in=0.0, usd_per_million_out=1.0).open()
        with pytest.raises(EndpointError, match=r"within 0.05 s, got none .asked once.; raise timeout_s"):
            ask(question("a"))
        release.set()
    assert ask.cache.spent_usd == pytest.approx(2_048e-6)


def test_empty_and_odd_texts_are_answers(tmp_path):
    replies = [Reply(None), Reply("half \ud800 of one"), Reply("uncounted", tokens=None)]
    with language_server(lambda request, number: replies[number]) as server:
        ask = endpoint(server.url, tmp_path, usd_per_million_in=0.0, usd_per_million_out=1.0).open()
        assert [ask(question(text)) for text in "abc"] == ["", "half ? of one", "uncounted"]
        assert ask.cache.spent_usd == pytest.approx((5 + 5 + 2_048) * 1e-6)  # without a count, the most it can be


def test_many_are_answered_in_order_and_at_once(tmp_path):
    gate = threading.Barrier(3)

    def reply(request: dict, number: int) -> str:
        gate.wait(10)  # opens for three at once, never for fewer
        return echo(request, number)

    with language_server(reply) as server:
        ask = endpoint(server.url, tmp_path, concurrency=3).open()
        texts = [f"q{number}" for number in range(9)]
        assert ask.query_many([*map(question, texts), question("q0")]) == [*(f"{text}!" for text in texts), "q0!"]
    assert len(server.requests) == 9
    assert server.most_at_once == 3


def test_what_several_threads_ask_at_once_is_sent_once(tmp_path):
    arrived, release = threading.Event(), threading.Event()

    def reply(request: dict, number: int) -> Reply:
        arrived.set()
        return Reply("once", wait_for=release)

    with language_server(reply) as server:
        ask = endpoint(server.url, tmp_path).open()
        answers: list[str] = []
        threads = [threading.Thread(target=lambda: answers.append(ask(question("a")))) for _ in range(5)]
        for thread in threads:
            thread.start()
        assert arrived.wait(10)
        release.set()
        for thread in threads:
            thread.join()
    assert answers == ["once"] * 5
    assert len(server.requests) == 1


def test_threads_that_share_a_model_keep_to_its_concurrency(tmp_path):
    with language_server(echo) as server:
        ask = endpoint(server.url, tmp_path, concurrency=2).open()
        threads = [threading.Thread(target=ask, args=(question(f"q{number}"),)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(server.requests) == 12
    assert server.most_at_once <= 2


def test_the_cap_stops_before_it_is_passed_and_a_higher_one_goes_on(tmp_path):
    with language_server(lambda request, number: Reply(echo(request, number), tokens=(0, 100))) as server:
        settings = {"usd_per_million_in": 0.0, "usd_per_million_out": 1_000.0, "max_tokens": 100, "concurrency": 1}
        ask = endpoint(server.url, tmp_path, max_cost_usd=0.35, **settings).open()  # 0.10 USD each
        answers = ask.query_many([question(text) for text in "abcde"])
        assert answers[:3] == ["a!", "b!", "c!"]
        assert all(isinstance(answer, CostCapReached) for answer in answers[3:])
        assert ask.cache.spent_usd == pytest.approx(0.3)
        with pytest.raises(
            CostCapReached, match=r"0.3000 of 0.3500 USD are spent, and the next .* 0.1000; raise max_cost"
        ):
            ask(question("d"))
        assert ask(question("a")) == "a!"
        more = endpoint(server.url, tmp_path, max_cost_usd=0.5, **settings).open()
        assert more.query_many([question(text) for text in "abcde"]) == ["a!", "b!", "c!", "d!", "e!"]
    assert len(server.requests) == 5
    error = pickle.loads(pickle.dumps(answers[3]))
    assert (error.spent_usd, error.cap_usd, str(error)) == (0.3, 0.35, str(answers[3]))


def test_pictures_and_long_texts_are_booked_for_more(tmp_path):
    picture = [{"role": "user", "content": [{"type": "text", "text": "hm"}, {"type": "image_url", "image_url": {}}]}]
    with language_server(echo) as server:
        ask = endpoint(server.url, tmp_path, max_cost_usd=1e-3, usd_per_million_in=1.0, usd_per_million_out=0.0).open()
        assert ask(question("a" * 900)) == "a" * 900 + "!"
        for too_much in (question("a" * 1_000), picture):
            with pytest.raises(CostCapReached, match=r"the next request may cost 0\.00"):
                ask(too_much)
    assert len(server.requests) == 1


ASKER = """
import sys
from deixis.language.endpoint import CostCapReached, Endpoint
url, cache, cap, *texts = sys.argv[1:]
ask = Endpoint(url=url, model="m", max_cost_usd=float(cap), cache=cache, usd_per_million_in=0.0,
               usd_per_million_out=1000.0, max_tokens=100, concurrency=4).open()
for answer in ask.query_many([[{"role": "user", "content": text}] for text in texts]):
    print("CAP" if isinstance(answer, CostCapReached) else answer)
"""


def asker(url: str, cache: Path, cap: float, texts: list[str]) -> subprocess.Popen:
    words = [sys.executable, "-W", "error", "-c", ASKER, url, str(cache), str(cap), *texts]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


def test_processes_share_answers_and_cap(tmp_path):
    cache = tmp_path / "new" / "a.sqlite"
    with language_server(lambda request, number: Reply(echo(request, number), tokens=(0, 100))) as server:
        running = [asker(server.url, cache, 0.75, [f"{name}{number}" for number in range(5)]) for name in "ab"]
        answers = [process.communicate(timeout=60)[0].split() for process in running]
        sent, paid = len(server.requests), ResponseCache(cache).spent_usd
        assert sent <= 7
        assert paid == pytest.approx(0.1 * sent)
        assert sum(answer != "CAP" for lines in answers for answer in lines) == sent
        again = asker(server.url, cache, 0, [line[:-1] for lines in answers for line in lines if line != "CAP"])
        assert again.communicate(timeout=60)[0].split() == [a for lines in answers for a in lines if a != "CAP"]
        assert len(server.requests) == sent


def test_what_a_killed_process_was_asking_stays_booked_and_what_it_had_is_kept(tmp_path):
    arrived = threading.Event()

    def reply(request: dict, number: int) -> Reply:
        if request["messages"][0]["content"] == "b":
            arrived.set()
            return Reply("late", wait_for=threading.Event())
        return Reply("early", tokens=(0, 100))

    with language_server(reply) as server:
        process = asker(server.url, tmp_path / "a.sqlite", 1.0, ["a", "b"])
        assert arrived.wait(30)
        kept = ResponseCache(tmp_path / "a.sqlite")
        settings = endpoint(server.url, tmp_path, temperature=0.7, max_tokens=100)
        while kept.answer(settings.key_of(question("a"), 0)) is None:
            assert process.poll() is None
        process.kill()
        process.communicate()
        assert kept.spent_usd == pytest.approx(0.2)
        assert settings.open()(question("a")) == "early"
