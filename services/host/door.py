"""Admission: a request is let in or refused before its body is read."""

import asyncio
from collections.abc import AsyncIterator
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
    async def enter(self) -> AsyncIterator[None]:
        """Be inside for the length of the block. HTTPException 429 if full, 503 if turned out."""
        if self.inside >= self._capacity:
            raise HTTPException(429, f"the queue is full ({self._capacity} requests); try again", RETRY_AFTER)
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
