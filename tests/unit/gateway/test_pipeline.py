"""From stage to stage, in order, by the stage contract."""

import base64
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.responses import JSONResponse

from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import HASHES, IMAGE, LATENT, MASK, PAINTED, base64_of
from tests.unit.gateway.pictures import noise, pixels_of, text_of, white_box


def made(gateway: httpx.Client, **request: Any) -> dict[str, Any]:
    response = gateway.post("/v1/txt2img", json={"prompt": "a red apple", **request})
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def refused(gateway: httpx.Client, **request: Any) -> dict[str, Any]:
    response = gateway.post("/v1/txt2img", json={"prompt": "a red apple", **request})
    body: dict[str, Any] = response.json()["error"]
    return {**body, "status": response.status_code}


def test_a_prompt_passes_through_three_stages_in_the_words_of_the_contract(
    gateway: httpx.Client, fakes: Fakes
) -> None:
    made(gateway, num_images=2, steps=7, guidance_scale=3, seed=5)
    assert fakes["text_encoder"].requests == [{"inputs": "a red apple", "batch_size": 2}]
    encoded = fakes["text_encoder"].answer({"batch_size": 2})
    assert fakes["diffusion"].requests == [
        {
            "inputs": [encoded["context_b64str"], encoded["unconditional_context_b64str"]],
            "batch_size": 2,
            "num_steps": 7,
            "unconditional_guidance_scale": 3.0,
            "seed": 5,
        }
    ]
    assert fakes["decoder"].requests == [
        {"inputs": base64_of(np.zeros((2, *LATENT), np.float32)), "batch_size": 2}
    ]
    assert fakes["inpainting"].requests == []


def test_extras_travel_when_they_are_asked_for(gateway: httpx.Client, fakes: Fakes) -> None:
    answer = made(gateway, negative_prompt="green", sampler="dpmpp_2m", schedule="range", seed=2**63 - 1)
    assert fakes["text_encoder"].requests[0]["negative_prompt"] == "green"
    assert fakes["diffusion"].requests[0]["sampler"] == "dpmpp_2m"
    assert fakes["diffusion"].requests[0]["schedule"] == "range"
    assert fakes["diffusion"].requests[0]["seed"] == 2**63 - 1
    assert answer["warnings"] == []


def test_steps_and_guidance_come_from_the_model_unless_given(gateway: httpx.Client, fakes: Fakes) -> None:
    parameters = made(gateway)["parameters"]
    assert (parameters["steps"], parameters["guidance_scale"]) == (20, 4.0)
    assert fakes["diffusion"].requests[0]["num_steps"] == 20
    assert fakes["diffusion"].requests[0]["unconditional_guidance_scale"] == 4.0


def test_every_image_has_the_next_seed(gateway: httpx.Client) -> None:
    answer = made(gateway, num_images=3, seed=40)
    assert [image["seed"] for image in answer["images"]] == [40, 41, 42]


def test_without_a_seed_each_request_draws_another(gateway: httpx.Client, fakes: Fakes) -> None:
    seeds = {made(gateway)["images"][0]["seed"] for _ in range(3)}
    assert len(seeds) == 3
    assert seeds == {request["seed"] for request in fakes["diffusion"].requests}


def test_the_pictures_are_what_the_decoder_made(gateway: httpx.Client, fakes: Fakes) -> None:
    pictures = np.random.default_rng(1).integers(0, 256, (2, *IMAGE), np.uint8)
    fakes["decoder"].responses["/"] = lambda: JSONResponse(base64_of(pictures))
    answer = made(gateway, num_images=2)
    for image, expected in zip(answer["images"], pictures, strict=True):
        assert np.array_equal(pixels_of(image["data"]), expected)
        assert (image["width"], image["height"], image["media_type"]) == (64, 64, "image/png")


def test_the_answer_tells_what_each_stage_did(gateway: httpx.Client, urls: dict[str, str]) -> None:
    answer = made(gateway)
    assert [(call["stage"], call["replica"]) for call in answer["stages"]] == [
        (name, urls[name]) for name in ("text_encoder", "diffusion", "decoder")
    ]
    assert all(call["bytes_sent"] > 20 and call["bytes_received"] > 1000 for call in answer["stages"])
    # All are rounded, and stages may wait at the same time: no one of them takes longer than the whole.
    assert max(call["seconds"] for call in answer["stages"]) <= answer["seconds"] + 0.001


