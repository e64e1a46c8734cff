"""What one running gateway owns: its connections, stages and counters. Nothing is global."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from .background import Background
from .connections import Connections
from .errors import Overloaded
from .metrics import Metrics
from .pipeline import Pipeline
from .settings import Settings
from .stages import Stages

RETRY_AFTER = 2


class Admission:
    """Lets so many requests in at a time, and the others not at all: they are told before they are read."""

    def __init__(self, limit: int, metrics: Metrics) -> None:
        self._limit = limit
        self._metrics = metrics
        self._inside = 0

    @contextmanager
    def permit(self) -> Iterator[None]:
        """Raises Overloaded where the limit is reached."""
        if self._inside >= self._limit:
            raise Overloaded(
                f"The gateway has {self._limit} requests under way and takes no more. Try again in "
                f"{RETRY_AFTER} s, or raise MAX_CONCURRENT_REQUESTS.",
                retry_after=RETRY_AFTER,
            )
        self._change(1)
        try:
            yield
        finally:
            self._change(-1)

    def _change(self, by: int) -> None:
        self._inside += by
        self._metrics.in_flight.set(self._inside)


@dataclass(frozen=True)
class Runtime:
    settings: Settings
    metrics: Metrics
    stages: Stages
    pipeline: Pipeline
    admission: Admission
    background: Background


@asynccontextmanager
async def open_runtime(settings: Settings, metrics: Metrics) -> AsyncIterator[Runtime]:
    """The runtime, whose connections close with the context."""
    async with Connections() as connections, Background() as background:
        stages = Stages.from_settings(settings, connections, metrics)
        admission = Admission(settings.max_concurrent_requests, metrics)
        pipeline = Pipeline(stages, settings.request_timeout, settings.state_every)
        yield Runtime(settings, metrics, stages, pipeline, admission, background)


def runtime_of(request: Request) -> Runtime:
    """The runtime that serves this request."""
    return cast(Runtime, request.state.runtime)
