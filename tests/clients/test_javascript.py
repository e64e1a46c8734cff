"""Clients in JavaScript: each script says what its client made of the gateway, and here it is looked at."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.node import SCRIPTS, node, require_node
from tests.clients.pictures import (
    assert_painted_in_the_box,
    file_of,
    is_same,
    noise,
    opened,
    transparent_mask,
    white_mask,
)
from tests.e2e.pictures import picture

HEART: dict[str, Any] = {"prompt": "a heart", "steps": 8, "seed": 1}


@pytest.fixture(autouse=True)
def _node() -> None:
    require_node()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    made = {"image": noise(), "white": white_mask(), "transparent": transparent_mask()}
    for name, image in made.items():
        (tmp_path / f"{name}.png").write_bytes(file_of(image))
    return {name: tmp_path / f"{name}.png" for name in made}


def told(script: str, *arguments: object) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(node(SCRIPTS / script, *arguments))
    return said


def test_openai(gateway_url: str, files: dict[str, Path]) -> None:
    said = told("openai.mjs", gateway_url, files["image"], files["transparent"])
    assert said["models"] == ["triptych-tiny"]
    first, second = map(opened, said["made"])
    assert is_same(first, picture(gateway_url, **HEART))
    assert not is_same(first, second)
    assert said["streamed"][-1]["type"] == "image_generation.completed"
    assert is_same(opened(said["streamed"][-1]["image"]), first)
    assert_painted_in_the_box(opened(said["edited"]))
    for error, field in ((said["tooMany"], "n"), (said["wrongMask"], "mask")):
        assert (error["name"], error["status"], error["param"]) == ("UnprocessableEntityError", 422, field)


def test_huggingface_inference(gateway_url: str, files: dict[str, Path]) -> None:
    said = told("huggingface.mjs", gateway_url, files["image"], files["white"])
    assert is_same(opened(said["made"]), picture(gateway_url, **HEART))
    assert opened(said["larger"]).size == (256, 192)
    assert_painted_in_the_box(opened(said["repainted"]))
    for error in (said["tooMany"], said["noPicture"]):
        assert (error["name"], error["status"]) == ("InferenceClientProviderApiError", 422)


def test_stable_diffusion_api(gateway_url: str, files: dict[str, Path]) -> None:
    said = told("stable-diffusion-api.mjs", gateway_url, files["image"], files["white"])
    first, second = map(opened, said["made"])
    assert said["seeds"] == [1, 2]
    assert is_same(first, picture(gateway_url, **HEART, sampler="euler_ancestral", guidance_scale=7.0))
    assert not is_same(first, second)
    assert_painted_in_the_box(opened(said["painted"]))
    assert "Euler a" in said["samplers"]
    assert said["models"][0].startswith("Triptych tiny")
    assert said["progress"]["progress"] == 0
    assert (said["noSampler"]["status"], said["noSampler"]["detail"]) == (400, "Sampler not found")
