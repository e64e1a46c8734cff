"""A circuit breaker: a replica that fails again and again is left alone, and tried again by one call."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .errors import GatewayError
from .verdicts import Verdict

FAILURES = 3
"""So many in a row open it."""
FIRST_SECONDS = 1.0
MOST_SECONDS = 10.0
"""How long it stays open: twice as long after every probe that fails."""
MOST_DOUBLINGS = 10
CLOSED, OPEN, HALF_OPEN = "closed", "open", "half_open"
STATES = (CLOSED, OPEN, HALF_OPEN)


class Breaker:
    """Closed: calls pass. Open: none should. Once its time is over, half-open: one call at a time probes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._until: float | None = None
        self._probing = False
        self._state = ""
        self._error: str | None = None

    @property
    def allows(self) -> bool:
        """Whether a call should be made now."""
        return self._until is None or (self._clock() >= self._until and not self._probing)

    @property
    def has_failures(self) -> bool:
        """Whether the last calls failed at the replica itself; one that had too much to do did not."""
        return self._failures > 0

    @property
    def position(self) -> str:
        """Closed, open, or half-open: its time is over, and no call has shown yet that the replica works."""
        if self._until is None:
            return CLOSED
        return OPEN if self._clock() < self._until else HALF_OPEN

    @property
    def state(self) -> str:
        """What the replica was found in not long ago: waking, paused, unauthorized or misplaced; or empty."""
        return self._state if self._until is not None and self._clock() < self._until else ""

    @property
    def error(self) -> str | None:
        """Why it is in that state."""
        return self._error

    @contextmanager
    def watch(self, proves: bool = True) -> Iterator[None]:
        """Learns from the call made in the block: from an error of the gateway's tree, and, where such a call
        proves that the replica works, from there being none.
        """
        probes = self._until is not None
        self._probing = self._probing or probes
        try:
            yield
            if proves:
                self.close()
        except GatewayError as error:
            self._note(error)
            raise
        finally:
            self._probing = self._probing and not probes

    def close(self) -> None:
        """The replica works."""
        self._failures, self._until, self._state, self._error = 0, None, "", None

    def enter(self, verdict: Verdict, error: str) -> None:
        """The replica is found in the verdict's state."""
        self._state, self._error = verdict.state, error
        self._until = self._clock() + verdict.seconds

    def _note(self, error: GatewayError) -> None:
        if error.verdict.state:
            self.enter(error.verdict, error.message)
        elif error.verdict.counts:
            self._count()
        else:
            self.close()

    def _count(self) -> None:
        """It is no longer in the state that it was found in before."""
        self._failures, self._state, self._error = self._failures + 1, "", None
        if self._failures >= FAILURES:
            doublings = min(self._failures - FAILURES, MOST_DOUBLINGS)
            self._until = self._clock() + min(MOST_SECONDS, FIRST_SECONDS * 2**doublings)
