"""Jobs that wait for their turn, and those under way."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import ExitStack
from typing import Any

from ..admission import Admission
from ..metrics import Metrics
from .archive import Archive
from .journal import Journal
from .record import Record
from .webhooks import PENDING, Webhooks
from .work import Craft, Outcome, cancelled, failed, outcome, work

logger = logging.getLogger(__name__)


class Line:
    """First come, first served, as the admission has room."""

    def __init__(
        self, archive: Archive, admission: Admission, craft: Craft, webhooks: Webhooks, metrics: Metrics
    ) -> None:
        self._archive = archive
        self._admission = admission
        self._craft = craft
        self._webhooks = webhooks
        self._metrics = metrics
        self._waiting: dict[str, Record] = {}
        self._journals: dict[str, Journal] = {}
        self._working: dict[str, asyncio.Task[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._arrived = asyncio.Event()
        self._stops = False

    def __len__(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def journal(self, id: str) -> Journal | None:
        """None of a job that has ended."""
        return self._journals.get(id)

    def open(self) -> None:
        self._spawn(self._serve())

    def join(self, record: Record) -> None:
        """At the end of it."""
        self._waiting[record.id] = record
        self._journals[record.id] = Journal()
        self._tell_places()
        self._arrived.set()

    def begin(self, record: Record, inside: ExitStack) -> None:
        """Past the line, by a request that is inside already."""
        self._journals[record.id] = Journal()
        self._start(record, inside)

    async def cancel(self, id: str) -> None:
        """Whether it waits or runs; returns when it has ended."""
        journal = self._journals.get(id)
        if self._waiting.pop(id, None):
            self._tell_places()
            await self._end(id, cancelled(self._craft, id))
        elif id in self._working:
            self._working[id].cancel()
        if journal:
            await journal.wait()

    def notify(self, record: Record) -> None:
        """Whoever wanted to know of the end."""
        self._spawn(self._deliver(record))

    async def close(self) -> None:
        """What runs is put back, and begins again where it was when the gateway does."""
        self._stops = True
        for task in (*self._tasks, *self._working.values()):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._working.values(), return_exceptions=True)
        for id in self._working:
            await self._archive.put_back(id)
        for journal in self._journals.values():
            journal.end()

    async def _serve(self) -> None:
        while True:
            await self._arrived.wait()
            inside = await self._admission.turn()
            if not self._waiting:
                inside.close()
                self._arrived.clear()
                continue
            record = self._waiting.pop(next(iter(self._waiting)))
            self._tell_places()
            if not self._waiting:
                self._arrived.clear()
            self._start(record, inside)

    def _start(self, record: Record, inside: ExitStack) -> None:
        journal = self._journals[record.id]
        journal.begin()
        working = self._working[record.id] = asyncio.create_task(self._work(record, journal))
        self._spawn(self._follow(record.id, working, inside))

    async def _work(self, record: Record, journal: Journal) -> bytes:
        await self._archive.begin(record.id)
        return await work(self._craft, self._archive, record, journal)

    async def _follow(self, id: str, working: "asyncio.Task[bytes]", inside: ExitStack) -> None:
        with inside:
            came = await outcome(self._craft, id, working)
            if not self._stops:
                del self._working[id]
                await self._end(id, came)

    async def _end(self, id: str, came: Outcome) -> None:
        try:
            record = await self._store(id, came)
            if record is None:
                logger.warning("JOBS_BYTES has no room for the result", extra={"request_id": id})
            elif record.notified == PENDING:
                self.notify(record)
        finally:
            self._journals.pop(id).end()

    async def _store(self, id: str, came: Outcome) -> Record | None:
        try:
            return await self._archive.end(id, came.state, came.error, came.result)
        except OSError as error:
            came = failed(self._craft, id, error)
            return await self._archive.end(id, came.state, came.error, came.result)

    async def _deliver(self, record: Record) -> None:
        came = await self._webhooks.deliver(record)
        await self._archive.notified(record.id, came)

    def _tell_places(self) -> None:
        self._metrics.jobs_waiting.set(len(self._waiting))
        for place, id in enumerate(self._waiting, 1):
            self._journals[id].place(place)

    def _spawn(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(doing)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("A fault of the gateway's own", exc_info=error)
