"""What a stage's answers mean, asked over real sockets."""

import base64
import time
from collections.abc import Callable

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from tests.running import free_port
from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import FakeStage, serving

Answer = Callable[[], Response]


def failure(gateway: httpx.Client) -> tuple[int, dict[str, str]]:
    response = gateway.post("/v1/txt2img", json={"prompt": "a red apple"})
    return response.status_code, response.json()["error"]


def error(status: int, text: str, **headers: str) -> Answer:
    return lambda: JSONResponse({"error": text}, status, headers)


CASES = [
    pytest.param(
        error(500, "out of memory"), 502, "StageFailed", "answered 500: out of memory", id="a fault"
    ),
    pytest.param(
        error(400, "CUDA out of memory"), 502, "StageFailed", "Look at its log", id="a catch-all 400"
    ),
    pytest.param(
        error(400, "Bad Request: The endpoint is paused, ask a maintainer to restart it"),
        503,
        "StageUnavailable",
        "Resume the endpoint",
        id="a paused endpoint",
    ),
    pytest.param(
        error(401, "401 Unauthorized"), 503, "StageUnavailable", "Set DIFFUSION_TOKEN", id="no token"
    ),
    pytest.param(error(403, "Forbidden"), 503, "StageUnavailable", "Set DIFFUSION_TOKEN", id="a wrong token"),
    pytest.param(
        error(503, "503 Service Unavailable"), 503, "StageUnavailable", "starting or asleep", id="asleep"
    ),
    pytest.param(
        error(503, "the diffusion stage failed to load: DownloadError: a disk lacks 3 MB"),
        503,
        "StageUnavailable",
        "a disk lacks 3 MB. Put right what it names",
        id="not loaded",
    ),
    pytest.param(error(502, "Bad Gateway"), 503, "StageUnavailable", "starting or asleep", id="waking"),
    pytest.param(
        error(504, "Gateway Timeout"), 504, "StageTimeout", "fewer images or steps", id="a proxy's timeout"
    ),
    pytest.param(error(404, "Not Found"), 502, "StageFailed", "Set DIFFUSION_URL", id="a wrong path"),
    pytest.param(error(413, "too large"), 502, "StageFailed", "answered 413", id="too large for the stage"),
    pytest.param(
        lambda: PlainTextResponse("<html>"), 502, "StageFailed", "not JSON: '<html>'", id="a web page"
    ),
    pytest.param(lambda: PlainTextResponse(""), 502, "StageFailed", "not JSON", id="nothing at all"),
    pytest.param(
        lambda: JSONResponse({"a": 1}), 502, "StageFailed", "an object of 1 keys", id="another JSON type"
    ),
    pytest.param(
        lambda: JSONResponse("AAAA"), 502, "StageFailed", "1368 characters); got 4 characters", id="short"
    ),
]


@pytest.mark.parametrize(("answer", "status", "kind", "said"), CASES)
def test_a_stage_that_does_not_do_its_part_is_named_with_what_to_do(
    gateway: httpx.Client,
    fakes: Fakes,
    urls: dict[str, str],
    answer: Answer,
    status: int,
    kind: str,
    said: str,
) -> None:
    fakes["diffusion"].responses["/"] = answer
    got, body = failure(gateway)
    assert (got, body["type"]) == (status, kind)
    assert (body["stage"], body["replica"]) == ("diffusion", urls["diffusion"])
    assert said in body["message"]
    assert f"The diffusion stage was asked (POST {urls['diffusion']})" in body["message"]


