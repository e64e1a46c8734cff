"""Which replica is asked next."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from .breaker import Breaker
from .load import Load
from .verdicts import Again


class Candidate(Protocol):
    """What the choice looks at."""

    breaker: Breaker
    load: Load
    group: int

    @property
    def condition(self) -> str:
        """What it was found in not long ago, such as waking or paused; or empty."""


Chosen = TypeVar("Chosen", bound=Candidate)


def choose(replicas: Sequence[Chosen], failed: Mapping[Chosen, Again]) -> Chosen:
    """The least busy of the first group that has one to ask, in the order given among equals.

    Those that failed already come after those that did not; an endpoint that wakes is waited for where no
    other can do it; and where every one is left alone for its failures, one is asked all the same.
    """
    fresh = [replica for replica in replicas if replica not in failed]
    left = fresh or [one for one in replicas if failed[one] is Again.ANYWHERE] or list(replicas)

    def rank(replica: Chosen) -> tuple[int, int, int]:
        return _reluctance(replica, replica in failed), replica.group, replica.load.requests

    return min(left, key=rank)


def _reluctance(replica: Candidate, failed: bool) -> int:
    if replica.condition == "waking":
        return 1
    if replica.breaker.allows:
        return 2 if failed and replica.breaker.has_failures else 0
    return 4 if replica.condition else 3
