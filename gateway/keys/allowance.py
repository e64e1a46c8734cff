"""How much each key has taken of what it may."""

import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from ..errors import LimitReached
from .key import Key

RETRY_AFTER = 2
"""For a place among those at a time: nobody knows when one becomes free."""


class Allowances:
    """Of this gateway: several gateways count each for itself. A request without a key has no limits of its
    own."""

    def __init__(self) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._inside: Counter[str] = Counter()

    @contextmanager
    def place(self, key: Key | None) -> Iterator[None]:
        """One of the requests that the key may have at a time. Raises LimitReached."""
        if key is None:
            yield
            return
        if self._inside[key.name] >= key.limits.concurrency:
            raise LimitReached(
                f"The key {key.name} has {key.limits.concurrency} requests under way, and may have no more. "
                f"Try again in {RETRY_AFTER} s, or have it wait: POST /v1/jobs.",
                retry_after=RETRY_AFTER,
            )
        self._inside[key.name] += 1
        try:
            yield
        finally:
            self._inside[key.name] -= 1

    def count(self, key: Key | None) -> None:
        """One of the requests that the key may make in a minute. Raises LimitReached."""
        if key is None:
            return
        rate = RateLimitItemPerMinute(key.limits.rate)
        if self._limiter.hit(rate, key.name):
            return
        until = self._limiter.get_window_stats(rate, key.name).reset_time
        seconds = max(1, math.ceil(until - time.time()))
        if seconds > rate.get_expiry():  # the clock was put back meanwhile
            self._limiter.clear(rate, key.name)
            self._limiter.hit(rate, key.name)
            return
        raise LimitReached(
            f"The key {key.name} has made {key.limits.rate} requests within a minute, and may make no more. "
            f"Try again in {seconds} s.",
            retry_after=seconds,
        )
