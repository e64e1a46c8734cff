"""Records and files of jobs: what is kept, for how long, and how much of it."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from gateway.errors import Overloaded
from gateway.jobs.archive import DATABASE, RECORD_BYTES, Archive, open_archive
from gateway.jobs.record import DONE, FAILED, QUEUED, RUNNING, Record, Webhook
from gateway.progress import Kept

Result = TypeVar("Result")
NEW = Record("a", "txt2img", "me", "{}", True, None, "digest", None, 100.0)
REQUEST = b"x" * 1000


def inside(
    path: Path, script: Callable[[Archive], Awaitable[Result]], seconds: float = 3600, size: int = 10**9
) -> Result:
    async def run() -> Result:
        async with open_archive(str(path), seconds, size) as archive:
            return await script(archive)

    return asyncio.run(run())


async def add(archive: Archive, *ids: str) -> None:
    for id in ids:
        await archive.add(replace(NEW, id=id), REQUEST)


async def ids(archive: Archive) -> list[str]:
    return [record.id for record in await archive.newest(100)]


def test_what_was_stored_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    full = replace(
        NEW, key="mine", webhook=Webhook("https://a", "whsec_"), notified="pending", parameters='{"ü": 1}'
    )

    async def store(archive: Archive) -> None:
        await archive.add(full, REQUEST)
        await archive.keep("a", Kept("state", 5, "hash"))

    async def look(archive: Archive) -> tuple[Record | None, bytes | None, Kept | None]:
        return await archive.find_key("mine"), await archive.request("a"), await archive.kept("a")

    inside(tmp_path, store)
    record, request, kept = inside(tmp_path, look)
    assert record == replace(full, size=len(REQUEST) + RECORD_BYTES)
    assert (request, kept) == (REQUEST, Kept("state", 5, "hash"))


def test_a_key_names_one_job(tmp_path: Path) -> None:
    async def twice(archive: Archive) -> list[Record]:
        first = await archive.add(replace(NEW, key="mine"), REQUEST)
        return [first, await archive.add(replace(NEW, id="b", key="mine"), REQUEST)]

    first, second = inside(tmp_path, twice)
    assert first == second
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["a"]


def test_those_that_ran_come_before_those_that_waited(tmp_path: Path) -> None:
    async def script(archive: Archive) -> list[tuple[str, str, int]]:
        await add(archive, "a", "b", "c", "d")
        await archive.begin("c")
        await archive.end("d", DONE, None, b"")
        return [(one.id, one.state, one.runs) for one in await archive.pending()]

    assert inside(tmp_path, script) == [("c", RUNNING, 1), ("a", QUEUED, 0), ("b", QUEUED, 0)]


def test_a_run_that_is_put_back_does_not_count(tmp_path: Path) -> None:
    async def script(archive: Archive) -> Record | None:
        await add(archive, "a")
        await archive.begin("a")
        await archive.put_back("a")
        return await archive.find("a")

    record = inside(tmp_path, script)
    assert record
    assert (record.state, record.runs) == (QUEUED, 0)


def test_an_end_has_its_result_and_what_it_was_made_of_goes(tmp_path: Path) -> None:
    async def script(archive: Archive) -> tuple[Record | None, bytes | None, Kept | None]:
        await add(archive, "a")
        await archive.keep("a", Kept("state", 5, "hash"))
        ended = await archive.end("a", DONE, None, b"r" * 500)
        return ended, await archive.result("a"), await archive.kept("a")

    ended, result, kept = inside(tmp_path, script)
    assert ended
    assert (ended.state, ended.size, result, kept) == (DONE, 500 + RECORD_BYTES, b"r" * 500, None)
    assert [path.name for path in (tmp_path / "jobs" / "a").iterdir()] == ["result.zip"]


def test_what_ended_long_ago_goes(tmp_path: Path) -> None:
    async def script(archive: Archive) -> list[str]:
        await add(archive, "a", "b", "c")
        await archive.end("a", DONE, None, b"")
        await archive.end("b", FAILED, "{}", None)
        await asyncio.sleep(0.3)
        await archive.tidy()
        return await ids(archive)

    assert inside(tmp_path, script, seconds=0.2) == ["c"]
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["c"]


def test_what_ended_first_goes_first_where_there_is_too_much(tmp_path: Path) -> None:
    async def script(archive: Archive) -> list[str]:
        await add(archive, "a", "b", "c")
        for id in ("b", "a", "c"):
            await archive.end(id, DONE, None, REQUEST)
        await add(archive, "d")
        return await ids(archive)

    assert inside(tmp_path, script, size=3 * (RECORD_BYTES + 1000)) == ["d", "c", "a"]


def test_what_has_not_ended_stays_and_what_has_no_room_is_refused(tmp_path: Path) -> None:
    async def script(archive: Archive) -> list[str]:
        await add(archive, "a", "b")
        with pytest.raises(Overloaded, match="raise JOBS_BYTES") as refused:
            await add(archive, "c")
        assert refused.value.retry_after
        return await ids(archive)

    assert inside(tmp_path, script, size=2 * (RECORD_BYTES + 1000)) == ["b", "a"]


def test_files_of_a_job_that_was_not_stored_are_swept_out(tmp_path: Path) -> None:
    inside(tmp_path, lambda archive: add(archive, "a"))
    (tmp_path / "jobs" / "stray").mkdir()
    (tmp_path / "jobs" / "stray" / "request.json").write_bytes(b"{}")
    assert inside(tmp_path, ids) == ["a"]
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["a"]


def test_a_folder_is_one_gateways(tmp_path: Path) -> None:
    async def again(archive: Archive) -> None:
        async with open_archive(str(tmp_path), 1, 1):
            pass

    with pytest.raises(ValueError, match="another one uses"):
        inside(tmp_path, again)


def test_a_folder_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="JOBS_DIR must be a folder to write in"):
        inside(tmp_path / "file", ids)


def test_jobs_of_another_version_are_not_touched(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / DATABASE) as database:
        database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(ValueError, match="another version"):
        inside(tmp_path, ids)


def test_others_on_the_machine_cannot_read_what_is_kept(tmp_path: Path) -> None:
    inside(tmp_path / "new", lambda archive: add(archive, "a"))
    assert (tmp_path / "new" / "jobs").stat().st_mode & 0o077 == 0
    assert (tmp_path / "new" / DATABASE).stat().st_mode & 0o077 == 0


def test_the_pace_is_that_of_jobs_that_were_done(tmp_path: Path) -> None:
    async def script(archive: Archive) -> tuple[float | None, float | None]:
        await add(archive, "a", "b")
        before = await archive.pace()
        await archive.begin("a")
        await asyncio.sleep(0.2)
        await archive.end("a", DONE, None, b"")
        await archive.end("b", FAILED, json.dumps({}), None)
        return before, await archive.pace()

    before, after = inside(tmp_path, script)
    assert before is None
    assert after == pytest.approx(0.2, abs=0.15)
