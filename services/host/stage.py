"""One handler as it is served: how far it is, what it says of itself, and requests handed to it."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from .door import RETRY_AFTER, Door
from .forms import Render, announced, to_json
from .handler import CompilingHandler, Handler, load_handler, starts_tickets
from .jobs import Jobs
from .metrics import Metrics, looked_up
from .presence import unless_gone
from .reporter import Reporter
from .settings import Settings
from .state import Readiness, State
from .vitals import memory_limit, memory_used
from .work import Work
from .worker import Worker, describe_fault

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shared:
    """What all handlers of one server have together: one thread, one door, one table of jobs."""

    settings: Settings
    worker: Worker
    door: Door
    jobs: Jobs
    metrics: Metrics
    work: Work

    @property
    def waiting(self) -> int:
        """How many requests wait for a handler."""
        return self.worker.waiting + self.jobs.waiting

    @property
    def oldest_seconds(self) -> float:
        """How long that one has waited which has waited longest; 0 if none waits."""
        came = [one for one in (self.worker.oldest, self.jobs.oldest) if one is not None]
        return time.perf_counter() - min(came) if came else 0.0


class Stage:
    """A handler and its state; written by the handler's thread, read by the server's."""

    def __init__(self, folder: Path, shared: Shared, prefix: str = "") -> None:
        self.shared = shared
        self.prefix = prefix
        self.readiness = Readiness(folder.name)
        self.handler: Handler | None = None
        self.info: dict[str, Any] | None = None
        self.may_load_yet = False
        """Whether it failed to load for a reason that may pass."""
        self._folder = folder

    def load(self, beside: Handler | None = None) -> None:
        """Construct the handler; where that fails, the server stays up and tells the reason."""
        self.may_load_yet = False
        try:
            handler = load_handler(self._folder, Reporter(self.readiness.report, self.shared.metrics), beside)
            self.info = _card(handler)
            self.handler = handler
        except BaseException as error:  # even SystemExit
            logger.exception("the handler could not be loaded")
            self.may_load_yet = isinstance(error, OSError | MemoryError) or getattr(error, "temporary", False)
            self.readiness.failed(describe_fault(error))

    def ready(self) -> dict[str, Any]:
        """The body of GET /ready."""
        snapshot = self.readiness.snapshot()
        if isinstance(self.handler, CompilingHandler):
            warm, of = self.handler.programs()
            snapshot["programs"] = {"warm": warm, "of": of}
        waiting, oldest = self.shared.waiting, round(self.shared.oldest_seconds, 3)
        snapshot["queue"] = {
            "waiting": waiting,
            "limit": self.shared.settings.max_queue,
            "oldest_seconds": oldest,
        }
        snapshot["memory"] = {"used_bytes": memory_used(), "limit_bytes": memory_limit()}
        return snapshot

    def warm_handler(self) -> Handler:
        """The handler, if it can be called now; HTTPException 503, saying why, if not."""
        state = self.readiness.state
        if state is State.WARM and self.handler is not None:
            return self.handler
        if state is State.FAILED:
            again = "; it will be tried again" if self.may_load_yet else ""
            raise HTTPException(
                503, f"the {self.readiness.stage} stage failed to load: {self.readiness.error}{again}"
            )
        if state is State.STOPPING:
            raise HTTPException(503, f"the {self.readiness.stage} stage is stopping")
        raise HTTPException(503, f"the {self.readiness.stage} stage is not ready: {state}", RETRY_AFTER)

    def enter(self) -> AbstractAsyncContextManager[None]:
        """Be inside for the length of the block; HTTPException 429 if there is no place."""
        if self.handler is not None and starts_tickets(self.handler):
            return self.shared.door.enter(self.handler.seconds_of_work)
        return self.shared.door.enter()

    async def answer(self, request: Request, work: Callable[[], Any], render: Render) -> Response:
        """The answer to a request that is inside, once its `work` has been done in the handler's thread."""
        call = self.shared.worker.submit(work, render)
        try:
            response: Response = await unless_gone(request.receive, _value(call.answer))
        finally:
            self.shared.worker.withdraw(call)
        self.shared.work.note(call.timing())
        return self.announce(response, call.timing())

    def announce(self, response: Response, timing: tuple[float, float]) -> Response:
        """The response, with what it took, what was kept of it, and how many other requests are there."""
        queue, handler = (1000 * seconds for seconds in timing)
        found = ";".join(f"{name}={count}" for name, count in looked_up().items())
        response.headers["Server-Timing"] = f"queue;dur={queue:.1f}, handler;dur={handler:.1f};{found}"
        return self.announce_load(response)

    def announce_load(self, response: Response) -> Response:
        """The response, with how many other requests are there."""
        response.headers["X-Queue-Size"] = str(self.shared.door.inside - 1)
        return response


async def _value(answer: Any) -> Any:
    return await asyncio.wrap_future(answer)


def _card(handler: Handler) -> dict[str, Any] | None:
    """What the handler says of itself, and what the server adds; None if it says nothing."""
    if not hasattr(handler, "info"):
        return None
    card: dict[str, Any] = handler.info()
    to_json(card)
    return announced(card, handler)
