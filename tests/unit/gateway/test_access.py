"""Around every request: its id and its line in the log."""

import json
import logging
from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.access import AccessLog
from gateway.logs import Lines
from gateway.metrics import Metrics
from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import serving, wait_until


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


def access_records(log: pytest.LogCaptureFixture, *request_ids: str) -> list[logging.LogRecord]:
    """These requests' lines of the access log, in their order: each is written after its answer was sent."""

    def records() -> dict[str, logging.LogRecord]:
        ours = [record for record in log.records if record.name == "gateway.access"]
        return {record.__dict__["request_id"]: record for record in ours}

    wait_until(lambda: records().keys() >= set(request_ids))
    return [records()[request_id] for request_id in request_ids]


def test_every_answer_has_a_request_id(gateway: httpx.Client) -> None:
    ids = {
        gateway.request(method, path).headers["x-request-id"]
        for method, path in [
            ("GET", "/health"),
            ("GET", "/nowhere"),
            ("PUT", "/health"),
            ("POST", "/v1/txt2img"),
        ]
    }
    assert len(ids) == 4


def test_a_callers_own_request_id_is_kept(gateway: httpx.Client) -> None:
    response = gateway.post("/v1/txt2img", headers={"x-request-id": "caller-7.a"})
    assert response.headers["x-request-id"] == "caller-7.a"
    assert response.json()["error"]["request_id"] == "caller-7.a"


@pytest.mark.parametrize("unsound", ["", "a b", "x" * 129, "a\tb", '"}'])
def test_a_request_id_that_could_spoil_a_log_is_replaced(gateway: httpx.Client, unsound: str) -> None:
    assert gateway.get("/health", headers={"x-request-id": unsound}).headers["x-request-id"] != unsound


def test_every_request_has_one_structured_line(gateway: httpx.Client, log: pytest.LogCaptureFixture) -> None:
    request_id = gateway.post("/v1/txt2img?x=1", json={"prompt": "private words"}).headers["x-request-id"]
    (record,) = access_records(log, request_id)
    line = json.loads(Lines().format(record))
    assert line["message"] == "request"
    assert (line["method"], line["path"], line["status"]) == ("POST", "/v1/txt2img", 200)
    assert line["request_id"] == request_id
    assert line["seconds"] > 0


def test_probes_are_logged_at_the_least_level_only(
    gateway: httpx.Client, log: pytest.LogCaptureFixture
) -> None:
    ids = [gateway.get(path).headers["x-request-id"] for path in ("/health", "/v1/stages")]
    assert [record.levelname for record in access_records(log, *ids)] == ["DEBUG", "INFO"]


def test_neither_prompts_nor_tokens_are_logged(
    start_gateway: StartGateway, fakes: Fakes, log: pytest.LogCaptureFixture
) -> None:
    gateway = start_gateway(diffusion_token="secret-token")
    request = {"prompt": "private words"}
    gateway.post("/v1/txt2img", json=request, headers={"x-request-id": "first"})
    fakes["diffusion"].delay = 5
    with pytest.raises(httpx.ReadTimeout):
        gateway.post("/v1/txt2img", json=request, headers={"x-request-id": "second"}, timeout=0.2)
    access_records(log, "first", "second")
    ours = [Lines().format(record) for record in log.records if record.name.startswith("gateway")]
    assert not any("secret-token" in line or "private words" in line for line in ours)


def test_a_fault_of_the_gateways_own_is_answered_like_other_errors_and_logged_whole(
    log: pytest.LogCaptureFixture,
) -> None:
    async def fail(request: Request) -> Response:
        raise RuntimeError("private details")

    app = Starlette(routes=[Route("/", fail)], middleware=[Middleware(AccessLog, metrics=Metrics())])
    with serving(app) as url:
        response = httpx.get(url)
    assert response.status_code == 500
    error = response.json()["error"]
    assert (error["type"], error["request_id"]) == ("InternalError", response.headers["x-request-id"])
    assert "private details" not in response.text
    (record,) = [record for record in log.records if record.levelname == "ERROR"]
    line = json.loads(Lines().format(record))
    assert line["request_id"] == error["request_id"]
    assert "RuntimeError: private details" in line["traceback"]
