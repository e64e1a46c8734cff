"""What every store of jobs does: what is kept, in which order, for how long, and how much of it."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import Overloaded
from gateway.jobs.journal import DENOISING, PLACE, PREVIEW, PROGRESS, Journal
from gateway.jobs.news import LINE, OWED
from gateway.jobs.record import CANCELLED, DONE, FAILED, QUEUED, RUNNING, Record, Webhook
from gateway.jobs.store import RECORD_BYTES, REQUEST, RESULT, STATE, Store
from gateway.progress import Progress
from tests.unit.gateway.jobs.conftest import NEW, ROOMY, Opening
from tests.unit.gateway.jobs.conftest import REQUEST as BODY

HOOKED: dict[str, Any] = {"webhook": Webhook("https://a", "whsec_"), "notified": "pending"}


async def add(store: Store, *ids: str, **more: Any) -> None:
    for id in ids:
        await store.add(replace(NEW, id=id, **more), BODY)


async def ids(store: Store) -> list[str]:
    return [record.id for record in await store.newest(100)]


async def taken(store: Store) -> str | None:
    record = await store.take()
    return record.id if record else None


def at(step: int, *previews: bytes) -> Progress:
    return Progress("diffusion", "running", step, 10, seconds_left=0.5, previews=previews)


def test_what_was_stored_is_there_when_it_is_opened_again(opening: Opening) -> None:
    full = replace(NEW, key="mine", parameters='{"ü": 1}', **HOOKED)

    async def keep(store: Store) -> Record:
        await store.add(full, BODY)
        assert await taken(store) == "a"
        await store.keep("a", b"state")
        await store.put_back("a")
        return await store.add(replace(full, id="b"), BODY)

    async def look(store: Store) -> tuple[Record | None, Any]:
        assert await store.ids() == ["a"]
        belonging = [await store.read("a", name) for name in (REQUEST, STATE, RESULT)]
        return await store.find_key("mine"), belonging

    added = opening.inside(keep)
    record, belonging = opening.inside(look)
    assert record is not None and record.began is not None
    assert added == record == replace(full, size=len(BODY) + RECORD_BYTES, began=record.began)
    assert belonging == [BODY, b"state", None]


def test_what_is_not_there_is_none(opening: Opening) -> None:
    async def script(store: Store) -> list[Any]:
        await store.stop("x", "{}")
        await store.remove("x")
        await store.notified("x", "delivered")
        found = [await store.find("x"), await store.find_key("x"), await store.read("x", REQUEST)]
        return [*found, await store.take(), await store.owed(), await store.pace(), *await store.newest(5)]

    assert opening.inside(script) == [None] * 6


def test_a_key_names_one_job_until_that_is_removed(opening: Opening) -> None:
    async def script(store: Store) -> list[str]:
        added = [await store.add(replace(NEW, id=id, key="mine"), BODY) for id in ("a", "b")]
        await store.stop("a", "{}")
        await store.remove("a")
        added.append(await store.add(replace(NEW, id="c", key="mine"), BODY))
        return [record.id for record in added]

    assert opening.inside(script) == ["a", "a", "c"]


def test_the_line_is_as_they_came_after_those_that_ran_before(opening: Opening) -> None:
    async def script(store: Store) -> list[Any]:
        await add(store, "a", "b", "c", "d")
        order = [await taken(store), await taken(store), await store.waiting()]
        await store.put_back("b")
        places = [(await store.journal(id)).place for id in ("a", "b", "c", "d")]
        record = await store.find("b")
        assert record and (record.state, record.runs) == (QUEUED, 0)
        return [*order, places, *[await taken(store) for _ in range(4)]]

    assert opening.inside(script) == ["a", "b", 2, [None, 1, 2, 3], "b", "c", "d", None]


def test_a_job_that_is_taken_runs(opening: Opening) -> None:
    async def script(store: Store) -> Record | None:
        await add(store, "a")
        assert await store.take() == await store.find("a")
        return await store.find("a")

    record = opening.inside(script)
    assert record and record.began
    assert (record.state, record.runs) == (RUNNING, 1)
    assert time.time() - 10 < record.began <= time.time()


def test_a_job_that_is_begun_passes_the_line(opening: Opening) -> None:
    async def script(store: Store) -> Record | None:
        await add(store, "a")
        await add(store, "b", state=RUNNING, began=200.0, runs=1)
        assert (await store.waiting(), await taken(store), await taken(store)) == (1, "a", None)
        return await store.end("b", DONE, None, b"result")

    record = opening.inside(script, replace(ROOMY, queue=1))
    assert record and record.state == DONE


def test_an_end_has_its_result_and_what_it_was_made_of_goes(opening: Opening) -> None:
    async def script(store: Store) -> tuple[Record | None, list[Any]]:
        await add(store, "a")
        await store.take()
        await store.keep("a", b"state")
        await store.tell("a", {PROGRESS: at(1)})
        ended = await store.end("a", DONE, None, b"r" * 500)
        assert ended == await store.find("a")
        left = [await store.read("a", name) for name in (REQUEST, STATE, RESULT)]
        return ended, [*left, (await store.journal("a")).after(0)]

    ended, left = opening.inside(script)
    assert ended and ended.ended
    assert (ended.state, ended.error, ended.size) == (DONE, None, 500 + RECORD_BYTES)
    assert left == [None, None, b"r" * 500, []]


def test_what_ended_long_ago_goes(opening: Opening) -> None:
    async def script(store: Store) -> list[str]:
        await add(store, "a", "b", "c")
        for state in (DONE, FAILED):
            record = await store.take()
            assert record
            await store.end(record.id, state, "{}", None)
        await asyncio.sleep(0.3)
        await store.tidy()
        return await ids(store)

    assert opening.inside(script, replace(ROOMY, seconds=0.2)) == ["c"]


def test_what_ended_first_goes_first_where_there_is_too_much(opening: Opening) -> None:
    async def script(store: Store) -> list[str]:
        await add(store, "a", "b", "c")
        for _ in range(3):
            await store.take()
        for id in ("b", "a", "c"):
            await store.end(id, DONE, None, BODY)
        await add(store, "d")
        assert await store.read("b", RESULT) is None
        return await ids(store)

    assert opening.inside(script, replace(ROOMY, size=3 * (RECORD_BYTES + 1000))) == ["d", "c", "a"]


@pytest.mark.parametrize("days", [2, -2])
def test_a_clock_that_is_put_right_changes_neither_what_is_kept_nor_the_pace(
    opening: Opening, days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, off = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: right() + off)

    async def script(store: Store) -> tuple[list[str], float | None]:
        nonlocal off
        await add(store, "a", "b", "c", "d")
        for id in ("a", "b", "c"):
            await store.take()
            off = days * 86400.0 - off
            await store.end(id, DONE, None, BODY)
            await store.tidy()
        assert sorted(await ids(store)) == ["a", "b", "c", "d"]
        await add(store, "e", "f")
        return await ids(store), await store.pace()

    left, pace = opening.inside(script, replace(ROOMY, size=5 * (RECORD_BYTES + 1000)))
    assert left == ["f", "e", "d", "c", "b"]
    assert pace is not None and 0 < pace < 60


def test_a_result_without_room_is_gone_with_its_job(opening: Opening) -> None:
    async def script(store: Store) -> list[Any]:
        await add(store, "a")
        await store.take()
        return [await store.end("a", DONE, None, b"r" * 5000), *await ids(store)]

    assert opening.inside(script, replace(ROOMY, size=RECORD_BYTES + 2000)) == [None]


def test_what_has_not_ended_stays_and_what_has_no_room_is_refused(opening: Opening) -> None:
    async def script(store: Store) -> list[str]:
        await add(store, "a", "b")
        with pytest.raises(Overloaded, match="raise JOBS_BYTES") as refused:
            await add(store, "c")
        assert refused.value.retry_after
        return await ids(store)

    assert opening.inside(script, replace(ROOMY, size=2 * (RECORD_BYTES + 1000))) == ["b", "a"]


def test_a_line_that_is_full_takes_no_more(opening: Opening) -> None:
    async def script(store: Store) -> list[str]:
        await add(store, "a", "b")
        with pytest.raises(Overloaded, match="2 jobs wait and no more are taken"):
            await add(store, "c")
        await store.take()
        await add(store, "d")
        return await ids(store)

    assert opening.inside(script, replace(ROOMY, queue=2)) == ["d", "b", "a"]


def test_of_each_kind_the_newest_is_told_in_the_order_in_which_they_came(opening: Opening) -> None:
    async def script(store: Store) -> tuple[Journal, Journal]:
        await add(store, "a")
        waiting = await store.journal("a")
        await store.take()
        await store.tell("a", {PROGRESS: at(1)})
        await store.tell("a", {PREVIEW: at(2, b"\0two", b""), DENOISING: at(2), PROGRESS: at(3)})
        await store.tell("a", {PROGRESS: at(4)})
        return waiting, await store.journal("a")

    waiting, told = opening.inside(script)
    entries = [*waiting.after(0), *told.after(0)]
    assert [entry.kind for entry in entries] == [PLACE, PREVIEW, PROGRESS]
    assert [entry.what for entry in entries] == [1, at(2, b"\0two", b""), at(4)]
    numbers = [entry.number for entry in entries]
    assert numbers == sorted(set(numbers))
    assert told.progress(DENOISING) == at(2)
    assert told.after(numbers[1]) == entries[2:]


def test_numbers_go_on_when_it_is_opened_again(opening: Opening) -> None:
    async def script(store: Store, id: str) -> int:
        await add(store, id)
        assert await taken(store) == id
        for step in range(20):
            await store.tell(id, {PROGRESS: at(step)})
        (entry,) = (await store.journal(id)).after(0)
        await store.end(id, DONE, None, b"")
        return entry.number

    before = opening.inside(lambda store: script(store, "a"))
    time.sleep(0.05)  # numbers of one gateway's own begin with the clock's milliseconds
    assert opening.inside(lambda store: script(store, "b")) > before


def test_what_was_told_in_a_run_is_not_told_of_the_next(opening: Opening) -> None:
    async def script(store: Store) -> list[str]:
        await add(store, "a")
        await store.take()
        await store.tell("a", {PROGRESS: at(1)})
        await store.put_back("a")
        return [entry.kind for entry in (await store.journal("a")).after(0)]

    assert opening.inside(script) == [PLACE]


def test_who_waits_for_news_is_woken(opening: Opening) -> None:
    async def script(store: Store) -> None:
        with store.news.of(LINE) as line, store.news.of("a") as job, store.news.of("b") as other:
            await asyncio.sleep(0.1)  # it is heard from now on
            for changed in (line, job, other):
                changed.clear()
            await add(store, "a")
            await asyncio.wait_for(line.wait(), 5)
            await store.take()
            job.clear()
            await store.tell("a", {PROGRESS: at(1)})
            await asyncio.wait_for(job.wait(), 5)
            job.clear()
            await store.end("a", DONE, None, b"")
            await asyncio.wait_for(job.wait(), 5)

    opening.inside(script)


def test_one_that_waits_is_stopped_at_once(opening: Opening) -> None:
    async def script(store: Store) -> Record | None:
        await add(store, "a", "b", **HOOKED)
        await store.stop("a", '{"error": 1}')
        assert (await store.waiting(), await taken(store)) == (1, "b")
        owed = await store.owed()
        assert owed and owed.id == "a"
        return await store.find("a")

    record = opening.inside(script)
    assert record and record.ended
    assert (record.state, record.error, record.size) == (CANCELLED, '{"error": 1}', RECORD_BYTES)


def test_of_one_that_runs_whoever_runs_it_is_told(opening: Opening) -> None:
    async def script(store: Store) -> str:
        await add(store, "a")
        await store.take()
        await asyncio.sleep(0.1)
        await store.stop("a", "{}")
        return await asyncio.wait_for(store.news.stopping.get(), 5)

    assert opening.inside(script) == "a"


def test_a_webhook_is_owed_once(opening: Opening) -> None:
    async def script(store: Store) -> list[Any]:
        await add(store, "a", **HOOKED)
        await add(store, "b")
        owed: list[Any] = [await store.owed()]
        with store.news.of(OWED) as changed:
            for id in ("a", "b"):
                await store.take()
                await store.end(id, DONE, None, b"")
            await asyncio.wait_for(changed.wait(), 5)
        owed += [await store.owed(), await store.owed()]
        await store.notified("a", "delivered")
        record = await store.find("a")
        return [*[one and one.id for one in owed], record and record.notified, await store.owed()]

    assert opening.inside(script) == [None, "a", None, "delivered", None]


def test_the_pace_is_that_of_jobs_that_were_done(opening: Opening) -> None:
    async def script(store: Store) -> float | None:
        await add(store, "a", "b")
        assert await store.pace() is None
        await store.take()
        await asyncio.sleep(0.2)
        await store.end("a", DONE, None, b"")
        await store.take()
        await store.end("b", FAILED, "{}", None)
        return await store.pace()

    began = time.monotonic()
    pace = opening.inside(script)
    assert pace and 0.19 < pace < time.monotonic() - began


def test_a_job_is_restored_once(opening: Opening) -> None:
    ended = replace(NEW, state=DONE, began=1.0, ended=time.time(), size=RECORD_BYTES + 3, **HOOKED)

    async def script(store: Store) -> list[Any]:
        restored = [await store.restore(ended, {RESULT: b"abc"}) for _ in range(2)]
        await store.restore(
            replace(NEW, id="b", key="k", size=RECORD_BYTES + 1), {REQUEST: b"r", STATE: b"s"}
        )
        restored.append(await store.restore(replace(NEW, id="c", key="k"), {}))
        assert (await store.find("a"), await store.read("a", RESULT)) == (ended, b"abc")
        owed = await store.owed()
        return [*restored, owed and owed.id, await taken(store), await store.read("b", STATE)]

    assert opening.inside(script) == [True, False, False, "a", "b", b"s"]


def test_a_clients_jobs_are_listed_and_counted_apart(opening: Opening) -> None:
    async def script(store: Store) -> None:
        await add(store, "a", "b", "c", client="ann")
        await add(store, "d", client="bob")
        assert await taken(store) == "a"
        assert [record.id for record in await store.newest(2, "ann")] == ["c", "b"]
        assert [record.id for record in await store.newest(9, "bob")] == ["d"]
        assert [await store.unfinished(client) for client in ("ann", "bob", "eve")] == [3, 1, 0]
        await store.end("a", DONE, None, b"")
        await store.stop("b", "{}")
        assert await store.unfinished("ann") == 1
        assert len(await store.newest(9, "ann")) == 3

    opening.inside(script)
