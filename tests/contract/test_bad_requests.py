"""Every bad request is answered with what is wrong, and the next request works."""

import base64
import re
from typing import Any

import numpy as np
import pytest
import requests

from tests import tiny
from tests.conftest import StageUrl


def tensor(*shape: int, dtype: str = "float32", value: float = 0) -> str:
    return base64.b64encode(np.full(shape, value, dtype).tobytes()).decode()


CONTEXT = tensor(1, *tiny.CONTEXT)
LATENT = tensor(1, *tiny.LATENT)
IMAGE = tensor(*tiny.IMAGE, dtype="uint8")
MASK = tensor(*tiny.MASK, dtype="uint8")
GOOD: dict[str, dict[str, Any]] = {
    "text_encoder": {"inputs": "a dog"},
    "diffusion": {"inputs": [CONTEXT, CONTEXT], "num_steps": 1},
    "inpainting": {"inputs": [CONTEXT, CONTEXT, IMAGE, MASK], "num_steps": 1},
    "decoder": {"inputs": LATENT},
}
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("text_encoder", {"inputs": "word " * 80}, "inputs must be .*77 tokens"),
    ("text_encoder", {"inputs": "x" * 20_000}, "inputs must be a string of at most 4000 characters"),
    ("text_encoder", {"inputs": 7}, "inputs must be a string"),
    (
        "text_encoder",
        {"inputs": "a dog", "batch_size": 0},
        "batch_size must be a whole number from 1 to 16; got 0",
    ),
    ("text_encoder", {"inputs": "a dog", "batch_size": 10_000}, "batch_size .* got 10000"),
    ("text_encoder", {"inputs": "a dog", "negative_prompt": ["x"]}, "negative_prompt must be a string"),
    (
        "text_encoder",
        {"inputs": "a dog", "negative_prompt": "word " * 80},
        "negative_prompt must be .*77 tokens",
    ),
    (
        "diffusion",
        {"inputs": "text"},
        "inputs must be a list of 2 base64 tensors: context, unconditional_context",
    ),
    (
        "diffusion",
        {"inputs": [CONTEXT, tensor(1, 77, 64)]},
        r"inputs\[1\] \(unconditional_context\) .*\(1, 77, 128\)",
    ),
    ("diffusion", {"inputs": [tensor(1, *tiny.CONTEXT, value=np.nan), CONTEXT]}, r"inputs\[0\].*finite.*NaN"),
    ("diffusion", {"inputs": ["!" * len(CONTEXT), CONTEXT]}, r"inputs\[0\].*not base64"),
    ("diffusion", {"inputs": [CONTEXT, CONTEXT], "num_steps": 0}, "num_steps .* from 1 to 250; got 0"),
    ("diffusion", {"inputs": [CONTEXT, CONTEXT], "num_steps": "many"}, "num_steps .*'many'"),
    (
        "diffusion",
        {"inputs": [CONTEXT, CONTEXT], "unconditional_guidance_scale": "x"},
        "unconditional_guidance_scale",
    ),
    ("diffusion", {"inputs": [CONTEXT, CONTEXT], "seed": -1}, "seed must be a whole number from 0"),
    ("diffusion", {"inputs": [CONTEXT, CONTEXT], "seed": [1, 2]}, "seed .* list of 1"),
    (
        "diffusion",
        {"inputs": [CONTEXT, CONTEXT], "schedule": "even"},
        "schedule must be one of keras-cv, range, leading, trailing, karras, lcm; got .*'even'",
    ),
    (
        "diffusion",
        {"inputs": [CONTEXT, CONTEXT], "sampler": "Euler a"},
        "sampler must be one of ddim, euler, euler_ancestral, dpmpp_2m, heun, lcm; got .*'Euler a'",
    ),
    ("inpainting", {"inputs": [CONTEXT, CONTEXT]}, "inputs must be a list of 4 base64 tensors"),
    (
        "inpainting",
        {"inputs": [CONTEXT, CONTEXT, MASK, IMAGE]},
        rf"inputs\[2\] \(image\) .*uint8.*{re.escape(str(tiny.IMAGE))}",
    ),
    ("inpainting", {"inputs": [CONTEXT, CONTEXT, IMAGE, MASK], "num_resamples": 0}, "num_resamples .* got 0"),
    (
        "inpainting",
        {"inputs": [CONTEXT, CONTEXT, IMAGE, MASK], "num_resamples": 3, "sampler": "dpmpp_2m"},
        "num_resamples must be 1 unless the sampler is ddim, euler, euler_ancestral, heun, lcm; got 3",
    ),
    (
        "decoder",
        {"inputs": LATENT, "batch_size": 2},
        rf"inputs must be .*{re.escape(str((2, *tiny.LATENT)))}",
    ),
    ("decoder", {"inputs": tensor(1, *tiny.LATENT, value=np.inf)}, "inputs .*finite"),
    ("decoder", {"inputs": None}, "inputs must be base64"),
    ("decoder", {"inputs": LATENT, "batch_size": True}, "batch_size"),
]


@pytest.mark.parametrize(("stage", "payload", "message"), BAD)
def test_a_bad_field_is_named_with_what_it_must_be(
    stage_url: StageUrl, stage: str, payload: dict[str, Any], message: str
) -> None:
    url = stage_url(stage)
    response = requests.post(url, json=payload, timeout=60)
    assert response.status_code == 422, response.text
    assert set(response.json()) == {"error"}
    assert len(response.text) < 500
    assert re.search(message, response.json()["error"]), response.text
    assert requests.post(url, json=GOOD[stage], timeout=60).status_code == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"inputs": "a dog"', "JSON"),
        (b"", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b'["a dog"]', "object"),
        (b'{"prompt": "a dog"}', "inputs"),
        (b'{"inputs": "a dog", "batch_size": NaN}', "NaN|batch_size"),
    ],
)
def test_broken_bodies_are_answered_and_the_next_request_works(
    stage_url: StageUrl, body: bytes, message: str
) -> None:
    url = stage_url("text_encoder")
    response = requests.post(url, data=body, headers={"Content-Type": "application/json"}, timeout=10)
    assert response.status_code == 422, response.text
    assert re.search(message, response.json()["error"]), response.text
    assert requests.post(url, json=GOOD["text_encoder"], timeout=60).status_code == 200
