"""A handler that starts requests, with an engine that a test moves by hand, or a thread does."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from triptych.wire import Cancelled, InvalidField, Tensors, encode_tensor

SOURCE = "from tests.unit.host.batching import BatchingHandler as EndpointHandler"
STEPS = 4


@dataclass(frozen=True)
class Progress:
    state: str
    ahead: int
    step: int
    steps: int
    seconds_left: float | None


@dataclass
class Ticket:
    """Its images are of one colour, the number of its step."""

    data: dict[str, Any]
    steps: int
    side: int
    step: int = 0
    state: str = "queued"
    ahead: int = 1
    cancelled: bool = False
    error: Exception | None = None
    done: bool = False
    broken: bool = False
    notices: list[Callable[[], None]] = field(default_factory=list)

    @property
    def progress(self) -> Progress:
        left = 0.5 * (self.steps - self.step) if self.state == "running" else None
        return Progress(self.state, self.ahead, self.step, self.steps, left)

    def watch(self, notice: Callable[[], None]) -> None:
        self.notices.append(notice)

    def result(self) -> Tensors:
        assert self.done
        assert threading.current_thread().name == "handler"
        if self.error is not None:
            raise self.error
        if self.data.get("wanted") == "image":
            return Tensors(image=np.full((1, 8, 8, 3), self.step, np.uint8))
        return Tensors(latent=np.full((1, 2, 2, 4), self.step, np.float32))

    def cancel(self) -> None:
        self.cancelled = True

    def previews(self) -> list[npt.NDArray[np.uint8]]:
        assert threading.current_thread() is not threading.main_thread()
        if self.broken:
            raise RuntimeError("no picture")
        noise = np.random.default_rng(self.step).integers(0, 256, (self.side, self.side, 3), np.uint8)
        return [np.full((8, 8, 3), self.step, np.uint8), noise]

    def states(self) -> Tensors:
        return Tensors(latent=np.full((1, 2, 2, 4), self.step, np.float32))

    def begin(self) -> None:
        """The first step begins."""
        self.state, self.ahead = "running", 0
        self._notify()

    def advance(self) -> None:
        """One more step is done, unless it has been cancelled; the last one finishes it."""
        if self.cancelled:
            return self.end(Cancelled())
        self.state, self.ahead, self.step = "running", 0, self.step + 1
        self.done = self.step >= self.steps
        self._notify()

    def end(self, error: Exception) -> None:
        """The engine gives it up."""
        self.error, self.done = error, True
        self._notify()

    def _notify(self) -> None:
        for notice in self.notices:
            notice()


class BatchingHandler:
    """`inputs` says what becomes of a request: "invalid" and "fault" fail, "gate" waits for `gate`."""

    made: ClassVar[list["BatchingHandler"]] = []

    def __init__(self, path: str = "", beside: "BatchingHandler | None" = None) -> None:
        self.beside = beside
        self.tickets: list[Ticket] = []
        self.started: list[Any] = []
        self.seconds = 0.0
        self.gate = threading.Event()
        self.made.append(self)

    def __call__(self, data: dict[str, Any]) -> str:
        return encode_tensor(self.tensors(data)["latent"])

    def tensors(self, data: dict[str, Any]) -> Tensors:
        raise AssertionError("the host starts requests")

    def start(self, data: dict[str, Any]) -> Ticket:
        assert threading.current_thread().name == "handler"
        self.started.append(data["inputs"])
        match data["inputs"]:
            case "invalid":
                raise InvalidField("num_steps", "from 1 to 250", 0)
            case "fault":
                raise KeyError("weights")
            case "gate":
                assert self.gate.wait(30)
        ticket = Ticket(data, data.get("num_steps", STEPS), data.get("side", 8))
        self.tickets.append(ticket)
        if "seconds_a_step" in data:
            threading.Thread(target=_run, args=[ticket, data["seconds_a_step"]], daemon=True).start()
        return ticket

    def seconds_of_work(self) -> float:
        return self.seconds

    def programs(self) -> tuple[int, int]:
        return 1, 3

    def info(self) -> dict[str, Any]:
        return {"stage": "echo", "extras": ["seed"], "shapes": {"latent": [2, 2, 4], "image": [8, 8, 3]}}


def _run(ticket: Ticket, seconds: float) -> None:
    while not ticket.done:
        time.sleep(seconds)
        ticket.advance()
