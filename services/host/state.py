"""Where the stage is on its way from start to stop, as GET /ready tells it."""

import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """The states in their usual order."""

    STARTING = "starting"
    DOWNLOADING = "downloading"
    VERIFYING = "verifying"
    LOADING = "loading"
    COMPILING = "compiling"
    WARM = "warm"
    FAILED = "failed"
    STOPPING = "stopping"


REPORTABLE = (State.DOWNLOADING, State.VERIFYING, State.LOADING, State.COMPILING)


class Readiness:
    """The stage's state. Written by the worker's thread, read by the server's."""

    def __init__(self, stage: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.stage = stage
        self._clock = clock
        self._lock = threading.Lock()
        self._began = clock()
        self._state = State.STARTING
        self._progress: float | None = None
        self._error: str | None = None
        self._seconds: float | None = None
        self._stopping = False

    @property
    def state(self) -> State:
        return State.STOPPING if self._stopping else self._state

    @property
    def error(self) -> str | None:
        """Why the handler could not be loaded."""
        return self._error

    def report(self, state: str, progress: float | None = None) -> None:
        """What the handler is doing while it is constructed; progress from 0 to 1, or None if unknown.

        Raises ValueError for a state that is not the handler's to set. Ignored once loading is over.
        """
        if state not in REPORTABLE:
            raise ValueError(f"state must be one of {', '.join(REPORTABLE)}; got {state!r}")
        self._become(State(state), progress=progress)

    def warm(self) -> None:
        """The handler is ready to be called."""
        self._become(State.WARM, final=True)

    def failed(self, error: str) -> None:
        """The handler could not be loaded; `error` says why."""
        self._become(State.FAILED, error=error, final=True)

    def again(self) -> None:
        """It is tried once more; the seconds run from here."""
        with self._lock:
            self._began, self._seconds = self._clock(), None
            self._state, self._error = State.STARTING, None

    def stopping(self) -> None:
        """No new request is taken from now on."""
        # A flag without the lock: a signal handler calls this, in a thread that may hold the lock.
        self._stopping = True

    def snapshot(self) -> dict[str, Any]:
        """The body of GET /ready. `seconds` runs until the stage is warm or has failed, then stands."""
        with self._lock:
            seconds = self._clock() - self._began if self._seconds is None else self._seconds
            return {
                "stage": self.stage,
                "state": self.state.value,
                "progress": self._progress,
                "error": self._error,
                "seconds": round(seconds, 3),
            }

    def _become(
        self, state: State, *, progress: float | None = None, error: str | None = None, final: bool = False
    ) -> None:
        with self._lock:
            if self._seconds is not None:
                return
            self._state, self._progress, self._error = state, progress, error
            if final:
                self._seconds = self._clock() - self._began
