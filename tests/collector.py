"""A stand-in for an OpenTelemetry collector: it takes traces by OTLP over HTTP and keeps them for a test."""

import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

WAIT_SECONDS = 20


@dataclass(frozen=True)
class Span:
    """One span as it came, ids in hexadecimal, seconds since 1970; `service` is its resource's."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    began: float
    ended: float
    failed: bool
    attributes: dict[str, Any]
    links: list[str]
    """The ids of the spans that it is linked to."""


@dataclass
class Collector:
    """`url` is what OTEL_EXPORTER_OTLP_ENDPOINT names."""

    url: str
    spans: list[Span] = field(default_factory=list)

    def trace(self, id: str, *names: str, of: Sequence[str] = ()) -> list[Span]:
        """The spans of a trace, by their beginning, once those of these names are among them, and all that
        these stages have: each process sends its own when it likes."""
        until = time.monotonic() + WAIT_SECONDS
        while True:
            found = sorted((span for span in self.spans if span.trace == id), key=lambda span: span.began)
            missing = {*names, *(f"triptych-{stage}" for stage in of)} - {span.name for span in found}
            missing -= {span.service for span in found if span.kind == "SERVER"}
            if not missing:
                return found
            assert time.monotonic() < until, f"no {missing} in {found}"
            time.sleep(0.02)

    @property
    def environment(self) -> dict[str, str]:
        """Of a server that sends here what is asked for in a `traceparent`, and soon."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_TRACES_SAMPLER": "parentbased_always_off",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }


@dataclass(frozen=True)
class Parent:
    """Where a trace begins that a test asks for."""

    trace: str = field(default_factory=lambda: secrets.token_hex(16))
    span: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def headers(self) -> dict[str, str]:
        return {"traceparent": f"00-{self.trace}-{self.span}-01"}


@contextmanager
def running_collector() -> Iterator[Collector]:
    """A collector on a free port."""
    collector = Collector("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            assert self.headers["content-type"] == "application/x-protobuf"
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.spans += read_spans(body)
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is written."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield collector
        server.shutdown()
        thread.join()


def read_spans(body: bytes) -> list[Span]:
    """What one export holds."""
    return [
        Span(
            service=_values(resource.resource.attributes)["service.name"],
            name=span.name,
            kind=span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
            trace=span.trace_id.hex(),
            id=span.span_id.hex(),
            parent=span.parent_span_id.hex(),
            began=span.start_time_unix_nano / 1e9,
            ended=span.end_time_unix_nano / 1e9,
            failed=span.status.code == span.status.STATUS_CODE_ERROR,
            attributes=_values(span.attributes),
            links=[link.span_id.hex() for link in span.links],
        )
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _values(attributes: "Iterator[KeyValue] | Any") -> dict[str, Any]:
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in attributes}
