"""Work that is told of while it is done: as a stream of events, which ends the work when it is cut."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack

from fastapi.sse import EventSourceResponse
from starlette.types import Receive, Scope, Send

from ..progress import Progress, Watcher
from ..requests import GenerateResult

HEARTBEAT_SECONDS = 15.0
"""So often at least something is told: proxies end connections that are silent for long."""
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

Work = Callable[[Watcher], AsyncIterator[GenerateResult]]
Happening = Progress | GenerateResult | None
"""Previews, pictures, or that nothing of the kind came for a while."""
News = asyncio.Queue["Progress | GenerateResult | asyncio.Task[None]"]
"""The last of them is the work itself, when it has ended."""


async def narrate(work: Work, preview_every: int) -> AsyncGenerator[Happening, None]:
    """What can be shown of the work, in the order in which it happens. Closing it cancels the work."""
    news: News = asyncio.Queue()
    task = asyncio.create_task(_run(work, preview_every, news))
    task.add_done_callback(news.put_nowait)
    try:
        while not isinstance(happening := await _take(news), asyncio.Task):
            yield happening
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _run(work: Work, preview_every: int, news: News) -> None:
    def notice(progress: Progress) -> None:
        if progress.previews:
            news.put_nowait(progress)

    async for result in work(Watcher(notice, preview_every)):
        news.put_nowait(result)


async def _take(news: News) -> "Happening | asyncio.Task[None]":
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            return await news.get()
    except TimeoutError:
        return None


class EventStream(EventSourceResponse):
    """Events, as bytes, and what must be closed however the stream ends."""

    def __init__(self, events: AsyncIterator[bytes], closing: AsyncExitStack) -> None:
        super().__init__(events, headers=HEADERS)
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._closing:
            await super().__call__(scope, receive, send)
