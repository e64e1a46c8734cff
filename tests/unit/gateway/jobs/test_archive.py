"""One gateway's own folder of jobs."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from gateway.errors import Overloaded, StoreUnavailable
from gateway.jobs import table
from gateway.jobs.archive import DATABASE, Archive, open_archive
from gateway.jobs.record import DONE, FAILED, Record, Webhook
from gateway.jobs.store import REQUEST, RESULT, STATE, Store
from tests.unit.gateway.jobs.conftest import NEW, ROOMY, Opening
from tests.unit.gateway.jobs.conftest import REQUEST as BODY

Result = TypeVar("Result")
WITHOUT_VERSION = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id, kind, client, parameters, drawn, key, digest, webhook, created, state, began, ended, runs, error,
    size, notified,
    UNIQUE (id), UNIQUE (key)
);
CREATE INDEX jobs_by_state ON jobs (state, number);
INSERT INTO jobs VALUES (1, 'a', 'txt2img', 'me', '{}', 1, 'mine', 'digest',
    '{"url": "https://a", "secret": "whsec_"}', 100.0, 'done', 101.0, 4e9, 1, NULL, 4099, 'delivered');
INSERT INTO jobs VALUES (2, 'b', 'txt2img', 'me', '{}', 1, NULL, 'digest', NULL, 102.0, 'queued', NULL, NULL,
    0, NULL, 5096, NULL);
INSERT INTO jobs VALUES (3, 'c', 'txt2img', 'me', '{}', 0, NULL, 'digest', NULL, 103.0, 'running', 104.0,
    NULL, 1, NULL, 5096, NULL);
"""
"""As gateways wrote it before layouts had numbers."""


def inside(path: Path, script: Callable[[Store], Awaitable[Result]]) -> Result:
    return Opening(lambda limits: open_archive(str(path), limits)).inside(script)


async def add(store: Store) -> None:
    await store.add(NEW, BODY)


async def ids(store: Store) -> list[str]:
    return await store.ids()


def written(path: Path, script: str) -> None:
    (path / "jobs").mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path / DATABASE) as database:
        database.executescript(script)
    database.close()


def version(path: Path) -> int:
    with sqlite3.connect(path / DATABASE) as database:
        (number,) = database.execute("PRAGMA user_version").fetchone()
    database.close()
    return int(number)


def test_jobs_of_a_file_without_a_version_go_on(tmp_path: Path) -> None:
    written(tmp_path, WITHOUT_VERSION)
    for id, name in (("a", "result.zip"), ("b", "request.json"), ("c", "request.json")):
        (tmp_path / "jobs" / id).mkdir()
        (tmp_path / "jobs" / id / name).write_bytes(id.encode())

    async def script(store: Store) -> list[Record | bytes | None]:
        await store.add(replace(NEW, id="d"), BODY)
        taken = [await store.take() for _ in range(3)]
        assert [record and record.id for record in taken] == ["c", "b", "d"]
        return [await store.find_key("mine"), await store.read("a", RESULT), await store.read("b", REQUEST)]

    record, result, request = inside(tmp_path, script)
    assert isinstance(record, Record)
    assert (record.id, record.webhook, record.drawn) == ("a", Webhook("https://a", "whsec_"), True)
    assert (result, request) == (b"a", b"b")
    assert version(tmp_path) == len(table.MIGRATIONS)


def test_a_file_of_an_older_layout_becomes_one_of_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside(tmp_path, add)
    step = "CREATE TABLE more (id); INSERT INTO more SELECT id FROM jobs"
    monkeypatch.setattr(table, "MIGRATIONS", (*table.MIGRATIONS, step))
    for _ in range(2):
        assert inside(tmp_path, ids) == ["a"]
    with sqlite3.connect(tmp_path / DATABASE) as database:
        assert database.execute("SELECT id FROM more").fetchall() == [("a",)]
    database.close()


