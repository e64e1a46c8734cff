"""huggingface_hub's InferenceClient, and the contract of the all-in-one handler as its clients know it."""

import base64
from typing import Any

import numpy as np
import pytest
import requests
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError, InferenceTimeoutError
from PIL import Image

from tests.clients.pictures import (
    assert_painted_in_the_box,
    distance,
    file_of,
    huge_file,
    is_same,
    noise,
    redness,
    text_file,
    text_of,
    white_mask,
)
from tests.e2e.pictures import picture
from tests.tiny import IMAGE, PICTURE

STEPS: dict[str, Any] = {"num_inference_steps": 8}


@pytest.fixture(scope="module")
def drawing(gateway_url: str) -> InferenceClient:
    return InferenceClient(model=f"{gateway_url}/hf/text-to-image")


@pytest.fixture(scope="module")
def repainting(gateway_url: str) -> InferenceClient:
    return InferenceClient(model=f"{gateway_url}/hf/image-to-image")


def heart(client: InferenceClient, **request: Any) -> Image.Image:
    return client.text_to_image("a heart", **{**STEPS, "seed": 1, **request})


def painted(client: InferenceClient, **request: Any) -> Image.Image:
    asked = {"image": file_of(noise()), "mask_image": text_of(white_mask()), "prompt": "a red apple"}
    return client.image_to_image(**{**STEPS, **asked, **request})


def test_a_picture_has_the_size_that_was_asked_for(drawing: InferenceClient) -> None:
    assert heart(drawing).size == PICTURE
    assert heart(drawing, width=512, height=256).size == (512, 256)
    assert heart(drawing, width=100).size == (100, 100)


def test_the_same_seed_makes_the_same_picture(drawing: InferenceClient, gateway_url: str) -> None:
    assert is_same(heart(drawing), heart(drawing))
    assert not is_same(heart(drawing), heart(drawing, seed=2))
    assert is_same(heart(drawing), picture(gateway_url, prompt="a heart", steps=8))


def test_a_negative_prompt_drives_a_colour_out(drawing: InferenceClient) -> None:
    plain = sum(redness(heart(drawing, seed=seed)) for seed in range(4))
    driven = sum(redness(heart(drawing, seed=seed, negative_prompt="a red background")) for seed in range(4))
    assert driven < plain


@pytest.mark.parametrize(
    ("scheduler", "sampler"),
    [("EulerAncestralDiscreteScheduler", "euler_ancestral"), ("DPMSolverMultistepScheduler", "dpmpp_2m")],
)
def test_a_scheduler_is_a_sampler_here(
    drawing: InferenceClient, gateway_url: str, scheduler: str, sampler: str
) -> None:
    expected = picture(gateway_url, prompt="a heart", steps=8, sampler=sampler)
    assert is_same(heart(drawing, scheduler=scheduler), expected)


def test_further_parameters_do_no_harm(drawing: InferenceClient, gateway_url: str) -> None:
    assert is_same(heart(drawing, extra_body={"clip_skip": 2}), heart(drawing))
    body = {"inputs": "a heart", "parameters": {"clip_skip": 2}}
    response = requests.post(f"{gateway_url}/hf/text-to-image", json=body, timeout=60)
    assert response.headers["x-triptych-warning"] == "clip_skip has no effect here."


def test_what_is_white_in_the_mask_is_repainted_and_nothing_else(repainting: InferenceClient) -> None:
    assert_painted_in_the_box(painted(repainting))
    assert is_same(painted(repainting, seed=1), painted(repainting, seed=1))


def test_a_whole_picture_is_made_anew_by_so_much(
    drawing: InferenceClient, repainting: InferenceClient
) -> None:
    image = heart(drawing, seed=3)
    little, much = (
        repainting.image_to_image(
            file_of(image), prompt="a cat", num_inference_steps=13, strength=strength, seed=1
        )
        for strength in (0.3, 0.9)
    )
    assert little.size == much.size == image.size
    assert distance(little, image) < distance(much, image)


