"""What a replica's failure means for the request, and for the replica."""

from dataclasses import dataclass
from enum import Enum


class Again(Enum):
    """Where the same call may be made once more. A call is a pure function of its payload, seed included."""

    NOWHERE = "nowhere"
    ELSEWHERE = "elsewhere"
    ANYWHERE = "anywhere"


@dataclass(frozen=True)
class Verdict:
    """`counts`: too many of these in a row, and the replica is left alone for a while. `midway`: it had the
    request when it went. `state`: what the replica is in for the next `seconds`, during which others are
    asked instead.
    """

    again: Again
    counts: bool = False
    midway: bool = False
    state: str = ""
    seconds: float = 0


REFUSED = Verdict(Again.NOWHERE)
"""The request itself is at fault: it would be refused everywhere."""
BUSY = Verdict(Again.ANYWHERE)
DOWN = Verdict(Again.ANYWHERE, counts=True)
"""Not there, or starting."""
LOST = Verdict(Again.ANYWHERE, counts=True, midway=True)
"""Gone in the middle of an answer."""
LATE = Verdict(Again.ELSEWHERE, counts=True)
FAILED = Verdict(Again.ELSEWHERE)
"""It did its best with this request: asked again, it would fail again."""
WAKING = Verdict(Again.ANYWHERE, state="waking", seconds=10)
PAUSED = Verdict(Again.ELSEWHERE, state="paused", seconds=60)
UNAUTHORIZED = Verdict(Again.ELSEWHERE, state="unauthorized", seconds=60)
MISPLACED = Verdict(Again.ELSEWHERE, state="misplaced", seconds=30)
"""What is at the address is not what belongs there: another stage, another model, a web page."""
