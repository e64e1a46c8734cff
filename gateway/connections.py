"""Connections to stages, kept open between requests for as long as the other side surely keeps them."""

import ssl
from typing import Self

import httpx

CONNECT_SECONDS = 10.0
OWN_SECONDS = 60.0
"""Our own servers close a connection that is idle for 75 s."""
OTHER_SECONDS = 2.0
"""Other servers' default is 5 s, and a request must not meet a connection that is just closing."""


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
    return httpx.AsyncClient(
        verify=certificates,
        timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
        limits=httpx.Limits(keepalive_expiry=idle_seconds),
        follow_redirects=False,
    )
