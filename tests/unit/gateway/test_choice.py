"""Which of several replicas is asked."""

from gateway.breaker import FAILURES, Breaker
from gateway.choice import choose
from gateway.errors import StageUnavailable
from gateway.load import Load
from gateway.verdicts import DOWN, Again


class Place:
    def __init__(self, requests: int = 0, group: int = 0, condition: str = "") -> None:
        self.breaker = Breaker()
        self.load = Load()
        self.load.announced(str(requests))
        self.group = group
        self.condition = condition

    def fail(self) -> None:
        try:
            with self.breaker.watch():
                raise StageUnavailable("gone", verdict=DOWN)
        except StageUnavailable:
            pass


def test_it_is_the_least_busy() -> None:
    places = [Place(2), Place(1), Place(1)]
    assert choose(places, {}) is places[1]


def test_a_later_group_waits_until_none_before_it_can_do_it() -> None:
    here, there = Place(50), Place(0, group=1)
    assert choose([there, here], {}) is here
    assert choose([there, here], {here: Again.ELSEWHERE}) is there


def test_one_that_failed_comes_last_unless_it_may_not_be_asked_again() -> None:
    first, second = Place(), Place()
    assert choose([first, second], {first: Again.ANYWHERE}) is second
    assert choose([first, second], {first: Again.ELSEWHERE, second: Again.ANYWHERE}) is second


def test_one_that_fails_again_and_again_is_left_alone() -> None:
    broken, busy = Place(), Place(9)
    for _ in range(FAILURES):
        broken.fail()
    assert choose([broken, busy], {}) is busy


def test_one_that_wakes_is_waited_for_where_no_other_can_do_it() -> None:
    waking, busy = Place(condition="waking"), Place(9)
    assert choose([waking, busy], {}) is busy
    assert choose([waking], {}) is waking


def test_one_that_wakes_is_waited_for_rather_than_one_that_just_failed_asked_again() -> None:
    gone, waking = Place(), Place(group=1, condition="waking")
    gone.fail()
    assert choose([gone, waking], {gone: Again.ANYWHERE, waking: Again.ANYWHERE}) is waking
    busy = Place()
    assert choose([busy, waking], {busy: Again.ANYWHERE, waking: Again.ANYWHERE}) is busy
