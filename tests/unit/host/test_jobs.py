import asyncio
import gc
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from host.jobs import Jobs
from host.options import Options
from host.worker import Worker

from .batching import BatchingHandler
from .conftest import Bench, Serve, wait_until

Start = Callable[..., Bench]
CANCELLED = {"error": "the request was cancelled"}


def test_a_request_can_be_cancelled_by_its_name(bench: Start) -> None:
    stage = bench()
    with ThreadPoolExecutor() as pool:
        call = pool.submit(stage.post, job_id="a.b:c-1")
        ticket = stage.ticket()
        deleted = stage.client.delete("/jobs/a.b:c-1")
        assert (deleted.status_code, deleted.json()) == (200, {"cancelled": True})
        assert ticket.cancelled
        assert stage.client.delete("/jobs/a.b:c-1").status_code == 200, "once more is as once"
        ticket.advance()
        assert (call.result().status_code, call.result().json()) == (499, CANCELLED)


def test_a_request_can_be_cancelled_before_its_turn(bench: Start) -> None:
    stage = bench()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(stage.post, "gate", seconds_a_step=0.01)
        wait_until(lambda: stage.handler.started == ["gate"])
        second = pool.submit(stage.post, job_id="b")
        wait_until(lambda: stage.client.delete("/jobs/b").status_code == 200)
        stage.handler.gate.set()
        assert (second.result().status_code, second.result().json()) == (499, CANCELLED)
        assert first.result().status_code == 200
    assert stage.handler.started == ["gate"]


def test_a_request_can_be_cancelled_while_it_is_started(bench: Start) -> None:
    stage = bench()
    with ThreadPoolExecutor() as pool:
        call = pool.submit(stage.post, "gate", job_id="c", seconds_a_step=0.01)
        wait_until(lambda: stage.handler.started == ["gate"])
        assert stage.client.delete("/jobs/c").status_code == 200
        stage.handler.gate.set()
        assert call.result().status_code == 499


@pytest.mark.parametrize("source", ["batching", "plain"])
def test_what_is_not_there_cannot_be_cancelled(bench: Start, serve: Serve, source: str) -> None:
    client = bench().client if source == "batching" else serve()
    answer = client.delete("/jobs/nobody")
    assert answer.status_code == 404
    assert answer.json() == {"error": "there is no unfinished request with job_id nobody"}


def test_what_is_finished_cannot_be_cancelled(bench: Start) -> None:
    stage = bench()
    assert stage.post(job_id="d", seconds_a_step=0.01).status_code == 200
    assert stage.client.delete("/jobs/d").status_code == 404


def test_what_the_engine_is_done_with_is_answered_and_not_cancelled(bench: Start) -> None:
    stage = bench()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(stage.post, job_id="f", num_steps=1)
        ticket = stage.ticket()
        second = pool.submit(stage.post, "gate", seconds_a_step=0.01)
        wait_until(lambda: stage.handler.started == ["x", "gate"])
        ticket.advance()
        assert stage.client.delete("/jobs/f").status_code == 404
        stage.handler.gate.set()
        assert [first.result().status_code, second.result().status_code] == [200, 200]


def test_a_request_that_was_left_before_its_turn_takes_no_memory() -> None:
    class Body(dict[str, Any]):
        pass

    async def leave(jobs: Jobs, body: Body) -> None:
        with jobs.admit(Options()) as job:
            starting = asyncio.ensure_future(job.start(BatchingHandler(), body))
            await asyncio.sleep(0)
            starting.cancel()
            await asyncio.wait([starting])

    body = Body(inputs="x")
    left = weakref.ref(body)
    jobs = Jobs(Worker())  # its thread never comes to it
    gc.disable()
    try:
        asyncio.run(leave(jobs, body))
        del body
        assert left() is None
    finally:
        gc.enable()


def test_a_name_is_of_one_unfinished_request(bench: Start) -> None:
    stage = bench()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(stage.post, job_id="e", num_steps=1)
        ticket = stage.ticket()
        second = stage.post(job_id="e")
        assert second.status_code == 409
        assert second.json()["error"].startswith(
            "job_id e is of a request that is not finished; choose another"
        )
        ticket.advance()
        assert first.result().status_code == 200
    assert stage.post(job_id="e", seconds_a_step=0.01).status_code == 200


def test_cancelling_has_a_label_of_its_own_in_the_metrics(bench: Start) -> None:
    client = bench().client
    client.delete("/jobs/nobody")
    assert 'stage_requests_total{route="cancel",status="404"} 1.0' in client.get("/metrics").text
