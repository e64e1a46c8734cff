"""Two gateways that share their jobs, over real HTTP, and the store between them that comes and goes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.jobs.opening import open_store
from gateway.settings import Settings
from tests.redis_server import RedisServer, running_redis
from tests.unit.gateway.api.jobs.test_events import watch
from tests.unit.gateway.api.jobs.test_routes import ended, hand_in, look
from tests.unit.gateway.api.test_native import refused
from tests.unit.gateway.conftest import Fakes, ServedFakes, started
from tests.unit.gateway.fakes import serving, wait_until
from tests.unit.gateway.streams import StreamingStage


@pytest.fixture
def settings(fakes: Fakes, stage: StreamingStage) -> Iterator[dict[str, Any]]:
    with serving(stage.app()) as url:
        yield {"diffusion_url": url, "max_concurrent_requests": 1, "jobs_lease_seconds": 1}


@pytest.fixture
def two(
    served_fakes: ServedFakes, settings: dict[str, Any], redis: RedisServer
) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    with (
        started(served_fakes, **settings, jobs_url=redis.url) as one,
        started(served_fakes, **settings, jobs_url=redis.url) as other,
    ):
        yield one, other


def test_any_gateway_answers_about_any_job(two: tuple[httpx.Client, httpx.Client]) -> None:
    one, other = two
    job = hand_in(one, key="mine", steps=20, preview_every=2, seed=3)
    wait_until(lambda: look(other, job)["step"] >= 3)
    assert look(other, job, preview="true")["preview"]
    first = next(event for event in watch(other, job) if event.json().get("step", 0) >= 5)
    rest = list(watch(one, job, first.id))
    assert all(int(event.id) > int(first.id) for event in rest[:-1])
    assert (rest[-1].event, rest[-1].id) == ("result", "end")
    results = [gateway.get(job["links"]["result"]).json() for gateway in two]
    assert results[0]["images"] == results[1]["images"]
    assert rest[-1].json()["images"] == results[0]["images"]
    body = {
        "kind": "txt2img",
        "request": {"prompt": "a red apple", "steps": 20, "preview_every": 2, "seed": 3},
    }
    again = other.post("/v1/jobs", json=body, headers={"Idempotency-Key": "mine"})
    assert (again.status_code, again.json()["id"]) == (200, job["id"])
    assert other.delete(job["links"]["job"]).status_code == 204
    assert refused(one.get(job["links"]["job"]), 404)["type"] == "NotFound"


def test_gateways_share_the_line(two: tuple[httpx.Client, httpx.Client]) -> None:
    one, other = two
    jobs = [hand_in(one, steps=20) for _ in range(4)]
    wait_until(lambda: [look(other, job)["state"] for job in jobs] == [*["running"] * 2, *["queued"] * 2])
    assert [look(gateway, jobs[3])["position"] for gateway in two] == [2, 2]
    events = watch(other, jobs[3])
    assert (next(events).event, next(watch(one, jobs[3])).json()) == ("queued", {"position": 2})
    for job in jobs[:3]:
        cancelled = other.delete(job["links"]["job"])
        assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert list(events)[-1].event == "result"


def test_a_gateway_that_stops_leaves_its_jobs_to_the_others(
    served_fakes: ServedFakes, settings: dict[str, Any], redis: RedisServer
) -> None:
    with started(served_fakes, **settings, jobs_url=redis.url) as other:
        with started(served_fakes, **settings, jobs_url=redis.url) as one:
            jobs = [hand_in(one, steps=40) for _ in range(2)]
            wait_until(lambda: all(look(other, job)["step"] >= 12 for job in jobs))
        assert [ended(other, job)["state"] for job in jobs] == ["done", "done"]
        results = [other.get(job["links"]["result"]).json()["stages"] for job in jobs]
    resumed = [step for stages in results for step in stages[1]["resumed_at"]]
    assert len(resumed) == 1 and resumed[0] >= 10


def test_a_store_that_is_lost_is_said_and_no_job_is_lost(
    served_fakes: ServedFakes, settings: dict[str, Any], tmp_path: Path, stage: StreamingStage
) -> None:
    with (
        running_redis(tmp_path) as redis,
        started(served_fakes, **settings, jobs_url=redis.url) as gateway,
    ):
        running, waiting = hand_in(gateway, steps=20), hand_in(gateway, steps=2)
        wait_until(lambda: look(gateway, running)["step"] >= 3)
        redis.kill()
        for response in (
            gateway.get(running["links"]["job"]),
            gateway.post("/v1/jobs", json={"kind": "txt2img", "request": {"prompt": "x"}}),
            gateway.delete(waiting["links"]["job"]),
        ):
            assert refused(response, 503)["type"] == "StoreUnavailable"
            assert int(response.headers["retry-after"]) > 0
        assert gateway.get("/v1/stages").status_code == 200
        wait_until(lambda: stage.steps[-1:] == [20])
        redis.start()
        assert [ended(gateway, job)["state"] for job in (running, waiting)] == ["done", "done"]
    assert [asked["num_steps"] for asked in stage.requests] == [20, 2]


def test_a_store_that_is_not_there_is_a_sentence_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with open_store(Settings(jobs_url="redis://127.0.0.1:1/0")):
            pass

    with pytest.raises(ValueError, match="cannot be reached"):
        asyncio.run(run())
    assert "The gateway cannot start: JOBS_URL must be a Redis or Valkey server" in caplog.text
