"""How fast a replica denoises."""

from collections.abc import Mapping
from typing import Any

from .codecs import RESUME


class Pace:
    """What the last answer showed of it; the first request teaches it."""

    def __init__(self) -> None:
        self._seconds: float | None = None

    def expect(self, payload: Mapping[str, Any]) -> float | None:
        """Seconds that this request will be computed for, None where nothing is known yet."""
        return None if self._seconds is None else self._seconds * _rounds(payload)

    def note(self, payload: Mapping[str, Any], seconds: float | None) -> None:
        """It took so many seconds; one that was resumed tells nothing, as it was not all of it."""
        if seconds is not None and _rounds(payload) and RESUME not in payload:
            self._seconds = seconds / _rounds(payload)


def _rounds(payload: Mapping[str, Any]) -> int:
    """Steps of all pictures."""
    rounds: int = payload.get("num_steps", 0) * payload["batch_size"]
    return rounds
