"""The events of a job, from where a client has read them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping

from fastapi import Request
from fastapi.sse import EventSourceResponse, format_sse_event

from ...errors import InvalidRequest, NotFound, StoreUnavailable
from ...jobs.journal import PLACE, PREVIEW, Entry
from ...jobs.news import LINE
from ...jobs.record import Record
from ...progress import Progress
from ..rendering import render_failure
from ..stream import HEADERS, until_heartbeat
from ..unread import ERROR, RESULT, failure_data, preview_data, progress_data
from .answers import desk_of, result_json

LAST = "Last-Event-ID"
END = "end"
"""The id of the event that ends a job: who has that one needs nothing more."""

COMMENT = b":\n"
"""Says nothing. A blank line behind it would be taken for an event by readers that carry ids on."""


def read_last(request: Request) -> str:
    """The id of the last event that the client has, empty where it has none."""
    last = request.headers.get(LAST, "")
    if last not in ("", END) and not (last.isascii() and last.isdigit() and len(last) < 20):
        raise InvalidRequest(f"{LAST} must be the id of an event of this job; got {last[:60]!r}.", field=LAST)
    return last


class JobStream(EventSourceResponse):
    """What is newer than `last`, as it comes, and how the job ended. A client that leaves changes nothing; a
    gateway that stops breaks off, and goes on with the job when it is back."""

    def __init__(self, request: Request, id: str, last: str, headers: Mapping[str, str]) -> None:
        super().__init__(self._events(), headers={**HEADERS, **headers})
        self._request = request
        self._desk = desk_of(request)
        self._id = id
        self._seen = int(last or 0)
        self._place = 0
        self._over = False

    async def _events(self) -> AsyncIterator[bytes]:
        with self._desk.news.of(self._id, LINE) as changed:
            while not self._over:
                news = await until_heartbeat(self._news(changed)) or []
                yield b"".join(map(_event, news)) or COMMENT
        yield await self._ending()

    async def _news(self, changed: asyncio.Event) -> list[Entry]:
        """What is newer, once there is something; nothing where the job ended instead."""
        while not self._over:
            changed.clear()
            try:
                record = await self._desk.find(self._id)
                self._over = record.has_ended or self._desk.news.closed
                if news := await self._newer(record):
                    return news
                if not self._over:
                    await changed.wait()
            except NotFound:
                self._over = True
            except StoreUnavailable as error:
                await asyncio.sleep(error.retry_after or 1)
        return []

    async def _newer(self, record: Record) -> list[Entry]:
        """What was not sent yet; a place that is what it was is no news."""
        journal = await self._desk.journal(record)
        newer = journal.after(self._seen)
        self._seen = newer[-1].number if newer else self._seen
        was, self._place = self._place, journal.place or 0
        return [entry for entry in newer if entry.kind != PLACE or entry.what != was]

    async def _ending(self) -> bytes:
        """How it ended; nothing where it has not, as the gateway stops."""
        try:
            record = await self._desk.find(self._id)
            if not record.has_ended:
                return b""
            if not record.error:
                said = await result_json(self._request, record)
                return format_sse_event(event=RESULT, data_str=said, id=END)
            data = record.error
        except Exception as error:
            data = failure_data(render_failure(error, self._request.state.request_id))
        return format_sse_event(event=ERROR, data_str=data, id=END)


def _event(entry: Entry) -> bytes:
    if isinstance(entry.what, Progress):
        data = preview_data(entry.what) if entry.kind == PREVIEW else progress_data(entry.what)
    else:
        data = json.dumps({"position": entry.what})
    return format_sse_event(event=entry.kind, data_str=data, id=str(entry.number))
