"""A synchronous request that is to be kept is a wait on a job."""

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from httpx_sse import connect_sse

from tests.unit.gateway.api.jobs.test_routes import ended
from tests.unit.gateway.api.test_native import refused
from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import serving
from tests.unit.gateway.pictures import noise, opened, text_of, white_box
from tests.unit.gateway.streams import StreamingStage

KEPT: dict[str, Any] = {"prompt": "a red apple", "on_disconnect": "keep"}
NAME = {"Idempotency-Key": "mine"}


@pytest.fixture
def stage() -> StreamingStage:
    return StreamingStage("diffusion")


@pytest.fixture
def gateway(start_gateway: StartGateway, stage: StreamingStage) -> Iterator[httpx.Client]:
    with serving(stage.app()) as url:
        yield start_gateway(diffusion_url=url, max_concurrent_requests=1)


def job_of(gateway: httpx.Client, response: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = gateway.get(f"/v1/jobs/{response.headers['x-triptych-job']}").json()
    return found


def test_its_answer_is_the_routes_and_names_the_job(gateway: httpx.Client) -> None:
    response = gateway.post("/v1/txt2img", json=KEPT, headers={"Accept": "image/webp"})
    assert opened(response.content).format == "WEBP"
    job = job_of(gateway, response)
    assert (job["state"], job["kind"]) == ("done", "txt2img")
    again = gateway.get(job["links"]["result"], headers={"Accept": "image/webp"})
    assert again.content == response.content


def test_it_does_not_wait_in_line(gateway: httpx.Client, stage: StreamingStage) -> None:
    job = job_of(gateway, gateway.post("/v1/txt2img", json=KEPT))
    assert job["began"] is not None
    assert gateway.post("/v1/txt2img", json={"prompt": ""}).status_code == 200


def test_who_lost_the_connection_finds_the_result_by_the_name_that_it_gave(
    gateway: httpx.Client, stage: StreamingStage
) -> None:
    stage.pause = 0.1
    with pytest.raises(httpx.ReadTimeout):
        gateway.post("/v1/txt2img", json={**KEPT, "steps": 10}, headers=NAME, timeout=0.5)
    response = gateway.post("/v1/txt2img", json={**KEPT, "steps": 10}, headers=NAME)
    assert response.status_code == 429 or response.json()["images"]
    ended(gateway, gateway.get("/v1/jobs").json()["jobs"][0])
    response = gateway.post("/v1/txt2img", json={**KEPT, "steps": 10}, headers=NAME)
    assert response.json()["images"]
    assert len(stage.requests) == 1


def test_who_watches_is_told_the_job_at_once(gateway: httpx.Client, stage: StreamingStage) -> None:
    stage.pause = 0.1
    with connect_sse(gateway, "POST", "/v1/txt2img", json={**KEPT, "steps": 10}) as source:
        events = source.iter_sse()
        first = next(events)
        job = job_of(gateway, source.response)
        assert job["state"] == "running"
    assert ended(gateway, job)["state"] == "done"
    last = {"Last-Event-ID": first.id}
    with connect_sse(gateway, "GET", job["links"]["events"], headers=last) as source:
        assert [event.event for event in source.iter_sse()] == ["result"]


def test_a_form_is_kept_too(gateway: httpx.Client, fakes: Fakes) -> None:
    files = {"image": base64.b64decode(text_of(noise(64, 64)))}
    files["mask"] = base64.b64decode(text_of(white_box(64, 64, 8, 8, 32, 32)))
    response = gateway.post("/v1/inpaint", data=KEPT, files=files)
    assert response.status_code == 200, response.text
    assert job_of(gateway, response)["kind"] == "inpaint"


def test_what_goes_wrong_is_answered_as_ever(gateway: httpx.Client) -> None:
    response = gateway.post("/v1/txt2img", json={**KEPT, "steps": 9999})
    assert response.status_code == 422
    assert response.json()["error"]["field"] == "steps"
    assert job_of(gateway, response)["state"] == "failed"
    refused(gateway.post("/v1/txt2img", json={**KEPT, "steps": 0}))
    refused(gateway.post("/v1/txt2img", json=KEPT, headers={"Accept": "text/html"}), 406)
    assert len(gateway.get("/v1/jobs").json()["jobs"]) == 1


def test_another_request_by_the_same_name_is_refused_and_holds_no_place(gateway: httpx.Client) -> None:
    assert gateway.post("/v1/txt2img", json=KEPT, headers=NAME).status_code == 200
    assert refused(gateway.post("/v1/txt2img", json={**KEPT, "steps": 3}, headers=NAME))["field"] == (
        "Idempotency-Key"
    )
    assert gateway.post("/v1/txt2img", json=KEPT, headers=NAME).status_code == 200


def test_what_is_not_kept_is_no_job(gateway: httpx.Client) -> None:
    response = gateway.post("/v1/txt2img", json={"prompt": "a red apple"}, headers=NAME)
    assert "x-triptych-job" not in response.headers
    assert gateway.get("/v1/jobs").json() == {"jobs": []}
