"""The thread that handlers live in."""

import gc
import weakref

import pytest

from host.worker import HandlerFault, Worker


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise MemoryError


def test_the_thread_outlives_an_error_that_cannot_be_told() -> None:
    worker = Worker()
    worker.start(lambda: None)

    def fail() -> None:
        raise Unspeakable

    with pytest.raises(HandlerFault, match="Unspeakable"):
        worker.submit(fail, str).answer.result(10)
    assert worker.submit(lambda: 1, str).answer.result(10) == "1"


def test_a_call_that_is_done_holds_nothing_of_what_it_did() -> None:
    class Body:
        pass

    worker, body = Worker(), Body()
    worker.start(lambda: None)
    gc.disable()
    try:
        left = weakref.ref(body)
        call = worker.submit(lambda one=body: id(one), str)  # type: ignore[misc]
        del body
        call.answer.result(10)
        worker.submit(lambda: 1, str).answer.result(10)
        assert left() is None
    finally:
        gc.enable()
