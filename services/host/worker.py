"""The one thread that handlers live in: they load there and are called there, one call at a time."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any

from triptych.wire import Cancelled, InvalidField

logger = logging.getLogger(__name__)

ERROR_CHARACTERS = 2000


class HandlerFault(Exception):
    """The handler broke on a request that may well have been in order."""


class Call:
    """One piece of work on its way through the thread; `answer` is what is made of its value."""

    def __init__(self, work: Callable[[], Any], render: Callable[[Any], Any], part: bool) -> None:
        self.work: Callable[[], Any] | None = work
        self.render: Callable[[Any], Any] | None = render
        self.part = part
        self.answer: Future[Any] = Future()
        self.context = copy_context()
        """Of who submitted it: what it is done for is known where it is done."""
        self.submitted = self.began = self.ended = time.perf_counter()

    def timing(self) -> tuple[float, float]:
        """Seconds in the queue and in the handler."""
        return self.began - self.submitted, self.ended - self.began

    def run(self) -> Any:
        """The answer; raises whatever the handler raises."""
        work, render = self.work, self.render
        if work is None or render is None:
            raise Cancelled
        self.began = time.perf_counter()
        value = self.context.run(work)
        self.ended = time.perf_counter()
        return self.context.run(render, value)

    def let_go(self) -> None:
        """Of what it was to do: that may hold the request's body, and whoever holds the call."""
        self.work = self.render = None


class Worker:
    """Keeps handlers off the event loop; TensorFlow holds a thread for seconds at a time."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque()
        self._running: Call | None = None
        self._something_to_do = threading.Condition()

    @property
    def running(self) -> int:
        """How many calls are in a handler now, without those that are part of a job."""
        call = self._running
        return int(call is not None and not call.part)

    @property
    def waiting(self) -> int:
        """How many calls have been handed in and not begun, without those that are part of a job."""
        with self._something_to_do:
            return sum(not call.part for call in self._calls)

    @property
    def oldest(self) -> float | None:
        """When that call was handed in, by time.perf_counter(), which has waited longest."""
        with self._something_to_do:
            return next((call.submitted for call in self._calls if not call.part), None)

    def start(self, load: Callable[[], None]) -> None:
        """Begin to `load` the handlers, which raises nothing; calls come after that."""
        threading.Thread(target=self._work, args=[load], name="handler", daemon=True).start()

    def submit(self, work: Callable[[], Any], render: Callable[[Any], Any], *, part: bool = False) -> Call:
        """Put a call at the end of the queue; `part` says that it is part of a job, which is counted itself.

        Its answer is rendered, or is InvalidField, Cancelled or HandlerFault.
        """
        call = Call(work, render, part)
        with self._something_to_do:
            self._calls.append(call)
            self._something_to_do.notify()
        return call

    def withdraw(self, call: Call) -> None:
        """Take a call that nobody waits for any more out of the queue; one that has begun goes on."""
        with self._something_to_do:
            if call in self._calls:
                self._calls.remove(call)
        call.let_go()

    def _work(self, load: Callable[[], None]) -> None:
        load()
        while True:
            with self._something_to_do:
                self._something_to_do.wait_for(lambda: self._calls)
                call = self._calls.popleft()
            if call.answer.set_running_or_notify_cancel():
                self._run(call)

    def _run(self, call: Call) -> None:
        self._running = call
        try:
            call.answer.set_result(call.run())
        except (InvalidField, Cancelled) as error:
            call.answer.set_exception(error)
        except BaseException as error:  # the thread outlives a MemoryError and a SystemExit as well
            call.answer.set_exception(_fault(call, error))
        finally:
            self._running = None
            call.let_go()


def _fault(call: Call, error: BaseException) -> HandlerFault:
    """Memory may be full, and an error's text another error: the thread outlives that as well."""
    try:
        return call.context.run(fault, error)
    except BaseException:
        return HandlerFault(type(error).__name__)


def fault(error: BaseException) -> HandlerFault:
    """What the sender is told of an error that is being handled; the traceback goes to the log."""
    logger.exception("the handler failed")
    return HandlerFault(describe_fault(error))


def describe_fault(error: BaseException) -> str:
    """`<Type>: <text>`, of bounded length."""
    return f"{type(error).__name__}: {error}"[:ERROR_CHARACTERS]
