"""HTTP to one address: what is sent, what is read and how much of it, and what its failures are called."""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

from . import __version__, codecs
from .codecs import Body
from .connections import Connections
from .events import EventTooLong, Hear, is_stream, read_answer
from .faults import Faults
from .limits import CallLimits
from .places import Place, at_address, without_userinfo
from .received import Received


@dataclass(frozen=True)
class Question:
    """`request` is a method, and a path below the address if there is one; an answer is waited for so many
    seconds, and `todo` is what to do where none comes. `ours`: whether the server is known to be."""

    request: str
    seconds: float
    ours: bool = False
    body: Body | None = None
    headers: Mapping[str, str] | None = None
    todo: str = "Look at its log"


class Channel:
    """Asks one address. Raises only errors of the gateway's tree."""

    def __init__(self, place: Place, ip: str | None, connections: Connections, limits: CallLimits) -> None:
        self._address = at_address(place.url, ip) if ip else place.url
        self._parsed = httpx.URL(self._address)
        self.url = without_userinfo(self._address)
        self.faults = Faults(place, self.url)
        self._host = urlsplit(without_userinfo(place.url)).netloc if ip else None
        self._token = place.token
        self._login = _basic(self._parsed)
        self._connections = connections
        self._silence_seconds = limits.silence_seconds

    async def ask(self, question: Question, limit: int) -> tuple[httpx.Response, bytes]:
        """The response and its body, of so many bytes at most."""
        async with self._open(question) as response:
            return response, await self._read(question, response, limit)

    async def receive(self, question: Question, limit: int, hear: Hear) -> Received:
        """The answer, by itself or at the end of a stream of which `hear` gets the events before it; it and
        each of them are of so many bytes at most."""
        async with self._open(question) as response:
            if not is_stream(response):
                return Received.whole(response, await self._read(question, response, limit))
            try:
                return Received.streamed(response, *await read_answer(response, limit, hear))
            except EventTooLong:
                raise self.faults.too_long(question.request, limit) from None
            except ValueError as error:
                raise self.faults.unusable(error) from None

    @asynccontextmanager
    async def _open(self, question: Question) -> AsyncIterator[httpx.Response]:
        """The response, its body unread; what goes wrong in the block is an error of the tree too."""
        request, body = question.request, question.body
        method, _, path = request.partition(" ")
        started = time.monotonic()
        try:
            async with asyncio.timeout(question.seconds):
                response = await self._connections.send(
                    httpx.Request(
                        method,
                        self._address + path if path else self._parsed,
                        content=body.content if body else None,
                        headers={**self._headers(body), **(question.headers or {})},
                    ),
                    question.ours,
                )
                try:
                    self._check_silence(request, started, response.status_code)
                    yield response
                finally:
                    await response.aclose()
        except TimeoutError:
            raise self.faults.late(request, question.seconds, question.todo) from None
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self.faults.unreachable(request, error) from None
        except httpx.HTTPError as error:
            if not question.ours:
                self._check_silence(request, started, 504, str(error) or type(error).__name__)
            raise self.faults.broken_off(request, error) from None

    async def _read(self, question: Question, response: httpx.Response, limit: int) -> bytes:
        """The body of a response that is open."""
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > limit:
                raise self.faults.too_long(question.request, limit)
        return bytes(body)

    def _check_silence(self, request: str, started: float, status: int, how: str = "") -> None:
        """A call ended after a long silence is a proxy's doing."""
        seconds = time.monotonic() - started
        if status in (502, 504) and seconds >= self._silence_seconds:
            raise self.faults.cut(request, seconds, how or f"answered {status}")

    def _headers(self, body: Body | None) -> dict[str, str]:
        headers = {
            "Accept": body.accept if body else codecs.ANYTHING,
            "Accept-Encoding": "identity",
            "User-Agent": f"triptych/{__version__}",
        }
        if body is not None:
            headers["Content-Type"] = body.content_type
        if self._host is not None:
            headers["Host"] = self._host
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        elif self._login is not None:
            headers["Authorization"] = self._login
        return headers


def _basic(url: httpx.URL) -> str | None:
    """The header for the user name and password of an address; a transport alone sends none."""
    if not url.userinfo:
        return None
    return f"Basic {base64.b64encode(f'{url.username}:{url.password}'.encode()).decode()}"
