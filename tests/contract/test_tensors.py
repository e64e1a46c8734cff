"""Real stages in safetensors: the same tensors as in the contract's base64."""

import base64
import io
import json
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests import tiny
from tests.conftest import StageUrl
from triptych.wire import FIELDS, MEDIA_TYPE, Tensors, pack, unpack

SHAPES: dict[str, tuple[tuple[int, ...], str]] = {
    "context": ((1, *tiny.CONTEXT), "float32"),
    "unconditional_context": ((1, *tiny.CONTEXT), "float32"),
    "image": (tiny.IMAGE, "uint8"),
    "mask": (tiny.MASK, "uint8"),
    "latent": ((1, *tiny.LATENT), "float32"),
}
STAGES = {
    "diffusion": (["context", "unconditional_context"], {"num_steps": 2, "seed": 7}),
    "inpainting": (["context", "unconditional_context", "image", "mask"], {"num_steps": 2, "seed": 7}),
    "decoder": (["latent"], {"batch_size": 1}),
}


def tensors(names: list[str], seed: int = 0) -> Tensors:
    rng = np.random.default_rng(seed)
    made = {name: rng.integers(0, 2, SHAPES[name][0]).astype(SHAPES[name][1]) for name in names}
    return Tensors(made)


def answered(url: str, accept: str = MEDIA_TYPE, **request: Any) -> tuple[Tensors, dict[str, str]]:
    headers = {"Accept": accept, **request.pop("headers", {})}
    response = httpx.post(url, headers=headers, timeout=60, **request)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == MEDIA_TYPE
    return unpack("answer", response.content)


@pytest.mark.parametrize("stage", STAGES)
def test_safetensors_and_base64_make_the_same(stage_url: StageUrl, stage: str) -> None:
    names, fields = STAGES[stage]
    given = tensors(names)
    texts = [base64.b64encode(tensor.tobytes()).decode() for tensor in given.values()]
    contract = httpx.post(
        stage_url(stage), json={"inputs": texts if len(texts) > 1 else texts[0], **fields}, timeout=60
    )
    body = pack(given, {FIELDS: json.dumps(fields)})
    found, _ = answered(stage_url(stage), content=body, headers={"Content-Type": MEDIA_TYPE})
    ((name, tensor),) = found.items()
    assert base64.b64decode(contract.json()) == tensor.tobytes()
    assert tensor.shape[1:] == SHAPES[name][0][-3:]


@pytest.mark.parametrize("stage", ["text_encoder", "all_in_one"])
def test_a_prompt_is_answered_in_safetensors_under_the_names_of_info(stage_url: StageUrl, stage: str) -> None:
    request = {"inputs": "a red apple", "num_steps": 2, "seed": 7}
    found, _ = answered(stage_url(stage), json=request)
    contract = httpx.post(stage_url(stage), json=request, timeout=60).json()
    texts = (
        {name.removesuffix("_b64str"): text for name, text in contract.items()}
        if stage != "all_in_one"
        else {"image": contract}
    )
    assert {name: base64.b64encode(tensor.tobytes()).decode() for name, tensor in found.items()} == texts
    assert set(found) == set(httpx.get(f"{stage_url(stage)}/info", timeout=5).json()["shapes"])


def test_half_precision_changes_a_latent_by_little(stage_url: StageUrl) -> None:
    prompt, _ = answered(stage_url("text_encoder"), json={"inputs": "a red apple"})
    fields = {FIELDS: json.dumps({"num_steps": 10, "seed": 7})}
    headers = {"Content-Type": MEDIA_TYPE}
    full, _ = answered(stage_url("diffusion"), content=pack(prompt, fields), headers=headers)
    half, _ = answered(
        stage_url("diffusion"),
        f"{MEDIA_TYPE};dtype=float16",
        content=pack(prompt, fields, "float16"),
        headers=headers,
    )
    assert half["latent"].dtype == np.float16
    difference = np.abs(full["latent"] - half["latent"].astype(np.float32)).max()
    assert 0 < difference < 0.02


@pytest.mark.parametrize("image_format", ["png", "webp"])
def test_a_decoder_answers_with_files_without_loss(stage_url: StageUrl, image_format: str) -> None:
    request: dict[str, Any] = {
        "content": pack(tensors(["latent"]), {}),
        "headers": {"Content-Type": MEDIA_TYPE},
    }
    raw, _ = answered(stage_url("decoder"), **request)
    files, _ = answered(stage_url("decoder"), f"{MEDIA_TYPE};image_format={image_format}", **request)
    image = Image.open(io.BytesIO(files["image.0"].tobytes()), formats=[image_format.upper()])
    assert np.array_equal(np.asarray(image.convert("RGB")), raw["image"][0])
    assert files["image.0"].nbytes < raw["image"].nbytes


def test_a_wrong_tensor_is_named_with_what_it_must_be(stage_url: StageUrl) -> None:
    bad = Tensors(
        context=np.zeros((1, *tiny.CONTEXT), np.float32), unconditional_context=np.zeros((1, 7), np.float16)
    )
    answer = httpx.post(
        stage_url("diffusion"), content=pack(bad, {}), headers={"Content-Type": MEDIA_TYPE}, timeout=60
    )
    assert answer.status_code == 422
    assert answer.json()["error"] == (
        "inputs[1] (unconditional_context) must be a float32 tensor of shape (1, 77, 128); "
        "got float32 of shape (1, 7)"
    )


def test_a_latent_that_was_decoded_is_found_again(stage_url: StageUrl) -> None:
    """The decoder's own encoder, by the bare contract."""
    url = stage_url("all_in_one")
    image = httpx.post(url, json={"inputs": "a red apple", "seed": 1}, timeout=60).json()
    decoder = stage_url("decoder")
    latent = httpx.post(decoder, json={"inputs": image, "task": "encode"}, timeout=120).json()
    again = httpx.post(decoder, json={"inputs": latent}, timeout=60).json()
    before, after = (np.frombuffer(base64.b64decode(text), np.uint8).astype(int) for text in (image, again))
    assert np.abs(before - after).mean() < 6


def test_images_as_the_model_makes_them_are_those_of_bytes(stage_url: StageUrl) -> None:
    url, latent = stage_url("decoder"), base64.b64encode(tensors(["latent"])["latent"].tobytes()).decode()
    floats = httpx.post(url, json={"inputs": latent, "image_dtype": "float32"}, timeout=60).json()
    values = np.frombuffer(base64.b64decode(floats), np.float32)
    pixels = np.frombuffer(
        base64.b64decode(httpx.post(url, json={"inputs": latent}, timeout=60).json()), np.uint8
    )
    assert np.array_equal(np.clip((values + 1) * 127.5, 0, 255).round(), pixels)
