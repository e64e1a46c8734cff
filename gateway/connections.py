"""Connections to stages, kept open between requests for as long as the other side surely keeps them."""

import socket
import ssl
import urllib.request
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


class Connections:
    """Two pools. Redirects are never followed: they would carry a stage's token to another host."""

    def __init__(self) -> None:
        # Reading the certificates takes longer than everything else here: once for both.
        certificates = httpx.create_ssl_context()
        self._own, self._other = _client(OWN_SECONDS, certificates), _client(OTHER_SECONDS, certificates)

    def to(self, ours: bool) -> httpx.AsyncClient:
        """The pool for a server of ours, or for any other."""
        return self._own if ours else self._other

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._own.aclose()
        await self._other.aclose()


def _client(idle_seconds: float, certificates: ssl.SSLContext) -> httpx.AsyncClient:
    limits = httpx.Limits(keepalive_expiry=idle_seconds)
    # With a transport of our own httpx would not ask the environment for a proxy; one that is there is asked.
    proxied = {"http", "https", "all"} & set(urllib.request.getproxies())
    own = httpx.AsyncHTTPTransport(verify=certificates, limits=limits, socket_options=_noticing_loss())
    return httpx.AsyncClient(
        transport=None if proxied else own,
        verify=certificates,
        limits=limits,
        timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
        follow_redirects=False,
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
