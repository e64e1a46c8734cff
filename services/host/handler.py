"""Finds and constructs a stage's handler exactly as a Hugging Face Inference Endpoint does."""

import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeGuard, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

from triptych.wire import Tensors

Report = Callable[[str, float | None], None]


class Handler(Protocol):
    """What `handler.py` must offer; `info()` is ours, and a plain endpoint's handler has none."""

    def __call__(self, data: dict[str, Any]) -> Any: ...


@runtime_checkable
class TensorHandler(Handler, Protocol):
    """One of ours: it also takes `inputs` as Tensors, and gives its answer before it is base64."""

    def tensors(self, data: dict[str, Any]) -> Tensors: ...


class Progress(Protocol):
    """How far a ticket is. `state` is queued until its first step has begun, then running."""

    @property
    def state(self) -> str: ...

    @property
    def ahead(self) -> int:
        """How many requests are before it that have not begun; 0 once it runs."""

    @property
    def step(self) -> int:
        """Steps done by the slowest image of the request."""

    @property
    def steps(self) -> int:
        """Steps to do in all."""

    @property
    def seconds_left(self) -> float | None: ...


class Ticket(Protocol):
    """A request that a handler has started. `result` is for the handler's thread, the rest for any."""

    @property
    def progress(self) -> Progress: ...

    @property
    def done(self) -> bool:
        """Finished, failed or cancelled."""

    def watch(self, notice: Callable[[], None]) -> None:
        """Have `notice` called after every change, in whatever thread made it; it returns at once."""

    def result(self) -> Tensors:
        """The handler's answer once `done`; raises InvalidField, Cancelled, or whatever went wrong."""

    def cancel(self) -> None:
        """End it at the next step; more than once is as once."""

    def previews(self) -> list[npt.NDArray[np.uint8]]:
        """A small picture (height / 8, width / 8, 3) of each image as it is now."""

    def states(self) -> Tensors:
        """Where every image is, as tensors that the field `resume` takes back."""


@runtime_checkable
class TicketHandler(TensorHandler, Protocol):
    """One that works on many requests at once: it starts each, and answers when its ticket is done."""

    def start(self, data: dict[str, Any]) -> Ticket:
        """Hand the request to the engine and return at once; raises InvalidField."""

    def seconds_of_work(self) -> float:
        """About how long all that is running and waiting will take; for any thread."""


@runtime_checkable
class CompilingHandler(Protocol):
    """One that has several compiled programs, and may be called before all of them are warm."""

    def programs(self) -> tuple[int, int]:
        """How many are warm, of how many; for any thread."""


# `isinstance` with a protocol looks through its methods every time, which was a fifth of a small request in a
# profile; `issubclass` remembers what it found.


def gives_tensors(handler: Handler) -> TypeGuard[TensorHandler]:
    """Whether the handler is a TensorHandler."""
    return issubclass(type(handler), TensorHandler)


def starts_tickets(handler: Handler) -> TypeGuard[TicketHandler]:
    """Whether the handler is a TicketHandler."""
    return issubclass(type(handler), TicketHandler)


def load_handler(folder: Path, report: Report, beside: Handler | None = None) -> Handler:
    """The EndpointHandler of `folder`/handler.py, constructed with the folder's path.

    `handler.py` is loaded by its location, with the folder first on `sys.path`: absolute imports of
    the files beside it work and relative ones do not, here as there (huggingface-inference-toolkit).
    `report`, and `beside` (the handler that it is served beside), are handed over if the constructor
    names them. Raises whatever the handler raises.
    """
    if sys.path[:1] != [str(folder)]:
        sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location("handler", folder / "handler.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder / 'handler.py'} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules["handler"] = module
    spec.loader.exec_module(module)
    constructor = module.EndpointHandler
    named = inspect.signature(constructor).parameters
    offered: dict[str, object] = (
        {"report": report} if beside is None else {"report": report, "beside": beside}
    )
    extras = {name: value for name, value in offered.items() if name in named}
    return cast(Handler, constructor(str(folder), **extras))
