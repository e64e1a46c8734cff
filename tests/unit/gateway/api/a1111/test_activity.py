"""What is under way, and its end before its time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from gateway.api.a1111.activity import PREVIEW_EVERY, Activities, Activity
from gateway.progress import Progress, Watcher
from gateway.requests import GenerateResult

RESULT = cast(GenerateResult, object())


def test_the_oldest_is_the_one_that_clients_know_of() -> None:
    activities = Activities()
    with activities.begin(1, (64, 64)) as first:
        with activities.begin(1, (64, 64)):
            assert activities.current() is first
            assert len(activities) == 2
        assert len(activities) == 1
    assert activities.current() is None


def test_it_is_forgotten_when_it_fails() -> None:
    activities = Activities()
    with pytest.raises(ZeroDivisionError), activities.begin(1, (64, 64)):
        _ = 1 / 0
    assert activities.current() is None


def test_every_batch_is_kept() -> None:
    async def work(watcher: Watcher) -> AsyncIterator[GenerateResult]:
        assert watcher.preview_every == PREVIEW_EVERY
        watcher.notice(Progress("diffusion", "running", 5, 20, previews=(b"png",)))
        yield RESULT
        yield RESULT

    activity = Activity(2, (64, 64))
    assert asyncio.run(activity.perform(work)) == [RESULT, RESULT]
    assert activity.progress == 0.25
    assert activity.previews == ()


def test_a_preview_stays_until_there_is_a_newer_one() -> None:
    seen: list[Any] = []

    async def work(watcher: Watcher) -> AsyncIterator[GenerateResult]:
        for previews in ((b"one",), (), (b"other",)):
            watcher.notice(Progress("diffusion", "running", 5, 20, previews=previews))
            seen.append(activity.previews)
        yield RESULT

    activity = Activity(1, (64, 64))
    asyncio.run(activity.perform(work))
    assert seen == [(b"one",), (b"one",), (b"other",)]


def test_the_stage_after_the_steps_is_no_way_back() -> None:
    async def work(watcher: Watcher) -> AsyncIterator[GenerateResult]:
        watcher.notice(Progress("text_encoder", "running"))
        assert activity.progress == 0
        watcher.notice(Progress("diffusion", "running", 20, 20))
        watcher.notice(Progress("decoder", "running"))
        assert activity.progress == 1
        yield RESULT

    activity = Activity(1, (64, 64))
    assert asyncio.run(activity.perform(work)) == [RESULT]


async def endless(_: Watcher) -> AsyncIterator[GenerateResult]:
    yield RESULT
    await asyncio.sleep(3600)


def test_an_interruption_keeps_what_is_done() -> None:
    async def interrupted() -> list[GenerateResult]:
        activity = Activity(2, (64, 64))
        performing = asyncio.create_task(activity.perform(endless))
        while not activity.done:
            await asyncio.sleep(0)
        activity.interrupt()
        return await performing

    assert asyncio.run(interrupted()) == [RESULT]


def test_a_client_that_leaves_ends_all_of_it() -> None:
    async def left() -> Activity:
        activity = Activity(2, (64, 64))
        performing = asyncio.create_task(activity.perform(endless))
        while not activity.done:
            await asyncio.sleep(0)
        performing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await performing
        return activity

    assert asyncio.run(left()).interrupted is False


def test_the_time_left_is_the_stages_word_or_else_the_pace_until_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    activity = Activity(1, (64, 64), started=100)
    monkeypatch.setattr("gateway.api.a1111.activity.time.monotonic", lambda: 110)
    assert activity.seconds_left == 0
    activity.latest = Progress("diffusion", "running", 5, 20)
    assert activity.seconds_left == 30
    activity.latest = Progress("diffusion", "running", 5, 20, seconds_left=7)
    assert activity.seconds_left == 7
