"""A bundle in a fake endpoint answers what the stage here answers, and what its handler refuses is a 400."""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from endpoints.selected import STAGES
from tests.conftest import StageEndpoint, StageUrl
from tests.fake_cloud import FakeEndpoint, fake_endpoint
from tests.tiny import CONTEXT, IMAGE, LATENT, MASK


def encoded(shape: tuple[int, ...], seed: int = 0) -> str:
    tensor = np.random.default_rng(seed).standard_normal(shape, np.float32)
    return base64.b64encode(tensor.tobytes()).decode()


def request_for(stage: str) -> dict[str, Any]:
    image = np.full(IMAGE, (250, 215, 80), np.uint8)
    keep = np.ones(MASK, np.uint8)
    keep[16:112, 16:112] = 0
    seen = [base64.b64encode(tensor.tobytes()).decode() for tensor in (image, keep)]
    contexts = [encoded((1, *CONTEXT), 1), encoded((1, *CONTEXT), 2)]
    steps = {"num_steps": 3, "seed": 7}
    own: dict[str, dict[str, Any]] = {
        "text_encoder": {"inputs": "a red apple", "negative_prompt": "blue"},
        "diffusion": {"inputs": contexts, **steps},
        "inpainting": {"inputs": [*contexts, *seen], **steps},
        "decoder": {"inputs": encoded((1, *LATENT))},
        "all_in_one": {"inputs": "a red apple", **steps},
    }
    return {**own[stage], "batch_size": 1}


def post(endpoint: FakeEndpoint, request: dict[str, Any]) -> requests.Response:
    headers = {"Authorization": f"Bearer {endpoint.token}"}
    return requests.post(endpoint.url, json=request, headers=headers, timeout=60)


@pytest.mark.parametrize("stage", STAGES)
def test_a_bundle_answers_what_the_stage_here_answers(
    stage: str, stage_endpoint: StageEndpoint, stage_url: StageUrl
) -> None:
    request = request_for(stage)
    there = post(stage_endpoint(stage), request)
    here = requests.post(stage_url(stage), json=request, timeout=60)
    assert (there.status_code, here.status_code) == (200, 200), there.text
    assert there.json() == here.json()


def test_what_the_handler_refuses_is_a_400_with_its_sentence(stage_endpoint: StageEndpoint) -> None:
    answer = post(stage_endpoint("text_encoder"), {"inputs": "word " * 80, "batch_size": 1})
    assert answer.status_code == 400
    assert "at most 77 tokens" in answer.json()["error"]


def test_the_endpoints_own_environment_goes_before_what_the_bundle_says(
    stage_endpoint: StageEndpoint, tmp_path: Path
) -> None:
    bundle = stage_endpoint("decoder").bundle
    with (
        pytest.raises(AssertionError, match=r"SD_VERSION must be one of tiny, 1\.4, 2; got '3'"),
        fake_endpoint(bundle, tmp_path, env={"SD_VERSION": "3"}),
    ):
        pass
