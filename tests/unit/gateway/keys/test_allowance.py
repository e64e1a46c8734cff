"""What a key may do, and what its holder is told who wants more."""

import threading
import time

import httpx
import pytest

from gateway.keys.key import line_of
from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import wait_until

from .conftest import ANN, BOB, LINES, bearer

PROMPT = {"prompt": "a red apple"}
JOB = {"kind": "txt2img", "request": PROMPT}


def gateway_of(start_gateway: StartGateway, **limits: int) -> httpx.Client:
    """Ann has these limits, bob those of the settings."""
    return start_gateway(gateway_keys=f"{line_of('ann', ANN, **limits)};{LINES[1]}")


def test_a_key_makes_so_many_requests_in_a_minute(start_gateway: StartGateway) -> None:
    gateway = gateway_of(start_gateway, rate=2)
    for _ in range(2):
        assert gateway.post("/v1/txt2img", json=PROMPT, headers=bearer(ANN)).status_code == 200
    refused = {
        path: gateway.post(path, json=body, headers=bearer(ANN))
        for path, body in (
            ("/v1/txt2img", PROMPT),
            ("/v1/jobs", JOB),
            ("/v1/images/generations", PROMPT),
            ("/sdapi/v1/txt2img", PROMPT),
            ("/hf/text-to-image", {"inputs": "a red apple"}),
        )
    }
    assert {answer.status_code for answer in refused.values()} == {429}
    assert all(50 <= int(answer.headers["Retry-After"]) <= 60 for answer in refused.values())
    said = "The key ann has made 2 requests within a minute"
    assert refused["/v1/txt2img"].json()["error"]["message"].startswith(said)
    openai = refused["/v1/images/generations"].json()["error"]
    assert (openai["type"], openai["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert refused["/sdapi/v1/txt2img"].json()["errors"].startswith(said)
    assert refused["/hf/text-to-image"].json()["error"].startswith(said)
    assert gateway.get("/v1/jobs", headers=bearer(ANN)).status_code == 200
    assert gateway.post("/v1/txt2img", json=PROMPT, headers=bearer(BOB)).status_code == 200


@pytest.mark.parametrize("days", [2, -2])
def test_a_clock_that_is_put_right_shuts_nobody_out(
    start_gateway: StartGateway, days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = gateway_of(start_gateway, rate=2)

    def asked() -> list[int]:
        answers = [gateway.post("/v1/txt2img", json=PROMPT, headers=bearer(ANN)) for _ in range(3)]
        return [answer.status_code for answer in answers]

    assert asked() == [200, 200, 429]
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + days * 86400)
    assert asked() == [200, 200, 429]


def test_a_key_has_so_many_requests_at_a_time(start_gateway: StartGateway, fakes: Fakes) -> None:
    gateway = gateway_of(start_gateway, concurrency=1)
    fakes["diffusion"].delay = 1
    first = threading.Thread(
        target=gateway.post, args=["/v1/txt2img"], kwargs={"json": PROMPT, "headers": bearer(ANN)}
    )
    first.start()
    wait_until(lambda: bool(fakes["diffusion"].requests))
    refused = gateway.post("/v1/txt2img", json=PROMPT, headers=bearer(ANN))
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
    assert "The key ann has 1 requests under way" in refused.json()["error"]["message"]
    fakes["diffusion"].delay = 0
    assert gateway.post("/v1/txt2img", json=PROMPT, headers=bearer(BOB)).status_code == 200
    first.join()
    assert gateway.post("/v1/txt2img", json=PROMPT, headers=bearer(ANN)).status_code == 200


def test_a_key_has_so_many_jobs_that_have_not_ended(start_gateway: StartGateway, fakes: Fakes) -> None:
    gateway = gateway_of(start_gateway, jobs=1)
    fakes["diffusion"].delay = 30
    named = {**bearer(ANN), "Idempotency-Key": "mine"}
    first = gateway.post("/v1/jobs", json=JOB, headers=named)
    assert first.status_code == 202
    refused = gateway.post("/v1/jobs", json=JOB, headers=bearer(ANN))
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) >= 1
    assert "The key ann has 1 jobs that wait or run" in refused.json()["error"]["message"]
    assert gateway.post("/v1/jobs", json=JOB, headers=named).json()["id"] == first.json()["id"]
    assert gateway.post("/v1/jobs", json=JOB, headers=bearer(BOB)).status_code == 202
    gateway.delete(first.headers["location"], headers=bearer(ANN))
    assert gateway.post("/v1/jobs", json=JOB, headers=bearer(ANN)).status_code == 202


@pytest.mark.parametrize("limits", [{"rate": 1}, {"concurrency": 1}, {"jobs": 1}])
def test_without_a_key_there_are_no_such_limits(start_gateway: StartGateway, limits: dict[str, int]) -> None:
    gateway = start_gateway(**{f"key_{name}": number for name, number in limits.items()})
    for _ in range(2):
        assert gateway.post("/v1/txt2img", json=PROMPT).status_code == 200
