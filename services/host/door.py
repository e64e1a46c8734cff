"""Admission: a request is let in or refused before its body is read."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.exceptions import HTTPException

RETRY_AFTER = {"Retry-After": "1"}


class Door:
    """Lets in at most `capacity` requests at a time, and can turn them out. For one event loop only."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._inside: set[asyncio.Timeout] = set()

    @property
    def inside(self) -> int:
        """How many requests have been let in and not been answered."""
        return len(self._inside)

    @asynccontextmanager
    async def enter(self, seconds_of_work: Callable[[], float] = lambda: 0.0) -> AsyncIterator[None]:
        """Be inside for the length of the block. HTTPException 429 if full, 503 if turned out.

        `seconds_of_work` says how long those inside will take: so much later a refused one may come again.
        """
        if self.inside >= self._capacity:
            later = {"Retry-After": str(max(1, math.ceil(seconds_of_work())))}
            raise HTTPException(429, f"the queue is full ({self._capacity} requests); try again", later)
        patience = asyncio.timeout(None)
        try:
            async with patience:
                self._inside.add(patience)
                try:
                    yield
                finally:
                    self._inside.discard(patience)
        except TimeoutError:
            if not patience.expired():
                raise
            raise HTTPException(503, "the stage was stopped before this request was finished") from None

    def turn_out(self) -> None:
        """End the block of everyone inside, at once."""
        for patience in self._inside:
            patience.reschedule(asyncio.get_running_loop().time())
