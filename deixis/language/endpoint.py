"""A client for any OpenAI-compatible chat endpoint, with a response cache on disk and a cap on the cost.

    query_llm = Endpoint(url="http://localhost:8000/v1", model="qwen3", max_cost_usd=0, cache="answers.sqlite").open()
    query_llm([{"role": "user", "content": "Name three fruits."}])

Responses are cached by their request (`deixis.language.response_cache`): a second run sends only new requests, and one
whose requests are all cached needs neither network nor key. The `openai` library retries with exponential backoff.
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

from deixis.errors import DeixisError, InputError, OutputError
from deixis.language.endpoint_errors import EndpointError, RequestRefused, malformed, refusal
from deixis.language.response_cache import CostCapReached, ResponseCache

__all__ = [
    "STOPS_ALL",
    "CostCapReached",
    "Endpoint",
    "EndpointError",
    "LanguageModel",
    "RequestRefused",
    "endpoint_from_recipe",
]

STOPS_ALL = (CostCapReached, EndpointError, OutputError)
"""Errors that the next request would meet too: a run stops, and resumes later. OutputError: of the cache file."""
LENGTH_FIELDS = ("max_tokens", "max_completion_tokens")
NANO_PER_MILLION = 1_000  # 1 USD per million tokens is 1000 billionths of a USD per token
TOKENS_PER_MESSAGE = 16  # upper bound for role and special tokens of a chat template
TOKENS_PER_IMAGE = 4_096  # above what hosted models count


@dataclass(frozen=True)
class Endpoint:
    """The address, sampling options and cost limits of a language model. Picklable; holds no key.

    url: up to and including "/v1". key_env: the environment variable with the API key; None for a server without keys.
    temperature: None for the server's default. length_field: "max_completion_tokens" for models that refuse
    "max_tokens". timeout_s: per attempt. retries: further attempts if the server is busy, fails or does not respond.
    concurrency: parallel requests per process. max_cost_usd: over all runs that share `cache`; 0 with a price: cached
    responses only. usd_per_million_in, usd_per_million_out: prices per million tokens, optional for a server on this
    machine. cache: the SQLite file of responses, created if missing. Raises InputError for a field
    outside its range.
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
        host = _host(self.url)
        _require(host, "url", "an address such as http://localhost:8000/v1", self.url)
        _require(self.model, "model", "the name that the server has for it", self.model)
        _require(_is_amount(self.max_cost_usd), "max_cost_usd", "an amount from 0", self.max_cost_usd)
        for name in ("usd_per_million_in", "usd_per_million_out"):
            price = getattr(self, name)
            _require(
                _is_amount(price) or (price is None and _is_local(host or "")),
                name,
                "the price of a million tokens, 0 if they are free",
                price,
            )
        fine = self.temperature is None or 0 <= self.temperature <= 2
        _require(fine, "temperature", "a number from 0 to 2", self.temperature)
        _require(self.max_tokens >= 1, "max_tokens", "1 or more", self.max_tokens)
        _require(
            self.length_field in LENGTH_FIELDS, "length_field", f"one of {', '.join(LENGTH_FIELDS)}", self.length_field
        )
        _require(_is_amount(self.timeout_s) and self.timeout_s > 0, "timeout_s", "seconds above 0", self.timeout_s)
        _require(self.retries >= 0, "retries", "0 or more", self.retries)
        _require(self.concurrency >= 1, "concurrency", "1 or more", self.concurrency)

    def open(self) -> "LanguageModel":
        """A client with its cache opened. Raises as `ResponseCache`."""
        return LanguageModel(self)

    def key_of(self, messages: Sequence[dict], tries: int) -> str:
        """The cache key of a request: a digest of all that the response depends on, the server's address excluded."""
        temperature = None if self.temperature is None else float(self.temperature)  # 0 and 0.0 are the same
        asked = [self.model, temperature, self.max_tokens, tries, list(messages)]
        text = json.dumps(asked, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=20).hexdigest()

    def cost_nano_usd(self, tokens_in: int, tokens_out: int) -> int:
        """The price of a request in billionths of a US dollar, rounded up."""
        price_in, price_out = self.usd_per_million_in or 0, self.usd_per_million_out or 0
        return math.ceil((tokens_in * price_in + tokens_out * price_out) * NANO_PER_MILLION)


def endpoint_from_recipe(values: Mapping[str, Any], cache: str | Path) -> Endpoint:
    """The endpoint that a recipe's field `language` describes, with `cache` as the default cache file.

    Raises InputError for a field that is missing or unknown, and with what the endpoint says of a value.
    """
    known = {field.name: field.default is MISSING for field in fields(Endpoint)}
    arguments: dict[str, Any] = {"cache": cache, **values}
    if missing := [name for name, is_required in known.items() if is_required and name not in arguments]:
        raise InputError(f"language: expected the field {missing[0]!r}, which is missing")
    if unknown := [name for name in values if name not in known]:
        raise InputError(f"language: unknown field {unknown[0]!r}; known are {', '.join(known)}")
    try:
        return Endpoint(**arguments)
    except (DeixisError, TypeError, AttributeError) as error:
        raise InputError(f"language: {error}") from None


