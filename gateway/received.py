"""What came of a call to a stage, however it came."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from triptych.wire import MEDIA_TYPE as TENSORS

from . import codecs, load
from .events import AnswerEvent, ErrorEvent
from .timing import counts, durations


@dataclass(frozen=True)
class Received:
    """An answer of `size` bytes on the wire, with the seconds that the stage says it took, and how often it
    found what it looked for among what it keeps, or not. `queue` is how busy it says that it is."""

    status: int = 0
    content_type: str = ""
    body: bytes = b""
    size: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    cache_hits: int | None = None
    cache_misses: int | None = None
    retry_after: str = ""
    queue: str = ""
    midway: bool = False
    """Whether the call had been taken, and was given up."""

    @classmethod
    def whole(cls, response: httpx.Response, body: bytes) -> "Received":
        """An answer by itself."""
        headers = response.headers
        timing = headers.get("server-timing", "")
        counted = counts(timing, "handler")
        return cls(
            response.status_code,
            headers.get("content-type", ""),
            body,
            len(body),
            durations(timing),
            counted.get("cache_hits"),
            counted.get("cache_misses"),
            headers.get("retry-after", ""),
            headers.get(load.HEADER, ""),
        )

    @classmethod
    def streamed(cls, response: httpx.Response, said: AnswerEvent | ErrorEvent, size: int) -> "Received":
        """An answer at the end of a stream of events: what it would be by itself."""
        queue = response.headers.get(load.HEADER, "")
        if isinstance(said, ErrorEvent):
            body = json.dumps({"error": said.error}).encode()
            return cls(said.status, codecs.JSON, body, size, queue=queue, midway=True)
        timing = said.timing
        seconds = {"queue": timing.queue, "handler": timing.handler}
        hits, misses = timing.cache_hits, timing.cache_misses
        return cls(200, TENSORS, said.tensors, size, seconds, hits, misses, queue=queue)