def test_a_picture_alone_is_made_anew_in_its_own_size(repainting: InferenceClient) -> None:
    assert repainting.image_to_image(file_of(noise())).size == noise().size


def test_a_repainted_picture_may_be_of_another_size(repainting: InferenceClient) -> None:
    assert painted(repainting, target_size={"width": 192, "height": 160}).size == (192, 160)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"num_inference_steps": 100_000}, "num_inference_steps must be 1 to"),
        ({"guidance_scale": -1}, "guidance_scale must be a number from 0 to"),
        ({"width": 40_000, "height": 40_000}, "height must be a whole number from 1 to 8192"),
        ({"width": 8192, "height": 8192}, "MAX_IMAGE_PIXELS"),
        ({"scheduler": "nonsense"}, "scheduler must be one of"),
        ({"extra_body": {"seed": -1}}, "seed must be a whole number"),
    ],
)
def test_what_cannot_be_made_is_an_error(
    drawing: InferenceClient, request_: dict[str, Any], said: str
) -> None:
    with pytest.raises(HfHubHTTPError) as refused:
        heart(drawing, **request_)
    assert refused.value.response.status_code == 422
    assert set(refused.value.response.json()) == {"error"}
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"image": text_file()}, "inputs must be a PNG, JPEG or WebP file"),
        ({"image": huge_file()}, "inputs must be of at most"),
        ({"mask_image": base64.b64encode(huge_file()).decode()}, "mask_image must be of at most"),
        ({"mask_image": text_of(white_mask(50, 50))}, "mask must be of the image's size, 96x80"),
        ({"mask_image": "a path"}, "mask_image must be base64"),
    ],
    ids=["text", "huge image", "huge mask", "mask of another size", "no base64"],
)
def test_files_that_are_of_no_use_are_errors(
    repainting: InferenceClient, files: dict[str, Any], said: str
) -> None:
    with pytest.raises(HfHubHTTPError, match=said):
        painted(repainting, **files)


def test_a_file_alone_that_is_no_picture_is_an_error(repainting: InferenceClient) -> None:
    with pytest.raises(HfHubHTTPError, match="inputs must be a PNG, JPEG or WebP file"):
        repainting.image_to_image(text_file())


def test_a_client_that_leaves_harms_nobody(gateway_url: str, drawing: InferenceClient) -> None:
    impatient = InferenceClient(model=f"{gateway_url}/hf/text-to-image", timeout=0.2)
    with pytest.raises(InferenceTimeoutError):
        heart(impatient, num_inference_steps=250)
    assert heart(drawing).size == PICTURE


def test_a_client_of_the_all_in_one_handler_works_unchanged(gateway_url: str) -> None:
    body = {"inputs": "a heart", "batch_size": 2}
    headers = {"Authorization": "Bearer hf_none"}
    response = requests.post(f"{gateway_url}/hf/all-in-one", json=body, headers=headers, timeout=60)
    images = np.frombuffer(base64.b64decode(response.json()), np.uint8).reshape(2, *IMAGE)
    assert not np.array_equal(images[0], images[1])


def test_what_the_all_in_one_handler_takes_beside_its_contract_is_taken(gateway_url: str) -> None:
    body = {"inputs": "a heart", "seed": 1, "num_steps": 8, "further": "fields"}
    data = base64.b64decode(requests.post(f"{gateway_url}/hf/all-in-one", json=body, timeout=60).json())
    expected = picture(gateway_url, prompt="a heart", steps=8)
    assert np.array_equal(np.frombuffer(data, np.uint8).reshape(IMAGE), np.asarray(expected))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "inputs must be a string"),
        ({"inputs": "", "batch_size": 1000}, "batch_size must be a whole number from 1 to 100; got 1000."),
        ({"inputs": "", "num_steps": 100_000}, "num_steps must be 1 to"),
    ],
)
def test_a_bad_request_to_the_all_in_one_handler_is_told_in_its_words(
    gateway_url: str, body: dict[str, Any], said: str
) -> None:
    response = requests.post(f"{gateway_url}/hf/all-in-one", json=body, timeout=60)
    assert response.status_code == 422
    assert said in response.json()["error"]
