"""Answers in the shape of OpenAI's chat completions: whole, or as the chunks of a stream."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import uuid4

from deixis.errors import DeixisError
from deixis.inference import Answer, StreamEvent
from deixis.serving.chat.region_parts import answer_parts, region_to_part
from deixis.serving.errors import DONE, as_request_error, error_event
from deixis.serving.job import Job
from deixis.signals import Signal


def completion(answer: Answer, job: Job, model: str) -> dict[str, Any]:
    """The response of a request that is answered as a whole."""
    message = {
        "role": "assistant",
        "content": answer.text,
        "refusal": None,
        "regions": answer_parts(answer),
        "warnings": list(answer.warnings),
    }
    choice = {"index": 0, "message": message, "finish_reason": job.finish_reason, "logprobs": None}
    return _head("chat.completion", model) | {"choices": [choice], "usage": usage(job)}


def usage(job: Job) -> dict[str, int]:
    """Tokens of the question, its files included, and of the answer."""
    prompt, answer = job.usage
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}


async def chunks(
    job: Job, events: AsyncIterator[StreamEvent], signals: tuple[Signal, ...], model: str, with_usage: bool
) -> AsyncIterator[str]:
    """The lines of a stream: text as it is generated, regions once complete, then the reason of the end.

    An error that comes when the stream has begun is its last line.
    """
    head, shown = _head("chat.completion.chunk", model), ""
    yield _event(head, {"role": "assistant", "content": ""})
    try:
        async for event in events:
            if event.kind == "text":
                shown += event.text
                yield _event(head, {"content": event.text})
            elif event.kind == "region" and event.region is not None:
                part = region_to_part(event.region, signals[event.region.signal].extent)
                start = shown.rfind(event.text)  # the phrase ends the text so far, but for what punctuation follows it
                said = {"phrase": event.text, "start": start, "end": start + len(event.text)}
                yield _event(head, {"regions": [part | said]})
            elif event.answer is not None:
                answer = event.answer
        yield _event(head, _rest(answer), job.finish_reason)
        if with_usage:
            yield f"data: {json.dumps(head | {'choices': [], 'usage': usage(job)})}\n\n"
    except DeixisError as error:
        yield error_event(as_request_error(error))
    yield DONE


def _rest(answer: Answer) -> dict[str, Any]:
    """What is known with the whole answer only: phrases that nothing fits, and warnings."""
    absent = [part for part in answer_parts(answer) if part.get("absent")]
    return ({"regions": absent} if absent else {}) | {"warnings": list(answer.warnings)}


def _head(kind: str, model: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid4().hex}", "object": kind, "created": int(time.time()), "model": model}


def _event(head: Mapping[str, Any], delta: Mapping[str, Any], finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return f"data: {json.dumps({**head, 'choices': [choice]}, ensure_ascii=False)}\n\n"
