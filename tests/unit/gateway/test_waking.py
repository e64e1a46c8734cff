"""Requests that are held until an endpoint is awake."""

import asyncio

import pytest

from gateway.deadline import Deadline
from gateway.waking import Waking


class Sleeper:
    """Awake at the third question."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, patience: Deadline) -> bool:
        self.asked += 1
        await asyncio.sleep(0)
        return self.asked == 3


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.waking.FIRST_PAUSE", 0.001)


def test_one_request_asks_and_the_others_wait_for_it() -> None:
    async def several() -> tuple[int, bool]:
        sleeper = Sleeper()
        waking = Waking(sleeper)
        held = [asyncio.create_task(waking.wait(Deadline(10))) for _ in range(5)]
        await asyncio.sleep(0)
        under_way = waking.under_way
        await asyncio.gather(*held)
        assert not waking.under_way
        return sleeper.asked, under_way

    assert asyncio.run(several()) == (3, True)


def test_a_request_that_is_gone_leaves_the_asking_to_the_next() -> None:
    async def two() -> int:
        sleeper = Sleeper()
        waking = Waking(sleeper)
        gone = asyncio.create_task(waking.wait(Deadline(10)))
        stays = asyncio.create_task(waking.wait(Deadline(10)))
        await asyncio.sleep(0)
        gone.cancel()
        await stays
        return sleeper.asked

    assert asyncio.run(two()) == 3


def test_patience_has_an_end() -> None:
    async def never(patience: Deadline) -> bool:
        return False

    with pytest.raises(TimeoutError):
        asyncio.run(Waking(never).wait(Deadline(0.05)))
