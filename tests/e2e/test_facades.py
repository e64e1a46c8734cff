"""Diffusion and inpainting served by one process."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import requests

from tests import tiny
from tests.conftest import StageUrl
from tests.running import running_stage


@dataclass(frozen=True)
class Both:
    url: str
    log: Path


RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    log = tmp_path_factory.mktemp("both") / "diffusion.log"
    with running_stage("diffusion", log, FACADES="inpainting") as server:
        yield Both(server.url, log)


def request(names: tuple[str, ...], **fields: object) -> dict[str, object]:
    arrays = {
        "context": RNG.standard_normal((1, *tiny.CONTEXT)).astype(np.float32),
        "unconditional_context": np.zeros((1, *tiny.CONTEXT), np.float32),
        "image": RNG.integers(0, 256, tiny.IMAGE, np.uint8),
        "mask": np.tri(tiny.SIDE, dtype=np.uint8)[..., None],
    }
    return {"inputs": [base64.b64encode(arrays[name].tobytes()).decode() for name in names], **fields}


def test_the_facade_inpaints_as_a_stage_of_its_own_does(both: Both, stage_url: StageUrl) -> None:
    body = request(("context", "unconditional_context", "image", "mask"), seed=3, num_steps=4)
    answers = [requests.post(url, json=body) for url in (f"{both.url}/inpainting", stage_url("inpainting"))]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


def test_both_say_what_they_are(both: Both) -> None:
    assert requests.get(f"{both.url}/info").json()["stage"] == "diffusion"
    assert requests.get(f"{both.url}/inpainting/info").json()["stage"] == "inpainting"


def test_there_is_one_unet_for_both(both: Both) -> None:
    assert requests.post(both.url, json=request(("context", "unconditional_context"))).status_code == 200
    said = both.log.read_text()
    assert said.count("compiling the diffusion for inputs of shapes (2,") == 1
    assert said.count("compiling the image_encoder") == 1
