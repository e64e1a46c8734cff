"""How busy a replica is, as far as is known without asking it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

HEADER = "x-queue-size"
"""On the answers of our stages: how many other requests they have, running and waiting."""
LASTS_SECONDS = 10.0
"""So long an announcement counts; others may come and go meanwhile."""


class Load:
    """What this gateway has under way there, and what others have, as the last answer announced it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._own = 0
        self._others = 0
        self._until = 0.0

    @property
    def requests(self) -> int:
        """How many requests the replica has, as far as is known."""
        return self._own + (self._others if self._clock() < self._until else 0)

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """A request of ours is under way for the length of the block."""
        self._own += 1
        try:
            yield
        finally:
            self._own -= 1

    def announced(self, text: str) -> None:
        """The header of an answer that has just come; its own request still counts among ours."""
        if text.isascii() and text.isdigit() and len(text) < 7:
            self._others = max(0, int(text) - (self._own - 1))
            self._until = self._clock() + LASTS_SECONDS
