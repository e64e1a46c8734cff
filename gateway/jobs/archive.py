"""Records and files of jobs, from the event loop: one thread reads and writes them, one call at a time."""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import ParamSpec, TypeVar

from ..errors import Overloaded
from ..progress import Kept
from .folder import REQUEST, RESULT, STATE, Folder
from .record import QUEUED, RUNNING, Record
from .store import Store

DATABASE = "jobs.sqlite"
RECORD_BYTES = 4096
"""What a record counts for, beside its files."""
RETRY_AFTER = 60

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Archive:
    """Keeps what has ended for so many seconds, and all within so many bytes; what ended first goes first."""

    def __init__(self, store: Store, folder: Folder, seconds: float, size: int) -> None:
        self._store = store
        self._folder = folder
        self._seconds = seconds
        self._size = size
        self._thread = ThreadPoolExecutor(1, "jobs")

    async def add(self, record: Record, request: bytes) -> Record:
        """The record as it is kept, or the one that has its key already. Overloaded where there is no room
        for what came with it."""
        return await self._do(self._add, record, request)

    async def find(self, id: str) -> Record | None:
        return await self._do(self._store.find, id)

    async def find_key(self, key: str) -> Record | None:
        return await self._do(self._store.find_key, key)

    async def newest(self, limit: int) -> list[Record]:
        return await self._do(self._store.newest, limit)

    async def pending(self) -> list[Record]:
        return await self._do(self._store.pending)

    async def unnotified(self) -> list[Record]:
        return await self._do(self._store.unnotified)

    async def pace(self) -> float | None:
        return await self._do(self._store.pace)

    async def request(self, id: str) -> bytes | None:
        return await self._do(self._folder.read, id, REQUEST)

    async def result(self, id: str) -> bytes | None:
        return await self._do(self._folder.read, id, RESULT)

    async def kept(self, id: str) -> Kept | None:
        """Where the denoising was when it was kept last."""
        data = await self._do(self._folder.read, id, STATE)
        return None if data is None else Kept(**json.loads(data))

    async def keep(self, id: str, kept: Kept) -> None:
        data = json.dumps(vars(kept)).encode()
        await self._do(self._folder.write, id, STATE, data)

    async def begin(self, id: str) -> None:
        """Another run of it."""
        await self._do(self._begin, id)

    async def put_back(self, id: str) -> None:
        """The run that was begun does not count: the gateway stops."""
        await self._do(self._put_back, id)

    async def end(self, id: str, state: str, error: str | None, result: bytes | None) -> Record | None:
        """It has ended so, and what it was made of goes. None where it is gone itself, as it must be where
        there is no room for its result."""
        return await self._do(self._end, id, state, error, result)

    async def notified(self, id: str, outcome: str) -> None:
        await self._do(lambda: self._store.update(id, notified=outcome))

    async def remove(self, id: str) -> None:
        await self._do(self._remove, id)

    async def tidy(self) -> None:
        """Removes what has been kept for long enough, or is too much."""
        await self._do(self._tidy)

    async def close(self) -> None:
        await self._do(self._store.close)
        self._thread.shutdown()

    async def _do(
        self, call: Callable[Parameters, Result], *values: Parameters.args, **named: Parameters.kwargs
    ) -> Result:
        running = asyncio.get_running_loop().run_in_executor(self._thread, lambda: call(*values, **named))
        return await running

    def _add(self, record: Record, request: bytes) -> Record:
        size = len(request) + RECORD_BYTES
        self._tidy(size)
        if self._store.size() + size > self._size:
            raise Overloaded(
                f"There is no room for the job: those that have not ended fill the {self._size} bytes that "
                "all may take. Try again later, or raise JOBS_BYTES.",
                retry_after=RETRY_AFTER,
            )
        self._folder.write(record.id, REQUEST, request)
        added = self._store.add(replace(record, size=size))
        if added.id != record.id:
            self._folder.remove(record.id)
        return added

    def _begin(self, id: str) -> None:
        record = self._store.find(id)
        if record:
            self._store.update(id, state=RUNNING, began=time.time(), runs=record.runs + 1)

    def _put_back(self, id: str) -> None:
        record = self._store.find(id)
        if record:
            self._store.update(id, state=QUEUED, runs=max(0, record.runs - 1))

    def _end(self, id: str, state: str, error: str | None, result: bytes | None) -> Record | None:
        if result is not None:
            self._folder.write(id, RESULT, result)
        self._folder.forget(id, REQUEST)
        self._folder.forget(id, STATE)
        size = self._folder.size(id) + RECORD_BYTES
        self._store.update(id, state=state, error=error, ended=time.time(), size=size)
        self._tidy()
        return self._store.find(id)

    def _remove(self, id: str) -> None:
        """The record first: files without one are found at the next start, a record without files is none."""
        self._store.delete(id)
        self._folder.remove(id)

    def _tidy(self, coming: int = 0) -> None:
        too_old, size = time.time() - self._seconds, self._store.size() + coming
        for record in self._store.ended():
            if size <= self._size and (record.ended or 0) > too_old:
                break
            self._remove(record.id)
            size -= record.size


@asynccontextmanager
async def open_archive(path: str, seconds: float, size: int) -> AsyncIterator[Archive]:
    """The archive in this folder, or in a temporary one where it is empty. ValueError, with a sentence, where
    the folder cannot be used."""
    with ExitStack() as entered:
        where = Path(path or entered.enter_context(tempfile.TemporaryDirectory(prefix="jobs-")))
        folder = entered.enter_context(closing(Folder(where)))
        store = Store(where / DATABASE)
        folder.keep_only(store.ids())
        archive = Archive(store, folder, seconds, size)
        try:
            yield archive
        finally:
            await archive.close()
