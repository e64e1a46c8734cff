"""How long a server waits for those who connect to it, and for how many.

Both servers mix it into uvicorn's protocol for HTTP, which ends idle connections but waits without end for
the rest of a request's head, for a body that nobody reads any more, and for who does not read the answer. It
is kept free of uvicorn, as the library is of all that serves the web.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

HEAD_BYTES = 32 * 1024
"""Longest head of a request, for h11, which looks at what is not yet whole. So while it is a head that comes,
the protocol is given no more than a piece at a time: one read may bring 256 KiB, and a whole head in them."""
PIECE = 4096
FULL_BODY = b"There are too many connections. Try again in a second.\n"
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\nRetry-After: 1\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(FULL_BODY), FULL_BODY)
)


@dataclass(frozen=True)
class Patience:
    """`head_seconds`: in which the head of a request must have come, from its first byte or from the
    connection on. `reader_seconds`: in which who is sent something must take some of it. `connections`: so
    many at a time."""

    head_seconds: float
    connections: int
    reader_seconds: float = 60


class PatientProtocol(asyncio.Protocol):
    """To be put before uvicorn's protocol among the bases of a class that says its `patience`."""

    patience: Patience
    connections: Any
    cycle: Any
    transport: Any
    _head: asyncio.TimerHandle | None = None
    _reader: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.patience.connections:
            self.transport.write(FULL)
            self.transport.close()
        else:
            self._expect_head()

    def data_received(self, data: bytes) -> None:
        while data and not self.transport.is_closing():
            length = PIECE if self._awaits_head else len(data)
            super().data_received(data[:length])
            data = data[length:]
        if self._awaits_head:
            self._expect_head()
        else:
            self._stop_timer("_head")

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer("_head")
        self._stop_timer("_reader")
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        self._stop_timer("_reader")
        super().resume_writing()

    @property
    def _awaits_head(self) -> bool:
        """Or the rest of a body that has been answered."""
        return self.cycle is None or bool(self.cycle.response_complete)

    def _expect_head(self) -> None:
        """Who sends it byte by byte gets no more time."""
        if self._head is None:
            loop = asyncio.get_running_loop()
            self._head = loop.call_later(self.patience.head_seconds, self.transport.close)

    def _watch_reader(self) -> None:
        unread = self.transport.get_write_buffer_size()
        loop = asyncio.get_running_loop()
        self._reader = loop.call_later(self.patience.reader_seconds, self._check_reader, unread)

    def _check_reader(self, unread: int) -> None:
        if self.transport.get_write_buffer_size() >= unread:
            self.transport.abort()
        else:
            self._watch_reader()

    def _stop_timer(self, name: str) -> None:
        timer = getattr(self, name)
        if timer is not None:
            timer.cancel()
            setattr(self, name, None)
