"""One request's answer as a stream of events, made of what its ticket says at the moment of sending."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress

from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from triptych.wire import Cancelled, InvalidField, Tensors

from .events import answer_event, error_event, preview_event, progress_event, state_event
from .forms import Form
from .handler import Ticket
from .jobs import Job
from .presence import followed
from .stage import Stage
from .worker import HandlerFault, fault

logger = logging.getLogger(__name__)

SILENCE_SECONDS = 15  # proxies close what is silent for a minute or so
READER_SECONDS = 60  # a reader that takes nothing for so long is as good as gone
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class EventStream(Response):
    """Sends a job's events until its answer or error; `place` is what it leaves then.

    Starlette's StreamingResponse sends from a task of its own; this one does from the request's, as it holds
    a place at the door, and tells it of a stop. A write waits for the reader, and what is sent next is new.
    """

    media_type = EventSourceResponse.media_type

    def __init__(self, stage: Stage, job: Job, form: Form, place: AsyncExitStack) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._work = stage.shared.work
        self._job = job
        self._form = form
        self._place = place
        self._progress = b""
        self._timing = (0.0, 0.0)
        self._preview = Every(job.options.preview_every)
        self._state = Every(job.options.state_every)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            last = await self._until_last(receive, send)
            await self._write(send, last, more=False)
        except ClientDisconnect:
            logger.info("the reader of a stream went away")

    async def _until_last(self, receive: Receive, send: Send) -> bytes:
        """The answer or the error, after all else has been sent."""
        try:
            async with self._place:
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                try:
                    return await followed(receive, self._job, self._events(send))
                except asyncio.CancelledError:  # turned out: another replica can go on from here
                    with suppress(HandlerFault):
                        await self._write(send, await self._made(state_event))
                    raise
        except ClientDisconnect:
            raise
        except (HTTPException, InvalidField, Cancelled, HandlerFault) as error:
            return error_event(error)
        except Exception as error:
            logger.exception("the server failed")
            return error_event(error)

    async def _events(self, send: Send) -> bytes:
        ticket = self._job.ticket
        while not ticket.done:
            await self._show_progress(send)
            if self._preview.due(ticket.progress.step):
                await self._write(send, await self._made(preview_event))
            if self._state.due(ticket.progress.step):
                await self._write(send, await self._made(state_event))
            await self._pause(send)
        await self._show_progress(send)
        answer: bytes = await self._job.result(self._answer)
        self._work.note(self._timing, self._job.ticket)
        return answer

    def _answer(self, tensors: Tensors) -> bytes:
        self._timing = self._job.timing()
        return answer_event(tensors, self._form, self._timing)

    async def _show_progress(self, send: Send) -> None:
        event = progress_event(self._job.ticket.progress)
        if event != self._progress:
            self._progress = event
            await self._write(send, event)

    async def _pause(self, send: Send) -> None:
        """Until something changes, with a sign of life from time to time."""
        while True:
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    return await self._job.change()
            except TimeoutError:
                await self._write(send, KEEPALIVE_COMMENT)

    async def _made(self, make: Callable[[Ticket], bytes]) -> bytes:
        """An event that takes computing."""
        try:
            return await asyncio.to_thread(make, self._job.ticket)
        except Exception as error:
            raise fault(error) from None

    async def _write(self, send: Send, event: bytes, more: bool = True) -> None:
        try:
            async with asyncio.timeout(READER_SECONDS):
                await send({"type": "http.response.body", "body": event, "more_body": more})
        except TimeoutError:
            raise ClientDisconnect from None


class Every:
    """Tells every so many steps that something is due; none or several of them may have passed since."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._last = 0

    def due(self, step: int) -> bool:
        """Whether a multiple of the steps has been reached since it last was due."""
        due = self._steps > 0 and step // self._steps > self._last // self._steps
        if due:
            self._last = step
        return due
