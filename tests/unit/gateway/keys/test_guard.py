"""Who comes in, and what is said to those who do not."""

import base64
import logging
import socket
from pathlib import Path

import httpx
import openai
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from webuiapi import WebUIApi

from gateway.keys.key import line_of
from gateway.logs import Lines
from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import wait_until

from .conftest import ANN, BOB, bearer

PROMPT = {"prompt": "a red apple"}
DRAWING = [
    *("/v1/txt2img", "/v1/img2img", "/v1/inpaint", "/v1/jobs", "/v1/remote/decode", "/v1/remote/encode"),
    *("/v1/images/generations", "/v1/images/edits", "/sdapi/v1/txt2img", "/sdapi/v1/img2img"),
    *("/hf/text-to-image", "/hf/image-to-image", "/hf/all-in-one"),
]


@pytest.mark.parametrize("token", [None, "triptych_of-eve", ANN[:-1]])
@pytest.mark.parametrize("path", DRAWING)
def test_nothing_is_drawn_without_a_key(
    guarded: httpx.Client, fakes: Fakes, path: str, token: str | None
) -> None:
    headers = bearer(token) if token else {}
    answer = guarded.post(path, json=PROMPT, headers=headers)
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers
    assert not any(fake.requests for fake in fakes.values())


@pytest.mark.parametrize(
    "path",
    [
        "/v1/stages",
        "/v1/jobs",
        "/v1/jobs/x/events",
        "/v1/models",
        "/sdapi/v1/options",
        "/metrics",
        "/nowhere",
    ],
)
def test_nothing_is_told_without_a_key(guarded: httpx.Client, path: str) -> None:
    assert guarded.get(path).status_code == 401
    assert guarded.get(path, headers=bearer(BOB)).status_code in (200, 404)


def test_the_body_of_a_stranger_is_not_waited_for(guarded: httpx.Client) -> None:
    url = guarded.base_url
    with socket.create_connection((url.host, url.port or 80), timeout=10) as connection:
        connection.sendall(b"POST /v1/txt2img HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{")
        assert connection.recv(12) == b"HTTP/1.1 401"


@pytest.mark.parametrize(
    "headers", [bearer(ANN), {"Authorization": f"Basic {base64.b64encode(f'x:{ANN}'.encode()).decode()}"}]
)
def test_a_key_comes_as_a_bearer_token_or_as_a_password(
    guarded: httpx.Client, headers: dict[str, str]
) -> None:
    assert guarded.post("/v1/txt2img", json=PROMPT, headers=headers).status_code == 200


def test_what_says_that_it_is_alive_needs_none_and_shows_no_addresses(
    guarded: httpx.Client, fakes: Fakes
) -> None:
    assert guarded.get("/health").json() == {"status": "ok"}
    assert guarded.get("/").status_code == 200
    assert guarded.get("/web/studio/main.js").status_code == 200
    fakes["decoder"].state = "loading"
    hidden, shown = (guarded.get("/ready", headers=headers) for headers in ({}, bearer(ANN)))
    assert hidden.status_code == shown.status_code == 503
    replicas = [replica for stage in hidden.json()["stages"] for replica in stage["replicas"]]
    assert {replica["url"] for replica in replicas} == {""}
    assert {replica["state"] for replica in replicas} == {"warm", "loading"}
    assert all(replica["url"] for stage in shown.json()["stages"] for replica in stage["replicas"])


def test_the_metrics_can_be_open(start_gateway: StartGateway) -> None:
    gateway = start_gateway(gateway_keys="ann sha256:" + "0" * 64, metrics_open=True)
    assert gateway.get("/metrics").status_code == 200
    assert gateway.get("/v1/stages").status_code == 401


