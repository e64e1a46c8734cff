"""The requests that an engine works on, many at a time; between start and result they hold no thread."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from starlette.exceptions import HTTPException

from triptych.wire import Cancelled

from .handler import Ticket, TicketHandler
from .options import Options
from .work import Origin, Telling
from .worker import Call, Worker

RUNNING = "running"


class Job:
    """One request and its ticket, which is there once the handler's thread has come to start it."""

    def __init__(self, options: Options, worker: Worker) -> None:
        self.options = options
        self._worker = worker
        self._ticket: Ticket | None = None
        self._starting: Call | None = None
        self._cancelled = False
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.submitted = time.perf_counter()
        self._began: float | None = None
        self._origin = Origin.here()

    @property
    def ticket(self) -> Ticket:
        """Only after start()."""
        assert self._ticket is not None
        return self._ticket

    @property
    def done(self) -> bool:
        """Whether the engine has nothing more to do for it."""
        return self._ticket is not None and self._ticket.done

    @property
    def running(self) -> bool:
        """Whether its first step has begun, and its answer is not yet out."""
        return self._began is not None

    async def start(self, handler: TicketHandler, data: dict[str, Any]) -> None:
        """Have the handler start it; raises InvalidField, Cancelled or HandlerFault."""
        self._starting = self._worker.submit(lambda: self._start(handler, data), lambda _: None, part=True)
        await self._started()

    async def finished(self) -> None:
        """Return once it is done, or raise what start() raises."""
        await self._started()
        while not self.done:
            await self.change()

    async def change(self) -> None:
        """Return once something has changed since the last time. One at a time may wait for it."""
        await self._changed.wait()
        self._changed.clear()

    async def result(self, render: Callable[[Any], Any]) -> Any:
        """What `render` makes of the answer, in the handler's thread; raises as a call of a handler does."""
        call = self._worker.submit(self.ticket.result, render, part=True)
        return await asyncio.wrap_future(call.answer)

    def cancel(self) -> None:
        """End it, whether it has been started or not; no more than once is needed."""
        self._cancelled = True
        if self._ticket is not None:
            self._ticket.cancel()

    def leave(self) -> None:
        """End it if it is not done: nobody waits for it any more."""
        if not self.done:
            self.cancel()
        if self._starting is not None:
            self._worker.withdraw(self._starting)
        if self._ticket is not None:
            self._ticket.watch(_tell_nobody)

    def timing(self) -> tuple[float, float]:
        """Seconds until the first step began, and from there until now."""
        now = time.perf_counter()
        began = self._began or now
        return began - self.submitted, now - began

    async def _started(self) -> None:
        assert self._starting is not None
        # Shielded: who stops waiting for it has not thereby cancelled it.
        await asyncio.shield(asyncio.wrap_future(self._starting.answer))

    def _start(self, handler: TicketHandler, data: dict[str, Any]) -> None:
        """In the handler's thread; a cancel() of any moment finds the ticket, or is found here."""
        if self._cancelled:
            raise Cancelled
        self._ticket = handler.start(data)
        if self._origin and isinstance(self._ticket, Telling):
            self._ticket.origin = self._origin
        self._ticket.watch(self._notice)
        self._notice()
        if self._cancelled:
            self._ticket.cancel()

    def _notice(self) -> None:
        """Called in the engine's thread, whatever it holds there: it is not asked anything."""
        with suppress(RuntimeError):  # the server has stopped, and its loop is closed
            self._loop.call_soon_threadsafe(self._look)

    def _look(self) -> None:
        if self._began is None and (self.done or self.ticket.progress.state == RUNNING):
            self._began = time.perf_counter()
        self._changed.set()


def _tell_nobody() -> None:
    """A ticket that told the job would keep it, and the job the ticket."""


class Jobs:
    """All that are inside, and those of them that have a name. For one event loop only."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._inside: set[Job] = set()
        self._named: dict[str, Job] = {}

    @property
    def running(self) -> int:
        """How many have begun their first step."""
        return sum(job.running for job in self._inside)

    @property
    def waiting(self) -> int:
        """How many have not."""
        return len(self._inside) - self.running

    @property
    def oldest(self) -> float | None:
        """When that one came, by time.perf_counter(), which has waited longest."""
        return min((job.submitted for job in self._inside if not job.running), default=None)

    @contextmanager
    def admit(self, options: Options) -> Iterator[Job]:
        """A job for the length of the block; HTTPException 409 if another has its name."""
        job, name = Job(options, self._worker), options.job_id
        if name in self._named:
            raise HTTPException(
                409,
                f"job_id {name} is of a request that is not finished; choose another, or cancel that first",
            )
        self._inside.add(job)
        if name is not None:
            self._named[name] = job
        try:
            yield job
        finally:
            self._inside.remove(job)
            if name is not None:
                del self._named[name]
            job.leave()

    def cancel(self, name: str) -> None:
        """Cancel the job of this name; HTTPException 404 if there is none, or it is done."""
        job = self._named.get(name)
        if job is None or job.done:
            raise HTTPException(404, f"there is no unfinished request with job_id {name:.128}")
        job.cancel()
