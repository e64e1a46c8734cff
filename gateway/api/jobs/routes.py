"""The routes of jobs."""

import asyncio
import json
from typing import Any

from fastapi import APIRouter, Request, Response

from ...errors import InvalidRequest
from ...jobs.webhooks import check_webhook
from ...keys.guard import key_of
from ...runtime import runtime_of
from ..answers import JSON
from ..body import body_limits, parse_json, read_json
from ..connection import owner_of
from ..native import read_given
from ..openapi import json_body, reads
from ..rendering import ERROR_RESPONSES
from ..stream import MEDIA_TYPE as EVENT_STREAM
from .answers import answer_result, describe, desk_of
from .events import END, JobStream, read_last
from .examples import JOB_EXAMPLES
from .orders import make_order
from .schemas import KINDS, Job, JobList, JobRequest

DEFAULT_LIMIT, MAX_LIMIT = 20, 100

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], responses=ERROR_RESPONSES)


def _parameter(name: str, where: str, kind: str, meaning: str) -> dict[str, Any]:
    return {"name": name, "in": where, "schema": {"type": kind}, "description": meaning}


@router.post(
    "",
    status_code=202,
    response_model=Job,
    summary="Hand in a job",
    openapi_extra={
        **reads(json_body(JobRequest, JOB_EXAMPLES)),
        "parameters": [
            _parameter("Idempotency-Key", "header", "string", "With the same one it is the same job.")
        ],
    },
)
async def hand_in(request: Request) -> Response:
    """Answers at once: 202 with the job, which waits for its turn, or 200 with the one that was handed in
    under this `Idempotency-Key` before. `Location` is where to ask for it. What only the stages can tell,
    such as a limit of the model, ends the job as failed."""
    desk, settings = desk_of(request), runtime_of(request).settings
    async with desk.place():
        runtime_of(request).allowances.count(key_of(request))
        asked = await read_json(request, JobRequest, body_limits(settings))
        hook = asked.webhook
        webhook = check_webhook(hook.url, hook.secret, settings.webhook_hosts) if hook else None
        text = await asyncio.to_thread(json.dumps, asked.request)
        body = await asyncio.to_thread(parse_json, KINDS[asked.kind], text.encode())
        await read_given(body, settings)
        record, new = await desk.hand_in(make_order(request, body, webhook))
    job = await describe(record, desk)
    headers = {"Location": job.links.job}
    return Response(job.model_dump_json(), 202 if new else 200, headers, JSON)


@router.get(
    "",
    summary="List jobs",
    openapi_extra={"parameters": [_parameter("limit", "query", "integer", "How many: 1 to 100, 20.")]},
)
async def newest(request: Request) -> JobList:
    """The newest first; of a key, its own."""
    desk = desk_of(request)
    records = await desk.newest(_limit(request), owner_of(request))
    return JobList(jobs=[await describe(record, desk) for record in records])


@router.get(
    "/{id}",
    summary="How far a job is",
    openapi_extra={"parameters": [_parameter("preview", "query", "boolean", "With its newest preview.")]},
)
async def find(request: Request, id: str) -> Job:
    """State, place in the line, steps, and the error of one that failed."""
    desk = desk_of(request)
    record = await desk.find(id, owner_of(request))
    return await describe(record, desk, request.query_params.get("preview") == "true")


@router.get(
    "/{id}/events",
    response_model=None,
    summary="Watch a job",
    responses={200: {"content": {EVENT_STREAM: {}}}, 204: {"description": "The client has all of it."}},
    openapi_extra={
        "parameters": [_parameter("Last-Event-ID", "header", "string", "Only what came after this one.")]
    },
)
async def events(request: Request, id: str) -> Response:
    """Server-sent events: `queued` with the place in the line, `progress`, `preview`, and as the last one
    `result` or `error`, which are those of the synchronous routes."""
    last = read_last(request)
    record = await desk_of(request).find(id, owner_of(request))
    if last == END and record.has_ended:
        return Response(status_code=204)
    return JobStream(request, record.id, "" if last == END else last, {})


@router.get("/{id}/result", response_model=None, summary="Fetch what came of a job")
async def result(request: Request, id: str) -> Response:
    """What the synchronous route would answer: JSON or an image file, as `Accept` says, or the error; 409
    where the job has not ended, or was cancelled."""
    return await answer_result(request, await desk_of(request).find(id, owner_of(request)))


@router.delete(
    "/{id}",
    response_model=Job,
    summary="Cancel or remove a job",
    responses={204: {"description": "It had ended, and is removed."}},
)
async def cancel(request: Request, id: str) -> Response:
    """Ends one that waits or runs, at its next step, and answers what it is then; removes one that has
    ended."""
    desk = desk_of(request)
    record = await desk.cancel(id, owner_of(request))
    if record is None:
        return Response(status_code=204)
    return Response((await describe(record, desk)).model_dump_json(), media_type=JSON)


def _limit(request: Request) -> int:
    text = request.query_params.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= MAX_LIMIT):
        raise InvalidRequest(f"limit must be 1 to {MAX_LIMIT}; got {text[:60]!r}.", field="limit")
    return int(text)
