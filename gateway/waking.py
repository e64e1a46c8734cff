"""Holding requests until an endpoint is awake."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from .deadline import Deadline

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0
"""Seconds between two questions, which the endpoint's proxy may hold for long by itself."""


class Waking:
    """The first request asks again and again whether it is awake; those that come meanwhile wait for that."""

    def __init__(self, is_awake: Callable[[Deadline], Awaitable[bool]]) -> None:
        self._is_awake = is_awake
        self._asking = asyncio.Lock()
        self._woke = 0.0

    @property
    def under_way(self) -> bool:
        """Whether a request is held."""
        return self._asking.locked()

    async def wait(self, patience: Deadline) -> None:
        """Returns once it is awake. TimeoutError where it does not wake in time."""
        began, pause = time.monotonic(), FIRST_PAUSE
        async with asyncio.timeout(patience.left), self._asking:
            while self._woke < began and not await self._is_awake(patience):
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            self._woke = time.monotonic()