def test_jobs_of_an_older_layout_go_in_the_order_in_which_they_ended(tmp_path: Path) -> None:
    written(
        tmp_path,
        WITHOUT_VERSION
        + "".join(
            f"INSERT INTO jobs VALUES ({number}, '{number}', 'txt2img', 'me', '{{}}', 0, NULL, 'digest', "
            f"NULL, 1.0, 'done', 2.0, {ended}, 1, NULL, 5000, NULL);"
            for number, ended in ((4, 4e9 + 2), (5, 4e9 + 1))
        ),
    )

    async def script(store: Store) -> list[list[str]]:
        left = [await ids(store)]
        assert await store.size() == 4099 + 2 * 5096 + 2 * 5000
        for id in ("d", "e"):
            await store.add(replace(NEW, id=id), BODY)
            left.append(await ids(store))
        return left

    limits = replace(ROOMY, size=4099 + 2 * 5096 + 2 * 5000)
    left = Opening(lambda limits: open_archive(str(tmp_path), limits)).inside(script, limits)
    assert left == [["a", "b", "c", "4", "5"], ["b", "c", "4", "d"], ["b", "c", "d", "e"]]


def test_a_job_is_as_much_work_however_many_are_kept(tmp_path: Path) -> None:
    """In steps of SQLite's machine, by tens."""

    async def script(store: Store) -> list[int]:
        assert isinstance(store, Archive)
        counts = []
        for kept in (10, 2000):
            for number in range(len(await store.ids()), kept):
                store._table.add(replace(NEW, id=f"{number}", state="done", began=1.0, ended=time.time()))
            steps = 0

            def count() -> None:
                nonlocal steps
                steps += 1

            store._table._database.set_progress_handler(count, 10)
            await store.add(replace(NEW, id=f"new{kept}", notified="pending"), BODY)
            await store.take()
            await store.journal(f"new{kept}")
            await store.end(f"new{kept}", "done", None, b"result")
            assert await store.owed()
            await store.notified(f"new{kept}", "delivered")
            for _ in range(2):
                await store.unfinished("me")
                await store.newest(5, "nobody")
                await store.pace()
                await store.size()
                await store.oldest()
            store._table._database.set_progress_handler(None, 0)
            counts.append(steps)
        return counts

    few, many = inside(tmp_path, script)
    assert 0 < few < 1000
    assert many < 1.5 * few


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside(tmp_path, add)
    before = version(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(
            table, "MIGRATIONS", (*table.MIGRATIONS, "DELETE FROM jobs; SELECT nothing FROM none")
        )
        with pytest.raises(sqlite3.OperationalError):
            inside(tmp_path, ids)
    assert version(tmp_path) == before
    assert inside(tmp_path, ids) == ["a"]


def test_jobs_of_a_newer_version_are_not_touched(tmp_path: Path) -> None:
    written(tmp_path, "PRAGMA user_version=99")
    with pytest.raises(ValueError, match=r"newer version of the gateway .* has layout 99, this one knows 2"):
        inside(tmp_path, ids)


def test_files_of_a_job_that_was_not_stored_are_swept_out(tmp_path: Path) -> None:
    inside(tmp_path, add)
    (tmp_path / "jobs" / "stray").mkdir()
    (tmp_path / "jobs" / "stray" / "request.json").write_bytes(b"{}")
    assert inside(tmp_path, ids) == ["a"]
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["a"]


def test_what_is_refused_or_has_ended_leaves_no_files(tmp_path: Path) -> None:
    async def script(store: Store) -> None:
        for id in ("a", "b"):
            await store.add(replace(NEW, id=id, key="mine"), BODY)
        await store.take()
        await store.end("a", "done", None, b"result")

    inside(tmp_path, script)
    assert [path.name for path in (tmp_path / "jobs").rglob("*")] == ["a", "result.zip"]


def test_a_folder_is_one_gateways(tmp_path: Path) -> None:
    async def again(store: Store) -> None:
        async with open_archive(str(tmp_path), ROOMY):
            pass

    with pytest.raises(ValueError, match="another one uses"):
        inside(tmp_path, again)


def test_a_folder_that_cannot_be_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="JOBS_DIR must be a folder to write in"):
        inside(tmp_path / "file", ids)


def test_others_on_the_machine_cannot_read_what_is_kept(tmp_path: Path) -> None:
    inside(tmp_path / "new", add)
    assert (tmp_path / "new" / "jobs").stat().st_mode & 0o077 == 0
    assert (tmp_path / "new" / DATABASE).stat().st_mode & 0o077 == 0


def test_a_disk_that_is_full_takes_no_job_and_keeps_nothing_of_it(tmp_path: Path) -> None:
    async def script(store: Store) -> list[str]:
        assert isinstance(store, Archive)
        await add(store)
        store._table._database.execute("PRAGMA max_page_count=1")
        with pytest.raises(Overloaded, match="the disk of JOBS_DIR is full"):
            await store.add(replace(NEW, id="b", parameters="x" * 100_000), BODY)
        return await store.ids()

    assert inside(tmp_path, script) == ["a"]
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["a"]


