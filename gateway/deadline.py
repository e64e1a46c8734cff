"""When a request must be done; what one stage takes of the time is gone for the next."""

import time


class Deadline:
    """So many seconds from now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds, 0 when there are none left."""
        return max(0.0, self._end - time.monotonic())
