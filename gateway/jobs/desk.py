"""Where jobs are handed in, asked after and fetched."""

import asyncio
import hashlib
import logging
import math
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from ..background import end_tasks
from ..errors import Conflict, InvalidRequest, LimitReached, NotFound, Overloaded, StoreUnavailable
from ..metrics import Metrics
from ..requests import GenerateResult
from ..runtime import Runtime
from ..settings import Settings
from .journal import Journal
from .line import Line
from .news import News
from .opening import open_store
from .record import DONE, RUNNING, Record, Webhook
from .results import unpack_result
from .store import RESULT, Store, full_line
from .webhooks import PENDING, Webhooks
from .work import Craft

logger = logging.getLogger(__name__)

TIDY_SECONDS = 60.0
RETRY_AFTER = 10
"""Where no job has shown yet how long one takes."""


@dataclass(frozen=True)
class Order:
    """A job as it is handed in: `request` in JSON, in which a seed was `drawn` or the client's own is, and
    `parameters`, which is that without pictures. `key` is the client's name for it, `digest` what tells
    whether another order of that name is the same. `most` is how many jobs the client may have that have not
    ended."""

    kind: str
    client: str
    request: bytes
    parameters: str
    drawn: bool
    digest: bytes
    key: str | None = None
    webhook: Webhook | None = None
    most: int | None = None


class Desk:
    """Raises NotFound for a job that is not here, or no longer, and StoreUnavailable. An `owner` finds those
    of its own alone."""

    def __init__(self, store: Store, line: Line, settings: Settings, metrics: Metrics) -> None:
        self._store = store
        self._line = line
        self._settings = settings
        self._metrics = metrics
        metrics.jobs_bytes_limit.set(settings.jobs_bytes)
        self._arriving = 0
        self._counting = asyncio.Lock()
        self._pace: float | None = None

    @property
    def news(self) -> News:
        """Of jobs, by their ids, and of the line."""
        return self._store.news

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """For a job that is about to be read. Overloaded where the line is full, or many are being read."""
        limit, most = self._settings.jobs_queue, self._settings.max_concurrent_requests
        full = await self._store.waiting() + self._arriving >= limit
        self._metrics.admission("job", not full and self._arriving < most)
        if full:
            raise full_line(limit, self._retry_after)
        if self._arriving >= most:
            raise Overloaded(f"{most} jobs are being taken in. Try again in 1 s.", retry_after=1)
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1

    async def hand_in(self, order: Order) -> tuple[Record, bool]:
        """The job, which waits now, or the one that was handed in under this name; and whether it is new.

        InvalidRequest where that one is another; LimitReached where the client has as many as it may."""
        return await self._add(order, _record(order))

    async def begin(self, order: Order, inside: ExitStack) -> Record:
        """As hand_in, but it does not wait: the request is inside already, until the job has ended."""
        fresh = _record(order)
        record, new = await self._add(order, replace(fresh, state=RUNNING, began=fresh.created, runs=1))
        if new:
            self._line.begin(record, inside.pop_all())
        else:
            inside.close()
        return record

    async def find(self, id: str, owner: str | None = None) -> Record:
        record = await self._store.find(id)
        if record is None or owner not in (None, record.client):
            raise NotFound(
                f"There is no job {id[:64]}. Those that have ended are kept for "
                f"{self._settings.jobs_keep_seconds:g} s, and as long as JOBS_BYTES has room. "
                "GET /v1/jobs lists what is here."
            )
        return record

    async def newest(self, limit: int, owner: str | None = None) -> list[Record]:
        return await self._store.newest(limit, owner)

    async def journal(self, record: Record) -> Journal:
        """What it tells, if it has not ended."""
        return Journal() if record.has_ended else await self._store.journal(record.id)

    async def wait(self, id: str) -> Record:
        """The job once it has ended."""
        await self._line.ended(id)
        return await self.find(id)

    async def result(self, record: Record) -> GenerateResult:
        """Conflict where there is none."""
        if record.state != DONE:
            raise Conflict(
                f"The job is {record.state}; only one that is done has a result. "
                f"GET /v1/jobs/{record.id} says how far it is."
            )
        data = await self._store.read(record.id, RESULT)
        if data is None:
            await self.find(record.id)
            raise FileNotFoundError(f"the result of the job {record.id} is gone")
        most = self._settings.max_image_pixels
        return await asyncio.to_thread(unpack_result, data, most)

    async def cancel(self, id: str, owner: str | None = None) -> Record | None:
        """The job, which has ended now; None where it had already, and is removed."""
        record = await self.find(id, owner)
        if not record.has_ended:
            await self._line.cancel(id)
            return await self.find(id)
        await self._store.remove(id)
        return None

    async def tidy(self) -> None:
        """From time to time."""
        while True:
            try:
                await self._store.tidy()
                self._pace = await self._store.pace()
                self._metrics.jobs_bytes.set(await self._store.size())
                self._metrics.jobs_disk_free.set(await self._store.free())
            except (StoreUnavailable, OSError) as error:
                logger.warning("not tidied", extra={"error": str(error)})
            await asyncio.sleep(min(TIDY_SECONDS, self._settings.jobs_keep_seconds / 2))

    async def _add(self, order: Order, fresh: Record) -> tuple[Record, bool]:
        self._line.expect(fresh.id)
        known = await self._store.find_key(order.key) if order.key else None
        record = known or await self._add_new(order, fresh)
        if record.digest != fresh.digest:
            raise InvalidRequest(
                f"Idempotency-Key must be a new one for a new request; the job {record.id} was made with "
                "this one from another body.",
                field="Idempotency-Key",
            )
        return record, record.id == fresh.id

    async def _add_new(self, order: Order, fresh: Record) -> Record:
        if order.most is None:
            return await self._store.add(fresh, order.request)
        async with self._counting:
            if await self._store.unfinished(order.client) >= order.most:
                raise LimitReached(
                    f"The key {order.client} has {order.most} jobs that wait or run, and may have no more. "
                    "Try again when one has ended.",
                    retry_after=self._retry_after,
                )
            return await self._store.add(fresh, order.request)

    @property
    def _retry_after(self) -> int:
        """Seconds until the line will be shorter by one."""
        if self._pace is None:
            return RETRY_AFTER
        return max(1, math.ceil(self._pace / self._settings.max_concurrent_requests))


def _record(order: Order) -> Record:
    return Record(
        id=uuid.uuid4().hex,
        kind=order.kind,
        client=order.client,
        parameters=order.parameters,
        drawn=order.drawn,
        key=order.key,
        digest=hashlib.sha256(order.digest).hexdigest(),
        webhook=order.webhook,
        created=time.time(),
        notified=PENDING if order.webhook else None,
    )


@asynccontextmanager
async def open_desk(runtime: Runtime, craft: Craft) -> AsyncIterator[Desk]:
    """The desk, whose jobs are put back when the context ends."""
    settings = runtime.settings
    webhooks = Webhooks()
    async with open_store(settings) as store:
        line = Line(store, runtime.admission, craft, webhooks, runtime.metrics)
        desk = Desk(store, line, settings, runtime.metrics)
        line.open()
        tidying = asyncio.create_task(desk.tidy())
        try:
            yield desk
        finally:
            await end_tasks([tidying])
            await line.close()
            await webhooks.close()
