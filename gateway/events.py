"""What a stage streams while it works: events, as they come and within bounds."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import aclosing, suppress
from typing import Annotated, Literal

import httpx
from httpx_sse import EventSource, ServerSentEvent
from pydantic import Base64Bytes, BaseModel, Field

MEDIA_TYPE = "text/event-stream"
SILENCE_SECONDS = 60.0
"""Ours say every 15 s that they live: one that is silent for so long hangs, or the network is cut."""
END_SECONDS = 1.0
"""So long the end of a stream is waited for after its answer: then its connection can be used again."""

Hear = Callable[[str, str], None]
"""Gets an event's name and its data."""
Steps = Annotated[int, Field(ge=0, le=1_000_000)]


class ProgressEvent(BaseModel):
    """Steps done of the request's slowest picture; `ahead`: requests before it that have not begun."""

    state: Literal["queued", "running"]
    ahead: Annotated[int, Field(ge=0)] = 0
    step: Steps = 0
    steps: Steps = 0
    seconds_left: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None


class PreviewEvent(BaseModel):
    """PNG files of the latents, one a picture."""

    step: Steps
    images: list[Base64Bytes]


class StateEvent(BaseModel):
    """Where every picture is, as base64 of safetensors that `resume` takes back."""

    step: Steps
    state: str


class Timing(BaseModel):
    """Seconds in the stage's queue and in its handler, and what it looked for among what it keeps."""

    queue: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    handler: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    cache_hits: Annotated[int, Field(ge=0)] | None = None
    cache_misses: Annotated[int, Field(ge=0)] | None = None


class AnswerEvent(BaseModel):
    """The answer that the stage would have given in safetensors, as base64."""

    tensors: Base64Bytes
    timing: Timing


class ErrorEvent(BaseModel):
    """What the stage would have answered instead: a status and a sentence."""

    status: Annotated[int, Field(ge=400, le=599)]
    error: str


ENDINGS: dict[str, type[AnswerEvent] | type[ErrorEvent]] = {"answer": AnswerEvent, "error": ErrorEvent}


class EventTooLong(Exception):
    """An event, or what comes in the place of one, is longer than is read."""


class Bounded(httpx.AsyncByteStream):
    """A body of which so many bytes are read between two events; `size` is that of all of it."""

    def __init__(self, body: httpx.AsyncByteStream, limit: int) -> None:
        self._body = body
        self._limit = limit
        self._pending = 0
        self.size = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in _never_silent(self._body):
            self.size += len(chunk)
            self._pending += len(chunk)
            if self._pending > self._limit:
                raise EventTooLong
            yield chunk

    def begin(self) -> None:
        """An event is complete: the next may be as long."""
        self._pending = 0

    async def aclose(self) -> None:
        await self._body.aclose()


async def _never_silent(body: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Raises what httpx raises where a read takes too long."""
    chunks = aiter(body)
    while True:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise httpx.ReadTimeout(f"nothing came for {SILENCE_SECONDS:g} s") from None
        yield chunk


def is_stream(response: httpx.Response) -> bool:
    """Whether the body is events."""
    media_type = response.headers.get("content-type", "").partition(";")[0]
    return response.status_code == 200 and media_type.strip().lower() == MEDIA_TYPE


async def read_answer(
    response: httpx.Response, limit: int, hear: Hear
) -> tuple[AnswerEvent | ErrorEvent, int]:
    """The event that ends the stream, and the bytes read; `hear` gets those before it, with their names.

    Raises EventTooLong for an event of more than `limit` bytes, ValueError for one that makes no sense, and
    what httpx raises where the stream breaks off.
    """
    assert isinstance(response.stream, httpx.AsyncByteStream)
    response.stream = body = Bounded(response.stream, limit)
    async with aclosing(EventSource(response).aiter_sse()) as events:
        async for event in events:
            body.begin()
            ending = ENDINGS.get(event.event)
            if ending is not None:
                said = ending.model_validate_json(event.data)
                await _read_to_end(events)
                return said, body.size
            hear(event.event, event.data)
    raise httpx.RemoteProtocolError("the stream ended before the answer")


async def _read_to_end(events: AsyncIterator[ServerSentEvent]) -> None:
    """After the answer nothing else counts."""
    with suppress(TimeoutError, httpx.HTTPError, EventTooLong):
        async with asyncio.timeout(END_SECONDS):
            async for _ in events:
                pass
