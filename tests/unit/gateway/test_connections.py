import asyncio
import socket
from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.connections import OTHER_SECONDS, QUIET_SECONDS, Connections
from tests.unit.gateway.fakes import serving


async def port(request: Request) -> Response:
    """Of the client's end of the connection."""
    assert request.client is not None
    return PlainTextResponse(str(request.client.port))


@pytest.fixture
def url() -> Iterator[str]:
    with serving(Starlette(routes=[Route("/", port)])) as url:
        yield url


async def got(connections: Connections, url: str, ours: bool) -> str:
    response = await connections.send(httpx.Request("GET", url), ours)
    try:
        return (await response.aread()).decode()
    finally:
        await response.aclose()


def ports(url: str, ours: bool, pause: float) -> tuple[str, str]:
    async def asked() -> tuple[str, str]:
        async with Connections() as connections:
            first = await got(connections, url, ours)
            await asyncio.sleep(pause)
            return first, await got(connections, url, ours)

    return asyncio.run(asked())


@pytest.mark.parametrize("ours", [True, False])
def test_a_connection_serves_one_request_after_another(url: str, ours: bool) -> None:
    first, second = ports(url, ours, 0)
    assert first == second


def test_connections_to_our_servers_alone_outlast_a_pause(url: str) -> None:
    first, second = ports(url, True, OTHER_SECONDS + 0.2)
    assert first == second
    first, second = ports(url, False, OTHER_SECONDS + 0.2)
    assert first != second


def option(url: str, level: int, name: int) -> int:
    """Of the socket of a connection to one of our servers."""

    async def asked() -> int:
        async with Connections() as connections:
            response = await connections.send(httpx.Request("GET", url), True)
            connection: socket.socket = response.extensions["network_stream"].get_extra_info("socket")
            found = connection.getsockopt(level, name)
            await response.aclose()
            return found

    return asyncio.run(asked())


@pytest.mark.skipif(not hasattr(socket, "TCP_KEEPIDLE"), reason="this system has no such option")
def test_a_silent_machine_is_asked_whether_it_is_there(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert option(url, socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert option(url, socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == QUIET_SECONDS


def test_a_proxy_of_the_environment_is_used(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    async def asked() -> int:
        async with Connections() as connections:
            response = await connections.send(httpx.Request("GET", "http://elsewhere.example/"), True)
            await response.aclose()
            return response.status_code

    assert asyncio.run(asked()) == 404  # so says what stands for the proxy: it knows no such address
