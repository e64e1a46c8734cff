"""The one thread that a handler lives in: it loads there and is called there, one call at a time."""

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from starlette.responses import Response

from triptych.wire import InvalidField

from .forms import Render, Work, announced
from .handler import Handler, TensorHandler
from .state import Readiness

logger = logging.getLogger(__name__)

ERROR_CHARACTERS = 2000


class HandlerFault(Exception):
    """The handler broke on a request that may well have been in order."""


class Call:
    """One request on its way through the handler; `answer` is the response to it."""

    def __init__(self, work: Work, render: Render) -> None:
        self.work = work
        self.render = render
        self.answer: Future[Response] = Future()
        self.submitted = self.began = self.ended = time.perf_counter()

    def timing(self) -> str:
        """Milliseconds in the queue and in the handler, as `Server-Timing` says them."""
        queue, handler = 1000 * (self.began - self.submitted), 1000 * (self.ended - self.began)
        return f"queue;dur={queue:.1f}, handler;dur={handler:.1f}"

    def run(self, handler: Handler) -> Response:
        """The response; raises whatever the handler raises."""
        self.began = time.perf_counter()
        value = self.work(handler)
        self.ended = time.perf_counter()
        return self.render(value)


class Worker:
    """Keeps the handler off the event loop; TensorFlow holds a thread for seconds at a time."""

    def __init__(self, load: Callable[[], Handler], readiness: Readiness) -> None:
        self._load = load
        self._readiness = readiness
        self._calls: deque[Call] = deque()
        self._something_to_do = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="handler", daemon=True)
        self.running = False
        self.info: dict[str, Any] | None = None
        self.takes_tensors = False

    @property
    def waiting(self) -> int:
        """How many calls have been handed in and not begun."""
        return len(self._calls)

    def start(self) -> None:
        """Begin to load the handler."""
        self._thread.start()

    def submit(self, work: Work, render: Render) -> Call:
        """Put a call at the end of the queue. Its answer is rendered, or is InvalidField or HandlerFault."""
        call = Call(work, render)
        with self._something_to_do:
            self._calls.append(call)
            self._something_to_do.notify()
        return call

    def withdraw(self, call: Call) -> None:
        """Take a call that nobody waits for any more out of the queue; one that has begun goes on."""
        with self._something_to_do:
            if call in self._calls:
                self._calls.remove(call)

    def _work(self) -> None:
        handler = self._construct()
        while handler is not None:
            with self._something_to_do:
                self._something_to_do.wait_for(lambda: self._calls)
                call = self._calls.popleft()
            if call.answer.set_running_or_notify_cancel():
                self._run(handler, call)

    def _construct(self) -> Handler | None:
        try:
            handler = self._load()
            self.takes_tensors = isinstance(handler, TensorHandler)
            self.info = _card(handler)
        except BaseException as error:  # even SystemExit: the server stays up and tells the reason
            logger.exception("the handler could not be loaded")
            self._readiness.failed(describe_fault(error))
            return None
        self._readiness.warm()
        return handler

    def _run(self, handler: Handler, call: Call) -> None:
        self.running = True
        try:
            call.answer.set_result(call.run(handler))
        except InvalidField as error:
            call.answer.set_exception(error)
        except BaseException as error:  # the thread outlives a MemoryError and a SystemExit as well
            call.answer.set_exception(HandlerFault(describe_fault(error)))
            logger.exception("the handler failed")
        finally:
            self.running = False


def _card(handler: Handler) -> dict[str, Any] | None:
    """What the handler says of itself, and what the server adds; None if it says nothing."""
    if not hasattr(handler, "info"):
        return None
    card: dict[str, Any] = handler.info()
    to_json(card)
    return announced(card) if isinstance(handler, TensorHandler) else card


def to_json(value: Any) -> bytes:
    """The value as ASCII JSON. Raises TypeError or ValueError for what JSON cannot say, NaN included."""
    return json.dumps(value, allow_nan=False).encode("ascii")


def describe_fault(error: BaseException) -> str:
    """`<Type>: <text>`, of bounded length."""
    return f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS]
