"""A language model behind any OpenAI-compatible endpoint: asked once for each question, within a cap on the cost.

    ask = Endpoint(url="http://localhost:8000/v1", model="qwen3", max_cost_usd=0, cache="answers.sqlite").open()
    ask([{"role": "user", "content": "Name three fruits."}])

Answers are kept on disk by what was asked (`deixis.language.response_cache`): a second run asks only what is new, and
one that finds all it asks needs neither network nor key. The `openai` library sends, and tries again with growing
pauses or as long as the server says. It knows nothing of what is asked.
"""

import ipaddress
import json
import math
import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import MISSING, dataclass, fields
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deixis.errors import DeixisError, InputError
from deixis.language.endpoint_errors import EndpointError, RequestRefused, malformed, refusal
from deixis.language.response_cache import CostCapReached, KeptAnswers

__all__ = ["CostCapReached", "Endpoint", "EndpointError", "LanguageModel", "RequestRefused", "endpoint_of"]

LENGTH_FIELDS = ("max_tokens", "max_completion_tokens")
NANO_PER_MILLION = 1_000  # 1 USD for a million tokens is 1000 billionths of a USD a token
TOKENS_AROUND_MESSAGE = 16  # role and marks of a chat template, at most
TOKENS_OF_PICTURE = 4_096  # more than the hosted models count for one


@dataclass(frozen=True)
class Endpoint:
    """Where a language model is asked, how, and what it may cost. Picklable; holds no key.

    url: up to and with "/v1". key_env: the environment variable that holds the key; None for a server without keys.
    temperature: None to leave it to the server. length_field: "max_completion_tokens" for models that refuse
    "max_tokens". timeout_s: of one try. retries: further tries where the server is busy, fails or says nothing.
    concurrency: requests of one process under way at a time. max_cost_usd: of all that `cache` has ever paid for; 0
    with a price: only what is kept. usd_per_million_in, usd_per_million_out: the prices of a million tokens; may be
    left out for a server on this machine. cache: the file of answers, made if not there.
    """

    url: str
    model: str
    max_cost_usd: float
    cache: str | Path
    usd_per_million_in: float | None = None
    usd_per_million_out: float | None = None
    key_env: str | None = None
    temperature: float | None = 0.7
    max_tokens: int = 2_048
    length_field: str = "max_tokens"
    timeout_s: float = 120.0
    retries: int = 6
    concurrency: int = 8

    def __post_init__(self) -> None:
        host = urlsplit(self.url).hostname if self.url.startswith(("http://", "https://")) else None
        _expect(host, "url", "an address such as http://localhost:8000/v1", self.url)
        _expect(self.model, "model", "the name that the server has for it", self.model)
        _expect(_is_amount(self.max_cost_usd), "max_cost_usd", "an amount from 0", self.max_cost_usd)
        for name in ("usd_per_million_in", "usd_per_million_out"):
            price = getattr(self, name)
            _expect(
                _is_amount(price) or (price is None and _is_here(host or "")),
                name,
                "the price of a million tokens, 0 if they are free",
                price,
            )
        fine = self.temperature is None or 0 <= self.temperature <= 2
        _expect(fine, "temperature", "a number from 0 to 2", self.temperature)
        _expect(self.max_tokens >= 1, "max_tokens", "1 or more", self.max_tokens)
        _expect(
            self.length_field in LENGTH_FIELDS, "length_field", f"one of {', '.join(LENGTH_FIELDS)}", self.length_field
        )
        _expect(_is_amount(self.timeout_s) and self.timeout_s > 0, "timeout_s", "seconds above 0", self.timeout_s)
        _expect(self.retries >= 0, "retries", "0 or more", self.retries)
        _expect(self.concurrency >= 1, "concurrency", "1 or more", self.concurrency)

    def open(self) -> "LanguageModel":
        """The model, ready to be asked. Raises ValueError where the cache is no file of answers."""
        return LanguageModel(self)

    def key_of(self, messages: Sequence[dict], tries: int) -> str:
        """The digest under which an answer is kept: of all that it depends on, but not of where the server stands."""
        temperature = None if self.temperature is None else float(self.temperature)  # 0 and 0.0 are the same
        asked = [self.model, temperature, self.max_tokens, tries, list(messages)]
        text = json.dumps(asked, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()

    def cost_nano_usd(self, tokens_in: int, tokens_out: int) -> int:
        """The price of a request, in billionths of a US dollar."""
        price_in, price_out = self.usd_per_million_in or 0, self.usd_per_million_out or 0
        return math.ceil((tokens_in * price_in + tokens_out * price_out) * NANO_PER_MILLION)


def endpoint_of(values: Mapping[str, Any], cache: str | Path) -> Endpoint:
    """The endpoint of a recipe's field `language`; `cache` where it names none.

    Raises ValueError for a field that is missing or unknown, and with what the endpoint says of a value.
    """
    known = {field.name: field.default is MISSING for field in fields(Endpoint)}
    needed = [name for name, needs in known.items() if needs and name not in values and name != "cache"]
    if needed:
        raise InputError(f"language: expected the field {needed[0]!r}, which is missing")
    if unknown := [name for name in values if name not in known]:
        raise InputError(f"language: unknown field {unknown[0]!r}; known are {', '.join(known)}")
    try:
        return Endpoint(**{"cache": cache} | dict(values))
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"language: {error}") from None


