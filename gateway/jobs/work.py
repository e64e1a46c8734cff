"""One run of one job."""

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from ..errors import Conflict, Overloaded
from ..progress import Kept, Watcher
from ..requests import GenerateResult
from .archive import Archive
from .journal import Journal
from .record import CANCELLED, DONE, FAILED, Record
from .results import pack_result

logger = logging.getLogger(__name__)

ATTEMPTS = 30
"""So often stages are asked that have too much to do: whoever waits in the line has time."""
PAUSE_SECONDS = 2.0


class Perform(Protocol):
    """What makes pictures of a request as it was stored; `watch` gives it what a watcher of that request is,
    for so many steps between previews."""

    def __call__(self, record: Record, request: bytes, watch: "Watch") -> Awaitable[GenerateResult]: ...


class Explain(Protocol):
    """What is answered about an error of the job with this id, in JSON."""

    def __call__(self, error: Exception, id: str) -> str: ...


@dataclass(frozen=True)
class Craft:
    """What a job is done with; the web API knows its own requests and answers."""

    perform: Perform
    explain: Explain


class Watch:
    """The watcher of a run: tells the journal, and keeps the newest state of the denoising."""

    def __init__(self, archive: Archive, id: str, journal: Journal, kept: Kept | None) -> None:
        self._archive = archive
        self._id = id
        self._journal = journal
        self._kept = kept
        self._newest: Kept | None = None
        self._keeping: asyncio.Task[None] | None = None

    def watcher(self, preview_every: int) -> Watcher:
        return Watcher(self._journal.notice, preview_every, self._keep, self._kept)

    def _keep(self, kept: Kept) -> None:
        """One is written at a time, and then the newest: none waits behind another."""
        self._newest = self._kept = kept
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while (kept := self._newest) is not None:
            self._newest = None
            try:
                await self._archive.keep(self._id, kept)
            except OSError as error:
                logger.warning("state not kept", extra={"request_id": self._id, "error": str(error)})

    async def close(self) -> None:
        """What is to be kept is kept."""
        if self._keeping is not None:
            await self._keeping


@dataclass(frozen=True)
class Outcome:
    """How a run ended: with a result, or an error in JSON."""

    state: str
    error: str | None = None
    result: bytes | None = None


async def work(craft: Craft, archive: Archive, record: Record, journal: Journal) -> bytes:
    """Does the job; its packed result."""
    request = await archive.request(record.id)
    if request is None:
        raise FileNotFoundError(f"the request of the job {record.id} is gone")
    watch = Watch(archive, record.id, journal, await archive.kept(record.id))
    patiently = AsyncRetrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=_pause,
        retry=retry_if_exception_type(Overloaded),
        reraise=True,
    )
    try:
        result: GenerateResult = await patiently(craft.perform, record, request, watch)
        return await asyncio.to_thread(pack_result, result)
    finally:
        await watch.close()


def _pause(state: RetryCallState) -> float:
    error = state.outcome and state.outcome.exception()
    asked = error.retry_after if isinstance(error, Overloaded) else None
    return max(PAUSE_SECONDS, asked or 0)


async def outcome(craft: Craft, id: str, working: "asyncio.Task[bytes]") -> Outcome:
    """What comes of the work."""
    try:
        return Outcome(DONE, result=await working)
    except asyncio.CancelledError:
        return cancelled(craft, id)
    except Exception as error:
        return failed(craft, id, error)


def failed(craft: Craft, id: str, error: Exception) -> Outcome:
    return Outcome(FAILED, craft.explain(error, id))


def cancelled(craft: Craft, id: str) -> Outcome:
    return Outcome(CANCELLED, craft.explain(Conflict("The job was cancelled. Post it again to have it."), id))
