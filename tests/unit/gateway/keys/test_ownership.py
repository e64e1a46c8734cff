"""What is made for one key is seen, watched and ended by that one alone."""

import threading
from typing import Any

import httpx

from tests.unit.gateway.conftest import Fakes
from tests.unit.gateway.fakes import wait_until

from .conftest import ANN, BOB, bearer

JOB = {"kind": "txt2img", "request": {"prompt": "a red apple"}}


def hand_in(gateway: httpx.Client, token: str, **headers: str) -> httpx.Response:
    return gateway.post("/v1/jobs", json=JOB, headers={**bearer(token), **headers})


def test_a_job_is_there_for_its_own_key_alone(guarded: httpx.Client) -> None:
    job = hand_in(guarded, ANN).headers["location"]
    for path in (job, f"{job}/events", f"{job}/result"):
        refused = guarded.get(path, headers=bearer(BOB))
        unknown = guarded.get(path.replace(job, "/v1/jobs/nowhere"), headers=bearer(BOB))
        assert refused.status_code == unknown.status_code == 404
    assert guarded.delete(job, headers=bearer(BOB)).status_code == 404
    assert guarded.get(job, headers=bearer(ANN)).status_code == 200
    listed = [guarded.get("/v1/jobs?limit=100", headers=bearer(token)).json()["jobs"] for token in (ANN, BOB)]
    assert [job in [one["links"]["job"] for one in jobs] for jobs in listed] == [True, False]


def test_a_name_for_a_job_is_of_its_own_key_alone(guarded: httpx.Client) -> None:
    ids = [hand_in(guarded, token, **{"Idempotency-Key": "cat-1"}).json()["id"] for token in (ANN, BOB, ANN)]
    assert ids[0] == ids[2] != ids[1]


def test_the_web_uis_progress_and_interrupt_are_about_the_keys_own_request(
    guarded: httpx.Client, fakes: Fakes
) -> None:
    fakes["diffusion"].delay = 20
    answers: list[httpx.Response] = []

    def draw() -> None:
        body: dict[str, Any] = {"prompt": "", "sampler_name": "DDIM", "steps": 5}
        answers.append(guarded.post("/sdapi/v1/txt2img", json=body, headers=bearer(ANN)))

    drawing = threading.Thread(target=draw)
    drawing.start()
    wait_until(lambda: bool(fakes["diffusion"].requests))
    counts = [
        guarded.get("/sdapi/v1/progress", headers=bearer(token)).json()["state"]["job_count"]
        for token in (ANN, BOB)
    ]
    assert counts == [1, 0]
    guarded.post("/sdapi/v1/interrupt", headers=bearer(BOB))
    drawing.join(0.3)
    assert drawing.is_alive()
    guarded.post("/sdapi/v1/interrupt", headers=bearer(ANN))
    drawing.join(10)
    assert answers[0].status_code == 200


def test_a_picture_as_an_address_is_fetched_without_a_key(guarded: httpx.Client) -> None:
    body = {"prompt": "a red apple", "response_format": "url"}
    made = guarded.post("/v1/images/generations", json=body, headers=bearer(ANN)).json()["data"][0]
    assert ANN not in made["url"]
    assert httpx.get(made["url"]).headers["content-type"] == "image/png"
    assert guarded.get("/v1/images/files/guessed").status_code == 404