class LanguageModel:
    """An endpoint that has been opened; threads may share it. Called with chat messages, it gives the answer's text."""

    def __init__(self, endpoint: Endpoint):
        self.endpoint = endpoint
        self.kept = KeptAnswers(endpoint.cache)
        self._turns = threading.BoundedSemaphore(endpoint.concurrency)
        self._lock = threading.Lock()
        self._under_way: dict[str, Future[str]] = {}
        self._client: Any = None

    def __call__(self, messages: Sequence[dict], tries: int = 0) -> str:
        """The answer to chat messages, {"role", "content"}; of another number of `tries`, another answer to the same.

        Raises CostCapReached before the cap could be passed, RequestRefused where the server would not answer this
        request, EndpointError where it answers none; all are ValueErrors.
        """
        key = self.endpoint.key_of(messages, tries)
        answer = self.kept.answer(key)
        if answer is not None:
            return answer
        with self._lock:
            first = key not in self._under_way
            waited_for = self._under_way.setdefault(key, Future())
        return self._sent_first(key, messages, waited_for) if first else waited_for.result()

    def ask_many(self, conversations: Sequence[Sequence[dict]], tries: int = 0) -> list[str | Exception]:
        """The answers to many, in order, `concurrency` at a time; in place of one that failed, its DeixisError.

        What is asked twice is sent once. After CostCapReached or EndpointError the rest fails alike, unsent.
        """
        stopped: list[Exception] = []

        def one(messages: Sequence[dict]) -> str | Exception:
            if stopped and self.kept.answer(self.endpoint.key_of(messages, tries)) is None:
                return stopped[0]
            try:
                return self(messages, tries)
            except DeixisError as error:
                if isinstance(error, CostCapReached | EndpointError):
                    stopped.append(error)
                return error

        with ThreadPoolExecutor(self.endpoint.concurrency) as pool:
            try:
                return list(pool.map(one, conversations))
            except BaseException:  # an interrupt: what has not begun is not begun
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _sent_first(self, key: str, messages: Sequence[dict], waited_for: "Future[str]") -> str:
        """Asks for all threads that ask the same meanwhile."""
        try:
            with self._turns:
                answer = self.kept.answer(key)  # by now another thread or process may have it
                waited_for.set_result(self._sent(key, messages) if answer is None else answer)
        except BaseException as error:
            waited_for.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._under_way[key]
        return waited_for.result()

    def _sent(self, key: str, messages: Sequence[dict]) -> str:
        """Asks the server, within the cap, and keeps the answer."""
        booked = self.endpoint.cost_nano_usd(_most_tokens(messages), self.endpoint.max_tokens)
        client = self._opened()
        self.kept.book(booked, self.endpoint.max_cost_usd)
        import openai

        try:
            completion = client.chat.completions.create(
                model=self.endpoint.model,
                messages=list(messages),
                **{self.endpoint.length_field: self.endpoint.max_tokens},
                **({} if self.endpoint.temperature is None else {"temperature": self.endpoint.temperature}),
            )
        except (openai.OpenAIError, json.JSONDecodeError) as error:
            if not isinstance(error, openai.APITimeoutError):  # else the server may have done it: the booking stays
                self.kept.cancel(booked)
            raise refusal(error, self.endpoint) from None
        answer, tokens = self._taken(completion, booked)
        cost = booked if tokens is None else self.endpoint.cost_nano_usd(*tokens)
        return self.kept.settle(key, answer, tokens or (0, 0), booked, cost)

    def _taken(self, completion: Any, booked: int) -> tuple[str, tuple[int, int] | None]:
        """(text, tokens in and out) of what the server sent; tokens None where it does not count them."""
        import openai

        choices = getattr(completion, "choices", None)
        message = getattr(choices[0], "message", None) if isinstance(choices, list) and choices else None
        text = getattr(message, "content", None) or ""
        if message is None or not isinstance(text, str):
            self.kept.cancel(booked)
            shown = completion.to_json(indent=None) if isinstance(completion, openai.BaseModel) else str(completion)
            raise malformed(shown, self.endpoint)
        text = text.encode("utf-8", "replace").decode("utf-8")  # halves of characters, which no file can hold
        usage = completion.usage
        counts = (getattr(usage, "prompt_tokens", None), getattr(usage, "completion_tokens", None))
        return text, counts if all(isinstance(count, int) and count >= 0 for count in counts) else None

    def _opened(self) -> Any:
        """The client of the library, made at the first question that is not in the cache."""
        with self._lock:
            if self._client is None:
                from openai import OpenAI

                endpoint = self.endpoint
                self._client = OpenAI(
                    base_url=endpoint.url, api_key=self._key(), timeout=endpoint.timeout_s, max_retries=endpoint.retries
                )
                weakref.finalize(self, self._client.close)
        return self._client

    def _key(self) -> str:
        name = self.endpoint.key_env
        if name is None:
            return "none"  # the library insists on one
        if not os.environ.get(name, "").strip():
            raise EndpointError(
                f"key_env: expected the key of {self.endpoint.url} in the environment variable {name}, which is not set"
            )
        return os.environ[name].strip()


def _expect(holds: Any, name: str, expected: str, got: Any) -> None:
    if not holds:
        raise InputError(f"{name}: expected {expected}, got {got!r}")


def _is_amount(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value >= 0


def _is_here(host: str) -> bool:
    """Whether a host is this machine, where tokens are free."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _most_tokens(messages: Sequence[dict]) -> int:
    """More tokens than the messages can have: tokenizers of bytes make at most one of each byte."""
    tokens = 0
    for message in messages:
        content = message["content"]
        for part in [{"text": content}] if isinstance(content, str) else content:
            tokens += len(part["text"].encode("utf-8", "surrogatepass")) if "text" in part else TOKENS_OF_PICTURE
        tokens += TOKENS_AROUND_MESSAGE
    return tokens
