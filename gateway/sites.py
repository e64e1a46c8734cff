"""One place and the replicas behind it: several where its name has several addresses.

That is what the services of compose and swarm are when they are scaled.
"""

import asyncio
import ipaddress
import logging
import random
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from .connections import has_proxy
from .places import Place, is_hugging_face
from .replicas import Replica

logger = logging.getLogger(__name__)

NAME: str | None = None
"""In the place of an IP address: the server is asked by its name."""
REFRESH_SECONDS = 5.0
RESOLVE_SECONDS = 2.0


Resolve = Callable[[str, int], Awaitable[Sequence[tuple[Any, ...]]]]


async def look_up(host: str, port: int) -> Sequence[tuple[Any, ...]]:
    """What getaddrinfo says. Raises OSError."""
    loop = asyncio.get_running_loop()
    return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)


class Site:
    """Resolves the place's name now and then; a replica keeps what is known of it while its address stays.

    Each gateway has an order of its own among the addresses: of many that know little of each other, all
    would ask the first where several are equally busy.
    """

    def __init__(
        self, place: Place, make: Callable[[str | None], Replica], resolve: Resolve = look_up
    ) -> None:
        self._url = place.url
        self._make = make
        self._resolve = resolve
        self._replicas = {NAME: make(NAME)}
        self._order = Order()
        self._expires = 0.0 if _is_name(place.url) else float("inf")

    @property
    def replicas(self) -> list[Replica]:
        """Those that were there when it was last resolved."""
        return list(self._replicas.values())

    async def refresh(self) -> None:
        """Resolves the name if it was long ago. One that has no address now keeps those that it had."""
        if time.monotonic() < self._expires:
            return
        self._expires = time.monotonic() + REFRESH_SECONDS
        addresses = await self._addresses()
        if addresses is None:
            addresses = list(self._replicas)
        before = self._replicas
        self._replicas = {ip: before.get(ip) or self._make(ip) for ip in sorted(addresses, key=self._order)}
        for gone in before.keys() - self._replicas.keys():
            before[gone].leave()

    async def _addresses(self) -> list[str | None] | None:
        """The several addresses of the name, [None] where it is one server; None where it has no address."""
        parts = urlsplit(self._url)
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                return several(await self._resolve(parts.hostname or "", parts.port or 80))
        except (OSError, TimeoutError) as error:
            logger.warning("%s cannot be resolved: %r", parts.hostname, error)
            return None


class Order:
    """A random order of addresses that stays while it lives."""

    def __init__(self, seed: float | None = None) -> None:
        self._seed = random.random() if seed is None else seed

    def __call__(self, address: object) -> float:
        """Where among others: the same for the same address."""
        return random.Random(f"{self._seed} {address}").random()


def several(found: Sequence[tuple[Any, ...]]) -> list[str | None]:
    """Of what getaddrinfo found, the addresses of the family that has more than one.

    [None] where none has: one server can have an address of each, and is then asked by its name.
    """
    for family in (socket.AF_INET, socket.AF_INET6):
        addresses = sorted({address[0] for kind, _, _, _, address in found if kind == family})
        if len(addresses) > 1:
            return list(addresses)
    return [NAME]


def _is_name(url: str) -> bool:
    """Whether the host is to be resolved here. A certificate is for a name, so https is left alone; and where
    there is a proxy, it is names that go past it."""
    parts = urlsplit(url)
    if parts.scheme != "http" or is_hugging_face(url) or has_proxy(parts.scheme):
        return False
    try:
        ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        return True
    return False
