"""Answers a request whose handler starts it: at once when it is done, or as a stream of events."""

from contextlib import AsyncExitStack
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .forms import Form, render_contract
from .handler import TicketHandler
from .jobs import Job
from .options import Options
from .presence import followed
from .stage import Stage
from .stream import EventStream


async def answer_by_ticket(
    request: Request,
    stage: Stage,
    handler: TicketHandler,
    data: dict[str, Any],
    form: Form | None,
    place: AsyncExitStack,
) -> Response:
    """The answer to a request that is inside. A stream takes its `place` over, and leaves it when it ends."""
    job = place.enter_context(stage.shared.jobs.admit(Options.read(data)))
    await followed(request.receive, job, job.start(handler, data))
    if form is not None and form.events:
        return stage.announce_load(EventStream(stage, job, form, place.pop_all()))
    await followed(request.receive, job, job.finished())
    response = await followed(request.receive, job, _answer(job, form))
    timing = job.timing()
    stage.shared.work.note(timing, job.ticket)
    return stage.announce(response, timing)


async def _answer(job: Job, form: Form | None) -> Response:
    response: Response = await job.result(render_contract if form is None else form.render)
    return response
