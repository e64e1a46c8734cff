"""A name with several addresses is several replicas."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from gateway.codecs import WireChoice
from gateway.connections import Connections
from gateway.deadline import Deadline
from gateway.job import Job
from gateway.limits import CallLimits
from gateway.metrics import Metrics
from gateway.places import Place
from gateway.progress import NOBODY
from gateway.replicas import Replica
from gateway.sites import Order, Site, several
from tests.unit.gateway.fakes import FakeStage, serving

LIMITS = CallLimits(10, 2**20, 30, 4, 10, 0, 50, {}, WireChoice())


def found(*addresses: str) -> list[tuple[Any, ...]]:
    """As getaddrinfo says it."""
    return [
        (socket.AF_INET6 if ":" in address else socket.AF_INET, 1, 6, "", (address, 8000))
        for address in addresses
    ]


class Names:
    """A resolver whose answers the test sets."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[tuple[Any, ...]]:
        self.asked += 1
        if not self.addresses:
            raise socket.gaierror("Name or service not known")
        return found(*self.addresses)


def site(connections: Connections, names: Names, url: str = "http://diffusion:8000") -> Site:
    place = Place("diffusion", url)
    return Site(place, lambda ip: Replica(place, ip, connections, Metrics(), LIMITS), names)


def resolved(names: Names, url: str, *later: tuple[str, ...]) -> list[list[Replica]]:
    """The replicas now, and after each change of the addresses, in the order of these."""

    async def replicas() -> list[list[Replica]]:
        async with Connections() as connections:
            one = site(connections, names, url)
            seen = []
            for addresses in (names.addresses, *later):
                names.addresses = addresses
                await one.refresh()
                seen.append(sorted(one.replicas, key=lambda replica: replica.url))
            return seen

    return asyncio.run(replicas())


@pytest.fixture
def always_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sites.REFRESH_SECONDS", 0)


@pytest.mark.parametrize(
    ("addresses", "told_apart"),
    [
        (["10.0.0.2", "10.0.0.1", "10.0.0.1"], ["10.0.0.1", "10.0.0.2"]),
        (["fd00::1", "fd00::2", "10.0.0.1"], ["fd00::1", "fd00::2"]),
        (["fd00::1", "fd00::2", "10.0.0.1", "10.0.0.2"], ["10.0.0.1", "10.0.0.2"]),
        (["127.0.0.1", "::1"], [None]),
        (["10.0.0.1"], [None]),
    ],
)
def test_a_server_with_an_address_of_each_family_is_one(
    addresses: list[str], told_apart: list[str | None]
) -> None:
    assert several(found(*addresses)) == told_apart


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8000",
        "http://[::1]:8000",
        "https://a.example",
        "https://a.endpoints.huggingface.cloud",
    ],
)
def test_what_has_no_name_or_a_certificate_for_it_is_not_resolved(url: str) -> None:
    names = Names("10.0.0.1", "10.0.0.2")
    ((replica,),) = resolved(names, url)
    assert (replica.url, names.asked) == (url, 0)


def test_a_name_is_not_resolved_for_every_request() -> None:
    names = Names("10.0.0.1", "10.0.0.2")
    one, two = resolved(names, "http://diffusion:8000", ("10.0.0.3",))
    assert one == two
    assert names.asked == 1


def test_there_is_a_replica_while_the_name_is_resolved_for_the_first_time() -> None:
    names = Names("10.0.0.1", "10.0.0.2")

    async def replicas() -> list[str]:
        async with Connections() as connections:
            return [replica.url for replica in site(connections, names).replicas]

    assert asyncio.run(replicas()) == ["http://diffusion:8000"]


def test_a_replica_is_itself_while_its_address_stays(always_anew: None) -> None:
    names = Names("10.0.0.1", "10.0.0.2")
    one, two = resolved(names, "http://diffusion:8000", ("10.0.0.2", "10.0.0.3"))
    assert [replica.url for replica in two] == ["http://10.0.0.2:8000", "http://10.0.0.3:8000"]
    assert two[0] is one[1]


def test_a_name_that_cannot_be_resolved_now_keeps_what_it_had(always_anew: None) -> None:
    names = Names("10.0.0.1", "10.0.0.2")
    one, two = resolved(names, "http://diffusion:8000", ())
    assert one == two
    ((only,),) = resolved(Names(), "http://diffusion:8000")
    assert only.url == "http://diffusion:8000"


def test_each_of_several_is_asked_by_the_name_of_all() -> None:
    fakes = [FakeStage("diffusion"), FakeStage("diffusion")]

    async def read(value: Any) -> Any:
        return value

    async def ask(port: int) -> list[str]:
        async with Connections() as connections:
            names = Names("127.0.0.1", "127.0.0.2")
            one = site(connections, names, f"http://diffusion:{port}")
            await one.refresh()
            payload = {"inputs": [], "batch_size": 1}
            job = Job("diffusion", NOBODY)
            replies = [await replica.post(payload, Deadline(10), read, job) for replica in one.replicas]
            return [reply.call.replica for reply in replies]

    with ExitStack() as servers:
        url = httpx.URL(servers.enter_context(serving(fakes[0].app())))
        servers.enter_context(serving(fakes[1].app(), "127.0.0.2", url.port or 0))
        asked = asyncio.run(ask(url.port or 0))
    assert sorted(asked) == [f"http://127.0.0.{number}:{url.port}" for number in (1, 2)]
    assert [fake.headers[0]["host"] for fake in fakes] == [f"diffusion:{url.port}"] * 2


def test_what_is_counted_of_a_replica_that_is_gone_goes_with_what_it_still_does() -> None:
    fake, metrics = FakeStage("diffusion"), Metrics()
    fake.delay = 0.5

    async def read(value: Any) -> Any:
        return value

    async def ask(url: str) -> None:
        async with Connections() as connections:
            replica = Replica(Place("diffusion", url), None, connections, metrics, LIMITS)
            asking = replica.post(
                {"inputs": [], "batch_size": 1}, Deadline(10), read, Job("diffusion", NOBODY)
            )
            task = asyncio.create_task(asking)
            await asyncio.sleep(0.1)
            replica.leave()
            await task

    with serving(fake.app()) as url:
        asyncio.run(ask(url))
    assert url not in metrics.text().decode()


def test_where_there_is_a_proxy_servers_are_asked_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """By which the environment says what goes past it."""
    names = Names("10.0.0.1", "10.0.0.2")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert len(resolved(names, "http://diffusion:8000")[0]) == 2
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    ((only,),) = resolved(names, "http://diffusion:8000")
    assert only.url == "http://diffusion:8000"


def test_each_gateway_has_an_order_of_its_own_that_stays() -> None:
    addresses = [f"10.0.0.{number}" for number in range(20)]
    one, other = Order(), Order()
    assert sorted(addresses, key=one) == sorted(addresses, key=one) != sorted(addresses, key=other)
    firsts = {min(addresses, key=Order()) for _ in range(60)}
    assert len(firsts) > 5
