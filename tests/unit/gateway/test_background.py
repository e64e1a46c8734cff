import asyncio

import pytest

from gateway.background import Background


async def finish(done: list[str]) -> None:
    await asyncio.sleep(0.05)
    done.append("done")


async def fail(done: list[str]) -> None:
    raise RuntimeError("nobody waits for this")


def test_what_is_left_to_it_is_finished_and_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    async def leave() -> list[str]:
        done: list[str] = []
        async with Background() as background:
            for work in (finish, fail):
                background.leave(asyncio.ensure_future(work(done)))
            await asyncio.sleep(0.2)
        return done

    assert asyncio.run(leave()) == ["done"]
    assert caplog.records == []


def test_its_end_ends_what_is_not_finished() -> None:
    async def leave() -> tuple[list[str], bool]:
        done: list[str] = []
        async with Background() as background:
            job = asyncio.ensure_future(finish(done))
            background.leave(job)
        return done, job.cancelled()

    assert asyncio.run(leave()) == ([], True)
