"""How many pictures are under way at a time, and whose turn it is."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from .errors import Overloaded
from .metrics import Metrics

RETRY_AFTER = 2
"""Where no request has shown yet how long one takes."""
MOST_RETRY_AFTER = 60
SMOOTHING = 0.2
GRACE_SECONDS = 1.0
"""So much later than it was told to may a client come again and still find its place."""


class Admission:
    """Lets so many in at a time. Requests are refused where there is no room: they are told before they are
    read. Jobs wait.

    Neither keeps the other out: a place that becomes free is a job's where one waits. But a request that was
    refused while jobs had more than half of the places finds one when it comes again, as it was told to.
    """

    def __init__(self, limit: int, metrics: Metrics) -> None:
        self._limit = limit
        self._metrics = metrics
        self._inside = 0
        self._jobs_inside = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._kept_until = 0.0
        self._seconds: float | None = None
        self._expected: deque[float] = deque(maxlen=10_000)
        """When those are to come again who were told to."""

    @contextmanager
    def permit(self) -> Iterator[None]:
        """A request's. Raises Overloaded where the limit is reached."""
        self._metrics.admission("request", self._inside < self._limit)
        if self._inside >= self._limit:
            seconds = self._retry_after()
            if self._jobs_inside * 2 > self._limit:
                self._keep_a_place(seconds)
            raise Overloaded(
                f"The gateway has {self._limit} requests and jobs under way and takes no more. Try again in "
                f"{seconds} s, raise MAX_CONCURRENT_REQUESTS, or have it wait: POST /v1/jobs.",
                retry_after=seconds,
            )
        kept, self._kept_until = self._kept_until, 0.0
        self._change(1)
        began = time.monotonic()
        try:
            yield
            self._learn(time.monotonic() - began)
        except BaseException:  # one that is refused takes no time, and nobody's place
            self._kept_until = max(kept, self._kept_until)
            raise
        finally:
            self._change(-1)

    async def turn(self) -> ExitStack:
        """A job's, which waits for it; it ends when what is returned is closed."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            self._let_in()
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()
            else:
                self._waiting.remove(turn)
            raise
        began, inside = time.monotonic(), ExitStack()
        inside.callback(self._leave)
        inside.callback(lambda: self._learn(time.monotonic() - began))
        return inside

    @property
    def _place_is_kept(self) -> bool:
        return time.monotonic() < self._kept_until

    def _retry_after(self) -> int:
        """Seconds until there will be a place, after those who were told so before have come for theirs."""
        if self._seconds is None:
            return RETRY_AFTER
        now = time.monotonic()
        while self._expected and self._expected[0] < now:
            self._expected.popleft()
        seconds = math.ceil(self._seconds * (len(self._expected) + 1) / self._limit)
        seconds = max(1, min(seconds, MOST_RETRY_AFTER))
        self._expected.append(now + seconds)
        return seconds

    def _learn(self, seconds: float) -> None:
        before = seconds if self._seconds is None else self._seconds
        self._seconds = (1 - SMOOTHING) * before + SMOOTHING * seconds

    def _keep_a_place(self, retry_after: int) -> None:
        seconds = retry_after + GRACE_SECONDS
        self._kept_until = time.monotonic() + seconds
        asyncio.get_running_loop().call_later(seconds, self._let_in)

    def _let_in(self) -> None:
        while self._waiting and self._inside < self._limit - self._place_is_kept:
            turn = self._waiting.popleft()
            self._jobs_inside += 1
            self._change(1)
            turn.set_result(None)

    def _leave(self) -> None:
        self._jobs_inside -= 1
        self._change(-1)

    def _change(self, by: int) -> None:
        self._inside += by
        self._metrics.in_flight.set(self._inside)
        if by < 0:
            self._let_in()
