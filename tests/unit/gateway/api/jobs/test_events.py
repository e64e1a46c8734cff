"""The events of a job, and going on from where they were read."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from httpx_sse import ServerSentEvent, connect_sse

from gateway.api import stream as dialect
from tests.unit.gateway.api.jobs.test_routes import ended, hand_in, look
from tests.unit.gateway.api.test_native import refused
from tests.unit.gateway.conftest import StartGateway
from tests.unit.gateway.fakes import serving, wait_until
from tests.unit.gateway.streams import StreamingStage


@pytest.fixture
def stage() -> StreamingStage:
    return StreamingStage("diffusion", pause=0.05)


@pytest.fixture
def url(stage: StreamingStage) -> Iterator[str]:
    with serving(stage.app()) as url:
        yield url


@pytest.fixture
def gateway(start_gateway: StartGateway, url: str) -> httpx.Client:
    return start_gateway(diffusion_url=url, max_concurrent_requests=1)


def watch(gateway: httpx.Client, job: dict[str, Any], last: str = "") -> Iterator[ServerSentEvent]:
    headers = {"Last-Event-ID": last} if last else {}
    with connect_sse(gateway, "GET", job["links"]["events"], headers=headers) as source:
        assert source.response.status_code == 200
        yield from source.iter_sse()


def test_a_job_tells_how_far_it_is_until_its_result(gateway: httpx.Client) -> None:
    job = hand_in(gateway, seed=4, steps=10, preview_every=2)
    events = list(watch(gateway, job))
    assert {"progress", "preview", "result"} <= {event.event for event in events}
    assert events[-1].json()["images"] == gateway.get(job["links"]["result"]).json()["images"]
    ids = [int(event.id) for event in events[:-1]]
    assert ids == sorted(set(ids))
    assert {"stage", "state", "step", "steps", "seconds_left", "ahead"} == set(
        next(event for event in events if event.event == "progress").json()
    )


def test_who_comes_back_gets_what_came_since(gateway: httpx.Client, stage: StreamingStage) -> None:
    stage.pause = 0.1
    job = hand_in(gateway, steps=20)
    first = next(event for event in watch(gateway, job) if event.json().get("step", 0) >= 3)
    rest = list(watch(gateway, job, first.id))
    assert all(int(event.id) > int(first.id) for event in rest[:-1])
    assert min(event.json()["step"] for event in rest if event.json().get("steps")) > 3
    assert (rest[-1].event, rest[-1].id) == ("result", "end")


def test_many_may_watch(gateway: httpx.Client) -> None:
    job = hand_in(gateway, steps=20)
    watching = [watch(gateway, job) for _ in range(3)]
    assert all(next(one).event for one in watching)
    assert [list(one)[-1].event for one in watching] == ["result"] * 3


def test_a_job_that_waits_tells_its_place(gateway: httpx.Client) -> None:
    running, waiting = hand_in(gateway, steps=20), hand_in(gateway, steps=2)
    events = watch(gateway, waiting)
    first = next(events)
    assert (first.event, first.json()) == ("queued", {"position": 1})
    gateway.delete(running["links"]["job"])
    assert list(events)[-1].event == "result"


def test_a_job_that_has_ended_tells_how_and_then_nothing_more(gateway: httpx.Client) -> None:
    job = hand_in(gateway)
    ended(gateway, job)
    (only,) = watch(gateway, job)
    assert (only.event, only.id) == ("result", "end")
    again = gateway.get(job["links"]["events"], headers={"Last-Event-ID": "end"})
    assert (again.status_code, again.content) == (204, b"")


@pytest.mark.parametrize("how", ["fails", "is cancelled"])
def test_a_job_without_a_result_ends_with_its_error(gateway: httpx.Client, how: str) -> None:
    job = hand_in(gateway, steps=9999 if how == "fails" else 100)
    events = watch(gateway, job)
    if how == "is cancelled":
        next(events)
        gateway.delete(job["links"]["job"])
    last = list(events)[-1]
    assert (last.event, last.id) == ("error", "end")
    assert last.json()["status"] == (422 if how == "fails" else 409)
    assert last.json()["error"]["message"] == look(gateway, job)["error"]["message"]


def test_who_leaves_changes_nothing(gateway: httpx.Client) -> None:
    job = hand_in(gateway, steps=10)
    events = watch(gateway, job)
    next(events)
    events.close()  # type: ignore[attr-defined]
    assert ended(gateway, job)["state"] == "done"


def test_a_silent_stage_does_not_make_a_silent_stream(
    gateway: httpx.Client, stage: StreamingStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialect, "HEARTBEAT_SECONDS", 0.1)
    stage.pause = 0.5
    job = hand_in(gateway, steps=3)
    with gateway.stream("GET", job["links"]["events"]) as response:
        assert response.headers["cache-control"] == "no-store"
        lines = list(response.iter_lines())
    assert len([line for line in lines if line.startswith(":")]) >= 4
    assert "event: result" in lines


@pytest.mark.parametrize("last", ["x", "-1", "9" * 30, "²"])
def test_an_id_that_no_event_has_is_refused(gateway: httpx.Client, last: str) -> None:
    job = hand_in(gateway)
    headers = {"Last-Event-ID": last.encode()}
    error = refused(gateway.get(job["links"]["events"], headers=headers))  # type: ignore[arg-type]
    assert error["message"].startswith("Last-Event-ID must be the id of an event of this job")


def test_a_job_that_is_removed_while_it_is_watched_says_so(
    start_gateway: StartGateway, url: str, stage: StreamingStage
) -> None:
    """It is kept for no time worth the name."""
    gateway = start_gateway(diffusion_url=url, jobs_keep_seconds=0.01)
    job = hand_in(gateway, steps=3)
    last = list(watch(gateway, job))[-1]
    assert last.event in ("result", "error")
    wait_until(lambda: gateway.get(job["links"]["job"]).status_code == 404)
    assert refused(gateway.get(job["links"]["events"]), 404)["type"] == "NotFound"
