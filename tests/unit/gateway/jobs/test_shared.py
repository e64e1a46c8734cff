"""Several gateways' store: each job runs once, whichever gateway is gone, or the store itself for a while."""

import asyncio
import shutil
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from gateway.errors import StoreUnavailable
from gateway.jobs import scripts
from gateway.jobs.journal import PROGRESS
from gateway.jobs.leases import Leases
from gateway.jobs.record import CANCELLED, DONE, QUEUED, RUNNING
from gateway.jobs.server import Server
from gateway.jobs.shared import SharedStore, open_shared
from gateway.jobs.store import STATE, Store
from tests.redis_server import RedisServer, running_redis
from tests.running import free_port
from tests.unit.gateway.jobs.conftest import LEASE_SECONDS, NEW, REQUEST, ROOMY, Opening
from tests.unit.gateway.jobs.test_store import HOOKED, add, at, taken

Two = Callable[[SharedStore, SharedStore], Awaitable[None]]


def between(redis: RedisServer, script: Two) -> None:
    """With the stores of two gateways."""

    async def run() -> None:
        async with AsyncExitStack() as entered:
            one, other = [
                await entered.enter_async_context(open_shared(Server(redis.url, None), ROOMY, LEASE_SECONDS))
                for _ in range(2)
            ]
            await script(one, other)

    asyncio.run(asyncio.wait_for(run(), 30))


async def die(store: SharedStore) -> None:
    """As its gateway does that is killed: it says no more that it is alive."""
    leases: Leases = store._leases
    await leases.__aexit__()


