"""Each dialect's errors, by the path, with the statuses of the one table."""

import json
from typing import Any

import pytest

from gateway.api.failure import header_text, rename
from gateway.api.rendering import internal_error, render_error, route_error, stopping
from gateway.errors import GatewayError, InvalidRequest, Origin, Overloaded, StageUnavailable

STEPS = InvalidRequest("steps must be 1 to 250; got 0.", field="steps")
ASLEEP = StageUnavailable("The diffusion stage is away.", origin=Origin("diffusion", "http://a"))
BUSY = Overloaded("Too much.", retry_after=3)


def rendered(error: GatewayError, path: str) -> tuple[int, Any]:
    response = render_error(error, "an-id", path)
    return response.status_code, json.loads(bytes(response.body))


@pytest.mark.parametrize("path", ["/v1/images/generations", "/v1/images/edits", "/v1/models", "/v1/models/x"])
def test_openai(path: str) -> None:
    status, body = rendered(STEPS, path)
    assert status == 422
    assert body == {
        "error": {
            "message": "steps must be 1 to 250; got 0.",
            "type": "invalid_request_error",
            "param": "steps",
            "code": "invalid_request",
        }
    }
    assert rendered(ASLEEP, path)[1]["error"]["type"] == "server_error"
    assert rendered(ASLEEP, path)[1]["error"]["code"] == "stage_unavailable"
    assert rendered(BUSY, path)[1]["error"]["type"] == "rate_limit_error"
    unknown = InvalidRequest("model must be a; got 'b'.", field="model")
    assert rendered(unknown, path)[1]["error"]["code"] == "model_not_found"


@pytest.mark.parametrize("path", ["/sdapi/v1/txt2img", "/queue/status"])
def test_automatic1111(path: str) -> None:
    status, body = rendered(InvalidRequest("guidance_scale must be a number.", field="guidance_scale"), path)
    said = "cfg_scale must be a number."
    assert (status, body) == (422, {"error": "InvalidRequest", "detail": said, "body": "", "errors": said})


def test_hugging_face() -> None:
    said = "num_inference_steps must be 1 to 250; got 0."
    assert rendered(STEPS, "/hf/text-to-image") == (422, {"error": said})
    assert render_error(STEPS, "an-id", "/hf/text-to-image").headers["x-error-message"] == said
    assert rendered(STEPS, "/hf/all-in-one")[1] == {"error": "num_steps must be 1 to 250; got 0."}


def test_hugging_faces_client_is_not_told_503_which_it_would_repeat_without_end() -> None:
    assert rendered(ASLEEP, "/hf/text-to-image")[0] == 504
    assert stopping("an-id", "/hf/text-to-image").status_code == 504
    assert rendered(ASLEEP, "/v1/txt2img")[0] == rendered(ASLEEP, "/v1/images/edits")[0] == 503


@pytest.mark.parametrize("path", ["/v1/txt2img", "/v1/imagesque", "/hfx"])
def test_every_other_path_is_the_native_dialects(path: str) -> None:
    assert set(rendered(STEPS, path)[1]["error"]) == {
        "type", "message", "field", "stage", "replica", "request_id"
    }  # fmt: skip


def test_a_dialect_is_told_when_to_come_again() -> None:
    for path in ("/v1/images/edits", "/sdapi/v1/txt2img", "/hf/text-to-image"):
        assert render_error(BUSY, "an-id", path).headers["retry-after"] == "3"


def test_a_fault_of_the_gateways_own_has_the_dialects_shape() -> None:
    assert b'"detail"' in bytes(internal_error("an-id", "/sdapi/v1/txt2img").body)
    assert b'"server_error"' in bytes(internal_error("an-id", "/v1/images/edits").body)


def test_a_route_may_say_more_than_the_router() -> None:
    assert b"Sampler not found" in bytes(
        route_error(400, "POST", "/sdapi/v1/txt2img", "an-id", {}, "Sampler not found").body
    )
    assert b"There is no /sdapi/v1/x here." in bytes(
        route_error(404, "GET", "/sdapi/v1/x", "an-id", {}, "Not Found").body
    )


def test_only_what_a_sentence_is_about_is_renamed() -> None:
    text = "image must be a picture; got an image. image was sent to the x stage. My image is here."
    assert rename(text, {"image": "inputs"}) == (
        "inputs must be a picture; got an image. inputs was sent to the x stage. My image is here."
    )


def test_a_header_holds_one_line_of_ascii() -> None:
    assert header_text("grün\r\nX-Evil: 1") == "gr?n X-Evil: 1"
