"""One run of one job."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Generic, ParamSpec, Protocol, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, retry_if_exception_type, wait_fixed

from ..deadline import Deadline
from ..errors import Conflict, GatewayError, Overloaded, StageError, StoreUnavailable
from ..progress import Kept, Progress, Watcher
from ..requests import GenerateResult
from ..verdicts import Again
from .journal import DENOISING, PREVIEW, PROGRESS
from .record import CANCELLED, DONE, FAILED, Record
from .results import pack_result
from .store import REQUEST, STATE, Store

Given = ParamSpec("Given")
Value = TypeVar("Value")

logger = logging.getLogger(__name__)

ATTEMPTS = 30
"""So often stages are asked that have too much to do: whoever waits in the line has time."""
PAUSE_SECONDS = 2.0
MOST_PAUSE_SECONDS = 30.0
"""However long it is told to wait: it has a place among those that run meanwhile."""


class Perform(Protocol):
    """What makes pictures of a request as it was stored; `watch` gives it what a watcher of that request is,
    for so many steps between previews."""

    def __call__(self, record: Record, request: bytes, watch: "Watch") -> Awaitable[GenerateResult]: ...


class Explain(Protocol):
    """What is answered about an error of the job with this id, in JSON."""

    def __call__(self, error: Exception, id: str) -> str: ...


@dataclass(frozen=True)
class Craft:
    """What a job is done with; the web API knows its own requests and answers. A stage that fails is asked
    again for `patience` seconds: it may be starting anew, or be put right."""

    perform: Perform
    explain: Explain
    patience: float


class Watch:
    """The watcher of a run: tells how far it is, and keeps the newest state of the denoising."""

    def __init__(self, store: Store, id: str, kept: Kept | None) -> None:
        self._kept = kept
        self._told: dict[str, Progress] = {}
        self._telling = Newest[dict[str, Progress]](lambda told: store.tell(id, told), id)
        self._keeping = Newest[Kept](lambda kept: store.keep(id, pack_kept(kept)), id)

    def watcher(self, preview_every: int) -> Watcher:
        return Watcher(self._notice, preview_every, self._keep, self._kept)

    def _notice(self, progress: Progress) -> None:
        if self._telling.idle:
            self._told = {}
        plain = replace(progress, previews=())
        if progress.previews:
            self._told[PREVIEW] = progress
        if progress.steps:
            self._told[DENOISING] = plain
        self._told[PROGRESS] = plain
        self._telling.put(self._told)

    def _keep(self, kept: Kept) -> None:
        self._kept = kept
        self._keeping.put(kept)

    async def close(self) -> None:
        """What is to be kept is kept."""
        await self._telling.close()
        await self._keeping.close()


class Newest(Generic[Value]):
    """One is written at a time, and then the newest: none waits behind another."""

    def __init__(self, write: Callable[[Value], Awaitable[None]], id: str) -> None:
        self._write = write
        self._id = id
        self._next: Value | None = None
        self._writing: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Whether none waits to be written."""
        return self._next is None

    def put(self, value: Value) -> None:
        self._next = value
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while (value := self._next) is not None:
            self._next = None
            try:
                await self._write(value)
            except (OSError, StoreUnavailable) as error:
                logger.warning("state not kept", extra={"request_id": self._id, "error": str(error)})

    async def close(self) -> None:
        """All is written."""
        if self._writing is not None:
            await self._writing


@dataclass(frozen=True)
class Outcome:
    """How a run ended: with a result, or an error in JSON."""

    state: str
    error: str | None = None
    result: bytes | None = None


async def work(craft: Craft, store: Store, record: Record) -> bytes:
    """Does the job; its packed result."""
    request = await surely(store.read, record.id, REQUEST)
    if request is None:
        raise FileNotFoundError(f"the request of the job {record.id} is gone")
    state = await surely(store.read, record.id, STATE)
    watch = Watch(store, record.id, None if state is None else unpack_kept(state))
    patiently = AsyncRetrying(wait=_pause, retry=retry_if_exception(Patience(craft.patience)), reraise=True)
    try:
        result: GenerateResult = await patiently(craft.perform, record, request, watch)
        return await asyncio.to_thread(pack_result, result)
    finally:
        await watch.close()


class Patience:
    """Whether one more attempt is worth it after an error: so often of a stage that has too much to do, and
    for so many seconds of one that fails, from when it did first."""

    def __init__(self, seconds: float) -> None:
        self._refusals = 0
        self._seconds = seconds
        self._deadline: Deadline | None = None

    def __call__(self, error: BaseException) -> bool:
        if isinstance(error, Overloaded):
            self._refusals += 1
            return self._refusals < ATTEMPTS
        if not isinstance(error, StageError) or error.verdict.again is Again.NOWHERE:
            return False
        self._deadline = self._deadline or Deadline(self._seconds)
        return self._deadline.left > 0


def _pause(state: RetryCallState) -> float:
    error = state.outcome and state.outcome.exception()
    asked = error.retry_after if isinstance(error, GatewayError) else None
    return min(MOST_PAUSE_SECONDS, max(PAUSE_SECONDS, asked or 0))


async def surely(call: Callable[Given, Awaitable[Value]], *given: Given.args, **named: Given.kwargs) -> Value:
    """What comes of the call, once the store is there."""
    retrying = AsyncRetrying(wait=wait_fixed(PAUSE_SECONDS), retry=retry_if_exception_type(StoreUnavailable))
    came: Value = await retrying(call, *given, **named)
    return came


def pack_kept(kept: Kept) -> bytes:
    return json.dumps(vars(kept)).encode()


def unpack_kept(data: bytes) -> Kept:
    return Kept(**json.loads(data))


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
