"""What one running gateway owns: its connections, stages and counters. Nothing is global."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

from starlette.requests import Request

from triptych.tracing import Tracing

from .admission import Admission
from .background import Background
from .connections import Connections
from .gauges import ReplicaGauges
from .keys.allowance import Allowances
from .metrics import Metrics
from .pipeline import Pipeline
from .settings import Settings
from .stages import Stages


@dataclass(frozen=True)
class Runtime:
    settings: Settings
    metrics: Metrics
    stages: Stages
    pipeline: Pipeline
    admission: Admission
    allowances: Allowances
    background: Background


@asynccontextmanager
async def open_runtime(settings: Settings, metrics: Metrics, tracing: Tracing) -> AsyncIterator[Runtime]:
    """The runtime, whose connections close with the context."""
    async with tracing.flushed(), Connections() as connections, Background() as background:
        stages = Stages.from_settings(settings, connections, metrics, tracing.tracer)
        metrics.watch(ReplicaGauges(stages))
        admission = Admission(settings.max_concurrent_requests, metrics)
        pipeline = Pipeline(stages, settings.request_timeout, settings.state_every, tracing.tracer)
        yield Runtime(settings, metrics, stages, pipeline, admission, Allowances(), background)


def runtime_of(request: Request) -> Runtime:
    """The runtime that serves this request."""
    return cast(Runtime, request.state.runtime)