async def until(happened: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(10):
        while not await happened():
            await asyncio.sleep(0.05)


def test_each_job_is_run_by_one_of_many(redis: RedisServer) -> None:
    async def script(one: SharedStore, other: SharedStore) -> None:
        ids = [f"job-{number}" for number in range(40)]
        await add(one, *ids)
        took = await asyncio.gather(*(taken(store) for _ in range(25) for store in (one, other)))
        assert sorted(filter(None, took)) == sorted(ids)

    between(redis, script)


def test_what_one_is_told_the_other_tells(redis: RedisServer) -> None:
    async def script(one: SharedStore, other: SharedStore) -> None:
        with other.news.of("a") as changed:
            await asyncio.sleep(0.1)
            changed.clear()
            await add(one, "a")
            await asyncio.wait_for(changed.wait(), 0.9 * LEASE_SECONDS / 3)
            assert (await other.journal("a")).place == 1
            await one.take()
            await one.tell("a", {PROGRESS: at(3)})
        journals = [await store.journal("a") for store in (one, other)]
        assert journals[0].after(0) == journals[1].after(0)
        assert journals[1].progress() == at(3)

    between(redis, script)


def test_one_key_is_one_job_for_all(redis: RedisServer) -> None:
    async def script(one: SharedStore, other: SharedStore) -> None:
        added = await asyncio.gather(
            *(
                store.add(NEW.__class__(**{**vars(NEW), "id": f"{number}", "key": "mine"}), REQUEST)
                for number, store in enumerate([one, other] * 5)
            )
        )
        assert len({record.id for record in added}) == 1
        assert len(await one.ids()) == 1

    between(redis, script)


def test_the_jobs_of_one_that_is_gone_are_taken_over(redis: RedisServer) -> None:
    async def script(one: SharedStore, other: SharedStore) -> None:
        await add(one, "a", "b")
        assert await taken(one) == "a"
        await one.keep("a", b"state")
        await die(one)
        await until(lambda: _is(other, "a", QUEUED))
        record = await other.take()
        assert record and (record.id, record.runs) == ("a", 2)
        assert await other.read("a", STATE) == b"state"
        # The first was only slow: what it says of the job counts no longer.
        await one.tell("a", {PROGRESS: at(9)})
        await one.keep("a", b"other")
        await one.put_back("a")
        assert await one.end("a", DONE, None, b"late") is None
        assert (await other.journal("a")).after(0) == []
        assert await other.read("a", STATE) == b"state"
        ended = await other.end("a", DONE, None, b"result")
        assert ended and ended.state == DONE

    between(redis, script)


async def _is(store: SharedStore, id: str, state: str) -> bool:
    record = await store.find(id)
    return record is not None and record.state == state


def test_the_jobs_of_one_that_lives_are_not(redis: RedisServer) -> None:
    async def script(one: SharedStore, other: SharedStore) -> None:
        await add(one, "a")
        await one.take()
        await asyncio.sleep(2.5 * LEASE_SECONDS)
        assert await _is(other, "a", RUNNING)
        assert one.news.stopping.empty()

    between(redis, script)


def test_one_that_lost_its_job_hears_of_it(redis: RedisServer) -> None:
    async def script(one: SharedStore, other: SharedStore) -> None:
        await add(one, "a")
        await one.take()
        await other.remove("a")
        assert await asyncio.wait_for(one.news.stopping.get(), 5) == "a"

    between(redis, script)


def test_a_job_is_stopped_through_another(redis: RedisServer) -> None:
    async def script(one: SharedStore, other: SharedStore) -> None:
        await add(one, "a")
        await one.take()
        await asyncio.sleep(0.1)
        await other.stop("a", '{"error": 1}')
        assert await asyncio.wait_for(one.news.stopping.get(), 0.9 * LEASE_SECONDS / 3) == "a"
        await die(one)
        await until(lambda: _is(other, "a", CANCELLED))
        record = await other.find("a")
        assert record and record.error == '{"error": 1}'
        assert await other.take() is None

    between(redis, script)


def test_a_webhook_that_one_owed_is_sent_by_another(redis: RedisServer) -> None:
    async def script(one: SharedStore, other: SharedStore) -> None:
        await add(one, "a", **HOOKED)
        await one.take()
        await one.end("a", DONE, None, b"")
        assert await one.owed()
        await asyncio.sleep(1.5 * LEASE_SECONDS)
        assert await other.owed() is None
        await die(one)
        await until(other.owed)

    between(redis, script)


def test_a_store_that_is_lost_says_so_and_is_there_again(tmp_path: Path) -> None:
    async def script(store: SharedStore, redis: RedisServer) -> None:
        await add(store, "a", "b")
        await store.take()
        await asyncio.to_thread(redis.kill)
        with pytest.raises(StoreUnavailable, match="cannot be reached") as lost:
            await store.find("a")
        assert lost.value.retry_after
        await asyncio.sleep(1.5 * LEASE_SECONDS)
        await asyncio.to_thread(redis.start)
        await asyncio.sleep(LEASE_SECONDS)
        assert await _is(
            store, "a", RUNNING
        )  # its lease was over: it was renewed before anybody took it over
        with store.news.of("a") as changed:
            changed.clear()
            assert await store.end("a", DONE, None, b"r")
            await asyncio.wait_for(changed.wait(), 5)
        assert await taken(store) == "b"

    async def run(redis: RedisServer) -> None:
        async with open_shared(Server(redis.url, None), ROOMY, LEASE_SECONDS) as store:
            await script(store, redis)

    with running_redis(tmp_path) as redis:
        asyncio.run(asyncio.wait_for(run(redis), 30))


def opened(url: str, password: str | None = None) -> None:
    async def nothing(store: Any) -> None:
        await store.ids()

    secret = password and SecretStr(password)
    Opening(lambda limits: open_shared(Server(url, secret or None), limits, 1)).inside(nothing)


def test_a_server_that_is_not_there_is_named() -> None:
    port = free_port()
    with pytest.raises(ValueError, match=rf"JOBS_URL .* redis://127.0.0.1:{port}/0: it cannot be reached"):
        opened(f"redis://me:secret@127.0.0.1:{port}/0")


def test_a_password_is_that_of_the_setting_or_of_the_address(tmp_path: Path) -> None:
    with running_redis(tmp_path, "--requirepass", "sesame") as redis:
        opened(redis.url, "sesame")
        opened(redis.url.replace("//", "//:sesame@"))
        for url, password in (
            (redis.url, None),
            (redis.url.replace("//", "//:wrong@"), None),
            (redis.url, "no"),
        ):
            with pytest.raises(ValueError, match="does not take the password") as refused:
                opened(url, password)
            assert "wrong" not in str(refused.value)


def test_jobs_of_a_newer_version_are_not_touched(redis: RedisServer) -> None:
    redis.say("SET triptych:layout 99")
    with pytest.raises(ValueError, match=r"newer version of the gateway .* has layout 99, this one knows 1"):
        opened(redis.url)


def test_jobs_of_an_older_version_are_not_touched(
    redis: RedisServer, shared: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared.inside(lambda store: add(store, "a"))
    with monkeypatch.context() as patched:
        patched.setattr(scripts, "LAYOUT", 2)
        older = (
            r"an older version of the gateway .* has layout 1, this one knows 2\): have that version write"
        )
        with pytest.raises(ValueError, match=older):
            opened(redis.url)
    assert shared.inside(lambda store: store.ids()) == ["a"]


@pytest.mark.parametrize(
    ("option", "said"),
    [("maxmemory", "is full: raise its maxmemory"), ("min-replicas-to-write", "the gateway's log says why")],
)
def test_a_server_that_takes_nothing_loses_nothing(redis: RedisServer, option: str, said: str) -> None:
    async def script(store: Any) -> None:
        await add(store, "a")
        await store.take()
        redis.say(f"CONFIG SET {option} 1")
        with pytest.raises(StoreUnavailable, match=said):
            await store.end("a", DONE, None, b"r" * 1000)
        redis.say(f"CONFIG SET {option} 0")
        ended = await store.end("a", DONE, None, b"r" * 1000)
        assert ended and ended.state == DONE

    Opening(lambda limits: open_shared(Server(redis.url, None), limits, LEASE_SECONDS)).inside(script)


def test_what_is_gone_from_the_server_holds_nobody_up(redis: RedisServer, shared: Opening) -> None:
    """As where it was told to make room by deleting, or somebody did."""

    async def script(store: Store) -> list[str]:
        await add(store, "a", "b", key="mine")
        await store.take()
        await store.end("a", DONE, None, b"result")
        redis.say("DEL triptych:job:a")
        await add(store, "b", key="mine")
        await asyncio.sleep(0.1)
        await store.tidy()
        return await store.ids()

    assert "b" in shared.inside(script, replace(ROOMY, seconds=0.05))


def test_a_job_that_nobody_knows_to_run_here_is_not_leased_for_ever(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(*_: object) -> None:
        raise StoreUnavailable("It is gone.")

    async def script(one: SharedStore, other: SharedStore) -> None:
        with monkeypatch.context() as patched, pytest.raises(StoreUnavailable):
            patched.setattr(one, "find", gone)
            await add(one, "a", state=RUNNING, began=1.0, runs=1)

        async def taken_over() -> bool:
            return await taken(other) == "a"

        await until(taken_over)

    between(redis, script)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_a_server_behind_tls_is_trusted_by_its_certificate(tmp_path: Path) -> None:
    key, certificate, port = str(tmp_path / "key.pem"), str(tmp_path / "cert.pem"), str(free_port())
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=jobs"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    files = ("--tls-key-file", key, "--tls-cert-file", certificate, "--tls-ca-cert-file", certificate)
    with running_redis(tmp_path, "--tls-port", port, "--tls-auth-clients", "no", *files):
        opened(f"valkeys://127.0.0.1:{port}/0?ssl_ca_certs={certificate}")
        with pytest.raises(ValueError, match="certificate verify failed"):
            opened(f"rediss://127.0.0.1:{port}/0")
