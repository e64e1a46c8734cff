"""The steps of the contract's existing clients, with nothing but requests and numpy."""

import base64
import math
from typing import Any

import numpy as np
import pytest
import requests

from tests.conftest import StageUrl
from tests.tiny import IMAGE, LATENT, MASK

HEADERS = {"Authorization": "Bearer hf_unused", "Content-Type": "application/json"}


def post(url: str, payload: dict[str, Any]) -> requests.Response:
    response = requests.post(url, headers=HEADERS, json=payload, timeout=60)
    assert response.status_code == 200, response.text
    return response


def contexts(stage_url: StageUrl, prompt: str, batch_size: int = 1) -> list[str]:
    answer = post(stage_url("text_encoder"), {"inputs": prompt, "batch_size": batch_size}).json()
    return [answer["context_b64str"], answer["unconditional_context_b64str"]]


def images(text: str, batch_size: int = 1) -> np.ndarray[Any, Any]:
    data = np.frombuffer(base64.b64decode(text), np.uint8)
    return data.reshape(batch_size, *IMAGE)


def border_colour(image: np.ndarray[Any, Any]) -> list[float]:
    edges = [image[:6].reshape(-1, 3), image[-6:].reshape(-1, 3), image[:, :6].reshape(-1, 3)]
    return [float(value) for value in np.median(np.concatenate(edges), axis=0)]


def test_contexts_are_two_float32_tensors_of_77_tokens(stage_url: StageUrl) -> None:
    sizes = [len(base64.b64decode(text)) for text in contexts(stage_url, "a red apple", 2)]
    assert sizes == [2 * 77 * 128 * 4] * 2


def test_encode_diffuse_decode_makes_what_the_prompt_says(stage_url: StageUrl) -> None:
    diffusion = {
        "inputs": contexts(stage_url, "a cat on a blue background"),
        "batch_size": 1,
        "num_steps": 13,
    }
    latent = post(stage_url("diffusion"), {**diffusion, "unconditional_guidance_scale": 4.0}).json()
    assert len(base64.b64decode(latent)) == 4 * math.prod(LATENT)
    (image,) = images(post(stage_url("decoder"), {"inputs": latent, "batch_size": 1}).json())
    red, _, blue = border_colour(image)
    assert blue > red + 60


def test_a_latent_sent_on_with_its_json_quotes_is_taken(stage_url: StageUrl) -> None:
    diffusion = {"inputs": contexts(stage_url, "a red apple"), "batch_size": 1, "num_steps": 2}
    quoted = post(stage_url("diffusion"), diffusion).content.decode()
    assert quoted.startswith('"')
    assert images(post(stage_url("decoder"), {"inputs": quoted, "batch_size": 1}).json()).any()


def test_inpainting_keeps_what_the_mask_keeps(stage_url: StageUrl) -> None:
    image = np.full(IMAGE, (250, 215, 80), np.uint8)
    keep = np.ones(MASK, np.uint8)
    keep[16:112, 16:112] = 0
    encoded = [base64.b64encode(tensor.tobytes()).decode() for tensor in (image, keep)]
    request = {
        "inputs": [*contexts(stage_url, "a red apple on a yellow background"), *encoded],
        "batch_size": 1,
        "num_steps": 13,
        "unconditional_guidance_scale": 4.0,
        "num_resamples": 1,
    }
    latent = post(stage_url("inpainting"), request).json()
    (painted,) = images(post(stage_url("decoder"), {"inputs": latent, "batch_size": 1}).json())
    assert border_colour(painted) == pytest.approx([250, 215, 80], abs=25)
    centre = painted[40:88, 40:88].reshape(-1, 3).astype(int)
    assert np.abs(centre - image[0, 0]).sum(axis=1).mean() > 80


def test_all_in_one_turns_a_prompt_into_images(stage_url: StageUrl) -> None:
    answer = post(stage_url("all_in_one"), {"inputs": "a tree on a pink background", "batch_size": 2})
    first, second = images(answer.json(), 2)
    assert not np.array_equal(first, second)


def test_both_routes_serve_the_handler(stage_url: StageUrl) -> None:
    request = {"inputs": "a dog", "batch_size": 1}
    url = stage_url("text_encoder")
    assert post(f"{url}/", request).json() == post(f"{url}/predict", request).json()
