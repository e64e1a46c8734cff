"""Wakes those who wait for a change in the store."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

LINE, OWED = "line", "owed"
"""The topics beside jobs, which are named by their ids: who waits, and which webhooks are yet to be sent."""


class News:
    """Says that something may have changed, not what: whoever is woken looks. `stopping` has the ids of jobs
    whose work is to be ended here."""

    def __init__(self) -> None:
        self.stopping: asyncio.Queue[str] = asyncio.Queue()
        self.closed = False
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    @contextmanager
    def of(self, *topics: str) -> Iterator[asyncio.Event]:
        """Is set when one of these has changed. It is to be cleared before one looks."""
        changed = asyncio.Event()
        for topic in topics:
            self._waiting[topic].add(changed)
        try:
            yield changed
        finally:
            for topic in topics:
                self._waiting[topic].discard(changed)
                if not self._waiting[topic]:
                    del self._waiting[topic]

    def tell(self, *topics: str) -> None:
        for topic in topics:
            for changed in self._waiting.get(topic, ()):
                changed.set()

    def tell_all(self) -> None:
        """As any of it may have changed."""
        self.tell(*self._waiting)

    def close(self) -> None:
        """Nothing more is told."""
        self.closed = True
        self.tell_all()