def test_the_next_request_works_after_a_failure(gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["diffusion"].responses["/"] = error(500, "a fault")
    assert failure(gateway)[0] == 502
    fakes["diffusion"].responses.clear()
    assert gateway.post("/v1/txt2img", json={"prompt": "a red apple"}).status_code == 200


def test_a_busy_stage_is_told_with_its_own_retry_after(gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["decoder"].responses["/"] = lambda: JSONResponse({"error": "full"}, 429, {"Retry-After": "17"})
    response = gateway.post("/v1/txt2img", json={"prompt": ""})
    assert (response.status_code, response.headers["retry-after"]) == (429, "17")
    assert response.json()["error"]["type"] == "Overloaded"
    assert response.json()["error"]["stage"] == "decoder"


def test_what_the_text_encoder_refuses_is_the_users_to_mend(gateway: httpx.Client, fakes: Fakes) -> None:
    said = "inputs must be at most 77 tokens, start and end included; got 90: shorten the prompt"
    fakes["text_encoder"].responses["/"] = error(422, said)
    status, body = failure(gateway)
    assert (status, body["type"], body["field"]) == (422, "InvalidRequest", "prompt")
    assert body["message"].startswith("prompt must be at most 77 tokens")


def test_a_limit_of_a_stage_is_told_in_the_gateways_words(gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["diffusion"].responses["/"] = error(422, "num_steps must be a whole number from 1 to 9; got 20")
    status, body = failure(gateway)
    assert (status, body["field"]) == (422, "steps")
    assert body["message"] == "steps must be a whole number from 1 to 9; got 20."


def test_a_stage_that_refuses_anothers_tensor_is_not_the_users_fault(
    gateway: httpx.Client, fakes: Fakes
) -> None:
    said = "inputs[0] (context) must be base64 of a float32 tensor of shape (1, 77, 768); got 3 characters"
    fakes["diffusion"].responses["/"] = error(422, said)
    status, body = failure(gateway)
    assert (status, body["type"]) == (502, "StageFailed")
    assert "same SD_VERSION" in body["message"]


def test_a_stage_that_is_not_there_is_named_with_its_variable(start_gateway: StartGateway) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    status, body = failure(start_gateway(decoder_url=url))
    assert (status, body["type"], body["stage"], body["replica"]) == (503, "StageUnavailable", "decoder", url)
    assert "set DECODER_URL to where it runs" in body["message"]


def test_a_stage_that_takes_too_long_is_given_up(start_gateway: StartGateway, fakes: Fakes) -> None:
    fakes["diffusion"].delay = 60
    status, body = failure(start_gateway(stage_timeout=2))
    assert (status, body["type"], body["stage"]) == (504, "StageTimeout", "diffusion")
    assert "within 2 s" in body["message"]
    assert "STAGE_TIMEOUT" in body["message"]


def test_an_answer_without_end_is_cut_off(start_gateway: StartGateway, fakes: Fakes) -> None:
    fakes["diffusion"].responses["/"] = lambda: PlainTextResponse("A" * 1_100_000)
    status, body = failure(start_gateway(stage_answer_bytes=1_048_576))
    assert (status, body["type"]) == (502, "StageFailed")
    assert "more than 1048576 bytes" in body["message"]


def test_a_stage_that_breaks_off_is_told(start_gateway: StartGateway, fakes: Fakes) -> None:
    fakes["diffusion"].responses["/"] = lambda: Response(b"short", headers={"content-length": "1000"})
    status, body = failure(start_gateway())
    assert (status, body["type"]) == (502, "StageFailed")
    assert "broke off" in body["message"]


def test_another_stages_address_is_noticed(fresh_gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["diffusion"].announces_as = "decoder"
    status, body = failure(fresh_gateway)
    assert (status, body["type"]) == (502, "StageFailed")
    assert "says that it is the decoder stage. Set DIFFUSION_URL" in body["message"]


def test_a_token_is_sent_to_its_own_stage_only(start_gateway: StartGateway, fakes: Fakes) -> None:
    gateway = start_gateway(diffusion_token="secret-token", hf_token="hf_abc")
    assert gateway.post("/v1/txt2img", json={"prompt": "a red apple"}).status_code == 200
    assert {headers.get("authorization") for headers in fakes["diffusion"].headers} == {"Bearer secret-token"}
    others = [headers for name in ("text_encoder", "decoder") for headers in fakes[name].headers]
    assert all("authorization" not in headers for headers in others)


def test_a_user_name_in_an_address_is_sent_in_a_tokens_place(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str]
) -> None:
    url = urls["diffusion"].replace("http://", "http://me:p%40ss@")
    gateway = start_gateway(diffusion_url=url, hf_token="hf_abc")
    assert gateway.post("/v1/txt2img", json={"prompt": "a red apple"}).status_code == 200
    basic = f"Basic {base64.b64encode(b'me:p@ss').decode()}"
    assert {headers.get("authorization") for headers in fakes["diffusion"].headers} == {basic}
    assert all("authorization" not in headers for headers in fakes["decoder"].headers)


def test_an_answer_that_is_nested_without_end_is_that_stages_failure(
    start_gateway: StartGateway, fakes: Fakes
) -> None:
    for status in (200, 500):
        fakes["diffusion"].responses["/"] = lambda status=status: Response("[" * 100_000, status)  # type: ignore[misc]
        got, body = failure(start_gateway())
        assert (got, body["type"]) == (502, "StageFailed")


def test_a_redirect_is_not_followed_and_carries_no_token_away(
    start_gateway: StartGateway, fakes: Fakes
) -> None:
    elsewhere = FakeStage("diffusion")
    with serving(elsewhere.app()) as url:
        fakes["diffusion"].responses["/"] = lambda: RedirectResponse(url)
        fakes["diffusion"].responses["/info"] = lambda: RedirectResponse(url + "/info")
        status, body = failure(start_gateway(diffusion_token="secret-token"))
    assert (status, body["type"]) == (502, "StageFailed")
    assert "Redirects are not followed: set DIFFUSION_URL" in body["message"]
    assert elsewhere.paths == []


def test_an_endpoints_server_gets_the_headers_it_looks_up_exactly(
    gateway: httpx.Client, fakes: Fakes
) -> None:
    gateway.post("/v1/txt2img", json={"prompt": "a red apple"})
    sent = fakes["text_encoder"].headers[-1]
    assert (sent["content-type"], sent["accept"]) == ("application/json", "*/*")


def test_what_a_stage_announces_is_asked_for_once_in_a_while(
    fresh_gateway: httpx.Client, fakes: Fakes
) -> None:
    for _ in range(3):
        fresh_gateway.post("/v1/txt2img", json={"prompt": "a red apple"})
    assert fakes["diffusion"].paths.count("/info") == 1
    assert fakes["diffusion"].paths.count("/") == 3


def test_a_plain_endpoint_is_not_asked_again_and_again(fresh_gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["diffusion"].plain = True
    for _ in range(3):
        assert fresh_gateway.post("/v1/txt2img", json={"prompt": "a red apple"}).status_code == 200
    assert fakes["diffusion"].paths.count("/info") == 1


@pytest.mark.parametrize("shape", [[64], [64, 64, 4], [0, 64, 3]])
def test_an_announcement_that_makes_no_sense_makes_a_plain_endpoint(
    fresh_gateway: httpx.Client, fakes: Fakes, shape: list[int]
) -> None:
    fakes["decoder"].shapes = {"image": (64, 64, 3)}
    announced = {**fakes["decoder"].info(), "shapes": {"image": shape}}
    fakes["decoder"].responses["/info"] = lambda: JSONResponse(announced)
    answer = fresh_gateway.post("/v1/txt2img", json={"prompt": ""}).json()
    assert answer["parameters"]["size"] == "64x64"


def test_a_stage_that_became_another_model_is_noticed(start_gateway: StartGateway, fakes: Fakes) -> None:
    fresh_gateway = start_gateway(stage_info_seconds=0.05)
    assert fresh_gateway.post("/v1/txt2img", json={"prompt": ""}).json()["parameters"]["size"] == "64x64"
    fakes["decoder"].shapes = {"image": (32, 32, 3)}
    time.sleep(0.1)
    assert fresh_gateway.post("/v1/txt2img", json={"prompt": ""}).json()["parameters"]["size"] == "32x32"


def test_a_busy_stage_that_answers_late_still_counts_as_what_it_said_before(
    start_gateway: StartGateway, fakes: Fakes
) -> None:
    gateway = start_gateway(stage_timeout=3, stage_info_seconds=0)
    assert gateway.post("/v1/txt2img", json={"prompt": ""}).status_code == 200
    fakes["diffusion"].info_delay = 6
    answer = gateway.post("/v1/txt2img", json={"prompt": "", "seed": 5})
    assert answer.status_code == 200
    assert answer.json()["images"][0]["seed"] == 5


def test_a_stage_that_never_said_what_it_is_must_answer(start_gateway: StartGateway, fakes: Fakes) -> None:
    fakes["diffusion"].info_delay = 3
    status, body = failure(start_gateway(stage_timeout=0.5))
    assert (status, body["type"], body["stage"]) == (504, "StageTimeout", "diffusion")
    assert "/info) and did not answer within 0.5 s" in body["message"]


def test_a_failure_makes_the_gateway_ask_again_what_the_stage_is(
    fresh_gateway: httpx.Client, fakes: Fakes
) -> None:
    assert fresh_gateway.post("/v1/txt2img", json={"prompt": ""}).status_code == 200
    fakes["decoder"].responses["/"] = error(500, "restarting")
    assert failure(fresh_gateway)[0] == 502
    fakes["decoder"].responses.clear()
    fakes["decoder"].shapes = {"image": (32, 32, 3)}
    assert fresh_gateway.post("/v1/txt2img", json={"prompt": ""}).json()["parameters"]["size"] == "32x32"
