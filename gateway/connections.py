"""Connections to stages, kept open between requests for as long as the other side surely keeps them."""

import socket
import ssl
import urllib.request
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Self

import httpx

CONNECT_SECONDS = 10.0
OWN_SECONDS = 60.0
"""Our own servers close a connection that is idle for 75 s."""
OTHER_SECONDS = 2.0
"""Other servers' default is 5 s, and a request must not meet a connection that is just closing."""

QUIET_SECONDS, PROBE_SECONDS, PROBES = 15, 5, 3
"""A machine that is lost closes no connection. After so much silence the kernel asks it, so often, whether it
is there; where it does not answer, the call fails then and not after STAGE_TIMEOUT. One that is busy answers.
"""


TIMEOUT = {"timeout": httpx.Timeout(None, connect=CONNECT_SECONDS).as_dict()}

Send = Callable[[httpx.Request], Awaitable[httpx.Response]]
Pool = httpx.AsyncClient | httpx.AsyncHTTPTransport


class Connections:
    """Two pools. Redirects are never followed: they would carry a stage's token to another host."""

    def __init__(self) -> None:
        # Reading the certificates takes longer than everything else here: once for both.
        certificates = httpx.create_ssl_context()
        self._own, self._other = _pool(OWN_SECONDS, certificates), _pool(OTHER_SECONDS, certificates)

    async def send(self, request: httpx.Request, ours: bool) -> httpx.Response:
        """The response of a server of ours, or of any other, its body unread; to be closed by the caller.
        Raises httpx.HTTPError."""
        request.extensions = {**request.extensions, **TIMEOUT}
        return await _sender(self._own if ours else self._other)(request)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._own.aclose()
        await self._other.aclose()


def has_proxy(*schemes: str) -> bool:
    """Whether the environment names one for one of these."""
    return bool({*schemes, "all"} & set(urllib.request.getproxies()))


def _pool(idle_seconds: float, certificates: ssl.SSLContext) -> Pool:
    """A transport, without the client around it: cookies, redirects and authentication that no stage has take
    a fifth of a call's time. Where the environment names a proxy, only a client asks it."""
    limits = httpx.Limits(keepalive_expiry=idle_seconds)
    if has_proxy("http", "https"):
        return httpx.AsyncClient(verify=certificates, limits=limits, follow_redirects=False)
    return httpx.AsyncHTTPTransport(verify=certificates, limits=limits, socket_options=_noticing_loss())


def _sender(pool: Pool) -> Send:
    return (
        partial(pool.send, stream=True) if isinstance(pool, httpx.AsyncClient) else pool.handle_async_request
    )


def _noticing_loss() -> list[tuple[int, int, int]]:
    """Options of a socket, where the system has them; the last is for what was sent and not received."""
    milliseconds = 1000 * (QUIET_SECONDS + PROBES * PROBE_SECONDS)
    named = {
        "TCP_KEEPIDLE": QUIET_SECONDS,
        "TCP_KEEPINTVL": PROBE_SECONDS,
        "TCP_KEEPCNT": PROBES,
        "TCP_USER_TIMEOUT": milliseconds,
    }
    options = [
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in named.items()
        if hasattr(socket, name)
    ]
    return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *options]
