"""Work as a stream of what happens."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from gateway.api.narration import narrate
from gateway.errors import InvalidRequest
from gateway.progress import Progress, Watcher
from gateway.requests import GenerateResult

RESULT = cast(GenerateResult, object())
HALF = Progress("diffusion", "running", 10, 20, previews=(b"png",))


async def work(watcher: Watcher) -> AsyncIterator[GenerateResult]:
    watcher.notice(Progress("text_encoder", "running"))
    watcher.notice(HALF)
    yield RESULT


async def failing(watcher: Watcher) -> AsyncIterator[GenerateResult]:
    async for result in work(watcher):
        yield result
    raise InvalidRequest("no")


def told(work: Any) -> list[Any]:
    async def listen() -> list[Any]:
        return [item async for item in narrate(work, 5)]

    return asyncio.run(listen())


def test_silence_is_told_so_that_no_proxy_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.api.stream.HEARTBEAT_SECONDS", 0.01)

    async def slow(_: Watcher) -> AsyncIterator[GenerateResult]:
        await asyncio.sleep(0.1)
        yield RESULT

    happenings = told(slow)
    assert happenings[0] is None
    assert happenings[-1] is RESULT


def test_what_can_be_shown_is_told_in_its_order() -> None:
    assert told(work) == [HALF, RESULT]


def test_what_goes_wrong_is_raised_when_all_before_it_is_told() -> None:
    async def listen() -> list[Any]:
        items: list[Any] = []
        with pytest.raises(InvalidRequest):
            async for item in narrate(failing, 5):
                items.append(item)
        return items

    assert asyncio.run(listen()) == [HALF, RESULT]


def test_who_stops_listening_ends_the_work() -> None:
    ended: list[bool] = []

    async def endless(watcher: Watcher) -> AsyncIterator[GenerateResult]:
        watcher.notice(HALF)
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            ended.append(True)
            raise
        yield RESULT

    async def listen() -> None:
        happenings = narrate(endless, 5)
        assert await anext(happenings) == HALF
        await happenings.aclose()

    asyncio.run(listen())
    assert ended == [True]
