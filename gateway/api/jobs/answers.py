"""What is told of a job, and what came of it."""

import asyncio
import base64
import json
from datetime import UTC, datetime
from typing import Any, cast

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from ...jobs.desk import Desk
from ...jobs.journal import DENOISING, PREVIEW
from ...jobs.record import Record
from ...progress import Progress
from ..answers import JSON, answer_type, make_answer
from ..failure import ErrorFields
from .orders import read_parameters
from .schemas import Job, Links

PATH = "/v1/jobs"


def desk_of(request: Request) -> Desk:
    """The desk of the gateway that serves this request."""
    return cast(Desk, request.state.desk)


async def describe(record: Record, desk: Desk, preview: bool = False) -> Job:
    """As it is now, with its newest preview if that is asked for."""
    journal = await desk.journal(record)
    at, denoising = journal.progress(), journal.progress(DENOISING)
    shown = journal.progress(PREVIEW) if preview else None
    return Job(
        id=record.id,
        kind=record.kind,
        state=record.state,
        position=journal.place,
        stage=at.stage if at else None,
        step=denoising.step if denoising else 0,
        steps=denoising.steps if denoising else 0,
        seconds_left=at.seconds_left if at else None,
        created=_time(record.created),
        began=record.began and _time(record.began),
        ended=record.ended and _time(record.ended),
        request=json.loads(record.parameters),
        preview=_files(shown) if shown else None,
        error=ErrorFields(**error_of(record)[1]["error"]) if record.error else None,
        webhook=record.notified,
        links=Links(**links(record.id)),
    )


def links(id: str) -> dict[str, str]:
    return {"job": f"{PATH}/{id}", "events": f"{PATH}/{id}/events", "result": f"{PATH}/{id}/result"}


def error_of(record: Record) -> tuple[int, dict[str, Any]]:
    """Status and body of the answer to a job that failed."""
    said: dict[str, Any] = json.loads(record.error or "{}")
    return said.pop("status"), said


async def answer_result(request: Request, record: Record, media_type: str | None = None) -> Response:
    """As the route of its kind would answer at once, in this media type or as `Accept` says; the error of a
    job that failed. Raises Conflict where there is neither."""
    if record.error:
        status, said = error_of(record)
        return JSONResponse(said, status)
    result, body = await desk_of(request).result(record), read_parameters(record)
    chosen = media_type or answer_type(request, body)
    return await asyncio.to_thread(make_answer, request, body, body.to_request(""), result, chosen)


async def result_json(request: Request, record: Record) -> str:
    answer = await answer_result(request, record, JSON)
    return bytes(answer.body).decode()


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _files(progress: Progress) -> list[str]:
    return [base64.b64encode(file).decode() for file in progress.previews]