def test_the_answer_tells_which_model_each_stage_ran(fresh_gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["decoder"].plain = True
    answer = made(fresh_gateway)
    assert [(call["model"], call["model_hash"]) for call in answer["stages"]] == [
        ("Triptych tiny", HASHES["text_encoder"]),
        ("Triptych tiny", HASHES["diffusion"]),
        (None, None),
    ]
    parameters = answer["parameters"]
    assert (parameters["model"], parameters["model_hash"]) == ("Triptych tiny", HASHES["diffusion"])


def test_plain_endpoints_do_by_the_bare_contract(fresh_gateway: httpx.Client, fakes: Fakes) -> None:
    for fake in fakes.values():
        fake.plain = True
    answer = made(fresh_gateway, num_images=2)
    assert [image["seed"] for image in answer["images"]] == [None, None]
    assert (answer["images"][0]["width"], answer["parameters"]["steps"]) == (64, 25)
    assert answer["parameters"]["guidance_scale"] == 7.5
    assert answer["parameters"]["model"] is None


def test_extras_that_nobody_announces_are_warned_of(fresh_gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["text_encoder"].plain = fakes["diffusion"].plain = True
    answer = made(fresh_gateway, negative_prompt="green", seed=1, sampler="heun", schedule="range")
    fields = [warning.split()[0] for warning in answer["warnings"]]
    assert fields == ["negative_prompt", "seed", "sampler", "schedule"]
    assert fakes["text_encoder"].requests[0]["negative_prompt"] == "green"


def test_one_stage_for_everything_is_one_call(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str]
) -> None:
    gateway = start_gateway(all_in_one_url=urls["all_in_one"])
    answer = made(
        gateway,
        num_images=2,
        negative_prompt="green",
        steps=9,
        guidance_scale=2,
        seed=3,
        sampler="dpmpp_2m",
        schedule="range",
    )
    assert fakes["all_in_one"].requests == [
        {
            "inputs": "a red apple",
            "batch_size": 2,
            "negative_prompt": "green",
            "num_steps": 9,
            "unconditional_guidance_scale": 2.0,
            "seed": 3,
            "sampler": "dpmpp_2m",
            "schedule": "range",
        }
    ]
    assert [call["stage"] for call in answer["stages"]] == ["all_in_one"]
    assert [image["seed"] for image in answer["images"]] == [3, 4]
    assert answer["warnings"] == []


def test_a_plain_endpoint_for_everything_is_warned_of(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str]
) -> None:
    fakes["all_in_one"].plain = True
    answer = made(start_gateway(all_in_one_url=urls["all_in_one"]), steps=9, guidance_scale=2)
    assert [warning.split()[0] for warning in answer["warnings"]] == ["steps", "guidance_scale"]


def test_inpainting_passes_through_the_split_stages_even_beside_one_for_everything(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str]
) -> None:
    gateway = start_gateway(all_in_one_url=urls["all_in_one"])
    request = {
        "prompt": "",
        "image": text_of(noise(64, 64)),
        "mask": text_of(white_box(64, 64, 8, 8, 16, 16)),
    }
    answer = gateway.post("/v1/inpaint", json=request).json()
    assert [call["stage"] for call in answer["stages"]] == ["text_encoder", "inpainting", "decoder"]
    assert fakes["all_in_one"].requests == []


def test_inpainting_sends_image_and_mask_by_the_contract(gateway: httpx.Client, fakes: Fakes) -> None:
    image = noise(64, 64)
    request = {
        "image": text_of(image),
        "mask": text_of(white_box(64, 64, 17, 16, 31, 48)),
        "num_resamples": 3,
    }
    answer = gateway.post("/v1/inpaint", json={"prompt": "a cat", "seed": 1, **request})
    assert answer.status_code == 200, answer.text
    (sent,) = fakes["inpainting"].requests
    assert set(sent) == {
        "inputs",
        "batch_size",
        "num_steps",
        "unconditional_guidance_scale",
        "seed",
        "num_resamples",
    }
    assert sent["num_resamples"] == 3
    pixels = np.frombuffer(base64.b64decode(sent["inputs"][2]), np.uint8).reshape(IMAGE)
    keep = np.frombuffer(base64.b64decode(sent["inputs"][3]), np.uint8).reshape(MASK)[..., 0]
    assert np.array_equal(pixels, image)
    assert (keep[16:48, 16:32] == 0).all()
    assert keep.sum() == 64 * 64 - 32 * 16


