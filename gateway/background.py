"""Work that nobody waits for any more, and that has yet to end."""

import asyncio
from collections.abc import Iterable
from typing import Any, Self

AGAIN_SECONDS = 0.5


async def end_tasks(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancels them until they have ended: within a library's timeouts a task may not notice it once."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=AGAIN_SECONDS)


class Background:
    """Keeps what is left to it until it is done, or until the gateway stops."""

    def __init__(self) -> None:
        self._jobs: set[asyncio.Task[Any]] = set()

    def leave(self, job: "asyncio.Task[Any]") -> None:
        """What comes of it is of no interest to anybody, and neither is its failure."""
        self._jobs.add(job)
        job.add_done_callback(self._done)

    def _done(self, job: "asyncio.Task[Any]") -> None:
        self._jobs.discard(job)
        if not job.cancelled():
            job.exception()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)
