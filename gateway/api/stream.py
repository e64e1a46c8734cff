"""Answers that are server-sent events, of any dialect."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from typing import TypeVar

from fastapi.sse import EventSourceResponse
from starlette.types import Receive, Scope, Send

MEDIA_TYPE = "text/event-stream"
HEARTBEAT_SECONDS = 15.0
"""So often at least something is sent: proxies end connections that are silent for long."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

News = TypeVar("News")


async def until_heartbeat(news: Awaitable[News]) -> News | None:
    """None where nothing came for so long that something must be sent."""
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            return await news
    except TimeoutError:
        return None


class EventStream(EventSourceResponse):
    """Events, as bytes, and what must be closed however the stream ends.

    `stopping` is the event that ends it where the server stops, which waits for nothing.
    """

    def __init__(self, events: AsyncIterator[bytes], closing: AsyncExitStack, stopping: bytes) -> None:
        super().__init__(self._noted(events), headers=HEADERS)
        self._closing = closing
        self._stopping = stopping
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._closing:
            try:
                await super().__call__(scope, receive, send)
            except asyncio.CancelledError:
                await self._say_that_it_stops(send)
                raise

    async def _noted(self, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        self._begun = True
        async for event in events:
            yield event

    async def _say_that_it_stops(self, send: Send) -> None:
        if self._begun:
            await send({"type": "http.response.body", "body": self._stopping, "more_body": False})