@pytest.mark.parametrize(
    ("field", "value", "known"),
    [("sampler", "heun", "ddim, dpmpp_2m, euler_ancestral"), ("schedule", "karras", "keras-cv, range")],
)
def test_what_a_stage_does_not_know_is_refused_with_what_it_knows(
    gateway: httpx.Client, fakes: Fakes, field: str, value: str, known: str
) -> None:
    answer = gateway.post("/v1/txt2img", json={"prompt": "a cat", field: value})
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["message"] == f"{field} must be one of {known}; got {value}."
    assert fakes["text_encoder"].requests == []


@pytest.mark.parametrize(("sampler", "status"), [("dpmpp_2m", 422), ("euler_ancestral", 200)])
def test_steps_are_repeated_with_a_sampler_that_can(gateway: httpx.Client, sampler: str, status: int) -> None:
    image, mask = text_of(noise(64, 64)), text_of(white_box(64, 64, 8, 8, 16, 16))
    request = {"prompt": "", "image": image, "mask": mask, "num_resamples": 2, "sampler": sampler}
    answer = gateway.post("/v1/inpaint", json=request)
    assert answer.status_code == status, answer.text
    if status == 422:
        assert answer.json()["error"]["field"] == "num_resamples"
        assert "must be 1 with the sampler dpmpp_2m" in answer.json()["error"]["message"]


def test_a_plain_inpainting_endpoint_gets_the_contracts_own_size(
    fresh_gateway: httpx.Client, fakes: Fakes
) -> None:
    fakes["inpainting"].plain = fakes["decoder"].plain = True
    fakes["decoder"].shapes = {"image": (512, 512, 3)}
    request = {"image": text_of(noise(40, 30)), "mask": text_of(white_box(40, 30, 5, 5, 20, 20))}
    response = fresh_gateway.post("/v1/inpaint", json={"prompt": "", **request})
    assert response.status_code == 200, response.text
    assert len(base64.b64decode(fakes["inpainting"].requests[0]["inputs"][2])) == 512 * 512 * 3
    assert pixels_of(response.json()["images"][0]["data"])[12, 12].tolist() == [PAINTED] * 3


@pytest.mark.parametrize(
    ("request_", "field", "said"),
    [
        ({"num_images": 17}, "num_images", "num_images must be 1 to 16; got 17."),
        ({"steps": 251}, "steps", "steps must be 1 to 250; got 251."),
        (
            {"size": "512x512"},
            "size",
            "size must be 64x64, as no other is announced by the diffusion stage and the decoder stage; "
            "got 512x512.",
        ),
        (
            {"seed": 2**63 - 1, "num_images": 2},
            "seed",
            "seed must be at most 9223372036854775806 for 2 images",
        ),
    ],
)
def test_what_the_model_cannot_do_is_refused_before_any_work(
    gateway: httpx.Client, fakes: Fakes, request_: dict[str, Any], field: str, said: str
) -> None:
    error = refused(gateway, **request_)
    assert (error["status"], error["field"]) == (422, field)
    assert error["message"].startswith(said)
    assert fakes["text_encoder"].requests == []


def test_the_models_own_size_may_be_named(gateway: httpx.Client) -> None:
    assert made(gateway, size="64x64")["parameters"]["size"] == "64x64"


