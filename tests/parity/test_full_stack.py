"""Full models behind their servers: from a checkpoint with random values to a picture over HTTP."""

import base64
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from tests import checkpoint_files as files
from tests.running import running_gateway, running_stage
from triptych.wire import decode_tensor, encode_tensor

RNG = np.random.default_rng(0)
BACKEND = {"KERAS_BACKEND": "openvino"}


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder that is gone after the test: these files are large."""
    yield tmp_path
    shutil.rmtree(tmp_path)


def asked(url: str, **request: Any) -> requests.Response:
    given = {"prompt": "a cat", "steps": 2, "seed": 1, **request}
    return requests.post(f"{url}/v1/txt2img", json=given, timeout=600)


def picture(url: str, **request: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
    response = asked(url, **request)
    assert response.status_code == 200, response.text
    with Image.open(io.BytesIO(base64.b64decode(response.json()["images"][0]["data"]))) as image:
        return np.asarray(image.convert("RGB"))


def test_one_file_serves_pictures_of_every_size(scratch: Path) -> None:
    model = files.make_compvis_file(scratch / "model.safetensors", dtype="float16")
    settings = {"MODEL": str(model), "WEIGHTS_DIR": str(scratch / "weights"), **BACKEND}
    with (
        running_stage("all_in_one", scratch / "stage.log", **settings) as stage,
        running_gateway(scratch / "gateway.log", ALL_IN_ONE_URL=stage.url) as gateway,
    ):
        wide = picture(gateway.url, size="320x256")
        assert wide.shape == (256, 320, 3)
        assert wide.std() > 5
        assert picture(gateway.url, size="256x320").shape == (320, 256, 3)
        assert np.array_equal(picture(gateway.url, size="320x256"), wide)
        refused = asked(gateway.url, size="300x256")
        assert refused.status_code == 422
        assert "multiple of 64" in refused.text
        info = requests.get(f"{stage.url}/info", timeout=10).json()
    assert info["model"]["name"] == "model.safetensors"
    assert info["sizes"] == {"multiple": 64, "min": 256, "max": 1024}
    assert list((scratch / "weights").glob("tmp*")) == []


def test_a_unet_for_inpainting_repaints_by_the_mask_that_it_is_shown(scratch: Path) -> None:
    model = files.make_diffusers_folder(scratch / "painter", inpainting=True, parts=["unet", "vae"])
    settings = {"MODEL": str(model), "WEIGHTS_DIR": str(scratch / "weights"), **BACKEND}
    contexts = [encode_tensor(RNG.standard_normal((1, 77, 768), np.float32)) for _ in range(2)]
    image = RNG.integers(0, 256, (256, 256, 3), np.uint8)
    masks = [np.ones((256, 256, 1), np.uint8), np.zeros((256, 256, 1), np.uint8)]
    request = {"batch_size": 1, "num_steps": 1, "seed": 3, "height": 256, "width": 256}
    with running_stage("inpainting", scratch / "stage.log", **settings) as stage:
        latents = []
        for mask in masks:
            inputs = [*contexts, encode_tensor(image), encode_tensor(mask)]
            response = requests.post(stage.url, json={**request, "inputs": inputs}, timeout=600)
            assert response.status_code == 200, response.text
            latents.append(decode_tensor("latent", response.json(), np.float32, (1, 32, 32, 4)))
        again = {**request, "inputs": inputs, "num_resamples": 2}
        refused = requests.post(stage.url, json=again, timeout=60)
    assert all(np.isfinite(latent).all() for latent in latents)
    assert np.abs(latents[0] - latents[1]).max() > 0.1
    assert refused.status_code == 422
    assert "num_resamples" in refused.text
