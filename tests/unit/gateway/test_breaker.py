"""When a replica is left alone, and when it is tried again."""

import pytest

from gateway.breaker import FAILURES, MOST_SECONDS, Breaker
from gateway.errors import GatewayError
from gateway.verdicts import BUSY, DOWN, FAILED, PAUSED, UNAUTHORIZED, WAKING, Verdict


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def fail(breaker: Breaker, verdict: Verdict = DOWN, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(GatewayError), breaker.watch():
            raise GatewayError("It is gone.", verdict=verdict)


def test_a_few_failures_are_borne(breaker: Breaker) -> None:
    fail(breaker, times=FAILURES - 1)
    assert breaker.allows


def test_too_many_in_a_row_open_it(breaker: Breaker) -> None:
    fail(breaker, times=FAILURES)
    assert not breaker.allows


def test_a_success_in_between_counts_from_the_start_again(breaker: Breaker) -> None:
    fail(breaker, times=FAILURES - 1)
    with breaker.watch():
        pass
    fail(breaker, times=FAILURES - 1)
    assert breaker.allows


def test_a_call_that_proves_nothing_changes_nothing(breaker: Breaker) -> None:
    fail(breaker, times=FAILURES - 1)
    with breaker.watch(proves=False):
        pass
    fail(breaker)
    assert not breaker.allows


@pytest.mark.parametrize("verdict", [BUSY, FAILED])
def test_a_replica_that_answers_is_alive_whatever_it_says(breaker: Breaker, verdict: Verdict) -> None:
    fail(breaker, times=FAILURES - 1)
    fail(breaker, verdict)
    fail(breaker, times=FAILURES - 1)
    assert breaker.allows


def test_after_a_while_one_call_probes_while_others_stay_away(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, times=FAILURES)
    clock.now += 1
    assert breaker.allows
    with breaker.watch():
        assert not breaker.allows
    assert breaker.allows
    fail(breaker, times=FAILURES - 1)
    assert breaker.allows


def test_each_probe_that_fails_doubles_the_time_up_to_a_limit(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, times=FAILURES)
    for seconds in (2, 4, 8, MOST_SECONDS, MOST_SECONDS):
        clock.now += MOST_SECONDS
        fail(breaker)
        clock.now += seconds - 0.1
        assert not breaker.allows
        clock.now += 0.1
        assert breaker.allows


def test_one_that_fails_for_days_is_tried_as_often_as_after_a_minute(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, times=20_000)
    clock.now += MOST_SECONDS - 0.1
    assert not breaker.allows
    clock.now += 0.1
    assert breaker.allows


def test_a_probe_that_is_cancelled_makes_room_for_another(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, times=FAILURES)
    clock.now += 1
    with pytest.raises(KeyboardInterrupt), breaker.watch():
        raise KeyboardInterrupt
    assert breaker.allows


def test_one_that_is_paused_is_so_at_once_and_for_a_while(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, PAUSED)
    assert not breaker.allows
    assert (breaker.state, breaker.error) == ("paused", "It is gone.")
    clock.now += PAUSED.seconds
    assert breaker.allows
    assert breaker.state == ""


@pytest.mark.parametrize("verdict", [PAUSED, WAKING, UNAUTHORIZED])
def test_one_that_was_in_a_state_and_then_is_gone_is_in_it_no_longer(
    breaker: Breaker, clock: Clock, verdict: Verdict
) -> None:
    fail(breaker, verdict)
    clock.now += verdict.seconds
    fail(breaker, times=FAILURES)
    assert not breaker.allows
    assert (breaker.state, breaker.error) == ("", None)
