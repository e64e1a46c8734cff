"""A deadline."""

import time

from gateway.deadline import Deadline


def test_time_that_is_used_is_gone() -> None:
    deadline = Deadline(10)
    time.sleep(0.02)
    assert 9 < deadline.left < 9.99


def test_there_is_never_less_than_none() -> None:
    assert Deadline(0).left == 0
