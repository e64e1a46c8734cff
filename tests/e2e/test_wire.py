"""What tensors travel as changes nothing but the bytes, unless half precision is asked for."""

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from tests.conftest import StageUrl
from tests.running import running_gateway

STAGES = ("text_encoder", "diffusion", "inpainting", "decoder")
REQUEST = {"prompt": "a red apple on a yellow background", "seed": 5, "num_images": 2}
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def ask(stage_url: StageUrl, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Makes pictures through a gateway with these settings."""
    urls = {f"{stage.upper()}_URL": stage_url(stage) for stage in STAGES}
    urls["STATE_EVERY"] = "0"  # nothing but tensors in the bytes that are compared
    logs = tmp_path_factory.mktemp("gateways")
    with ExitStack() as stack:
        gateways: dict[str, str] = {}

        def post(path: str, request: dict[str, Any], **settings: str) -> dict[str, Any]:
            name = "-".join(settings.values()) or "default"
            if name not in gateways:
                server = running_gateway(logs / name, **urls, **settings)
                gateways[name] = stack.enter_context(server).url
            response = requests.post(f"{gateways[name]}{path}", json=request, timeout=120)
            assert response.status_code == 200, response.text
            answer: dict[str, Any] = response.json()
            return answer

        yield post


def pixels(answer: dict[str, Any]) -> np.ndarray[Any, Any]:
    files = [io.BytesIO(base64.b64decode(image["data"])) for image in answer["images"]]
    return np.stack([np.asarray(Image.open(file)) for file in files]).astype(int)


def received(answer: dict[str, Any]) -> dict[str, int]:
    return {call["stage"]: call["bytes_received"] for call in answer["stages"]}


def test_pictures_are_the_same_in_safetensors_and_in_base64(ask: Ask) -> None:
    ours = ask("/v1/txt2img", REQUEST)
    contract = ask("/v1/txt2img", REQUEST, WIRE_FORMAT="base64")
    assert np.array_equal(pixels(ours), pixels(contract))
    assert all(received(ours)[stage] < 0.8 * size for stage, size in received(contract).items())


@pytest.mark.parametrize("image_format", ["png", "webp"])
def test_pictures_that_travel_as_files_are_the_same(ask: Ask, image_format: str) -> None:
    raw, files = ask("/v1/txt2img", REQUEST), ask("/v1/txt2img", REQUEST, WIRE_IMAGES=image_format)
    assert np.array_equal(pixels(raw), pixels(files))
    assert received(files)["decoder"] < received(raw)["decoder"]


def test_half_precision_on_the_wire_changes_pictures_by_little(ask: Ask) -> None:
    full, half = ask("/v1/txt2img", REQUEST), ask("/v1/txt2img", REQUEST, WIRE_DTYPE="float16")
    difference = np.abs(pixels(full) - pixels(half))
    assert received(half)["diffusion"] < 0.8 * received(full)["diffusion"]
    assert 0 < difference.mean() < 1
    assert difference.max() < 32


def test_inpainting_is_the_same_too(ask: Ask, tmp_path: Path) -> None:
    def text(image: Image.Image) -> str:
        file = io.BytesIO()
        image.save(file, "PNG")
        return base64.b64encode(file.getvalue()).decode()

    mask = Image.new("L", (100, 80))
    mask.paste(255, (30, 20, 70, 60))
    picture = {"image": text(Image.new("RGB", (100, 80), "yellow")), "mask": text(mask)}
    ours = ask("/v1/inpaint", {**REQUEST, **picture})
    contract = ask("/v1/inpaint", {**REQUEST, **picture}, WIRE_FORMAT="base64")
    assert np.array_equal(pixels(ours), pixels(contract))
