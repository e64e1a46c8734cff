"""Who asks, and work that is only worth doing while somebody waits for it."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from ..keys.guard import key_of
from ..runtime import runtime_of

Result = TypeVar("Result")


def client_of(request: Request) -> str:
    """Who asks, as far as the stages must tell one client from another to give each its share: the name of
    the key, or the address where there is none."""
    if key := key_of(request):
        return key.name
    return request.client.host if request.client else ""


def owner_of(request: Request) -> str | None:
    """Who alone may see and end what comes of the request: the name of its key; None, and everybody may,
    where the gateway asks for none."""
    key = key_of(request)
    return key.name if key else None


@contextmanager
def admitted(request: Request) -> Iterator[None]:
    """A request for pictures, from before it is read. Raises LimitReached or Overloaded."""
    runtime, key = runtime_of(request), key_of(request)
    with runtime.allowances.place(key), runtime.admission.permit():
        runtime.allowances.count(key)
        yield


def start(work: Coroutine[Any, Any, Result], entered: ExitStack) -> asyncio.Task[Result]:
    """Begins the work. What was entered for it is left when it ends, however it ends."""
    job, held = asyncio.ensure_future(work), entered.pop_all()
    job.add_done_callback(lambda _: held.close())
    return job


async def while_connected(
    request: Request, work: "Coroutine[Any, Any, Result] | asyncio.Task[Result]"
) -> Result:
    """The result of `work`. When the client leaves it is cancelled; then raises ClientDisconnect.

    The request's body must have been read: what comes after it can only be the client's leaving.
    """
    job, gone = asyncio.ensure_future(work), asyncio.ensure_future(_disconnection(request))
    try:
        await asyncio.wait((job, gone), return_when=asyncio.FIRST_COMPLETED)
        if not job.done():
            raise ClientDisconnect
        return job.result()
    finally:
        gone.cancel()
        job.cancel()
        await asyncio.gather(job, gone, return_exceptions=True)


async def _disconnection(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
