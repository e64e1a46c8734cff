"""Jobs in one file, from a gateway that runs, and into another, of either kind of store."""

import io
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.jobs.__main__ import main
from gateway.jobs.archive import Archive, open_archive
from gateway.jobs.backup import FIRST, read_backup, write_backup
from gateway.jobs.record import DONE, QUEUED, Record
from gateway.jobs.store import REQUEST, RESULT, STATE, Store
from tests.redis_server import RedisServer
from tests.running import ROOT, inherited_environment
from tests.unit.gateway.api.jobs.test_routes import ended, hand_in, look
from tests.unit.gateway.conftest import Fakes, ServedFakes, started
from tests.unit.gateway.fakes import serving, wait_until
from tests.unit.gateway.jobs.conftest import REQUEST as BODY
from tests.unit.gateway.jobs.conftest import Opening
from tests.unit.gateway.jobs.test_store import HOOKED, add, taken
from tests.unit.gateway.streams import StreamingStage


async def fill(store: Store) -> list[Record | None]:
    """One that is done and whose webhook is owed, one that runs, one that waits."""
    await add(store, "done", key="mine", **HOOKED)
    await add(store, "running", "waiting")
    for _ in range(2):
        await store.take()
    await store.end("done", DONE, None, b"\0result")
    await store.keep("running", b"state")
    return [await store.find(id) for id in ("done", "running", "waiting")]


async def backed_up(store: Store) -> bytes:
    file = io.BytesIO()
    await write_backup(store, file)
    return file.getvalue()


def test_what_is_restored_is_what_was_backed_up(opening: Opening, tmp_path: Path) -> None:
    async def back_up(store: Store) -> tuple[list[Record | None], bytes]:
        return await fill(store), await backed_up(store)

    async def restore(store: Store, file: bytes) -> list[Any]:
        assert await read_backup(store, io.BytesIO(file)) == (3, 0)
        assert await read_backup(store, io.BytesIO(file)) == (0, 3)
        found = [await store.find(id) for id in await store.ids()]
        files = [await store.read("done", RESULT), await store.read("running", STATE)]
        owed, first = await store.owed(), await store.take()
        assert first and first.runs == 2
        return [*found, *files, await store.read("waiting", REQUEST), owed and owed.id, first.id]

    records, file = opening.inside(back_up)
    other = Opening(lambda limits: open_archive(str(tmp_path / "other"), limits))
    done, running, waiting = records
    assert running
    expected = [done, replace(running, state=QUEUED), waiting, b"\0result", b"state", BODY, "done", "running"]
    assert other.inside(lambda store: restore(store, file)) == expected


def test_a_backup_of_one_gateway_becomes_jobs_of_several(shared: Opening, tmp_path: Path) -> None:
    async def script(store: Store) -> bytes:
        await fill(store)
        return await backed_up(store)

    async def restore(store: Store) -> list[str | None]:
        assert await read_backup(store, io.BytesIO(file)) == (3, 0)
        assert await store.read("done", RESULT) == b"\0result"
        return [await taken(store) for _ in range(3)]

    file = Opening(lambda limits: open_archive(str(tmp_path), limits)).inside(script)
    assert shared.inside(restore) == ["running", "waiting", None]


def test_a_job_that_ends_while_it_is_backed_up_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Archive.read

    async def ends(store: Archive, id: str, name: str) -> bytes | None:
        if name == REQUEST:
            await store.end(id, DONE, None, b"result")
        return await read(store, id, name)

    async def script(store: Store) -> bytes:
        await add(store, "a")
        await store.take()
        monkeypatch.setattr(Archive, "read", ends)
        return await backed_up(store)

    file = Opening(lambda limits: open_archive(str(tmp_path), limits)).inside(script)
    with tarfile.open(fileobj=io.BytesIO(file)) as tar:
        assert tar.getnames() == [FIRST, "a/record.json", "a/result.zip"]
        record = tar.extractfile("a/record.json")
        assert record and b'"state": "done"' in record.read()


