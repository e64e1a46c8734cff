"""Every dialect tells the stages who asks, so that each client gets its share."""

from typing import Any

import httpx
import pytest

from tests.unit.gateway.conftest import Fakes
from tests.unit.gateway.pictures import noise, text_of


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/txt2img", {"prompt": ""}),
        ("/v1/images/generations", {"prompt": ""}),
        ("/v1/images/generations", {"prompt": "", "stream": True}),
        ("/v1/images/edits", {"prompt": "", "image": text_of(noise(64, 64))}),
        ("/sdapi/v1/txt2img", {"sampler_name": "DDIM"}),
        ("/sdapi/v1/img2img", {"init_images": [text_of(noise(64, 64))], "sampler_name": "DDIM"}),
        ("/hf/text-to-image", {"inputs": ""}),
        ("/hf/image-to-image", {"inputs": text_of(noise(64, 64))}),
        ("/hf/all-in-one", {"inputs": ""}),
    ],
)
def test_a_client_is_told_by_its_address(
    able: httpx.Client, fakes: Fakes, path: str, body: dict[str, Any]
) -> None:
    fakes["diffusion"].extras = [*fakes["diffusion"].extras, "client"]
    assert able.post(path, json=body).status_code == 200
    assert fakes["diffusion"].requests[0]["client"] == "127.0.0.1"
