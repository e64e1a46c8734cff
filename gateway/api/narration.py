"""Work that is told of while it is done: as a stream of events, which ends the work when it is cut."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack

from fastapi.sse import EventSourceResponse
from starlette.types import Receive, Scope, Send

from ..progress import Progress, Watcher
from ..requests import GenerateResult

Work = Callable[[Watcher], AsyncIterator[GenerateResult]]


async def narrate(work: Work, preview_every: int) -> AsyncGenerator[Progress | GenerateResult, None]:
    """What is noticed and what is done, in the order in which it happens. Closing it cancels the work."""
    happened: asyncio.Queue[Progress | GenerateResult | None] = asyncio.Queue()

    async def run() -> None:
        async for result in work(Watcher(happened.put_nowait, preview_every)):
            happened.put_nowait(result)

    task = asyncio.create_task(run())
    task.add_done_callback(lambda _: happened.put_nowait(None))
    try:
        while (item := await happened.get()) is not None:
            yield item
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class EventStream(EventSourceResponse):
    """Events, as bytes, and what must be closed however the stream ends."""

    def __init__(self, events: AsyncIterator[bytes], closing: AsyncExitStack) -> None:
        super().__init__(events)
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._closing:
            await super().__call__(scope, receive, send)
