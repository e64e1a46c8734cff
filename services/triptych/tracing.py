"""What follows a request from process to process: its id, and its trace (W3C Trace Context).

Spans are OpenTelemetry's, whose API does nothing until somebody records; its SDK is loaded only where there
is a collector to send to. Then OpenTelemetry's other variables count as well: samplers, headers, batches.
"""

import asyncio
import re
import threading
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

HEADER = "x-request-id"
SOUND_ID = re.compile(r"[\w.:-]{1,128}", re.ASCII)
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that is worked on; empty where it is none."""
FLUSH_SECONDS = 2.0
"""So long the last spans may take when a server stops: a collector that is gone must not hold it."""

UNTRACED = trace.NoOpTracer()
_PROPAGATOR = TraceContextTextMapPropagator()


def request_id(given: str) -> str:
    """The id that came with a request, or a new one where none came that can stand in a log."""
    return given if SOUND_ID.fullmatch(given) else uuid.uuid4().hex


def outgoing() -> dict[str, str]:
    """The headers with which a request goes on to another process."""
    headers = {HEADER: found} if (found := REQUEST_ID.get()) else {}
    _PROPAGATOR.inject(headers)
    return headers


def ids() -> dict[str, str]:
    """The ids of what is worked on, for a line of the log."""
    found = {"request_id": known} if (known := REQUEST_ID.get()) else {}
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        found["trace_id"] = trace.format_trace_id(context.trace_id)
    return found


class Tracing:
    """Where one server's spans go: nowhere, unless there is an `endpoint`, a URL to which OTLP is posted."""

    def __init__(self, service: str, endpoint: str = "") -> None:
        self.provider = _provider(service, endpoint) if endpoint else None
        self.tracer = self.provider.get_tracer("triptych") if self.provider else UNTRACED

    @property
    def of_fastapi(self) -> Any:
        """What FastAPI takes as `telemetry`: a span for each request that does work, no probes or pages."""
        return {
            "tracer_provider": self.provider,
            "tracing": self.provider is not None,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
            "exclude": lambda scope: scope.get("method") != "POST",
        }

    @asynccontextmanager
    async def flushed(self) -> AsyncIterator[None]:
        """Spans are sent in the background, the last ones at the end of the block."""
        try:
            yield
        finally:
            if self.provider:
                sending = threading.Thread(target=self.provider.shutdown, daemon=True)
                sending.start()
                await asyncio.to_thread(sending.join, FLUSH_SECONDS)


def _provider(service: str, endpoint: str) -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return provider
