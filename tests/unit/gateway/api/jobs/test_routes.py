"""Jobs over real HTTP: handed in, asked after, fetched, cancelled."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse

from tests.unit.gateway.api.test_native import BAD_FIELDS, refused
from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import cold, serving, wait_until
from tests.unit.gateway.pictures import noise, opened, pixels_of, text_of, white_box
from tests.unit.gateway.streams import PNG, StreamingStage

APPLE = {"prompt": "a red apple"}
PATH = "/v1/jobs"


@pytest.fixture
def stage() -> StreamingStage:
    return StreamingStage("diffusion")


@pytest.fixture
def url(stage: StreamingStage) -> Iterator[str]:
    with serving(stage.app()) as url:
        yield url


@pytest.fixture
def gateway(start_gateway: StartGateway, url: str) -> httpx.Client:
    """Its diffusion stage streams."""
    return start_gateway(diffusion_url=url)


def hand_in(gateway: httpx.Client, kind: str = "txt2img", key: str = "", **request: Any) -> dict[str, Any]:
    body = {"kind": kind, "request": {**APPLE, **request}}
    response = gateway.post(PATH, json=body, headers={"Idempotency-Key": key} if key else {})
    assert response.status_code == 202, response.text
    job: dict[str, Any] = response.json()
    return job


def look(gateway: httpx.Client, job: dict[str, Any], **query: str) -> dict[str, Any]:
    found: dict[str, Any] = gateway.get(job["links"]["job"], params=query).json()
    return found


def ended(gateway: httpx.Client, job: dict[str, Any]) -> dict[str, Any]:
    wait_until(lambda: look(gateway, job)["state"] not in ("queued", "running"))
    return look(gateway, job)


def test_a_job_is_taken_at_once_and_done_later(gateway: httpx.Client, stage: StreamingStage) -> None:
    stage.pause = 0.1
    response = gateway.post(PATH, json={"kind": "txt2img", "request": {**APPLE, "steps": 8}})
    job = response.json()
    assert (response.status_code, response.headers["location"]) == (202, f"/v1/jobs/{job['id']}")
    assert job["state"] in ("queued", "running")
    wait_until(lambda: look(gateway, job)["step"] >= 2)
    running = look(gateway, job)
    assert (running["state"], running["stage"], running["position"]) == ("running", "diffusion", None)
    assert (running["steps"], running["seconds_left"]) == (8, 0.5)
    assert ended(gateway, job)["state"] == "done"
    answer = gateway.get(job["links"]["result"])
    assert set(answer.json()) == {"id", "images", "parameters", "stages", "warnings", "seconds"}
    assert opened(answer.json()["images"][0]["data"]).size == (64, 64)


def test_the_result_is_what_the_route_of_its_kind_answers(gateway: httpx.Client) -> None:
    request: dict[str, Any] = {
        **APPLE,
        "seed": 5,
        "num_images": 2,
        "negative_prompt": "grün",
        "sampler": "euler_ancestral",
    }
    at_once = gateway.post("/v1/txt2img", json=request).json()
    job = hand_in(gateway, **request)
    ended(gateway, job)
    later = gateway.get(job["links"]["result"]).json()
    assert later["images"] == at_once["images"]
    assert later["parameters"] == at_once["parameters"]
    assert later["warnings"] == at_once["warnings"]
    assert [call["stage"] for call in later["stages"]] == ["text_encoder", "diffusion", "decoder"]


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_accept_chooses_what_the_result_is(gateway: httpx.Client, kind: str) -> None:
    job = hand_in(gateway, seed=5)
    ended(gateway, job)
    accept = {"Accept": f"image/{kind.lower()}"}
    answer = gateway.get(job["links"]["result"], headers=accept)
    assert answer.headers["x-triptych-seed"] == "5"
    assert opened(answer.content).format == kind
    at_once = gateway.post("/v1/txt2img", json={**APPLE, "seed": 5}, headers=accept)
    assert answer.content == at_once.content


def test_a_result_is_no_stream(gateway: httpx.Client) -> None:
    job = hand_in(gateway)
    ended(gateway, job)
    error = refused(gateway.get(job["links"]["result"], headers={"Accept": "text/event-stream"}), 406)
    assert "event-stream;" not in error["message"].partition("got")[0]


@pytest.mark.parametrize("kind", ["img2img", "inpaint"])
def test_pictures_come_with_the_request_and_are_not_told_again(
    gateway: httpx.Client, fakes: Fakes, stage: StreamingStage, kind: str
) -> None:
    fakes["decoder"].extras, stage.extras = ["task"], ["strength"]
    request: dict[str, Any] = {"image": text_of(noise(64, 64)), "seed": 3}
    if kind == "inpaint":
        request["mask"] = text_of(white_box(64, 64, 8, 8, 32, 32))
    job = hand_in(gateway, kind, **request)
    assert not {"image", "mask"} & set(job["request"])
    assert job["request"]["prompt"] == "a red apple"
    assert ended(gateway, job)["state"] == "done"
    at_once = gateway.post(f"/v1/{kind}", json={**APPLE, **request}, headers={"Accept": "image/png"})
    later = gateway.get(job["links"]["result"], headers={"Accept": "image/png"})
    assert (pixels_of(later.content) == pixels_of(at_once.content)).all()


def test_a_seed_is_drawn_when_the_job_is_handed_in(gateway: httpx.Client, stage: StreamingStage) -> None:
    job = hand_in(gateway)
    ended(gateway, job)
    assert stage.requests[0]["seed"] == job["request"]["seed"]
    assert gateway.get(job["links"]["result"]).json()["images"][0]["seed"] == job["request"]["seed"]


def test_a_seed_that_nobody_chose_is_no_reason_for_a_warning(
    start_gateway: StartGateway, fakes: Fakes
) -> None:
    fakes["diffusion"].plain = True
    gateway, warned = start_gateway(), []
    requests: list[dict[str, Any]] = [{}, {"seed": 1}]
    for request in requests:
        job = hand_in(gateway, **request)
        ended(gateway, job)
        warned.append("seed was sent" in " ".join(gateway.get(job["links"]["result"]).json()["warnings"]))
    assert warned == [False, True]


@pytest.mark.parametrize(("request_", "field", "said"), BAD_FIELDS)
def test_a_bad_request_is_refused_as_its_route_refuses_it(
    gateway: httpx.Client, request_: dict[str, Any], field: str | None, said: str
) -> None:
    at_once = refused(gateway.post("/v1/txt2img", json=request_))
    error = refused(gateway.post(PATH, json={"kind": "txt2img", "request": request_}))
    assert {**error, "request_id": ""} == {**at_once, "request_id": ""}


def test_so_is_a_bad_picture(gateway: httpx.Client) -> None:
    request = {**APPLE, "image": base64.b64encode(b"no picture").decode()}
    at_once = refused(gateway.post("/v1/img2img", json=request))
    error = refused(gateway.post(PATH, json={"kind": "img2img", "request": request}))
    assert error["message"] == at_once["message"]
    assert gateway.get(PATH).json() == {"jobs": []}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"request": APPLE}, "kind must be txt2img, img2img or inpaint; got nothing."),
        ({"kind": "video", "request": APPLE}, "kind must be txt2img, img2img or inpaint"),
        ({"kind": "txt2img"}, "request must be an object, as the route of this kind takes it; got nothing."),
        ({"kind": "txt2img", "request": [1]}, "request must be an object"),
        (
            {"kind": "txt2img", "request": APPLE, "webhook": {"url": "https://a"}},
            "webhook must be an object of",
        ),
        ({"kind": "txt2img", "request": APPLE, "webhok": None}, "Did you mean webhook?"),
    ],
)
def test_a_job_at_fault_is_refused_with_a_sentence(
    gateway: httpx.Client, body: dict[str, Any], said: str
) -> None:
    assert said in refused(gateway.post(PATH, json=body))["message"]


def test_a_webhook_to_a_host_that_nobody_named_is_refused(gateway: httpx.Client) -> None:
    webhook = {"url": "http://169.254.169.254/", "secret": "whsec_" + "A" * 32}
    body = {"kind": "txt2img", "request": APPLE, "webhook": webhook}
    error = refused(gateway.post(PATH, json=body))
    assert "must be on a host that WEBHOOK_HOSTS names, there are none" in error["message"]


def test_what_only_the_stages_can_tell_ends_the_job(gateway: httpx.Client) -> None:
    at_once = refused(gateway.post("/v1/txt2img", json={**APPLE, "steps": 9999}))
    job = ended(gateway, hand_in(gateway, steps=9999))
    assert job["state"] == "failed"
    assert job["error"]["message"] == at_once["message"]
    answer = gateway.get(job["links"]["result"])
    assert (answer.status_code, answer.json()["error"]["message"]) == (422, at_once["message"])


def test_a_stage_that_fails_is_named_in_the_jobs_error(start_gateway: StartGateway, fakes: Fakes) -> None:
    fakes["decoder"].plain, fakes["decoder"].responses["/"] = True, cold
    gateway = start_gateway(stage_attempts=1, restart_timeout=0)
    job = ended(gateway, hand_in(gateway))
    assert (job["error"]["type"], job["error"]["stage"]) == ("StageUnavailable", "decoder")
    assert gateway.get(job["links"]["result"]).status_code == 503


def test_a_stage_that_is_full_is_asked_again(
    start_gateway: StartGateway, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.jobs.work.PAUSE_SECONDS", 0.05)
    gateway, answers = start_gateway(stage_attempts=1), [429] * 3

    def full() -> JSONResponse:
        answers.pop()
        if not answers:
            del fakes["decoder"].responses["/"]
        return JSONResponse({"error": "busy"}, 429, {"Retry-After": "0"})

    fakes["decoder"].responses["/"] = full
    assert ended(gateway, hand_in(gateway))["state"] == "done"
    assert answers == []


def test_jobs_wait_in_line_and_know_their_place(
    start_gateway: StartGateway, url: str, stage: StreamingStage
) -> None:
    stage.pause = 0.05
    gateway = start_gateway(diffusion_url=url, max_concurrent_requests=1)
    jobs = [hand_in(gateway, seed=seed) for seed in range(4)]
    wait_until(lambda: look(gateway, jobs[0])["state"] == "running")
    assert [look(gateway, job)["position"] for job in jobs] == [None, 1, 2, 3]
    assert gateway.delete(jobs[2]["links"]["job"]).json()["state"] == "cancelled"
    assert look(gateway, jobs[3])["position"] == 2
    assert [ended(gateway, job)["state"] for job in jobs] == ["done", "done", "cancelled", "done"]
    assert [asked["seed"] for asked in stage.requests] == [0, 1, 3]


def test_a_full_line_takes_no_more(start_gateway: StartGateway, url: str, stage: StreamingStage) -> None:
    stage.pause = 0.1
    gateway = start_gateway(diffusion_url=url, max_concurrent_requests=1, jobs_queue=2)
    running = hand_in(gateway)
    wait_until(lambda: look(gateway, running)["state"] == "running")
    hand_in(gateway)
    hand_in(gateway)
    response = gateway.post(PATH, json={"kind": "txt2img", "request": APPLE})
    assert "2 jobs wait" in refused(response, 429)["message"]
    assert int(response.headers["retry-after"]) >= 1


def test_jobs_and_requests_share_the_gateway(
    start_gateway: StartGateway, url: str, stage: StreamingStage
) -> None:
    stage.pause = 0.02
    gateway = start_gateway(diffusion_url=url, max_concurrent_requests=1)
    jobs = [hand_in(gateway) for _ in range(3)]
    response = gateway.post("/v1/txt2img", json=APPLE)
    assert refused(response, 429)["type"] == "Overloaded"
    time.sleep(int(response.headers["retry-after"]))
    assert gateway.post("/v1/txt2img", json=APPLE).status_code == 200
    assert [ended(gateway, job)["state"] for job in jobs] == ["done"] * 3


def test_the_newest_preview_is_shown_if_asked_for(gateway: httpx.Client, stage: StreamingStage) -> None:
    stage.pause = 0.1
    job = hand_in(gateway, steps=20, preview_every=2)
    wait_until(lambda: look(gateway, job)["step"] >= 3)
    assert look(gateway, job)["preview"] is None
    assert look(gateway, job, preview="true")["preview"] == [base64.b64encode(PNG).decode()]
    gateway.delete(job["links"]["job"])


def test_a_running_job_is_cancelled_at_its_next_step(gateway: httpx.Client, stage: StreamingStage) -> None:
    stage.pause = 0.1
    job = hand_in(gateway, steps=100)
    wait_until(lambda: look(gateway, job)["step"] >= 2)
    cancelled = gateway.delete(job["links"]["job"])
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    wait_until(lambda: stage.left == 1)
    assert len(stage.steps) < 20
    error = refused_job(gateway.get(job["links"]["result"]), 409)
    assert error["message"] == "The job was cancelled. Post it again to have it."


def refused_job(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    error: dict[str, Any] = response.json()["error"]
    return error


def test_a_job_that_has_ended_is_removed(gateway: httpx.Client) -> None:
    job = hand_in(gateway)
    ended(gateway, job)
    assert gateway.delete(job["links"]["job"]).status_code == 204
    for path in job["links"].values():
        assert refused(gateway.get(path), 404)["message"].startswith(f"There is no job {job['id']}.")
    assert gateway.delete(job["links"]["job"]).status_code == 404
    assert gateway.get(PATH).json() == {"jobs": []}


def test_a_result_that_is_not_there_yet_is_no_result(gateway: httpx.Client, stage: StreamingStage) -> None:
    stage.pause = 0.2
    job = hand_in(gateway)
    error = refused(gateway.get(job["links"]["result"]), 409)
    assert error["type"] == "Conflict"
    gateway.delete(job["links"]["job"])


def test_the_list_has_the_newest_first(gateway: httpx.Client) -> None:
    jobs = [hand_in(gateway, seed=seed) for seed in range(3)]
    for job in jobs:
        ended(gateway, job)
    listed = gateway.get(PATH).json()["jobs"]
    assert [job["request"]["seed"] for job in listed] == [2, 1, 0]
    assert listed[0] == look(gateway, jobs[2])
    assert len(gateway.get(PATH, params={"limit": 2}).json()["jobs"]) == 2


@pytest.mark.parametrize("limit", ["0", "101", "-1", "many", "", "9" * 5000, "²"])
def test_a_limit_is_a_number_of_jobs(gateway: httpx.Client, limit: str) -> None:
    error = refused(gateway.get(PATH, params={"limit": limit}))
    assert error["message"].startswith("limit must be 1 to 100; got ")


def test_with_the_same_key_it_is_the_same_job(gateway: httpx.Client, stage: StreamingStage) -> None:
    job = hand_in(gateway, key="order 66".replace(" ", "-"))
    body = {"kind": "txt2img", "request": APPLE}
    again = gateway.post(PATH, json=body, headers={"Idempotency-Key": "order-66"})
    assert (again.status_code, again.json()["id"]) == (200, job["id"])
    ended(gateway, job)
    again = gateway.post(PATH, json=body, headers={"Idempotency-Key": "order-66"})
    assert (again.status_code, again.json()["state"]) == (200, "done")
    assert len(stage.requests) == 1


def test_a_key_is_not_used_for_another_job(gateway: httpx.Client) -> None:
    job = hand_in(gateway, key="k")
    for body in (
        {"kind": "txt2img", "request": {"prompt": "a pear"}},
        {"kind": "txt2img", "request": {**APPLE, "seed": 1}},
    ):
        error = refused(gateway.post(PATH, json=body, headers={"Idempotency-Key": "k"}))
        assert error["field"] == "Idempotency-Key"
        assert job["id"] in error["message"]


@pytest.mark.parametrize("key", ["", "k" * 256, "two words"])
def test_a_key_is_a_word(gateway: httpx.Client, key: str) -> None:
    body = {"kind": "txt2img", "request": APPLE}
    error = refused(gateway.post(PATH, json=body, headers={"Idempotency-Key": key}))
    assert "must be 1 to 255 printable ASCII characters" in error["message"]


def test_a_body_that_is_too_long_is_not_read(start_gateway: StartGateway) -> None:
    gateway = start_gateway(max_request_bytes=2000)
    body = {"kind": "txt2img", "request": {"prompt": "x" * 3000}}
    assert refused(gateway.post(PATH, json=body), 413)["type"] == "RequestTooLarge"


def test_a_job_for_which_there_is_no_room_is_refused(
    start_gateway: StartGateway, url: str, stage: StreamingStage
) -> None:
    stage.pause = 0.1
    gateway = start_gateway(diffusion_url=url, jobs_bytes=2**20)
    running = hand_in(
        gateway, "inpaint", image=text_of(noise(500, 500)), mask=text_of(white_box(500, 500, 0, 0, 9, 9))
    )
    body = {"kind": "img2img", "request": {**APPLE, "image": text_of(noise(400, 400))}}
    assert "raise JOBS_BYTES" in refused(gateway.post(PATH, json=body), 429)["message"]
    ended(gateway, running)


def test_what_waits_is_counted(start_gateway: StartGateway, url: str, stage: StreamingStage) -> None:
    stage.pause = 0.1
    gateway = start_gateway(diffusion_url=url, max_concurrent_requests=1)
    for _ in range(3):
        hand_in(gateway)
    wait_until(lambda: "triptych_jobs_waiting 2.0" in gateway.get("/metrics").text)
    assert json.loads(gateway.get(PATH).text)["jobs"][0]["position"] == 2
