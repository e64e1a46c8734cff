"""Where jobs are handed in, asked after and fetched."""

import asyncio
import hashlib
import logging
import math
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

from ..errors import Conflict, InvalidRequest, NotFound, Overloaded
from ..requests import GenerateResult
from ..runtime import Runtime
from ..settings import Settings
from .archive import Archive, open_archive
from .journal import Journal
from .line import Line
from .record import DONE, Record, Webhook
from .results import unpack_result
from .webhooks import PENDING, Webhooks
from .work import Craft, failed

logger = logging.getLogger(__name__)

MAX_RUNS = 5
"""A job that was begun so often, and each time the gateway was gone before its end, is not begun again."""
TIDY_SECONDS = 60.0
RETRY_AFTER = 10
"""Where no job has shown yet how long one takes."""


@dataclass(frozen=True)
class Order:
    """A job as it is handed in: `request` in JSON, in which a seed was `drawn` or the client's own is, and
    `parameters`, which is that without pictures. `key` is the client's name for it, `digest` what tells
    whether another order of that name is the same."""

    kind: str
    client: str
    request: bytes
    parameters: str
    drawn: bool
    digest: bytes
    key: str | None = None
    webhook: Webhook | None = None


class Desk:
    """Raises NotFound for a job that is not here, or no longer."""

    def __init__(self, archive: Archive, line: Line, settings: Settings) -> None:
        self._archive = archive
        self._line = line
        self._settings = settings
        self._arriving = 0
        self._pace: float | None = None

    async def open(self, craft: Craft) -> None:
        """What was not done when the gateway was gone is done now."""
        for record in await self._archive.pending():
            if record.runs < MAX_RUNS:
                self._line.join(record)
            else:
                error = RuntimeError(f"the job {record.id} was begun {MAX_RUNS} times and never ended")
                came = failed(craft, record.id, error)
                await self._archive.end(record.id, came.state, came.error, None)
        for record in await self._archive.unnotified():
            self._line.notify(record)
        self._line.open()

    @contextmanager
    def place(self) -> Iterator[None]:
        """For a job that is about to be read. Overloaded where the line is full, or many are being read."""
        limit, most = self._settings.jobs_queue, self._settings.max_concurrent_requests
        if len(self._line) + self._arriving >= limit:
            raise Overloaded(
                f"{limit} jobs wait and no more are taken. Try again later, or raise JOBS_QUEUE.",
                retry_after=self._retry_after,
            )
        if self._arriving >= most:
            raise Overloaded(f"{most} jobs are being taken in. Try again in 1 s.", retry_after=1)
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1

    async def hand_in(self, order: Order) -> tuple[Record, bool]:
        """The job, which waits now, or the one that was handed in under this name; and whether it is new.

        InvalidRequest where that one is another."""
        record, new = await self._add(order)
        if new:
            self._line.join(record)
        return record, new

    async def begin(self, order: Order, inside: ExitStack) -> Record:
        """As hand_in, but it does not wait: the request is inside already, until the job has ended."""
        record, new = await self._add(order)
        if new:
            self._line.begin(record, inside.pop_all())
        else:
            inside.close()
        return record

    async def find(self, id: str) -> Record:
        record = await self._archive.find(id)
        if record is None:
            raise NotFound(
                f"There is no job {id[:64]}. Those that have ended are kept for "
                f"{self._settings.jobs_keep_seconds:g} s, and as long as JOBS_BYTES has room. "
                "GET /v1/jobs lists what is here."
            )
        return record

    async def newest(self, limit: int) -> list[Record]:
        return await self._archive.newest(limit)

    def journal(self, id: str) -> Journal | None:
        """Of a job that has not ended."""
        return self._line.journal(id)

    async def wait(self, id: str) -> Record:
        """The job once it has ended."""
        if journal := self._line.journal(id):
            await journal.wait()
        return await self.find(id)

    async def result(self, record: Record) -> GenerateResult:
        """Conflict where there is none."""
        if record.state != DONE:
            raise Conflict(
                f"The job is {record.state}; only one that is done has a result. "
                f"GET /v1/jobs/{record.id} says how far it is."
            )
        data = await self._archive.result(record.id)
        if data is None:
            await self.find(record.id)
            raise FileNotFoundError(f"the result of the job {record.id} is gone")
        most = self._settings.max_image_pixels
        return await asyncio.to_thread(unpack_result, data, most)

    async def cancel(self, id: str) -> Record | None:
        """The job, which has ended now; None where it had already, and is removed."""
        record = await self.find(id)
        if not record.has_ended:
            await self._line.cancel(id)
            return await self.find(id)
        await self._archive.remove(id)
        return None

    async def tidy(self) -> None:
        """From time to time."""
        while True:
            await self._archive.tidy()
            self._pace = await self._archive.pace()
            await asyncio.sleep(min(TIDY_SECONDS, self._settings.jobs_keep_seconds / 2))

    async def _add(self, order: Order) -> tuple[Record, bool]:
        digest = hashlib.sha256(order.digest).hexdigest()
        fresh = _record(order, digest)
        known = await self._archive.find_key(order.key) if order.key else None
        record = known or await self._archive.add(fresh, order.request)
        if record.digest != digest:
            raise InvalidRequest(
                f"Idempotency-Key must be a new one for a new request; the job {record.id} was made with "
                "this one from another body.",
                field="Idempotency-Key",
            )
        return record, record.id == fresh.id

    @property
    def _retry_after(self) -> int:
        """Seconds until the line will be shorter by one."""
        if self._pace is None:
            return RETRY_AFTER
        return max(1, math.ceil(self._pace / self._settings.max_concurrent_requests))


def _record(order: Order, digest: str) -> Record:
    return Record(
        id=uuid.uuid4().hex,
        kind=order.kind,
        client=order.client,
        parameters=order.parameters,
        drawn=order.drawn,
        key=order.key,
        digest=digest,
        webhook=order.webhook,
        created=time.time(),
        notified=PENDING if order.webhook else None,
    )


@asynccontextmanager
async def open_desk(runtime: Runtime, craft: Craft) -> AsyncIterator[Desk]:
    """The desk, whose jobs are put back when the context ends."""
    settings = runtime.settings
    webhooks = Webhooks()
    async with open_archive(settings.jobs_dir, settings.jobs_keep_seconds, settings.jobs_bytes) as archive:
        line = Line(archive, runtime.admission, craft, webhooks, runtime.metrics)
        desk = Desk(archive, line, settings)
        await desk.open(craft)
        tidying = asyncio.create_task(desk.tidy())
        try:
            yield desk
        finally:
            tidying.cancel()
            await asyncio.gather(tidying, return_exceptions=True)
            await line.close()
            await webhooks.close()
