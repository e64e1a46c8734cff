"""What diffusers sends to a VAE elsewhere, by hand: to the decoder itself, and through the gateway."""

import io
import json
import math
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests import tiny
from tests.conftest import StageUrl

# NCHW
LATENT_SHAPE = tiny.LATENT[2:] + tiny.LATENT[:2]
IMAGE_SHAPE = tiny.IMAGE[2:] + tiny.IMAGE[:2]
LATENT = np.random.default_rng(3).normal(size=(2, *LATENT_SHAPE)).astype(np.float32)
HALF = LATENT[:, :, : LATENT.shape[2] // 2]


@pytest.fixture(params=["decoder", "gateway"])
def vae(request: pytest.FixtureRequest, stage_url: StageUrl, gateway_url: str) -> dict[str, str]:
    """The two endpoints, of the decoder and of the gateway."""
    if request.param == "decoder":
        return {task: f"{stage_url('decoder')}/remote_{task}" for task in ("decode", "encode")}
    return {task: f"{gateway_url}/v1/remote/{task}" for task in ("decode", "encode")}


def post(url: str, body: bytes, accept: str = "tensor/binary", **parameters: Any) -> httpx.Response:
    headers = {"Accept": accept, "Content-Type": "tensor/binary"}
    return httpx.post(url, params=parameters, content=body, headers=headers, timeout=120)


def values(response: httpx.Response) -> np.ndarray[Any, Any]:
    assert response.status_code == 200, response.text
    shape = json.loads(response.headers["shape"])
    return np.frombuffer(response.content, response.headers["dtype"]).reshape(shape)


def test_every_output_shows_the_same_pictures(vae: dict[str, str]) -> None:
    common: dict[str, Any] = {"shape": LATENT.shape, "dtype": "float32", "scaling_factor": 0.18215}
    body = LATENT.tobytes()
    floats = values(post(vae["decode"], body, output_type="pt", **common))
    pixels = values(post(vae["decode"], body, output_type="pt", partial_postprocess="True", **common))
    unit = values(post(vae["decode"], body, output_type="pil", **common))
    assert floats.shape == unit.shape == (2, *IMAGE_SHAPE)
    assert pixels.shape == (2, *tiny.IMAGE)
    assert np.array_equal(np.clip((floats + 1) * 127.5, 0, 255).round(), pixels.transpose(0, 3, 1, 2))
    assert np.abs(unit - np.clip(floats / 2 + 0.5, 0, 1)).max() < 1e-6
    one: dict[str, Any] = {**common, "shape": (1, *LATENT_SHAPE), "image_format": "png", "output_type": "pil"}
    file = post(vae["decode"], LATENT[:1].tobytes(), "image/png", **one)
    assert file.headers["content-type"] == "image/png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(file.content))), pixels[0])


def test_a_picture_is_encoded_from_a_file_and_from_values_alike(vae: dict[str, str]) -> None:
    common: dict[str, Any] = {"shape": LATENT.shape, "dtype": "float32", "do_scaling": "True"}
    pixels = values(
        post(vae["decode"], LATENT.tobytes(), output_type="pt", partial_postprocess=True, **common)
    )
    file = io.BytesIO()
    Image.fromarray(pixels[0]).save(file, "PNG")
    of_file = values(post(vae["encode"], file.getvalue(), scaling_factor=0.18215))
    tensor = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32) / np.float32(127.5) - 1
    of_values = values(
        post(vae["encode"], tensor.tobytes(), shape=tensor.shape, dtype="float32", scaling_factor=0.18215)
    )
    assert of_file.shape == (1, *LATENT_SHAPE)
    assert np.abs(of_values[:1] - of_file).max() < 1e-5


@pytest.mark.parametrize(
    ("task", "body", "parameters", "said"),
    [
        ("decode", b"", {}, "dtype|shape"),
        (
            "decode",
            LATENT.tobytes(),
            {"shape": LATENT.shape, "dtype": "float16"},
            f"body must be {LATENT.nbytes // 2} bytes",
        ),
        (
            "decode",
            b"1234",
            {"shape": (1, *LATENT_SHAPE), "dtype": "float32"},
            f"body must be {LATENT[0].nbytes} bytes",
        ),
        ("decode", HALF.tobytes(), {"shape": HALF.shape, "dtype": "float32"}, "must be"),
        ("decode", b"", {"output_type": "mp4"}, "output_type must be one of pil, pt; got mp4"),
        ("encode", b"nonsense", {}, "body must be a PNG, JPEG or WebP file"),
        (
            "encode",
            b"",
            {"shape": (1, *IMAGE_SHAPE), "dtype": "float32"},
            f"body must be {4 * math.prod(IMAGE_SHAPE)} bytes",
        ),
    ],
)
def test_what_is_wrong_is_said_in_json(
    vae: dict[str, str], task: str, body: bytes, parameters: dict[str, Any], said: str
) -> None:
    answer = post(vae[task], body, **parameters)
    assert answer.status_code == 422, answer.text
    text = json.dumps(answer.json()["error"])
    assert any(part in text for part in said.split("|")), text


def test_the_gateway_bounds_what_it_reads(gateway_url: str) -> None:
    answer = post(f"{gateway_url}/v1/remote/decode", b"0" * (33 * 2**20))
    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "RequestTooLarge")