def test_a_job_that_has_ended_is_not_put_back(tmp_path: Path) -> None:
    """As where the gateway stops while the end is being written."""

    async def script(store: Store) -> Record | None:
        await add(store)
        await store.take()
        await store.end("a", DONE, None, b"result")
        await store.put_back("a")
        return await store.find("a")

    record = inside(tmp_path, script)
    assert record and record.state == DONE


def test_what_a_job_is_made_of_stays_until_its_end_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(store: Store) -> tuple[bytes | None, bytes | None]:
        await add(store)
        await store.take()
        await store.keep("a", b"state")
        with monkeypatch.context() as patched, pytest.raises(OSError, match="killed"):
            patched.setattr(table.Table, "update", failing(OSError("killed")))
            await store.end("a", DONE, None, b"result")
        return await store.read("a", REQUEST), await store.read("a", STATE)

    assert inside(tmp_path, script) == (BODY, b"state")


def test_a_job_that_ended_by_a_clock_that_was_ahead_keeps_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = time.time

    async def fill(store: Store) -> None:
        for id, off in (("ahead", 30 * 86400.0), ("old", -100.0)):
            monkeypatch.setattr(time, "time", lambda off=off: right() + off)
            await store.add(replace(NEW, id=id), BODY)
            await store.take()
            await store.end(id, DONE, None, b"result")
        monkeypatch.undo()

    async def script(store: Store) -> list[list[str]]:
        left = []
        for _ in range(2):
            await store.tidy()
            left.append(await ids(store))
            await asyncio.sleep(0.4)
        return left

    opening = Opening(lambda limits: open_archive(str(tmp_path), limits))
    opening.inside(fill)
    assert opening.inside(script, replace(ROOMY, seconds=0.3)) == [["ahead", "old"], []]


def test_much_that_is_too_old_goes_a_little_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.jobs.archive.TIDY_AT_ONCE", 2)

    async def script(store: Store) -> tuple[list[str], list[str]]:
        for number in range(7):
            await store.restore(replace(NEW, id=f"{number}", state=DONE, began=1.0, ended=2.0), {})
        tidying = asyncio.create_task(store.tidy())
        await asyncio.sleep(0)
        meanwhile = await ids(store)
        await tidying
        return meanwhile, await ids(store)

    assert inside(tmp_path, script) == (["2", "3", "4", "5", "6"], [])


def test_a_database_that_cannot_be_used_is_said_to_be_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC

    async def script(store: Store) -> list[str]:
        await add(store)
        with monkeypatch.context() as patched, pytest.raises(StoreUnavailable, match="disk I/O error"):
            patched.setattr(table.Table, "waiting", failing(error))
            await store.waiting()
        return await ids(store)

    assert inside(tmp_path, script) == ["a"]


def test_a_file_that_was_not_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(store: Store) -> None:
        await add(store)
        with monkeypatch.context() as patched, pytest.raises(OSError, match="full"):
            patched.setattr("gateway.jobs.folder.os.fsync", failing(OSError("full")))
            await store.keep("a", b"state")

    inside(tmp_path, script)
    assert [path.name for path in (tmp_path / "jobs" / "a").iterdir()] == [REQUEST]


def test_a_result_for_whose_end_there_was_no_room_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(store: Store) -> bytes | None:
        await add(store)
        await store.take()
        with monkeypatch.context() as patched, pytest.raises(OSError, match="no room"):
            patched.setattr(table.Table, "update", failing(OSError("no room")))
            await store.end("a", DONE, None, b"result")
        await store.end("a", FAILED, "{}", None)
        return await store.read("a", RESULT)

    assert inside(tmp_path, script) is None


def test_jobs_that_were_restored_go_in_the_order_in_which_they_ended(tmp_path: Path) -> None:
    async def fill(store: Store) -> None:
        await add(store)
        await store.take()
        await store.end("a", DONE, None, b"result")
        for id, ago in (("young", 10), ("old", 9000)):
            await store.restore(replace(NEW, id=id, state=DONE, began=1.0, ended=time.time() - ago), {})

    async def script(store: Store) -> list[str]:
        await store.tidy()
        return await ids(store)

    opening = Opening(lambda limits: open_archive(str(tmp_path), limits))
    opening.inside(fill)
    assert opening.inside(script, replace(ROOMY, seconds=100)) == ["a", "young"]


def failing(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail
