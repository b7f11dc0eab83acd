"""What goes wrong between us and a language model's server, each in one sentence that says what to mend.

Two kinds: what stops everything (no server, wrong key, unknown model), and what concerns one request alone (too long,
not allowed). Where it is not sure, it is the first: a run that stops can go on, one that skips everything has lost it.
No sentence holds a key.
"""

import os
import re
from typing import Any

from deixis.errors import DeixisError

SHOWN_LENGTH = 200
_GOES_ON = "run again later, which goes on from here"
_OF_ONE_REQUEST = re.compile(
    r"context.?(length|window|size)|too (long|large)|content.?(policy|filter|management)|moderat", re.I
)


class EndpointError(DeixisError):
    """Nothing can be had of this endpoint as it is set; the sentence says what to mend."""


class RequestRefused(DeixisError):
    """The endpoint would not answer this one request (too long, not allowed); others may go well."""


def refusal(error: Exception, endpoint: Any) -> ValueError:
    """What a failure of the `openai` library means. endpoint: with url, model, key_env, retries and timeout_s."""
    import openai

    url, tried = endpoint.url, f"{endpoint.retries + 1} times over" if endpoint.retries else "once"
    if isinstance(error, openai.APITimeoutError):
        return EndpointError(
            f"{url}: expected an answer within {endpoint.timeout_s:g} s, got none (asked {tried}); raise timeout_s or "
            f"lower concurrency, and run again, which goes on from here"
        )
    if isinstance(error, openai.APIConnectionError):
        cause = _short(str(error.__cause__ or "") or str(error))
        return EndpointError(
            f"{url}: expected a server that answers, got none ({cause}; asked {tried}); is it running?"
        )
    if not isinstance(error, openai.APIStatusError):
        return malformed(str(error), endpoint)
    return _of_status(error.status_code, _without_key(_short(_said(error)), endpoint), tried, endpoint)


def malformed(got: str, endpoint: Any) -> EndpointError:
    """A server that answers, but not as such servers do."""
    shown = _without_key(_short(got), endpoint)
    return EndpointError(
        f"{endpoint.url}: expected an answer as OpenAI's chat completions are, got {shown}; is this the address of "
        "such a server (it often ends in /v1)?"
    )


def _of_status(status: int, said: str, tried: str, endpoint: Any) -> ValueError:
    url, model = endpoint.url, endpoint.model
    if status in (401, 403):
        held = "none was sent: set key_env" if endpoint.key_env is None else f"see the variable {endpoint.key_env}"
        return EndpointError(f"{url}: expected a key that may use {model!r}, the server refuses it ({status}); {held}")
    if status == 404:
        return EndpointError(
            f"{url}: expected the model {model!r} there, got 404 ({said}); {url.rstrip('/')}/models lists what there "
            "is, and the address itself often ends in /v1"
        )
    if status == 413 or (status in (400, 422) and _OF_ONE_REQUEST.search(said)):
        return RequestRefused(f"the language model refused the request ({status}: {said})")
    if status < 500 and status not in (408, 409, 429):
        return EndpointError(f"{url}: expected an answer, the server refuses what it was sent ({status}: {said})")
    return EndpointError(f"{url}: expected an answer, got {status} ({said}; asked {tried}); {_GOES_ON}")


def _said(error: Any) -> str:
    """The server's own sentence, where there is one."""
    message = error.body.get("message") if isinstance(error.body, dict) else None
    return message if isinstance(message, str) else str(error)


def _without_key(text: str, endpoint: Any) -> str:
    key = os.environ.get(endpoint.key_env or "", "").strip()
    return text.replace(key, "***") if key else text


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 3] + "..."
