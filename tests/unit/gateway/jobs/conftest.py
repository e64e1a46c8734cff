"""Both kinds of stores, the shared one in a real server."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeVar

import pytest

from gateway.jobs.archive import open_archive
from gateway.jobs.record import Record
from gateway.jobs.server import Server
from gateway.jobs.shared import open_shared
from gateway.jobs.store import Limits, Store
from tests.redis_server import RedisServer, running_redis
from tests.unit.gateway.streams import StreamingStage

Result = TypeVar("Result")
LEASE_SECONDS = 1.0
NEW = Record("a", "txt2img", "me", "{}", True, None, "digest", None, 100.0)
REQUEST = b"x" * 1000
ROOMY = Limits(queue=100, size=10**9, seconds=3600)


class Opening:
    """Opens the same store again and again, as a gateway that is started anew does."""

    def __init__(self, open: Callable[[Limits], AbstractAsyncContextManager[Store]]) -> None:
        self.open = open

    def inside(self, script: Callable[[Store], Awaitable[Result]], limits: Limits = ROOMY) -> Result:
        async def run() -> Result:
            async with self.open(limits) as store:
                return await script(store)

        return asyncio.run(asyncio.wait_for(run(), 30))


@pytest.fixture(scope="session")
def lasting_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis(lasting_redis: RedisServer) -> RedisServer:
    """An empty server."""
    lasting_redis.forget()
    return lasting_redis


@pytest.fixture
def shared(redis: RedisServer) -> Opening:
    return Opening(lambda limits: open_shared(Server(redis.url, None), limits, LEASE_SECONDS))


@pytest.fixture(params=["archive", "shared"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    if request.param == "shared":
        shared: Opening = request.getfixturevalue("shared")
        return shared
    return Opening(lambda limits: open_archive(str(tmp_path), limits))


@pytest.fixture
def stage() -> StreamingStage:
    """One that takes long enough to be watched, stopped and left."""
    return StreamingStage("diffusion", pause=0.05)
