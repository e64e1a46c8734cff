"""What operators ask the fresh_gateway."""

import json
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import JSONResponse

from tests.running import free_port
from tests.unit.gateway.conftest import Fakes, StartGateway

ENDPOINT = "https://abc.endpoints.huggingface.cloud"


def replica(fresh_gateway: httpx.Client, stage: str) -> dict[str, Any]:
    stages = fresh_gateway.get("/v1/stages").json()
    (found,) = next(entry for entry in stages if entry["stage"] == stage)["replicas"]
    assert isinstance(found, dict)
    return found


def metric(fresh_gateway: httpx.Client, name: str, **labels: str) -> float:
    families = text_string_to_metric_families(fresh_gateway.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def test_the_gateway_is_alive_whatever_its_stages_are(start_gateway: StartGateway) -> None:
    response = start_gateway(decoder_url=f"http://127.0.0.1:{free_port()}").get("/health")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_the_gateway_is_ready_when_every_stage_is(gateway: httpx.Client) -> None:
    response = gateway.get("/ready")
    assert (response.status_code, response.json()["status"]) == (200, "ready")
    assert [stage["stage"] for stage in response.json()["stages"]] == [
        "text_encoder",
        "diffusion",
        "inpainting",
        "decoder",
    ]


def test_until_then_it_says_which_stage_is_waited_for_and_how_far_it_is(
    gateway: httpx.Client, fakes: Fakes
) -> None:
    fakes["diffusion"].state, fakes["diffusion"].progress = "downloading", 0.4
    response = gateway.get("/ready")
    assert (response.status_code, response.json()["status"]) == (503, "not ready")
    assert "retry-after" in response.headers
    (waited,) = [stage for stage in response.json()["stages"] if not stage["ready"]]
    assert (waited["stage"], waited["replicas"][0]["state"]) == ("diffusion", "downloading")
    assert waited["replicas"][0]["progress"] == 0.4


def test_a_stage_that_is_off_is_not_waited_for(start_gateway: StartGateway) -> None:
    assert start_gateway(inpainting_url="").get("/ready").status_code == 200


def test_a_stage_that_cannot_be_reached_is_not_ready(start_gateway: StartGateway) -> None:
    gateway = start_gateway(decoder_url=f"http://127.0.0.1:{free_port()}")
    assert gateway.get("/ready").status_code == 503
    state = replica(gateway, "decoder")
    assert (state["state"], state["endpoint"], state["info"]) == ("unreachable", None, None)
    assert "Start it, or set DECODER_URL" in state["error"]


def test_a_stage_of_ours_is_shown_with_what_it_announces(
    fresh_gateway: httpx.Client, fakes: Fakes, urls: dict[str, str]
) -> None:
    fakes["decoder"].sizes = {"multiple": 64, "min": 256, "max": 1024}
    state = replica(fresh_gateway, "decoder")
    assert (state["url"], state["state"], state["endpoint"]) == (urls["decoder"], "warm", "triptych")
    announced = fakes["decoder"].info()
    assert {name: state["info"][name] for name in announced} == json.loads(json.dumps(announced))


def test_a_plain_endpoint_is_shown_as_one(fresh_gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["decoder"].plain = True
    state = replica(fresh_gateway, "decoder")
    assert (state["state"], state["endpoint"], state["info"]) == ("warm", "plain", None)
    assert fresh_gateway.get("/ready").status_code == 200


def test_a_plain_endpoint_that_starts_is_not_ready(fresh_gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["decoder"].plain = True
    fakes["decoder"].responses["/health"] = lambda: JSONResponse({"error": "503 Service Unavailable"}, 503)
    assert fresh_gateway.get("/ready").status_code == 503
    state = replica(fresh_gateway, "decoder")
    assert (state["state"], state["error"]) == (
        "starting",
        "GET /health answered 503: 503 Service Unavailable",
    )


def test_another_stages_address_shows(fresh_gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["decoder"].announces_as = "diffusion"
    state = replica(fresh_gateway, "decoder")
    assert state["state"] == "failed"
    assert "says that it is the diffusion stage. Set DECODER_URL" in state["error"]
    assert fresh_gateway.get("/ready").status_code == 503


def test_a_hugging_face_endpoint_is_left_to_sleep(start_gateway: StartGateway) -> None:
    gateway = start_gateway(diffusion_url=ENDPOINT, hf_token="hf_abc")
    assert gateway.get("/ready").status_code == 200
    assert replica(gateway, "diffusion")["state"] == "on demand"


def test_no_secret_shows(start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str]) -> None:
    address = urls["decoder"].replace("http://", "http://user:word@")
    gateway = start_gateway(decoder_url=address, diffusion_token="secret-token")
    fakes["decoder"].responses["/"] = lambda: JSONResponse({"error": "a fault"}, 500)
    shown = "".join(
        response.text
        for response in (
            gateway.get("/v1/stages"),
            gateway.get("/ready"),
            gateway.get("/metrics"),
            gateway.post("/v1/txt2img", json={"prompt": ""}),
        )
    )
    assert urls["decoder"] in shown
    assert "word" not in shown
    assert "secret-token" not in shown


def test_requests_are_counted_by_route_and_status(fresh_gateway: httpx.Client) -> None:
    fresh_gateway.post("/v1/txt2img", json={"prompt": ""})
    fresh_gateway.post("/v1/txt2img", json={})
    fresh_gateway.get("/no/such/route")
    counted = "triptych_requests_total"
    assert metric(fresh_gateway, counted, route="/v1/txt2img", status="200") == 1
    assert metric(fresh_gateway, counted, route="/v1/txt2img", status="422") == 1
    assert metric(fresh_gateway, counted, route="other", status="404") == 1
    assert metric(fresh_gateway, "triptych_request_seconds_count", route="/v1/txt2img") == 2
    assert metric(fresh_gateway, "triptych_requests_in_flight") == 0


def test_stage_calls_are_counted_with_their_errors_and_bytes(
    fresh_gateway: httpx.Client, fakes: Fakes
) -> None:
    fresh_gateway.post("/v1/txt2img", json={"prompt": ""})
    fakes["decoder"].responses["/"] = lambda: JSONResponse({"error": "a fault"}, 500)
    fresh_gateway.post("/v1/txt2img", json={"prompt": ""})
    assert metric(fresh_gateway, "triptych_stage_seconds_count", stage="decoder") == 2
    assert metric(fresh_gateway, "triptych_stage_errors_total", stage="decoder", type="StageFailed") == 1
    assert metric(fresh_gateway, "triptych_stage_bytes_total", stage="decoder", direction="received") > 16_384
    assert metric(fresh_gateway, "triptych_stage_bytes_total", stage="decoder", direction="sent") > 2_000
