"""`POST /v1/chat/completions`."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from deixis.errors import DeixisError
from deixis.inference import StreamEvent
from deixis.serving.chat.completion import chunks, completion
from deixis.serving.chat.messages import check_turns, least_tokens, media_parts, options_of, sample_of
from deixis.serving.chat.reply_schema import EVENT, Completion
from deixis.serving.chat.schema import ChatRequest
from deixis.serving.errors import RequestError, as_request_error
from deixis.serving.job import Job
from deixis.serving.json_body import JsonRoute
from deixis.serving.media import signal_of
from deixis.serving.replies import BODY, GUARDED, READING, refusals
from deixis.serving.routes.access import Owner, ServiceOf
from deixis.serving.service import Service

router = APIRouter(tags=["chat"], route_class=JsonRoute, responses=refusals(*GUARDED))
STREAMED = {"text/event-stream": {"itemSchema": EVENT}}
ANSWERED: dict[int | str, dict[str, Any]] = {
    200: {"model": Completion, "description": "The answer, whole or as a stream.", "content": STREAMED}
}
CLIENT_CLOSED = 499


@router.post(
    "/v1/chat/completions",
    response_model=None,
    summary="The next answer of a conversation about files",
    responses=ANSWERED | refusals(404, *BODY, *READING),
)
async def chat_completions(body: ChatRequest, request: Request, service: ServiceOf, owner: Owner) -> Response:
    """Messages about signals and regions in; text whose phrases have regions out.

    Beside OpenAI's parts a message may hold `{"type": "region", "signal": 0, "box_xyxy": [...]}`, and the answer's
    message has `regions` and `warnings`.
    """
    job, signals = await _submitted(body, service, owner)
    if body.stream:
        first = await _or_cancelled(_first(job), request, job)
        if first is None:
            return Response(status_code=CLIENT_CLOSED)
        options = body.stream_options
        with_usage = options is not None and options.include_usage
        lines = chunks(job, _after(first, job), signals, service.name, with_usage)
        return StreamingResponse(_closing(lines, job), media_type="text/event-stream", headers=NOT_BUFFERED)
    answer = await _or_cancelled(job.answer(), request, job)
    if answer is None:
        return Response(status_code=CLIENT_CLOSED)
    return JSONResponse(completion(answer, job, service.name))


NOT_BUFFERED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


async def _submitted(body: ChatRequest, service: Service, owner: str) -> tuple[Job, tuple]:
    """The job of a request, and its signals. Raises RequestError for what cannot be asked, or not now."""
    if body.model not in (None, "", service.name):
        raise RequestError(
            f"model: expected {service.name!r}, which this server has; got {body.model!r:.60}", 404, "model"
        )
    check_turns(body, service.settings)
    service.model.engine.check_length(least_tokens(body), is_least=True)
    options = options_of(body, service.settings)
    signals = []
    for field, part in media_parts(body):
        signals.append(await signal_of(service, part, field, owner))
    sample = await run_sync(sample_of, body, signals)  # regions may be large
    return service.submit(sample, options, body.stream), tuple(signals)


async def _first(job: Job) -> StreamEvent:
    """Awaited before a stream begins, so that a question that is refused gets a status of its own."""
    return await anext(aiter(job))


async def _after(first: StreamEvent, job: Job) -> AsyncIterator[StreamEvent]:
    """All events of a job whose first was taken."""
    yield first
    if first.answer is None:
        async for event in job:
            yield event


async def _or_cancelled(work: Coroutine[Any, Any, Any], request: Request, job: Job) -> Any:
    """The result of `work`; None where the client left first, whose job is cancelled then."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            return None
        return working.result()
    except DeixisError as error:
        raise as_request_error(error, "messages") from None
    finally:
        leaving.cancel()
        if not working.done():
            working.cancel()
            job.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _closing(lines: AsyncIterator[str], job: Job) -> AsyncIterator[str]:
    """The lines; where the client leaves, the job is cancelled."""
    try:
        async for line in lines:
            yield line
    finally:
        job.cancel()
