"""A request's id and its trace, on the way from process to process."""

import asyncio
import json
import time
from contextvars import copy_context

import pytest
from opentelemetry import trace

from tests.collector import Collector, running_collector
from tests.running import free_port
from triptych.log_lines import log_line
from triptych.telemetry import TelemetrySettings
from triptych.tracing import FLUSH_SECONDS, REQUEST_ID, Tracing, ids, outgoing, request_id


def traced(collector: Collector) -> Tracing:
    return Tracing("triptych-test", f"{collector.url}/v1/traces")


def test_the_id_and_the_trace_go_out_with_a_request_and_stand_in_the_log() -> None:
    async def script(collector: Collector) -> tuple[dict[str, str], dict[str, str]]:
        tracing = traced(collector)
        async with tracing.flushed():
            REQUEST_ID.set("caller-7")
            with tracing.tracer.start_as_current_span("one"):
                return outgoing(), ids()

    with running_collector() as collector:
        headers, said = asyncio.run(script(collector))
        (span,) = collector.trace(said["trace_id"], "one")
    assert headers["x-request-id"] == said["request_id"] == "caller-7"
    assert headers["traceparent"].startswith(f"00-{said['trace_id']}-{span.id}-")
    assert (span.service, span.parent) == ("triptych-test", "")


def test_without_a_collector_nothing_goes_out_but_the_id() -> None:
    tracing = Tracing("triptych-test")
    assert tracing.provider is None
    with tracing.tracer.start_as_current_span("one") as span:
        assert not span.is_recording()
        assert outgoing() == {}
        assert ids() == {}


def test_a_collector_that_is_gone_does_not_hold_a_server() -> None:
    async def script() -> float:
        tracing = Tracing("triptych-test", f"http://127.0.0.1:{free_port()}/v1/traces")
        async with tracing.flushed():
            tracing.tracer.start_span("one").end()
            began = time.monotonic()
        return time.monotonic() - began

    assert asyncio.run(script()) < 4 * FLUSH_SECONDS


def test_an_id_that_could_spoil_a_log_is_replaced() -> None:
    assert request_id("caller-7.a") == "caller-7.a"
    assert request_id('"}\n') != '"}\n'
    assert request_id("") != request_id("")


def test_a_line_for_people_has_the_same_as_one_for_programs() -> None:
    fields = {"time": "12:00", "level": "info", "message": "request", "status": 200, "path": "/a b"}
    context = copy_context()
    context.run(REQUEST_ID.set, "r1")
    assert json.loads(context.run(log_line, fields, "json")) == {**fields, "request_id": "r1"}
    text = context.run(log_line, {**fields, "traceback": "Traceback…"}, "text")
    assert text == '12:00 info request status=200 path="/a b" request_id="r1"\nTraceback…'
    own = json.loads(context.run(log_line, {"request_id": "of a job"}, "json"))
    assert own == {"request_id": "of a job"}
    assert not trace.get_current_span().is_recording()


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({}, ""),
        ({"ENDPOINT": "http://c:4318/"}, "http://c:4318/v1/traces"),
        ({"ENDPOINT": "http://c:4318", "TRACES_ENDPOINT": "https://d/x"}, "https://d/x"),
    ],
)
def test_a_collector_is_named_as_opentelemetry_names_it(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str
) -> None:
    for name in ("ENDPOINT", "TRACES_ENDPOINT"):
        monkeypatch.delenv(f"OTEL_EXPORTER_OTLP_{name}", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
    assert TelemetrySettings().traces_url == url


def test_a_collector_that_is_no_url_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "jaeger:4318")
    with pytest.raises(ValueError, match="must be a URL with http:// or https://; got jaeger:4318"):
        TelemetrySettings()
