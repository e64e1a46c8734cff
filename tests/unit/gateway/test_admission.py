"""Whose turn it is: requests that are refused, jobs that wait."""

import asyncio
import time
from collections.abc import Coroutine
from contextlib import ExitStack
from typing import Any

import pytest

from gateway import admission as module
from gateway.admission import Admission
from gateway.errors import Overloaded
from gateway.metrics import Metrics


def run(doing: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(doing, 20))


def enter(admission: Admission) -> ExitStack:
    """A request's way in."""
    with ExitStack() as entered:
        entered.enter_context(admission.permit())
        return entered.pop_all()


async def is_let_in(waiting: "asyncio.Task[ExitStack]", seconds: float = 0.05) -> bool:
    done, _ = await asyncio.wait([waiting], timeout=seconds)
    return bool(done)


def test_requests_and_jobs_share_the_places() -> None:
    async def script() -> None:
        admission = Admission(2, Metrics())
        request, job = enter(admission), await admission.turn()
        with pytest.raises(Overloaded, match="has 2 requests and jobs under way") as refused:
            enter(admission)
        assert refused.value.retry_after == 2
        waits = asyncio.create_task(admission.turn())
        assert not await is_let_in(waits)
        request.close()
        (await waits).close()
        enter(admission).close()
        job.close()

    run(script())


def test_who_is_refused_is_told_when_there_will_be_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def refused(admission: Admission) -> int | None:
        with pytest.raises(Overloaded) as told:
            enter(admission)
        return told.value.retry_after

    admission = Admission(2, Metrics())
    inside = [enter(admission), enter(admission)]
    now[0] += 10
    inside.pop().close()
    inside.append(enter(admission))
    assert [refused(admission) for _ in range(4)] == [5, 10, 15, 20]
    now[0] += 12
    assert refused(admission) == 15
    assert max(refused(admission) or 0 for _ in range(50)) == 60
    for request in inside:
        request.close()


def test_jobs_are_let_in_as_they_came() -> None:
    async def script() -> None:
        admission, order = Admission(1, Metrics()), list[int]()

        async def job(number: int) -> None:
            with await admission.turn():
                order.append(number)

        first = enter(admission)
        jobs = [asyncio.create_task(job(number)) for number in range(5)]
        await asyncio.sleep(0)
        first.close()
        await asyncio.gather(*jobs)
        assert order == list(range(5))

    run(script())


async def with_a_place_kept() -> "tuple[Admission, asyncio.Task[ExitStack]]":
    """One place, kept for a request that was refused for a job which has left it, and a job that waits."""
    admission = Admission(1, Metrics())
    first = await admission.turn()
    second = asyncio.create_task(admission.turn())
    with pytest.raises(Overloaded):
        enter(admission)
    first.close()
    return admission, second


def test_a_request_that_was_refused_for_jobs_finds_a_place_when_it_comes_again() -> None:
    async def script() -> None:
        admission, second = await with_a_place_kept()
        assert not await is_let_in(second)
        enter(admission).close()
        (await second).close()

    run(script())


def test_a_request_that_comes_to_nothing_takes_nobodys_place() -> None:
    async def script() -> None:
        admission, second = await with_a_place_kept()
        with pytest.raises(ValueError), admission.permit():
            raise ValueError
        assert not await is_let_in(second)
        enter(admission).close()
        (await second).close()

    run(script())


def test_a_request_that_comes_to_nothing_says_nothing_of_how_long_one_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    admission = Admission(1, Metrics())
    with admission.permit():
        now[0] += 10
    for _ in range(50):
        with pytest.raises(ValueError), admission.permit():
            raise ValueError
    with admission.permit(), pytest.raises(Overloaded) as told:
        enter(admission)
    assert told.value.retry_after == 10


def test_a_place_that_is_kept_in_vain_is_a_jobs_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_AFTER", 0)
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.3)

    async def script() -> None:
        _, second = await with_a_place_kept()
        assert not await is_let_in(second)
        assert await is_let_in(second, 5)

    run(script())


def test_neither_keeps_the_other_out_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight of each at once, all the time, for four places."""

    async def script() -> None:
        admission, done = Admission(4, Metrics()), {"request": 0, "job": 0}

        async def jobs() -> None:
            while True:
                with await admission.turn():
                    await asyncio.sleep(0.01)
                    done["job"] += 1

        async def requests() -> None:
            while True:
                try:
                    with admission.permit():
                        await asyncio.sleep(0.01)
                        done["request"] += 1
                except Overloaded:
                    await asyncio.sleep(0.002)

        everybody = [asyncio.create_task(one()) for one in (jobs, requests) for _ in range(8)]
        while min(done.values()) < 30:
            await asyncio.sleep(0.01)
        for task in everybody:
            task.cancel()
        await asyncio.gather(*everybody, return_exceptions=True)

    run(script())


def test_a_job_that_is_given_up_while_it_waits_takes_no_place() -> None:
    async def script() -> None:
        admission = Admission(1, Metrics())
        request = enter(admission)
        waits = asyncio.create_task(admission.turn())
        await asyncio.sleep(0)
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)
        late = asyncio.create_task(admission.turn())
        await asyncio.sleep(0)
        request.close()
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        (await admission.turn()).close()

    run(script())
