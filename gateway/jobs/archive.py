"""One gateway's own jobs: records in SQLite and files beside them, from the event loop. One thread reads and
writes them, one call at a time."""

import asyncio
import errno
import sqlite3
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import ParamSpec, TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_fixed

from ..errors import Overloaded, StoreUnavailable
from ..progress import Progress
from .folder import Folder
from .journal import PLACE, Entry, Journal
from .news import LINE, OWED, News
from .record import CANCELLED, DONE, QUEUED, RUNNING, Record
from .store import PACE_OF, RECORD_BYTES, REQUEST, RESULT, STATE, Limits, full_line, no_room
from .table import Table

DATABASE = "jobs.sqlite"
RETRY_AFTER = 60
TIDY_AT_ONCE = 100
ROOM_SECONDS = 60.0
"""So long what became of a job waits for room on a disk that is full."""
FULL = (errno.ENOSPC, errno.EDQUOT)
SQLITE_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE)

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Archive:
    """A `Store`. What is told of jobs is in memory: it is of those that this gateway runs."""

    def __init__(self, table: Table, folder: Folder, limits: Limits) -> None:
        self.news = News()
        self._table = table
        self._folder = folder
        self._limits = limits
        self._thread = ThreadPoolExecutor(1, "jobs")
        self._number = time.time_ns() // 1_000_000  # goes up over a restart too
        self._moved = self._number
        self._told: dict[str, dict[str, Entry]] = {}
        self._notifying: set[str] = set()
        self._has_restored = False
        # By the monotonic clock, which nobody puts right.
        self._began: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._paces: deque[float] = deque(maxlen=PACE_OF)

    async def add(self, record: Record, request: bytes) -> Record:
        try:
            await self._tidy_all(len(request) + RECORD_BYTES)
            added = await self._do(self._add, record, request)
        except OSError as error:
            if not _is_full(error):
                raise
            raise Overloaded(
                "There is no room for the job: the disk of JOBS_DIR is full. Try again later, or make room "
                "there; an answer that waits, as of POST /v1/txt2img, needs none.",
                retry_after=RETRY_AFTER,
            ) from None
        self._move(record.id)
        return added

    async def find(self, id: str) -> Record | None:
        return await self._do(self._table.find, id)

    async def find_key(self, key: str) -> Record | None:
        return await self._do(self._table.find_key, key)

    async def newest(self, limit: int, client: str | None = None) -> list[Record]:
        return await self._do(self._table.newest, limit, client)

    async def unfinished(self, client: str) -> int:
        return await self._do(self._table.unfinished, client)

    async def waiting(self) -> int:
        return await self._do(self._table.waiting)

    async def oldest(self) -> float | None:
        record = await self._do(self._table.next)
        return record.created if record else None

    async def size(self) -> int:
        return await self._do(self._table.size)

    async def free(self) -> float:
        return await self._do(self._folder.free)

    async def pace(self) -> float | None:
        return fmean(self._paces) if self._paces else None

    async def journal(self, id: str) -> Journal:
        moved, place = self._moved, await self._do(self._table.place, id)
        waiting = [Entry(moved, PLACE, place)] if place else []
        return Journal([*waiting, *self._told.get(id, {}).values()])

    async def take(self) -> Record | None:
        try:
            taken = await self._do(self._take)
        except OSError as error:
            if not _is_full(error):
                raise
            raise StoreUnavailable(
                "The disk of JOBS_DIR is full: make room there.", retry_after=RETRY_AFTER
            ) from None
        if taken:
            self._move(taken.id)
        return taken

    async def read(self, id: str, name: str) -> bytes | None:
        return await self._do(self._folder.read, id, name)

    async def tell(self, id: str, told: Mapping[str, Progress]) -> None:
        entries = self._told.setdefault(id, {})
        for kind, progress in told.items():
            self._number += 1
            entries[kind] = Entry(self._number, kind, progress)
        self.news.tell(id)

    async def keep(self, id: str, state: bytes) -> None:
        await self._do(self._folder.write, id, STATE, state)

    async def put_back(self, id: str) -> None:
        self._told.pop(id, None)
        await self._do(self._put_back, id)
        self._move(id)

    async def end(self, id: str, state: str, error: str | None, result: bytes | None) -> Record | None:
        ended = await self._patiently(self._end, id, state, error, result)
        self._told.pop(id, None)
        self._move(id)
        self.news.tell(OWED)
        return ended

    async def stop(self, id: str, error: str) -> None:
        record = await self.find(id)
        if record and record.state == RUNNING:
            self.news.stopping.put_nowait(id)
        elif record and record.state == QUEUED:
            await self.end(id, CANCELLED, error, None)

    async def owed(self) -> Record | None:
        unnotified = await self._do(self._table.unnotified)
        record = next((one for one in unnotified if one.id not in self._notifying), None)
        if record:
            self._notifying.add(record.id)
        return record

    async def notified(self, id: str, outcome: str) -> None:
        await self._do(lambda: self._table.update(id, notified=outcome))
        self._notifying.discard(id)

    async def remove(self, id: str) -> None:
        await self._do(self._remove, id)
        self.news.tell(id)

    async def tidy(self) -> None:
        await self._tidy_all()

    async def ids(self) -> list[str]:
        return await self._do(self._table.ids)

    async def restore(self, record: Record, files: Mapping[str, bytes]) -> bool:
        return await self._do(self._restore, record, files)

    async def close(self) -> None:
        self.news.close()
        if self._has_restored:
            await self._do(self._table.rank_ended)
        await self._do(self._table.close)
        self._thread.shutdown()

    async def _tidy_all(self, coming: int = 0) -> None:
        while await self._do(self._tidy, coming):
            pass

    async def _patiently(
        self, call: Callable[Parameters, Result], *values: Parameters.args, **named: Parameters.kwargs
    ) -> Result:
        """Again and again while the disk is full: it may be made room on."""
        retrying = AsyncRetrying(
            stop=stop_after_delay(ROOM_SECONDS),
            wait=wait_fixed(1),
            retry=retry_if_exception(_is_full),
            reraise=True,
        )
        came: Result = await retrying(self._do, call, *values, **named)
        return came

    async def _do(
        self, call: Callable[Parameters, Result], *values: Parameters.args, **named: Parameters.kwargs
    ) -> Result:
        """In the thread. A full disk is an OSError, whoever found it full; where the database cannot be used
        otherwise, StoreUnavailable."""
        running = asyncio.get_running_loop().run_in_executor(self._thread, lambda: call(*values, **named))
        try:
            return await running
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode not in SQLITE_FULL:
                raise StoreUnavailable(
                    f"The database in JOBS_DIR cannot be used: {error}. Look at that disk.",
                    retry_after=RETRY_AFTER,
                ) from error
            raise OSError(errno.ENOSPC, "the disk of JOBS_DIR is full") from error

    def _move(self, id: str) -> None:
        """Somebody came, or left, or is elsewhere in the line."""
        self._number += 1
        self._moved = self._number
        self.news.tell(LINE, id)

    def _add(self, record: Record, request: bytes) -> Record:
        if record.key and (known := self._table.find_key(record.key)):
            return known
        if record.state == QUEUED and self._table.waiting() >= self._limits.queue:
            raise full_line(self._limits.queue)
        size = len(request) + RECORD_BYTES
        self._tidy(size)
        if self._table.size() + size > self._limits.size:
            raise no_room(self._limits.size)
        added = replace(record, size=size)
        try:
            self._folder.write(record.id, REQUEST, request)
            self._table.add(added)
        except BaseException:
            self._folder.remove(record.id)
            raise
        if record.state == RUNNING:
            self._began[record.id] = time.monotonic()
        return added

    def _take(self) -> Record | None:
        record = self._table.next()
        if record is None:
            return None
        self._began[record.id] = time.monotonic()
        return self._table.update(record.id, state=RUNNING, began=time.time(), runs=record.runs + 1)

    def _put_back(self, id: str) -> None:
        record = self._table.find(id)
        self._began.pop(id, None)
        if record and record.state == RUNNING:
            self._table.update(id, state=QUEUED, runs=max(0, record.runs - 1))

    def _end(self, id: str, state: str, error: str | None, result: bytes | None) -> Record | None:
        """What it was made of goes last: without it, it could not begin again."""
        if result is not None:
            self._folder.write(id, RESULT, result)
        size = len(result or b"") + RECORD_BYTES
        self._table.update(id, state=state, error=error, ended=time.time(), size=size)
        self._folder.forget(id, REQUEST)
        self._folder.forget(id, STATE)
        if result is None:  # there may be one for whose end there was no room
            self._folder.forget(id, RESULT)
        self._ended[id] = time.monotonic()
        began = self._began.pop(id, None)
        if state == DONE and began is not None:
            self._paces.append(self._ended[id] - began)
        self._tidy()
        return self._table.find(id)

    def _restore(self, record: Record, files: Mapping[str, bytes]) -> bool:
        if self._table.find(record.id) or (record.key and self._table.find_key(record.key)):
            return False
        for name, data in files.items():
            self._folder.write(record.id, name, data)
        self._table.add(record)
        self._has_restored = True
        return True

    def _remove(self, id: str) -> None:
        """The record first: files without one are found at the next start, a record without files is none."""
        self._table.delete(id)
        self._ended.pop(id, None)
        self._folder.remove(id)

    def _tidy(self, coming: int = 0) -> bool:
        """Some of what is too old or too much, as others wait for the thread; whether there may be more."""
        for _ in range(TIDY_AT_ONCE):
            first = self._table.first_ended()
            too_much = self._table.size() + coming > self._limits.size
            if first is None or not (too_much or self._age(first) >= self._limits.seconds):
                return False
            self._remove(first.id)
        return True

    def _age(self, record: Record) -> float:
        """The seconds since it ended. A wall clock that is put right in between ages only what ended before
        the start; what has then ended in the future has done so now."""
        before = time.time() - (record.ended or 0)
        if record.id not in self._ended and before >= 0:
            return before
        return time.monotonic() - self._ended.setdefault(record.id, time.monotonic())


def _is_full(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in FULL


@asynccontextmanager
async def open_archive(path: str, limits: Limits, looks: bool = False) -> AsyncIterator[Archive]:
    """The archive in this folder, or in a temporary one where it is empty. ValueError, with a sentence, where
    the folder cannot be used. Who `looks` only may do so while a gateway uses it."""
    with ExitStack() as entered:
        where = Path(path or entered.enter_context(tempfile.TemporaryDirectory(prefix="jobs-")))
        folder = entered.enter_context(closing(Folder(where, looks)))
        table = Table(where / DATABASE, looks)
        if not looks:
            table.queue_running()
            folder.keep_only(table.ids())
        archive = Archive(table, folder, limits)
        try:
            yield archive
        finally:
            await archive.close()
