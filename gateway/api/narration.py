"""Work that is told of while it is done, and that ends when nobody listens any more."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from ..progress import Progress, Watcher
from ..requests import GenerateResult
from .stream import until_heartbeat

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
        while not isinstance(happening := await until_heartbeat(news.get()), asyncio.Task):
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