def changed(file: bytes, how: str) -> bytes:
    if how == "cut off":
        return file[: len(file) // 2]
    if how == "newer":
        return file.replace(b'{"format": 1}', b'{"format": 9}')
    return {"of something else": b"x" * 2000, "empty": b""}[how]


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("cut off", "must be a whole backup of jobs"),
        ("of something else", "must be a whole backup of jobs"),
        ("empty", "must be a whole backup of jobs"),
        ("newer", r"newer version of the gateway \(it has format 9, this one knows 1\)"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, how: str, said: str) -> None:
    async def script(store: Store) -> None:
        await fill(store)
        file = changed(await backed_up(store), how)
        with pytest.raises(ValueError, match=said):
            await read_backup(store, io.BytesIO(file))

    Opening(lambda limits: open_archive(str(tmp_path), limits)).inside(script)


@pytest.fixture
def settings(fakes: Fakes, stage: StreamingStage) -> Iterator[dict[str, Any]]:
    with serving(stage.app()) as url:
        yield {"diffusion_url": url, "max_concurrent_requests": 1}


def piped(what: str, file: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "gateway.jobs", what, "-"],
        cwd=ROOT,
        env={**inherited_environment(), **environment},
        input=file,
        capture_output=True,
        timeout=60,
    )


Command = Callable[..., str]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Does it with this environment; what it says, or what it ends with where it fails."""

    def run(what: str, file: Path, **environment: str) -> str:
        with monkeypatch.context() as patched:
            for name, value in environment.items():
                patched.setenv(name, value)
            try:
                main([what, str(file)])
            except SystemExit as refused:
                return str(refused)
        return capsys.readouterr().err

    return run


def test_a_gateway_that_runs_is_backed_up_into_another(
    served_fakes: ServedFakes, settings: dict[str, Any], redis: RedisServer, tmp_path: Path, command: Command
) -> None:
    """From its own folder by a pipe to others' server, and from there by a file to a folder again."""
    first, third, file = str(tmp_path / "first"), str(tmp_path / "third"), tmp_path / "jobs.tar"
    with started(served_fakes, **settings, jobs_dir=first) as gateway:
        done = ended(gateway, hand_in(gateway, steps=2, key="mine"))
        pictures = gateway.get(done["links"]["result"]).json()["images"]
        running = hand_in(gateway, steps=100)
        wait_until(lambda: look(gateway, running)["step"] >= 12)
        backup = piped("backup", JOBS_DIR=first)
        assert (backup.returncode, backup.stderr) == (0, b"2 jobs backed up.\n")
        assert look(gateway, running)["state"] == "running"
        file.write_bytes(backup.stdout)
        assert "another one uses" in command("restore", file, JOBS_DIR=first)
        file.unlink()
    restored = piped("restore", backup.stdout, JOBS_URL=redis.url)
    assert (restored.returncode, restored.stderr) == (0, b"2 jobs restored; 0 were there already.\n")
    assert command("backup", file, JOBS_URL=redis.url) == "2 jobs backed up.\n"
    assert file.stat().st_mode & 0o077 == 0
    assert command("restore", file, JOBS_DIR=third) == "2 jobs restored; 0 were there already.\n"
    for where in ({"jobs_url": redis.url}, {"jobs_dir": third}):
        with started(served_fakes, **settings, **where) as gateway:
            assert look(gateway, done) == done
            assert gateway.get(done["links"]["result"]).json()["images"] == pictures
            wait_until(lambda gateway=gateway: look(gateway, running)["step"] >= 12)  # type: ignore[misc]


def test_where_there_is_nothing_to_back_up_is_said(tmp_path: Path, command: Command) -> None:
    file = tmp_path / "jobs.tar"
    assert command("backup", file) == "JOBS_DIR or JOBS_URL must say where the jobs are."
    said = command("backup", file, JOBS_DIR=str(tmp_path))
    assert said.startswith("JOBS_DIR must be the folder of a gateway's jobs")
    said = command("backup", file, JOBS_URL="redis://127.0.0.1:1")
    assert said.startswith("JOBS_URL must be a Redis or Valkey server")
    assert command("restore", file, JOBS_DIR=str(tmp_path)).endswith("jobs.tar: No such file or directory.")
    assert not list(tmp_path.glob("*.tar*"))