def test_a_size_tells_what_a_plain_endpoints_pictures_are(fresh_gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["diffusion"].plain = fakes["decoder"].plain = True
    fakes["diffusion"].shapes = fakes["decoder"].shapes = {"image": (48, 96, 3)}
    error = refused(fresh_gateway)
    assert (error["status"], error["type"], error["stage"]) == (502, "StageFailed", "decoder")
    assert (
        "must be 1 square pictures (if the model's are not square, give their size); got 13824 bytes"
        in error["message"]
    )
    image = made(fresh_gateway, size="96x48")["images"][0]
    assert (image["width"], image["height"]) == (96, 48)


def test_the_first_answer_tells_what_a_plain_endpoints_pictures_are(
    fresh_gateway: httpx.Client, fakes: Fakes
) -> None:
    fakes["diffusion"].plain = fakes["decoder"].plain = True
    fakes["diffusion"].shapes = fakes["decoder"].shapes = {"image": (48, 96, 3)}
    assert made(fresh_gateway, size="96x48")["parameters"]["size"] == "96x48"
    assert made(fresh_gateway)["parameters"]["size"] == "96x48"
    assert refused(fresh_gateway, size="64x64")["message"].startswith("size must be 96x48")


def test_the_settings_tell_what_a_plain_endpoints_pictures_are(
    start_gateway: StartGateway, fakes: Fakes
) -> None:
    gateway = start_gateway(plain_shapes="image=48x96x3")
    fakes["diffusion"].plain = fakes["decoder"].plain = True
    fakes["diffusion"].shapes = fakes["decoder"].shapes = {"image": (48, 96, 3)}
    assert made(gateway)["parameters"]["size"] == "96x48"


def test_a_plain_text_encoder_of_another_model_is_refused_with_both_shapes(
    fresh_gateway: httpx.Client, fakes: Fakes
) -> None:
    other = base64_of(np.zeros((1, 77, 16), np.float32))
    fakes["text_encoder"].plain = True
    fakes["text_encoder"].responses["/"] = lambda: JSONResponse(
        {"context_b64str": other, "unconditional_context_b64str": other}
    )
    error = refused(fresh_gateway)
    assert (error["status"], error["type"], error["stage"]) == (502, "StageFailed", "text_encoder")
    assert "(shape [77, 16])" in error["message"]
    assert "(1, 77, 8)" in error["message"]
    assert fakes["diffusion"].requests == []


def test_stages_of_different_models_are_noticed_before_any_work(
    fresh_gateway: httpx.Client, fakes: Fakes
) -> None:
    fakes["text_encoder"].shapes = {"context": (77, 768)}
    error = refused(fresh_gateway)
    assert (error["status"], error["type"]) == (502, "StageFailed")
    assert "context of shape [77, 768]" in error["message"]
    assert "same SD_VERSION" in error["message"]
    assert fakes["text_encoder"].requests == []


def test_images_of_another_length_are_refused_with_both_lengths(gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["decoder"].responses["/"] = lambda: JSONResponse(base64_of(np.zeros(100, np.uint8)))
    error = refused(gateway)
    assert (error["status"], error["stage"]) == (502, "decoder")
    assert "(12288 bytes, 16384 characters); got 136 characters" in error["message"]


def test_a_context_that_is_missing_is_told(gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["text_encoder"].responses["/"] = lambda: JSONResponse({"context_b64str": "AAAA"})
    assert (
        "context must be base64 of a float32 tensor of shape (1, 77, 8) (2464 bytes, 3288 characters); got 4"
        in refused(gateway)["message"]
    )
    fakes["text_encoder"].responses["/"] = lambda: JSONResponse("AAAA")
    assert (
        "must be an object with context_b64str and unconditional_context_b64str"
        in refused(gateway)["message"]
    )


def test_a_stage_that_is_off_is_told_with_its_variable(start_gateway: StartGateway, fakes: Fakes) -> None:
    gateway = start_gateway(inpainting_url="", decoder_url="")
    request = {
        "prompt": "",
        "image": text_of(noise(64, 64)),
        "mask": text_of(white_box(64, 64, 8, 8, 16, 16)),
    }
    error = gateway.post("/v1/inpaint", json=request)
    assert error.status_code == 503
    assert error.json()["error"]["message"] == (
        "Switched off here: inpainting, decoder. To use it, set INPAINTING_URL and DECODER_URL."
    )
    assert fakes["text_encoder"].requests == []


def test_a_stage_that_is_off_is_not_missed_where_it_is_not_needed(start_gateway: StartGateway) -> None:
    assert made(start_gateway(inpainting_url=""))["images"]
