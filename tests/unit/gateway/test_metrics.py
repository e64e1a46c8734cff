"""What the gateway counts of its stages and its admission, as its metrics show it."""

import asyncio

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.connections import Connections
from gateway.metrics import Metrics
from gateway.places import Place
from gateway.replicas import Replica
from gateway.requests import StageCall
from gateway.sites import Site
from tests.running import free_port
from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import wait_until
from tests.unit.gateway.test_sites import LIMITS, Names

CALL = StageCall("decoder", "http://a", 1, [], 2.0, 0.5, 1.25, 0.25, 10, 20, "tiny", "0123")


def value(metrics: Metrics | httpx.Client, name: str, **labels: str) -> float:
    text = metrics.text().decode() if isinstance(metrics, Metrics) else metrics.get("/metrics").text
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return sum(one.value for one in samples if one.name == name and labels.items() <= one.labels.items())


def test_the_time_of_a_call_is_counted_by_its_parts() -> None:
    metrics = Metrics()
    metrics.stage_call(CALL)
    parts = {"waiting": 0.5, "computing": 1.25, "wire": 0.25, "unknown": 0}
    for part, seconds in parts.items():
        assert value(metrics, "triptych_stage_time_seconds_total", stage="decoder", part=part) == seconds
    assert value(metrics, "triptych_stage_bytes_total", replica="http://a", direction="sent") == 10


def test_what_was_counted_of_an_address_goes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.sites.REFRESH_SECONDS", 0)
    metrics, names = Metrics(), Names("10.0.0.1", "10.0.0.2")
    place = Place("diffusion", "http://diffusion:8000")

    async def script() -> None:
        async with Connections() as connections:
            site = Site(place, lambda ip: Replica(place, ip, connections, metrics, LIMITS), names)
            await site.refresh()
            for replica in site.replicas:
                metrics.stage_error("diffusion", replica.url, "StageFailed")
            names.addresses = ("10.0.0.2", "10.0.0.3")
            await site.refresh()

    asyncio.run(script())
    assert value(metrics, "triptych_stage_errors_total", replica="http://10.0.0.1:8000") == 0
    assert value(metrics, "triptych_stage_errors_total", replica="http://10.0.0.2:8000") == 1


def test_retries_and_the_breaker_of_a_stage_that_is_gone_are_shown(start_gateway: StartGateway) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    gateway = start_gateway(decoder_url=gone, stage_attempts=3)
    assert gateway.post("/v1/txt2img", json={"prompt": "x"}).status_code == 503
    assert value(gateway, "triptych_stage_retries_total", stage="decoder") == 2
    assert value(gateway, "triptych_replica_breaker", replica=gone, state="closed") == 0
    assert value(gateway, "triptych_replica_breaker", replica=gone) == 1
    assert value(gateway, "triptych_replica_breaker", stage="diffusion", state="closed") == 1


def test_jobs_are_counted_by_how_they_ended(start_gateway: StartGateway, fakes: Fakes) -> None:
    gateway = start_gateway()
    job = gateway.post("/v1/jobs", json={"kind": "txt2img", "request": {"prompt": "x"}}).json()
    gateway.get(f"/v1/jobs/{job['id']}/events")
    wait_until(lambda: value(gateway, "triptych_jobs_ended_total", state="done") == 1)
    assert value(gateway, "triptych_admissions_total", kind="job", outcome="admitted") == 1
    assert value(gateway, "triptych_jobs_bytes_limit") == 2**30
    assert {headers["x-request-id"] for headers in fakes["decoder"].headers if "x-request-id" in headers} == {
        job["id"]
    }
