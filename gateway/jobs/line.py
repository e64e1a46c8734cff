"""The jobs that this gateway takes from the line, and those under way in it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack
from contextvars import Context, copy_context
from typing import Any

from triptych.tracing import REQUEST_ID

from ..admission import Admission
from ..background import end_tasks
from ..errors import StoreUnavailable
from ..metrics import Metrics
from .news import LINE, OWED
from .record import Record
from .store import Store
from .webhooks import Webhooks
from .work import Craft, Outcome, cancelled, failed, outcome, surely, work

logger = logging.getLogger(__name__)

MAX_RUNS = 5
"""A job that was begun so often, and each time the gateway was gone before its end, is not begun again."""
PAUSE_SECONDS = 1.0
"""Before a store that was not there is asked again."""
MOST_CONTEXTS = 10_000
"""Of jobs that wait; another gateway may take them, and nobody says so here."""


class Line:
    """First come, first served, as the admission has room."""

    def __init__(
        self, store: Store, admission: Admission, craft: Craft, webhooks: Webhooks, metrics: Metrics
    ) -> None:
        self._store = store
        self._admission = admission
        self._craft = craft
        self._webhooks = webhooks
        self._metrics = metrics
        self._working: dict[str, asyncio.Task[bytes]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._contexts: dict[str, Context] = {}
        self._oldest: float | None = None
        self._stops = False
        metrics.jobs_oldest.set_function(self._oldest_seconds)
        metrics.jobs_running.set_function(lambda: len(self._working))

    def open(self) -> None:
        for topic, look in ((LINE, self._serve), (LINE, self._count), (OWED, self._tell_owed)):
            self._spawn(self._follow(topic, look))
        self._spawn(self._end_those_to_stop())

    def expect(self, id: str) -> None:
        """It is about to wait: the trace of who hands it in goes on when it begins, if that is here."""
        self._contexts[id] = copy_context()
        if len(self._contexts) > MOST_CONTEXTS:
            del self._contexts[next(iter(self._contexts))]

    def begin(self, record: Record, inside: ExitStack) -> None:
        """Past the line, by a request that is inside already. The store has it as running here."""
        self._start(record, inside)

    async def cancel(self, id: str) -> None:
        """Whether it waits or runs, here or elsewhere; returns when it has ended."""
        error = cancelled(self._craft, id).error
        assert error is not None
        await self._store.stop(id, error)
        await self.ended(id)

    async def ended(self, id: str) -> None:
        """Returns when the job has ended, or is gone."""
        with self._store.news.of(id) as changed:
            while not self._store.news.closed:
                changed.clear()
                record = await surely(self._store.find, id)
                if record is None or record.has_ended:
                    return
                await changed.wait()

    async def close(self) -> None:
        """What runs is put back, and begins again where it was when the gateway does, or elsewhere."""
        self._stops = True
        await end_tasks([*self._tasks, *self._working.values()])
        try:
            for id in self._working:
                await self._store.put_back(id)
        except StoreUnavailable as error:
            logger.warning("jobs not put back", extra={"error": error.message})

    async def _follow(self, topic: str, look: Callable[[], Awaitable[None]]) -> None:
        """Looks now, and whenever there is news of this."""
        with self._store.news.of(topic) as changed:
            while True:
                changed.clear()
                try:
                    await look()
                    await changed.wait()
                except (StoreUnavailable, OSError) as error:
                    logger.warning("the job store is not there", extra={"error": str(error)})
                    await asyncio.sleep(PAUSE_SECONDS)
                except Exception:
                    logger.exception("A fault of the gateway's own")
                    await asyncio.sleep(PAUSE_SECONDS)

    async def _serve(self) -> None:
        """As long as somebody waits."""
        while await self._store.waiting():
            inside = await self._admission.turn()
            with ExitStack() as held:
                held.push(inside)
                record = await self._store.take()
                if record is None:
                    return
                self._start(record, held.pop_all())

    async def _count(self) -> None:
        self._metrics.jobs_waiting.set(await self._store.waiting())
        self._oldest = await self._store.oldest()

    async def _tell_owed(self) -> None:
        while record := await self._store.owed():
            self._spawn(self._deliver(record))

    async def _end_those_to_stop(self) -> None:
        while True:
            working = self._working.get(await self._store.news.stopping.get())
            if working:
                working.cancel()

    def _start(self, record: Record, inside: ExitStack) -> None:
        if lost := self._working.get(record.id):
            lost.cancel()
        context = self._contexts.pop(record.id, None) or copy_context()
        working = asyncio.create_task(self._work(record), context=context)
        self._working[record.id] = working
        self._spawn(self._end_with(record.id, working, inside))

    async def _work(self, record: Record) -> bytes:
        REQUEST_ID.set(record.id)
        if record.runs > MAX_RUNS:
            raise RuntimeError(f"the job {record.id} was begun {MAX_RUNS} times and never ended")
        return await work(self._craft, self._store, record)

    async def _end_with(self, id: str, working: "asyncio.Task[bytes]", inside: ExitStack) -> None:
        with inside:
            came = await outcome(self._craft, id, working)
        if not self._stops and self._working.get(id) is working:
            await self._end(id, came)
            del self._working[id]

    async def _end(self, id: str, came: Outcome) -> None:
        """Once there is room for it; where there is none for a result, it failed."""
        self._metrics.job_ended(came.state)
        while True:
            try:
                record = await surely(self._store.end, id, came.state, came.error, came.result)
                break
            except OSError as error:
                logger.warning(
                    "no room for what came of the job", extra={"request_id": id, "error": str(error)}
                )
                came = failed(self._craft, id, error)
                await asyncio.sleep(PAUSE_SECONDS)
        if record is None:
            logger.warning(
                "what came of the job is not kept: JOBS_BYTES has no room, or another gateway has the job",
                extra={"request_id": id},
            )

    async def _deliver(self, record: Record) -> None:
        came = await self._webhooks.deliver(record)
        await surely(self._store.notified, record.id, came)

    def _oldest_seconds(self) -> float:
        """How long the one at the head of the line has waited."""
        return 0.0 if self._oldest is None else max(0.0, time.time() - self._oldest)

    def _spawn(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(doing)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("A fault of the gateway's own", exc_info=error)
