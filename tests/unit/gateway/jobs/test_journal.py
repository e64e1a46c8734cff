"""What those who watch a job are told."""

import asyncio

from gateway.jobs.journal import PLACE, PREVIEW, PROGRESS, Journal
from gateway.progress import Progress


def at(step: int, *previews: bytes) -> Progress:
    return Progress("diffusion", "running", step, 10, previews=previews)


def test_of_each_kind_the_newest_is_told_in_the_order_in_which_they_came() -> None:
    journal = Journal()
    journal.place(2)
    journal.notice(at(1))
    journal.notice(at(2, b"two"))
    journal.notice(at(3))
    told = asyncio.run(journal.after(0))
    assert [entry.kind for entry in told] == [PLACE, PREVIEW, PROGRESS]
    assert [entry.what for entry in told] == [2, at(2, b"two"), at(3)]
    assert asyncio.run(journal.after(told[1].number)) == told[2:]


def test_a_place_that_is_what_it_was_is_no_news() -> None:
    journal = Journal()
    journal.place(1)
    (told,) = asyncio.run(journal.after(0))
    journal.place(1)
    assert asyncio.run(journal.after(0)) == [told]


def test_a_job_that_has_begun_has_no_place_any_more() -> None:
    journal = Journal()
    journal.place(1)
    journal.begin()
    assert journal.latest(PLACE) is None


def test_where_the_denoising_was_is_known_at_the_decoder() -> None:
    journal = Journal()
    journal.notice(at(10))
    journal.notice(Progress("decoder", "running"))
    assert journal.denoising == at(10)
    assert journal.latest(PROGRESS) == Progress("decoder", "running")


def test_everybody_who_waits_is_told() -> None:
    async def script() -> None:
        journal = Journal()
        waiting = [asyncio.create_task(journal.after(0)) for _ in range(3)]
        await asyncio.sleep(0)
        journal.notice(at(1))
        assert [(await one)[0].what for one in waiting] == [at(1)] * 3
        number = (await waiting[0])[0].number
        ends = [asyncio.create_task(journal.after(number)), asyncio.create_task(journal.after(number))]
        await asyncio.sleep(0)
        journal.end()
        assert [await one for one in ends] == [[], []]
        await journal.wait()

    asyncio.run(asyncio.wait_for(script(), 10))


def test_numbers_go_on_after_a_restart() -> None:
    before = Journal()
    for step in range(50):
        before.notice(at(step))
    (last,) = asyncio.run(before.after(0))
    after = Journal()
    after._number += 100  # as if a moment had passed: the number of a new one is the time
    after.notice(at(7))
    assert [entry.what for entry in asyncio.run(after.after(last.number))] == [at(7)]
