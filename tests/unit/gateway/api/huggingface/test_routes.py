"""Hugging Face's paths over real HTTP, in front of fake stages."""

import base64
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.responses import JSONResponse

from tests.running import free_port
from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import PAINTED, ask_and_leave, wait_until
from tests.unit.gateway.pictures import file_of, noise, opened, pixels_of, text_of, white_box

TEXT, IMAGE, ALL = "/hf/text-to-image", "/hf/image-to-image", "/hf/all-in-one"
APPLE = {"inputs": "a red apple"}


def said(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    assert set(response.json()) == {"error"}
    assert response.headers["x-error-message"] == response.json()["error"]
    return str(response.json()["error"])


@pytest.mark.parametrize(
    ("accept", "kind"), [("image/png", "PNG"), ("*/*", "PNG"), ("image/jpeg", "JPEG"), ("image/webp", "WEBP")]
)
def test_a_picture_comes_as_a_file(gateway: httpx.Client, accept: str, kind: str) -> None:
    response = gateway.post(TEXT, json=APPLE, headers={"Accept": accept})
    assert opened(response.content).format == kind
    assert "diffusion;dur=" in response.headers["server-timing"]


def test_nothing_but_a_picture_comes(gateway: httpx.Client, fakes: Fakes) -> None:
    assert "Accept must allow" in said(gateway.post(TEXT, json=APPLE, headers={"Accept": "text/html"}), 406)
    assert fakes["text_encoder"].requests == []


def test_parameters_reach_the_stages(gateway: httpx.Client, fakes: Fakes) -> None:
    parameters = {
        "negative_prompt": "green",
        "num_inference_steps": 9,
        "guidance_scale": 3,
        "scheduler": "DPMSolverMultistepScheduler",
        "seed": 5,
        "width": 100,
        "clip_skip": 2,
    }
    response = gateway.post(TEXT, json={**APPLE, "parameters": parameters})
    assert opened(response.content).size == (100, 100)
    assert fakes["text_encoder"].requests[0]["negative_prompt"] == "green"
    (asked,) = fakes["diffusion"].requests
    assert (asked["num_steps"], asked["unconditional_guidance_scale"]) == (9, 3)
    assert (asked["sampler"], asked["seed"]) == ("dpmpp_2m", 5)
    assert response.headers["x-triptych-warning"] == (
        "clip_skip has no effect here. The picture was made at 64x64 and scaled to 100x100."
    )


@pytest.mark.parametrize("parameters", [None, {}])
def test_parameters_may_be_left_out(gateway: httpx.Client, parameters: Any) -> None:
    assert gateway.post(TEXT, json={**APPLE, "parameters": parameters}).status_code == 200


def test_what_is_white_in_the_mask_is_repainted(gateway: httpx.Client) -> None:
    image, mask = noise(96, 64), white_box(96, 64, 20, 10, 60, 50)
    parameters = {"prompt": "a red apple", "mask_image": text_of(mask)}
    response = gateway.post(IMAGE, json={"inputs": text_of(image), "parameters": parameters})
    result = pixels_of(response.content)
    assert np.array_equal(result[mask == 0], image[mask == 0])
    assert (result[20:40, 30:50] == PAINTED).all()
    target = {**parameters, "target_size": {"width": 30, "height": 20}}
    small = gateway.post(IMAGE, json={"inputs": text_of(image), "parameters": target})
    assert opened(small.content).size == (30, 20)


def test_a_picture_may_come_alone_whatever_it_is_called(able: httpx.Client) -> None:
    picture = file_of(noise(96, 64), "JPEG")
    for headers in ({}, {"Content-Type": "image/png"}, {"Content-Type": "application/octet-stream"}):
        response = able.post(IMAGE, content=picture, headers=headers)
        assert opened(response.content).size == (96, 64)


def test_the_all_in_one_contract(gateway: httpx.Client, fakes: Fakes) -> None:
    response = gateway.post(ALL, json={**APPLE, "batch_size": 2})
    images = np.frombuffer(base64.b64decode(response.json()), np.uint8)
    assert (images == PAINTED).all()
    assert images.size == 2 * 64 * 64 * 3
    assert fakes["text_encoder"].requests == [{"inputs": "a red apple", "batch_size": 2}]


def test_the_all_in_one_contract_is_made_in_as_many_batches_as_it_takes(
    gateway: httpx.Client, fakes: Fakes
) -> None:
    gateway.post(ALL, json={**APPLE, "batch_size": 20, "seed": 1, "num_steps": 3, "more": True})
    asked = [(request["batch_size"], request["seed"]) for request in fakes["diffusion"].requests]
    assert asked == [(16, 1), (4, 17)]


def test_an_all_in_one_stage_can_be_behind_it(start_gateway: StartGateway, urls: dict[str, str]) -> None:
    split = {f"{stage}_url": "" for stage in ("text_encoder", "diffusion", "inpainting", "decoder")}
    gateway = start_gateway(all_in_one_url=urls["all_in_one"], **split)
    assert len(base64.b64decode(gateway.post(ALL, json=APPLE).json())) == 64 * 64 * 3


def test_what_is_wrong_is_told_in_the_words_of_the_path(gateway: httpx.Client) -> None:
    assert "inputs must be a string" in said(gateway.post(TEXT, json={}), 422)
    assert "parameters must be an object" in said(gateway.post(TEXT, json={**APPLE, "parameters": 1}), 422)
    wrong = {**APPLE, "parameters": {"seed": -1}}
    assert "seed must be a whole number from 0" in said(gateway.post(TEXT, json=wrong), 422)
    wrong = {**APPLE, "parameters": {"num_inference_steps": 900}}
    assert said(gateway.post(TEXT, json=wrong), 422) == "num_inference_steps must be 1 to 250; got 900."
    assert said(gateway.post(ALL, json={**APPLE, "num_steps": 900}), 422) == (
        "num_steps must be 1 to 250; got 900."
    )
    wrong = {"inputs": text_of(noise(9, 9)), "parameters": {"target_size": {"width": 0, "height": 9}}}
    assert "target_size must be" in said(gateway.post(IMAGE, json=wrong), 422)
    assert "inputs must be a PNG" in said(gateway.post(IMAGE, content=b"text"), 422)
    assert "There is no" in said(gateway.get("/hf/nothing"), 404)


def test_a_stage_that_is_away_is_told_as_a_timeout(start_gateway: StartGateway, fakes: Fakes) -> None:
    gateway = start_gateway(diffusion_url=f"http://127.0.0.1:{free_port()}", stage_attempts=1)
    assert "could not be reached" in said(gateway.post(TEXT, json=APPLE), 504)
    fakes["text_encoder"].responses["/"] = lambda: JSONResponse({"error": "out of memory"}, 500)
    assert "out of memory" in said(start_gateway().post(TEXT, json=APPLE), 502)


def test_a_client_that_leaves_ends_the_work(gateway: httpx.Client, fakes: Fakes) -> None:
    fakes["diffusion"].delay = 60
    ask_and_leave(gateway, TEXT, APPLE, fakes["diffusion"])
    wait_until(lambda: fakes["diffusion"].left == 1)
