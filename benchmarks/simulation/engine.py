"""A diffusion stage: the engine's own choice of who rides, in calls that take what they were measured to."""

from collections.abc import Generator, Mapping
from typing import Any, cast

import simpy

from tests.tiny import LATENT
from triptych.engine.choice import choose
from triptych.engine.clients import Clients
from triptych.engine.job import Job
from triptych.engine.unet import Form, Unet

FORM = Form(LATENT)
GUIDED_ROWS = 2


class TimedUnet(Unet):
    """Knows how long calls take, and computes nothing. `seconds` is by rows."""

    def __init__(self, seconds: Mapping[int, float]) -> None:
        self.native = FORM
        self.sizes = sorted(seconds)
        self._seconds = {(FORM, rows): one for rows, one in seconds.items()}

    def warm_sizes(self, form: Form) -> list[int]:
        return self.sizes

    def duration(self, rows: int) -> float:
        """Of the calls that so many rows are divided into."""
        total = 0.0
        while rows > 0:
            size = self._size(FORM, rows)
            total += self._seconds[FORM, size]
            rows -= size
        return total


class Lost(Exception):
    """The replica has gone. `step` is the last whose state had been handed over."""

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step


class Picture:
    """What the engine's choice looks at of a job."""

    form = FORM
    width = GUIDED_ROWS

    def __init__(self, env: simpy.Environment, client: str, steps: int, done: int, clock: int) -> None:
        self.client = client
        self.steps = steps
        self.done = done
        self.submitted = clock
        self.ended = env.event()

    @property
    def rows_left(self) -> int:
        return max(1, GUIDED_ROWS * (self.steps - self.done))

    def urgency(self, clock: int) -> float:
        return Job.urgency(cast(Job, self), clock)


class Engine:
    """One replica. `most` requests may be there; one more is refused."""

    def __init__(self, env: simpy.Environment, unet: TimedUnet, most: int, state_every: int) -> None:
        self._env = env
        self._unet = unet
        self._most = most
        self._state_every = state_every
        self._pictures: list[Picture] = []
        self._clients = Clients()
        self._clock = 0
        self._idle: simpy.Event | None = None
        self.gone = False
        self.made = 0
        env.process(self._work())

    @property
    def requests(self) -> int:
        return len(self._pictures)

    @property
    def is_full(self) -> bool:
        return len(self._pictures) >= self._most

    def submit(self, client: str, steps: int, done: int) -> simpy.Event:
        """An event that succeeds when the picture is done, or fails with Lost."""
        picture = Picture(self._env, client, steps, done, self._clock)
        self._pictures.append(picture)
        self._clients.arrive(client)
        if self._idle is not None:
            self._idle.succeed()
            self._idle = None
        return picture.ended

    def lose(self) -> None:
        """The machine goes, with what is on it."""
        self.gone = True
        for picture in self._pictures:
            handed_over = picture.done // self._state_every * self._state_every if self._state_every else 0
            picture.ended.fail(Lost(handed_over))
        self._pictures.clear()

    def _work(self) -> Generator[simpy.Event, Any, None]:
        while not self.gone:
            if not self._pictures:
                self._idle = self._env.event()
                yield self._idle
                continue
            capacity = self._unet.capacity(FORM)
            riding = choose(cast(list[Job], self._pictures), self._clients.served, capacity, self._clock)
            rows = GUIDED_ROWS * len(riding)
            yield self._env.timeout(self._unet.duration(rows))
            if self.gone:
                return
            self._clock += rows
            self._step(cast(list[Picture], riding))

    def _step(self, riding: list[Picture]) -> None:
        for picture in riding:
            picture.done += 1
            self._clients.serve(picture.client, GUIDED_ROWS)
            if picture.done >= picture.steps:
                self._pictures.remove(picture)
                picture.ended.succeed()
                self.made += 1
        self._clients.keep(picture.client for picture in self._pictures)
