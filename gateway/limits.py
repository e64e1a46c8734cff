"""How much a stage may take of a request."""

from dataclasses import dataclass

from .codecs import WireChoice
from .info import Shapes


@dataclass(frozen=True)
class CallLimits:
    """What one call may take, in seconds and bytes, and a stage's part of a request, in attempts.

    `info_seconds`: how long an announcement counts. `wake_seconds`: how long an endpoint may take to wake.
    `restart_seconds`: how long a stage that went in the middle of a request is waited for.
    `silence_seconds`: who ends a call after that is a proxy. `shapes`: a plain endpoint's tensors.
    `wire`: what tensors travel as where there is a choice.
    """

    seconds: float
    answer_bytes: int
    info_seconds: float
    attempts: int
    wake_seconds: float
    restart_seconds: float
    silence_seconds: float
    shapes: Shapes
    wire: WireChoice