def test_the_native_dialect_says_how_a_key_is_sent(guarded: httpx.Client) -> None:
    missing, wrong = guarded.get("/v1/stages"), guarded.get("/v1/stages", headers=bearer("x"))
    assert missing.headers["WWW-Authenticate"] == 'Bearer realm="triptych"'
    error = missing.json()["error"]
    assert (error["type"], error["request_id"]) == ("Unauthorized", missing.headers["x-request-id"])
    assert "none was sent" in error["message"] and "Authorization: Bearer KEY" in error["message"]
    assert "none of this gateway's" in wrong.json()["error"]["message"]


def test_openais_client_takes_it_for_its_own_error(guarded: httpx.Client) -> None:
    client = openai.OpenAI(base_url=f"{guarded.base_url}/v1", api_key="sk-x", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as refused:
        client.images.generate(prompt="a red apple")
    assert (refused.value.code, refused.value.type) == ("invalid_api_key", "invalid_request_error")
    assert client.with_options(api_key=ANN).images.generate(prompt="a red apple").data


def test_the_web_uis_client_is_asked_for_a_password(guarded: httpx.Client) -> None:
    url = guarded.base_url
    refused = guarded.get("/sdapi/v1/samplers")
    assert refused.headers["WWW-Authenticate"].startswith("Basic ")
    assert refused.json()["detail"].startswith("This gateway asks for a key")
    api = WebUIApi(host=url.host, port=url.port, username="me", password=ANN, sampler="DDIM")
    assert api.txt2img(prompt="a red apple").image
    api.set_auth("me", "wrong")
    with pytest.raises(RuntimeError, match="401"):
        api.txt2img(prompt="a red apple")


def test_hugging_faces_client_quotes_the_sentence(guarded: httpx.Client) -> None:
    model = f"{guarded.base_url}/hf/text-to-image"
    with pytest.raises(HfHubHTTPError, match="none of this gateway's"):
        InferenceClient(model=model, token="hf_x").text_to_image("a red apple")
    assert InferenceClient(model=model, token=ANN).text_to_image("a red apple").size == (64, 64)


def test_a_key_is_removed_without_a_restart(
    start_gateway: StartGateway, keys_file: Path, fakes: Fakes
) -> None:
    gateway = start_gateway(gateway_keys_file=str(keys_file))
    assert gateway.get("/v1/stages", headers=bearer(ANN)).status_code == 200
    lines = keys_file.read_text().splitlines()
    keys_file.write_text("\n".join(line for line in lines if not line.startswith("ann")))
    assert gateway.get("/v1/stages", headers=bearer(ANN)).status_code == 401
    assert gateway.get("/v1/stages", headers=bearer(BOB)).status_code == 200


def test_the_stages_tell_clients_apart_by_their_keys(start_gateway: StartGateway, fakes: Fakes) -> None:
    fakes["diffusion"].extras = ["client"]
    gateway = start_gateway(gateway_keys=line_of("ann", ANN))
    assert gateway.post("/v1/txt2img", json=PROMPT, headers=bearer(ANN)).status_code == 200
    assert fakes["diffusion"].requests[0]["client"] == "ann"


def test_the_log_has_names_and_no_keys(guarded: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for token in (ANN, "triptych_of-eve"):
            guarded.post("/v1/txt2img", json=PROMPT, headers=bearer(token))
        wait_until(lambda: len([one for one in caplog.records if one.name == "gateway.access"]) >= 2)
    lines = [Lines().format(record) for record in caplog.records]
    assert any('"key": "ann"' in line for line in lines)
    assert not any(ANN in line or "of-eve" in line for line in lines)


def test_the_description_says_what_asks_for_a_key(guarded: httpx.Client, gateway: httpx.Client) -> None:
    described = guarded.get("/openapi.json").json()
    assert {scheme["scheme"] for scheme in described["components"]["securitySchemes"].values()} == {
        *("bearer", "basic")
    }
    assert described["security"] == [{"bearer": []}, {"basic": []}]
    assert described["paths"]["/health"]["get"]["security"] == []
    assert "security" not in described["paths"]["/v1/txt2img"]["post"]
    assert {} in gateway.get("/openapi.json").json()["security"]
