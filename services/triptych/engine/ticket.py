"""What those who ordered hold: how far it is, what came of it, and the way to give it up."""

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..samplers import Latent
from ..wire import Array, Cancelled, Tensors
from .job import Job

if TYPE_CHECKING:
    from .engine import Engine

Finish = Callable[[npt.NDArray[np.float32]], Tensors]
Preview = Callable[[Latent], npt.NDArray[np.uint8]]
QUEUED, RUNNING = "queued", "running"


@dataclass(frozen=True)
class Progress:
    """How far a request is.

    `state` is queued until its first step begins, then running; `ahead` is how many requests are before it
    that have not begun. `step` of `steps` are done by its slowest picture.
    """

    state: str
    ahead: int
    step: int
    steps: int
    seconds_left: float | None


class Ticket:
    """One request of one or more pictures; all of it can be asked from any thread."""

    def __init__(self, jobs: Sequence[Job], engine: "Engine", finish: Finish, preview: Preview) -> None:
        self._jobs = list(jobs)
        self._engine = engine
        self._finish = finish
        self._preview = preview
        self._over = threading.Event()
        self._notice: Callable[[], None] | None = None
        self._cancelled = False
        self.origin: Hashable = None
        """What the server knows the request by, if it says so; told to those who share its calls."""

    @property
    def jobs(self) -> list[Job]:
        return self._jobs

    def watch(self, notice: Callable[[], None]) -> None:
        """Have `notice` called after every change, from the engine's thread; it must return at once."""
        self._notice = notice
        notice()

    def notify(self) -> None:
        """Something has changed."""
        if not self.under_way:
            self._over.set()
        if self._notice is not None:
            self._notice()

    @property
    def under_way(self) -> bool:
        """Whether the engine still works for it."""
        return not (self._cancelled or self._failed or all(job.over for job in self._jobs))

    @property
    def begun(self) -> bool:
        return any(job.began is not None or job.over for job in self._jobs)

    @property
    def progress(self) -> Progress:
        slowest = min(self._jobs, key=lambda job: job.state.step)
        if not self.begun:
            ahead, seconds = self._engine.ahead(self), self._engine.seconds_of_work()
            return Progress(QUEUED, ahead, slowest.state.step, slowest.order.steps, round(seconds, 3))
        per_row = self._engine.seconds_per_row
        seconds = max(job.seconds_left(per_row) if not job.over else 0.0 for job in self._jobs)
        return Progress(RUNNING, 0, slowest.state.step, slowest.order.steps, round(seconds, 3))

    @property
    def done(self) -> bool:
        """Whether it is finished, has failed or was cancelled."""
        return self._over.is_set()

    def evidence(self) -> dict[str, float]:
        """Calls of the UNet that its pictures took, and rows of a call in the mean, others' among them."""
        calls = sum(job.calls for job in self._jobs)
        rows = sum(job.rows_beside for job in self._jobs)
        return {"unet_calls": calls, "unet_rows": rows / calls if calls else 0.0}

    def companions(self) -> set[Hashable]:
        """The origins of other requests that calls of the UNet were shared with."""
        shared: set[Hashable] = set().union(*(job.companions for job in self._jobs))
        return shared - {self.origin}

    def latents(self) -> npt.NDArray[np.float32]:
        """Latents, float32 (batch, height, width, 4), once they are there; raises what went wrong."""
        self._over.wait()
        failed = self._failed
        if failed is not None:
            raise failed.with_traceback(None)  # others who wait for the same raise it too
        if self._cancelled:
            raise Cancelled
        return np.stack([job.state.latent for job in self._jobs])

    def result(self) -> Tensors:
        """The handler's answer."""
        return self._finish(self.latents())

    def cancel(self) -> None:
        """Give it up: what nobody else waits for is not carried on after the step under way."""
        if not self.done:
            self._cancelled = True
            self._engine.give_up(self)
            self.notify()

    def previews(self) -> list[npt.NDArray[np.uint8]]:
        """A small picture of each latent as it is now: uint8 (height, width, 3)."""
        return [self._preview(job.image()) for job in self._jobs]

    def states(self) -> Tensors:
        """Where each picture is, for another engine to go on from; see `requests.read_states`."""
        arrays: dict[str, Array] = {}
        for index, job in enumerate(self._jobs):
            arrays |= {
                f"{index}.{name}": array
                for name, array in (job.state if job.finished else job.restart).travelling().items()
            }
        return Tensors(arrays)

    @property
    def _failed(self) -> BaseException | None:
        return next((job.error for job in self._jobs if job.error is not None), None)
