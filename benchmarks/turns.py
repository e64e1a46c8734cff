"""Trials that are measured beside each other: all of them started, one of them running.

The speed of a machine that others share wavers within minutes. What is to be compared takes turns, so that
it wavers for all alike.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Condition


class Turns:
    """Who may go on: one at a time, in the order of `names` and then always round."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._order = deque(names)
        self._changed = Condition()

    @contextmanager
    def of(self, name: str) -> Iterator[Callable[[], None]]:
        """Wait for the first turn of this one; gives what ends a turn and waits for the next."""
        with self._changed:
            if name not in self._order:
                self._order.append(name)
            self._wait(name)
        try:
            yield partial(self._next, name)
        finally:
            with self._changed:
                self._order.remove(name)
                self._changed.notify_all()

    def _next(self, name: str) -> None:
        with self._changed:
            self._order.rotate(-1)
            self._changed.notify_all()
            self._wait(name)

    def _wait(self, name: str) -> None:
        self._changed.wait_for(lambda: self._order[0] == name)
