"""What the engine itself takes of a step: choosing who rides, and telling those who wait."""

import time
from collections.abc import Sequence

from tests.engine_model import Model, engine_of, order, submit
from triptych.engine import Order
from triptych.engine.job import Job
from triptych.engine.unet import Found, Row


class Timed(Model):
    """A model whose predictions cost next to nothing, and are not counted."""

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.seconds = 0.0
        self.rounds = 0

    def predict(self, rows: Sequence[Row]) -> list[Found]:
        began = time.perf_counter()
        found = [Found(row.latent) for row in rows]
        self.rounds += 1
        self.seconds += time.perf_counter() - began
        return found


def milliseconds_a_step(jobs: int, steps: int) -> float:
    """For so many jobs that all ride, watched by somebody each; the samplers' arithmetic is taken off."""
    model = Timed(2 * jobs)
    engine = engine_of(model)
    orders = [order(seed, steps=steps) for seed in range(jobs)]
    began = time.perf_counter()
    tickets = [submit(engine, one) for one in orders]
    for ticket in tickets:
        ticket.watch(lambda: None)
    for ticket in tickets:
        ticket.latents()
    whole = time.perf_counter() - began
    engine.close()
    return 1000 * (whole - model.seconds - _sampling(orders, steps)) / steps


def _sampling(orders: Sequence[Order], steps: int) -> float:
    """Seconds of the arithmetic alone."""
    jobs = [Job(one, one.start, "", 0) for one in orders]
    began = time.perf_counter()
    for _ in range(steps):
        for job in jobs:
            job.step([Found(row.latent) for row in job.rows()])
    return time.perf_counter() - began
