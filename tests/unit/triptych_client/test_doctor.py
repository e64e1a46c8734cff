"""`triptych doctor`, in front of real gateways whose stages are broken in real ways."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from tests.running import free_port
from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import FakeStage, serving, wait_until
from triptych_client.__main__ import main

Capture = pytest.CaptureFixture[str]
Url = httpx.Client | str


def diagnosis(capsys: Capture, gateway: Url) -> tuple[int, list[dict[str, str]]]:
    """The exit status, and what was found."""
    url = gateway if isinstance(gateway, str) else str(gateway.base_url)
    status = main(["doctor", "--url", url, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["healthy"] == (not told["findings"])
    return status, told["findings"]


def the_finding(capsys: Capture, gateway: Url) -> dict[str, str]:
    """The only one."""
    status, findings = diagnosis(capsys, gateway)
    assert (status, len(findings)) == (1, 1), findings
    return findings[0]


def ready(stage: FakeStage, **vitals: Any) -> None:
    """Has the stage say this of itself too."""
    body = {"stage": stage.name, "state": "warm", "progress": None, "error": None, **vitals}
    stage.responses["/ready"] = lambda: JSONResponse(body)


@pytest.fixture
def another(fakes: Fakes) -> Iterator[tuple[FakeStage, str]]:
    """A second diffusion stage and its address."""
    stage = FakeStage("diffusion")
    with serving(stage.app()) as url:
        yield stage, url


def test_a_stack_in_order_is_told_to_be(gateway: httpx.Client, capsys: Capture) -> None:
    assert main(["doctor", "--url", str(gateway.base_url)]) == 0
    assert "All is well" in capsys.readouterr().out
    assert diagnosis(capsys, gateway) == (0, [])


def test_a_gateway_that_is_not_there_has_a_status_of_its_own(capsys: Capture) -> None:
    assert main(["doctor", "--url", f"http://127.0.0.1:{free_port()}"]) == 2
    assert "make up" in capsys.readouterr().err
    stage = FakeStage("decoder")
    stage.responses["/info"] = lambda: PlainTextResponse("hello")
    with serving(stage.app()) as url:
        assert main(["doctor", "--url", url]) == 2
    assert "is not a gateway" in capsys.readouterr().err


def test_a_stage_that_is_gone_is_told_with_the_variable_to_set(
    start_gateway: StartGateway, capsys: Capture
) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    found = the_finding(capsys, start_gateway(decoder_url=gone))
    assert found["about"] == "decoder"
    assert found["what"].startswith(f"The decoder stage at {gone} does not answer: ")
    assert found["todo"] == "Start it, or set DECODER_URL to where it is."


def test_a_stage_that_is_on_its_way_or_that_failed_is_told(
    start_gateway: StartGateway, fakes: Fakes, capsys: Capture
) -> None:
    gateway = start_gateway()
    fakes["diffusion"].state, fakes["diffusion"].progress = "downloading", 0.4
    assert the_finding(capsys, gateway)["what"].endswith("is not ready yet: downloading 40%.")
    fakes["diffusion"].state = "failed"
    assert "failed." in the_finding(capsys, gateway)["what"]


def test_another_stage_at_the_address_is_told(
    start_gateway: StartGateway, fakes: Fakes, capsys: Capture
) -> None:
    fakes["decoder"].announces_as = "diffusion"
    found = the_finding(capsys, start_gateway())
    assert "says that it is the diffusion stage" in found["what"]


def test_a_way_that_is_switched_off_is_told(start_gateway: StartGateway, capsys: Capture) -> None:
    found = the_finding(capsys, start_gateway(decoder_url=""))
    assert (found["what"], found["todo"]) == (
        "Switched off: decoder. No picture can be made.",
        "Set DECODER_URL.",
    )


def test_stages_of_different_models_are_told(
    start_gateway: StartGateway, fakes: Fakes, capsys: Capture
) -> None:
    fakes["text_encoder"].shapes = {"context": (77, 16)}
    found = the_finding(capsys, start_gateway())
    assert found["about"] == "shapes"
    assert "a context of 77×16 (text_encoder at " in found["what"]
    assert "77×8 (diffusion at " in found["what"]


def test_an_open_circuit_breaker_is_told(start_gateway: StartGateway, fakes: Fakes, capsys: Capture) -> None:
    gateway = start_gateway(stage_attempts=3)
    fakes["decoder"].responses["/"] = lambda: PlainTextResponse("starting", 503)
    gateway.post("/v1/txt2img", json={"prompt": "x"})
    found = the_finding(capsys, gateway)
    assert found["about"] == "decoder"
    assert "its circuit breaker is " in found["what"]


def test_an_endpoint_that_wants_a_token_is_told(
    start_gateway: StartGateway, fakes: Fakes, capsys: Capture
) -> None:
    gateway = start_gateway()
    fakes["diffusion"].proxy = lambda: JSONResponse({"error": "Unauthorized"}, 401)
    gateway.post("/v1/txt2img", json={"prompt": "x"})
    found = the_finding(capsys, gateway)
    assert "is unauthorized" in found["what"]
    assert found["todo"] == "Set DIFFUSION_TOKEN to a token that may use it."


def test_replicas_of_different_models_or_versions_are_told(
    start_gateway: StartGateway,
    fakes: Fakes,
    another: tuple[FakeStage, str],
    urls: dict[str, str],
    capsys: Capture,
) -> None:
    stage, url = another
    card = stage.info()
    stage.responses["/info"] = lambda: JSONResponse(
        {
            **card,
            "model": {**card["model"], "hash": "ffffffffff"},
            "versions": {**card["versions"], "triptych": "0.0.9"},
        }
    )
    gateway = start_gateway(diffusion_url="", diffusion_urls=f"{urls['diffusion']},{url}")
    _, findings = diagnosis(capsys, gateway)
    assert [found["about"] for found in findings] == ["diffusion", "versions"]
    assert "ffffffffff" in findings[0]["what"]
    assert f"0.0.9 (diffusion at {url})" in findings[1]["what"]


def test_what_a_stage_says_of_its_queue_memory_and_programs_is_looked_at(
    start_gateway: StartGateway, fakes: Fakes, capsys: Capture
) -> None:
    gateway = start_gateway()
    ready(
        fakes["diffusion"],
        programs={"warm": 1, "of": 2},
        queue={"waiting": 3, "limit": 64, "oldest_seconds": 75.0},
        memory={"used_bytes": 2 * 2**30 - 1, "limit_bytes": 2 * 2**30},
    )
    _, findings = diagnosis(capsys, gateway)
    queue, memory, programs = (found["what"] for found in findings)
    assert queue.startswith("3 requests wait for the diffusion stage at ")
    assert queue.endswith(", one for 75 s.")
    assert "holds 100% of the 2.0 GiB" in memory
    assert "has compiled 1 of 2 batch sizes" in programs
    ready(
        fakes["diffusion"],
        programs={"warm": 2, "of": 2},
        queue={"waiting": 1, "limit": 64, "oldest_seconds": 2.0},
        memory={"used_bytes": 2**30, "limit_bytes": 2 * 2**30},
    )
    assert diagnosis(capsys, gateway) == (0, [])


def test_jobs_that_failed_are_told(start_gateway: StartGateway, fakes: Fakes, capsys: Capture) -> None:
    gateway = start_gateway(stage_attempts=1, restart_timeout=0)
    fakes["diffusion"].responses["/"] = lambda: JSONResponse({"error": "no memory"}, 500)
    job = gateway.post("/v1/jobs", json={"kind": "txt2img", "request": {"prompt": "x"}}).json()
    gateway.get(f"/v1/jobs/{job['id']}/events")
    found = the_finding(capsys, gateway)
    assert found["about"] == "jobs"
    assert found["what"].startswith("1 of the latest 1 jobs failed; the last of them: The diffusion stage")
    assert found["todo"] == f"GET /v1/jobs/{job['id']} says more."


def test_clients_that_are_refused_are_told(
    start_gateway: StartGateway, fakes: Fakes, capsys: Capture
) -> None:
    gateway = start_gateway(max_concurrent_requests=1)
    fakes["diffusion"].delay = 1.5
    body = {"prompt": "x"}
    with ThreadPoolExecutor() as pool:
        first = pool.submit(gateway.post, "/v1/txt2img", json=body)
        wait_until(lambda: bool(fakes["diffusion"].requests))
        assert {gateway.post("/v1/txt2img", json=body).status_code for _ in range(20)} == {429}
        assert first.result().status_code == 200
    assert the_finding(capsys, gateway)["what"].startswith("95% of the requests since its start were refused")


def test_room_that_jobs_fill_is_told(
    start_gateway: StartGateway, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = start_gateway()
    wait_until(lambda: "triptych_jobs_disk_free_bytes 0.0" not in gateway.get("/metrics").text)
    assert diagnosis(capsys, gateway) == (0, [])
    monkeypatch.setattr("triptych_client.checks.FREE_BYTES", float("inf"))
    monkeypatch.setattr("triptych_client.checks.FULL", -1)
    _, findings = diagnosis(capsys, gateway)
    assert [found["about"] for found in findings] == ["jobs", "disk"]


def test_a_clock_that_is_wrong_is_told(
    gateway: httpx.Client, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triptych_client.doctor.SKEW_SECONDS", -1.0)
    assert the_finding(capsys, gateway)["about"] == "clock"


def test_a_key_that_is_missing_is_told(capsys: Capture) -> None:
    """Of a gateway that wants keys, for which an HTTP server that refuses stands here."""

    def refuse(request: Request) -> JSONResponse:
        return JSONResponse({"error": {"message": "a key is needed"}}, 401)

    with serving(Starlette(routes=[Route("/{path:path}", refuse)])) as url:
        status, findings = diagnosis(capsys, url)
    assert status == 1
    assert {found["todo"] for found in findings} == {"Set TRIPTYCH_KEY to one of its keys."}
    assert "/v1/stages" in findings[0]["what"]
