import asyncio
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.connections import OTHER_SECONDS, Connections
from tests.unit.gateway.fakes import serving


async def port(request: Request) -> Response:
    """Of the client's end of the connection."""
    assert request.client is not None
    return PlainTextResponse(str(request.client.port))


@pytest.fixture
def url() -> Iterator[str]:
    with serving(Starlette(routes=[Route("/", port)])) as url:
        yield url


def ports(url: str, ours: bool, pause: float) -> tuple[str, str]:
    async def asked() -> tuple[str, str]:
        async with Connections() as connections:
            first = await connections.to(ours).get(url)
            await asyncio.sleep(pause)
            return first.text, (await connections.to(ours).get(url)).text

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
