"""One order on its way through the model."""

import time
from collections.abc import Collection, Hashable
from typing import TYPE_CHECKING

import numpy as np

from ..samplers import Latent, State
from .order import Order
from .unet import KEEPING, SHALLOW, WHOLE, Form, Found, Row

if TYPE_CHECKING:
    from .ticket import Ticket


class Job:
    """Where an order is. The engine's thread alone moves it on; any thread may look.

    `tickets` are those who wait for it: orders that come to the same latent are one job.
    """

    def __init__(self, order: Order, state: State, client: str, clock: int) -> None:
        self.order = order
        self.state = state
        self.client = client
        self.submitted = clock
        self.came = time.monotonic()
        self.tickets: set[Ticket] = set()
        self.began: float | None = None
        self.steps_done = 0
        self.error: BaseException | None = None
        self.restart = state
        """The latest state from which another engine comes to the same."""
        self.calls = 0
        self.rows_beside = 0
        """Rows of all its calls, those of others included."""
        self.companions: set[Hashable] = set()
        """The origins of all requests that its calls were made for."""
        self._deep: list[Latent] = []
        self._last: tuple[State, Latent] | None = None
        self._rows_from = _rows_from(order)

    @property
    def finished(self) -> bool:
        return self.order.denoising.finished(self.state)

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.finished or self.error is not None

    @property
    def form(self) -> Form:
        """Of the rows of its next call: jobs of one form can share it."""
        height, width, channels = self.state.latent.shape
        beside = self.order.conditioning
        return Form((height, width, channels + (0 if beside is None else beside.shape[-1])), self.run)

    @property
    def run(self) -> str:
        """How much of the model its next call runs: all of it now and then, else the shallow layers."""
        if self.order.deep_interval == 1:
            return WHOLE
        return KEEPING if self._renews or len(self._deep) != self.width else SHALLOW

    @property
    def _renews(self) -> bool:
        """Whether the next call begins an interval: from there nothing of before is needed."""
        return self.calls % self.order.deep_interval == 0

    @property
    def width(self) -> int:
        """How many rows its next call of the model has."""
        return 2 if self.order.guidance.guides(self.state.step, self.order.steps) else 1

    @property
    def rows_left(self) -> int:
        """How many rows it will still take, at least one."""
        return self._rows_from[min(self.state.step, self.order.steps - 1)]

    def urgency(self, clock: int) -> float:
        """How much longer it takes than alone, if it is done next: time there over time needed."""
        return (clock - self.submitted) / self.rows_left

    def rows(self) -> list[Row]:
        """What the model is shown next: the unconditional half if the step is guided, the conditional."""
        order, latent = self.order, self.state.latent
        if order.conditioning is not None:
            latent = np.concatenate([latent, order.conditioning], axis=-1)
        timestep = order.denoising.timestep(self.state)
        contexts = [order.unconditional, order.context][-self.width :]
        if order.guidance.ignores_the_prompt(self.state.step, order.steps):
            contexts = [order.unconditional]
        run = self.run
        kept = self._deep if run == SHALLOW else [None] * len(contexts)
        return [
            Row(latent, timestep, context, run, deep) for context, deep in zip(contexts, kept, strict=True)
        ]

    def rode(self, rows: int, origins: Collection[Hashable]) -> None:
        """A call of so many rows was made for it among others, for requests of these origins."""
        self.rows_beside += rows
        self.companions.update(origins)

    def step(self, found: list[Found]) -> None:
        """Go on by what the model found in the rows."""
        predictions = [one.noise for one in found]
        self._deep = [one.deep for one in found if one.deep is not None] or self._deep
        self.calls += 1
        guided = self.order.guidance.apply(*predictions) if len(predictions) == 2 else predictions[0]
        before, self._last = self.state, (self.state, guided)
        self.state = self.order.denoising.step(before, guided)
        self.steps_done += self.state.step - before.step
        if self._renews:
            self.restart = self.state

    def image(self) -> Latent:
        """The image that shows through the noise: what the model took for it in its last call."""
        if self._last is None or self.finished:
            return self.state.latent
        return self.order.denoising.image(*self._last)

    def seconds_left(self, per_row: float) -> float:
        """By its own pace as soon as it has one, else by what a row takes."""
        if self.began is None or not self.steps_done:
            return self.rows_left * per_row
        return (time.monotonic() - self.began) / self.steps_done * (self.order.steps - self.state.step)


def _rows_from(order: Order) -> list[int]:
    """Rows from each step to the end."""
    known, steps = order.denoising.known, order.steps
    calls = order.denoising.sampler.calls(steps) * (known.resamples if known else 1) / max(1, steps)
    widths = [2 if order.guidance.guides(step, steps) else 1 for step in range(steps)]
    return [max(1, round(calls * sum(widths[step:]))) for step in range(max(1, steps))]
