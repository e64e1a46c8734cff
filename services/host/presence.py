"""Whether the one who asked is still there."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from .jobs import Job

T = TypeVar("T")


async def unless_gone(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns; if the client goes away first, it is cancelled, and ClientDisconnect raised."""
    doing = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait([doing, gone], return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise ClientDisconnect
        return doing.result()
    finally:
        doing.cancel()
        gone.cancel()
        await asyncio.wait([doing, gone])


async def followed(receive: Receive, job: Job, work: Coroutine[Any, Any, T]) -> T:
    """As unless_gone, but a job that is to be kept is finished first."""
    try:
        return await unless_gone(receive, work)
    except ClientDisconnect:
        if job.options.kept:
            await job.finished()
        raise


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