class LanguageModel:
    """An opened endpoint, shared between threads; called with chat messages, it returns the text of the response."""

    def __init__(self, endpoint: Endpoint):
        self.endpoint = endpoint
        self.cache = ResponseCache(endpoint.cache)
        self._slots = threading.BoundedSemaphore(endpoint.concurrency)
        self._lock = threading.Lock()
        self._in_flight: dict[str, Future[str]] = {}
        self._client: Any = None

    def __call__(self, messages: Sequence[dict], tries: int = 0) -> str:
        """The response to chat messages {"role", "content"}; another number of `tries` samples another response.

        Raises:
            CostCapReached: before the request could exceed the cap.
            RequestRefused: if the server refuses this request alone.
            EndpointError: if the server is unreachable or refuses every request, or the cache is damaged.
            OutputError: if the cache cannot be written: a full disk, or another process that keeps it locked.
        """
        key = self.endpoint.key_of(messages, tries)
        answer = self.cache.answer(key)
        if answer is not None:
            return answer
        with self._lock:
            first = key not in self._in_flight
            pending = self._in_flight.setdefault(key, Future())
        return self._request_once(key, messages, pending) if first else pending.result()

    def query_many(self, conversations: Sequence[Sequence[dict]], tries: int = 0) -> list[str | Exception]:
        """The responses to many chats, in order, `concurrency` at a time; for one that failed, its DeixisError.

        Duplicate requests are sent once. After an error of `STOPS_ALL` the rest fails alike, unsent.
        """
        stopped: list[Exception] = []

        def one(messages: Sequence[dict]) -> str | Exception:
            if stopped and self.cache.answer(self.endpoint.key_of(messages, tries)) is None:
                return stopped[0]
            try:
                return self(messages, tries)
            except DeixisError as error:
                if isinstance(error, STOPS_ALL):
                    stopped.append(error)
                return error

        with ThreadPoolExecutor(self.endpoint.concurrency) as pool:
            try:
                return list(pool.map(one, conversations))
            except BaseException:  # an interrupt: what has not begun is not begun
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _request_once(self, key: str, messages: Sequence[dict], pending: "Future[str]") -> str:
        """Sends a request once for all threads that wait for the same response."""
        try:
            with self._slots:
                answer = self.cache.answer(key)  # another thread or process may have stored it meanwhile
                pending.set_result(self._request(key, messages) if answer is None else answer)
        except BaseException as error:
            pending.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._in_flight[key]
        return pending.result()

    def _request(self, key: str, messages: Sequence[dict]) -> str:
        """Sends a request within the cost cap and stores its response."""
        reserved = self.endpoint.cost_nano_usd(_max_tokens(messages), self.endpoint.max_tokens)
        client = self._open_client()
        self.cache.reserve(reserved, self.endpoint.max_cost_usd)
        import openai

        try:
            completion = client.chat.completions.create(
                model=self.endpoint.model,
                messages=list(messages),
                **{self.endpoint.length_field: self.endpoint.max_tokens},
                **({} if self.endpoint.temperature is None else {"temperature": self.endpoint.temperature}),
            )
        except (openai.OpenAIError, json.JSONDecodeError) as error:
            if not isinstance(error, openai.APITimeoutError):  # a timed-out request may be billed
                self.cache.cancel(reserved)
            raise refusal(error, self.endpoint) from None
        answer, tokens = self._parse_completion(completion, reserved)
        cost = reserved if tokens is None else self.endpoint.cost_nano_usd(*tokens)
        return self.cache.settle(key, answer, tokens or (0, 0), reserved, cost)

    def _parse_completion(self, completion: Any, reserved: int) -> tuple[str, tuple[int, int] | None]:
        """(text, (prompt tokens, completion tokens)) of a completion; no counts where the server reports none."""
        import openai

        choices = getattr(completion, "choices", None)
        message = getattr(choices[0], "message", None) if isinstance(choices, list) and choices else None
        text = getattr(message, "content", None) or ""
        if message is None or not isinstance(text, str):
            self.cache.cancel(reserved)
            shown = completion.to_json(indent=None) if isinstance(completion, openai.BaseModel) else str(completion)
            raise malformed(shown, self.endpoint)
        text = text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates, which UTF-8 cannot encode
        tokens_in = getattr(completion.usage, "prompt_tokens", None)
        tokens_out = getattr(completion.usage, "completion_tokens", None)
        is_counted = isinstance(tokens_in, int) and isinstance(tokens_out, int) and min(tokens_in, tokens_out) >= 0
        return text, (tokens_in, tokens_out) if is_counted else None

    def _open_client(self) -> Any:
        """The `openai` client, made at the first request that is not cached, so that cached runs need no key."""
        with self._lock:
            if self._client is None:
                from openai import OpenAI

                endpoint = self.endpoint
                self._client = OpenAI(
                    base_url=endpoint.url,
                    api_key=self._api_key(),
                    timeout=endpoint.timeout_s,
                    max_retries=endpoint.retries,
                )
                weakref.finalize(self, self._client.close)
        return self._client

    def _api_key(self) -> str:
        name = self.endpoint.key_env
        if name is None:
            return "none"  # the library insists on one
        if not os.environ.get(name, "").strip():
            raise EndpointError(
                f"key_env: expected the key of {self.endpoint.url} in the environment variable {name}, which is not set"
            )
        return os.environ[name].strip()


def _require(holds: Any, name: str, expected: str, got: Any) -> None:
    if not holds:
        raise InputError(f"{name}: expected {expected}, got {got!r}")


def _is_amount(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value >= 0


def _host(url: str) -> str | None:
    """The host name of an HTTP address; None for any other text."""
    try:
        return urlsplit(url).hostname if url.startswith(("http://", "https://")) else None
    except ValueError:  # such as an unclosed bracket of an IPv6 address
        return None


def _is_local(host: str) -> bool:
    """Whether a host is this machine, where tokens are free of charge."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _max_tokens(messages: Sequence[dict]) -> int:
    """An upper bound on the tokens of messages: byte-level tokenizers make at most one token per byte."""
    tokens = 0
    for message in messages:
        content = message["content"]
        for part in [{"text": content}] if isinstance(content, str) else content:
            tokens += len(part["text"].encode("utf-8", "surrogatepass")) if "text" in part else TOKENS_PER_IMAGE
        tokens += TOKENS_PER_MESSAGE
    return tokens
