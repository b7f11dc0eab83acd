"""Errors of a language model endpoint, each with a message that names the likely cause.

`EndpointError` concerns every request (no server, wrong key, unknown model), `RequestRefused` a single one (too long,
not allowed). An ambiguous failure is an EndpointError: a run that stops can resume, one that skips everything cannot.
No message holds a key.
"""

import os
import re
from typing import Any

from deixis.errors import DeixisError

SHOWN_LENGTH = 200
_RESUME = "run again later to resume"
_SINGLE_REQUEST = re.compile(
    r"context.?(length|window|size)|too (long|large)|content.?(policy|filter|management)|moderat", re.I
)


class EndpointError(DeixisError):
    """The endpoint cannot be used as configured."""


class RequestRefused(DeixisError):
    """The endpoint refused a single request (too long, not allowed)."""


def refusal(error: Exception, endpoint: Any) -> DeixisError:
    """The error of ours for a failure of the `openai` library. endpoint: a `deixis.language.endpoint.Endpoint`."""
    import openai

    url, tried = endpoint.url, f"{endpoint.retries + 1} times over" if endpoint.retries else "once"
    if isinstance(error, openai.APITimeoutError):
        return EndpointError(
            f"{url}: expected an answer within {endpoint.timeout_s:g} s, got none (asked {tried}); raise timeout_s or "
            f"lower concurrency, and run again to resume"
        )
    if isinstance(error, openai.APIConnectionError):
        cause = _short(str(error.__cause__ or "") or str(error))
        return EndpointError(
            f"{url}: expected a server that answers, got none ({cause}; asked {tried}); is it running?"
        )
    if not isinstance(error, openai.APIStatusError):
        return malformed(str(error), endpoint)
    return _of_status(error.status_code, _without_key(_short(_message(error)), endpoint), tried, endpoint)


def malformed(got: str, endpoint: Any) -> EndpointError:
    """The error for a response that is not a chat completion."""
    shown = _without_key(_short(got), endpoint)
    return EndpointError(
        f"{endpoint.url}: expected an answer as OpenAI's chat completions are, got {shown}; is this the address of "
        "such a server (it often ends in /v1)?"
    )


def _of_status(status: int, said: str, tried: str, endpoint: Any) -> DeixisError:
    url, model = endpoint.url, endpoint.model
    if status in (401, 403):
        held = "none was sent: set key_env" if endpoint.key_env is None else f"see the variable {endpoint.key_env}"
        return EndpointError(f"{url}: expected a key that may use {model!r}, the server refuses it ({status}); {held}")
    if status == 404:
        return EndpointError(
            f"{url}: expected the model {model!r} there, got 404 ({said}); {url.rstrip('/')}/models lists what there "
            "is, and the address itself often ends in /v1"
        )
    if status == 413 or (status in (400, 422) and _SINGLE_REQUEST.search(said)):
        return RequestRefused(f"the language model refused the request ({status}: {said})")
    if status < 500 and status not in (408, 409, 429):
        return EndpointError(f"{url}: expected an answer, the server refuses what it was sent ({status}: {said})")
    return EndpointError(f"{url}: expected an answer, got {status} ({said}; asked {tried}); {_RESUME}")


def _message(error: Any) -> str:
    message = error.body.get("message") if isinstance(error.body, dict) else None
    return message if isinstance(message, str) else str(error)


def _without_key(text: str, endpoint: Any) -> str:
    key = os.environ.get(endpoint.key_env or "", "").strip()
    return text.replace(key, "***") if key else text


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 3] + "..."
