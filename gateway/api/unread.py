"""Progress of the native routes as events, with the answer or the error as the last of them."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from fastapi import Response
from fastapi.sse import format_sse_event

from ..progress import Progress
from .rendering import render_failure, stopping
from .stream import until_heartbeat

RESULT, ERROR = "result", "error"


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
        self.put("progress", progress_data(progress))
        if progress.previews:
            self.put("preview", preview_data(progress))

    async def take(self) -> dict[str, str]:
        """All of it, once there is something."""
        await self._news.wait()
        events, self._events = self._events, {}
        self._news.clear()
        return events

    async def read(self) -> AsyncIterator[bytes]:
        """As a client reads it, up to the last event."""
        ended = False
        while not ended:
            events = await until_heartbeat(self.take()) or {}
            for event, data in events.items():
                yield format_sse_event(event=event, data_str=data)
            if not events:
                yield format_sse_event(comment="")
            ended = RESULT in events or ERROR in events


async def tell(work: Coroutine[Any, Any, Response], unread: Unread, request_id: str) -> None:
    """Does the work; its answer, or what went wrong, is the last event."""
    try:
        unread.put(RESULT, bytes((await work).body).decode())
    except Exception as error:
        unread.put(ERROR, failure_data(render_failure(error, request_id)))


def stopping_event(request_id: str) -> bytes:
    """The last event where the server does not wait for the work."""
    return format_sse_event(event=ERROR, data_str=failure_data(stopping(request_id)))


def progress_data(progress: Progress) -> str:
    """How far it is."""
    return json.dumps({name: value for name, value in vars(progress).items() if name != "previews"})


def preview_data(progress: Progress) -> str:
    images = [base64.b64encode(file).decode() for file in progress.previews]
    return json.dumps({"step": progress.step, "images": images})


def failure_data(answer: Response) -> str:
    """The body of an error's answer, and its status, which is the stream's no longer."""
    return json.dumps({**json.loads(bytes(answer.body)), "status": answer.status_code})
