"""Progress as server-sent events, with the answer or the error as the last of them."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from fastapi import Response
from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.types import Receive, Scope, Send

from ..background import Background
from ..errors import GatewayError
from ..progress import Progress
from .rendering import internal_error, render_error, stopping

MEDIA_TYPE = "text/event-stream"
HEARTBEAT_SECONDS = 15.0
"""So often at least something is sent: proxies end connections that are silent for long."""
RESULT, ERROR = "result", "error"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

logger = logging.getLogger(__name__)


class Unread:
    """What a client has not read yet: of each kind of event the newest, in whose place no older one is."""

    def __init__(self) -> None:
        self._events: dict[str, str] = {}
        self._news = asyncio.Event()

    def put(self, event: str, data: str) -> None:
        self._events[event] = data
        self._news.set()

    def notice(self, progress: Progress) -> None:
        """The watcher's: an event of how far it is, and one of previews where there are new ones."""
        said = {name: value for name, value in vars(progress).items() if name != "previews"}
        self.put("progress", json.dumps(said))
        if progress.previews:
            images = [base64.b64encode(file).decode() for file in progress.previews]
            self.put("preview", json.dumps({"step": progress.step, "images": images}))

    async def take(self) -> dict[str, str]:
        """All of it, once there is something."""
        await self._news.wait()
        events, self._events = self._events, {}
        self._news.clear()
        return events


async def tell(work: Coroutine[Any, Any, Response], unread: Unread, request_id: str) -> None:
    """Does the work; its answer, or what went wrong, is the last event."""
    try:
        unread.put(RESULT, bytes((await work).body).decode())
    except GatewayError as error:
        unread.put(ERROR, _failure(render_error(error, request_id)))
    except Exception:
        logger.exception("A fault of the gateway's own", extra={"request_id": request_id})
        unread.put(ERROR, _failure(internal_error(request_id)))


def _failure(answer: Response) -> str:
    """The body of an error's answer, and its status, which is the stream's no longer."""
    return json.dumps({**json.loads(bytes(answer.body)), "status": answer.status_code})


class EventStream(EventSourceResponse):
    """The events of a job. A client that leaves ends it, unless it is to be `kept`."""

    def __init__(
        self, job: asyncio.Task[None], unread: Unread, background: Background, keep: bool, request_id: str
    ) -> None:
        super().__init__(self._events(), headers=HEADERS)
        self._job = job
        self._unread = unread
        self._background = background
        self._keep = keep
        self._request_id = request_id
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except asyncio.CancelledError:
            await self._say_that_it_stops(send)
            raise
        finally:
            if not self._keep:
                self._job.cancel()
            self._background.leave(self._job)

    async def _events(self) -> AsyncIterator[bytes]:
        self._begun, ended = True, False
        while not ended:
            events = await self._news()
            for event, data in events.items():
                yield format_sse_event(event=event, data_str=data)
            if not events:
                yield format_sse_event(comment="")
            ended = RESULT in events or ERROR in events

    async def _news(self) -> dict[str, str]:
        """Nothing where there is none for a while."""
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                return await self._unread.take()
        except TimeoutError:
            return {}

    async def _say_that_it_stops(self, send: Send) -> None:
        """The server does not wait for the job."""
        if self._begun:
            data = _failure(stopping(self._request_id))
            last = format_sse_event(event=ERROR, data_str=data)
            await send({"type": "http.response.body", "body": last, "more_body": False})
