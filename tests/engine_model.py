"""A diffusion model of one line, whose calls a test counts, holds up or lets fail."""

import threading
from collections.abc import Callable, Sequence

import numpy as np

from triptych.engine import Engine, Guidance, Order, Ticket
from triptych.engine.unet import KEEPING, SHALLOW, Form, Found, Row, Shape
from triptych.evidence import UNSEEN
from triptych.preview import STABLE_DIFFUSION
from triptych.samplers import SAMPLERS, Denoising, Known, Latent, Noise
from triptych.schedule import make_schedule
from triptych.wire import Tensors

SHAPE = (8, 8, 4)
CONTEXT = np.linspace(-1, 1, 77 * 8, dtype=np.float32).reshape(77, 8)


class Model:
    """Stands where `Unet` does. What it finds depends on latent, timestep and context of the row alone.

    `calls` has the rows of each call. While `gate` is cleared, calls wait; `before` runs in each.
    """

    def __init__(
        self, capacity: int = 8, before: Callable[[Sequence[Row]], None] = lambda rows: None
    ) -> None:
        self.native = Form(SHAPE)
        self.evidence = UNSEEN
        self.sizes = [2]
        self.lost: list[int] = []
        self.calls: list[list[Row]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.before = before
        self.compiled = {Form(SHAPE, run) for run in ("whole", KEEPING, SHALLOW)}
        self._capacity = capacity

    def has_room(self, form: Form) -> bool:
        return True

    def predict(self, rows: Sequence[Row]) -> list[Found]:
        self.entered.release()
        assert self.gate.wait(30)
        self.before(rows)
        self.calls.append(list(rows))
        return [_seen(row) for row in rows]

    def ready(self, form: Form) -> bool:
        return form in self.compiled

    def capacity(self, form: Form) -> int:
        return self._capacity

    def make_room(self, form: Form) -> None:
        """There always is."""

    def compile(self, form: Form, rows: int) -> None:
        self.compiled.add(form)

    def measure(self, form: Form, rows: int) -> None:
        """It takes no time."""

    def warm_sizes(self, form: Form) -> list[int]:
        return self.sizes

    def give_up(self, size: int, for_now: bool) -> None:
        self.lost = [rows for rows in self.sizes if rows >= size] if for_now else []
        self.sizes = [rows for rows in self.sizes if rows < size]

    def take_back(self) -> None:
        self.sizes, self.lost = [*self.sizes, *self.lost], []

    def gains(self, form: Form, rows: int, smaller: int) -> bool:
        return True

    def is_long(self, form: Form, rows: int) -> bool:
        return False


def _seen(row: Row) -> Found:
    """Where the deep layers are not run, they stand in with what they found before."""
    deep = row.deep if row.run == SHALLOW else 0.1 * row.latent
    assert deep is not None
    return Found(_found(row) + deep - 0.1 * row.latent, deep if row.run == KEEPING else None)


def _found(row: Row) -> Latent:
    found: Latent = (0.5 * row.latent + np.float32(row.timestep / 4000) + row.context.mean()).astype(
        np.float32
    )
    return found


def engine_of(model: Model) -> Engine:
    return Engine(model)  # type: ignore[arg-type]


def order(
    seed: int = 0,
    steps: int = 4,
    scale: float = 3.0,
    sampler: str = "ddim",
    context: float = 0.1,
    shape: Shape = SHAPE,
    known: Known | None = None,
    guidance: Guidance | None = None,
    deep_interval: int = 1,
) -> Order:
    denoising = Denoising(SAMPLERS[sampler], make_schedule(steps), known=known)
    start = denoising.start(Noise.seeded(seed), shape)
    return Order(
        denoising,
        start,
        CONTEXT + np.float32(context),
        CONTEXT,
        guidance or Guidance(scale),
        None,
        deep_interval,
    )


def submit(engine: Engine, *orders: Order, client: str = "") -> Ticket:
    return engine.submit(
        orders,
        [one.start for one in orders],
        client,
        lambda latents: Tensors(latent=latents),
        STABLE_DIFFUSION,
    )


def alone(one: Order) -> Latent:
    """What the order comes to without an engine."""
    state = one.start
    while not one.denoising.finished(state):
        timestep = one.denoising.timestep(state)
        pair = [_found(Row(state.latent, timestep, context)) for context in (one.unconditional, one.context)]
        guided = one.guidance.guides(state.step, one.steps)
        state = one.denoising.step(state, one.guidance.apply(*pair) if guided else pair[1])
    return state.latent
