"""Sizes of pictures at request time: announced, passed on, refused."""

import base64
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.responses import JSONResponse

from gateway.info import Sizes
from gateway.sizes import common_sizes
from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import LATENT, PAINTED, base64_of
from tests.unit.gateway.pictures import noise, pixels_of, text_of, white_box

ANY = {"multiple": 32, "min": 32, "max": 160}
SIDE_OF_THE_MODEL = 64


@pytest.fixture
def sized(fakes: Fakes) -> Fakes:
    """Stages whose models make pictures of many sizes, 64x64 if none is asked for."""
    for name in ("diffusion", "inpainting", "decoder", "all_in_one"):
        fakes[name].sizes = ANY
    return fakes


def ask(gateway: httpx.Client, size: str | None) -> httpx.Response:
    return gateway.post("/v1/txt2img", json={"prompt": "a red apple", "size": size})


def ask_inpainting(gateway: httpx.Client, size: str | None) -> httpx.Response:
    picture = {"image": text_of(noise(200, 100)), "mask": text_of(white_box(200, 100, 20, 20, 90, 60))}
    return gateway.post("/v1/inpaint", json={"prompt": "a cat", "size": size, **picture})


def refusal(response: httpx.Response) -> str:
    error = response.json()["error"]
    assert (response.status_code, error["field"]) == (422, "size"), response.text
    said: str = error["message"]
    return said


def told(fakes: Fakes, name: str) -> dict[str, Any]:
    """What the stage was told of the size by its one request."""
    (request,) = fakes[name].requests
    return {key: request[key] for key in ("height", "width") if key in request}


def test_a_size_that_all_stages_announce_is_made(fresh_gateway: httpx.Client, sized: Fakes) -> None:
    answer = ask(fresh_gateway, "160x96")
    assert answer.status_code == 200, answer.text
    image = answer.json()["images"][0]
    assert (image["width"], image["height"]) == (160, 96)
    assert pixels_of(image["data"]).shape == (96, 160, 3)
    assert answer.json()["parameters"]["size"] == "160x96"


def test_stages_are_told_height_and_width(fresh_gateway: httpx.Client, sized: Fakes) -> None:
    ask(fresh_gateway, "160x96")
    assert told(sized, "diffusion") == told(sized, "decoder") == {"height": 96, "width": 160}
    assert told(sized, "text_encoder") == {}


@pytest.mark.parametrize("size", ["64x64", None])
def test_stages_are_not_told_of_their_own_size(
    fresh_gateway: httpx.Client, sized: Fakes, size: str | None
) -> None:
    assert ask(fresh_gateway, size).json()["parameters"]["size"] == "64x64"
    assert told(sized, "diffusion") == told(sized, "decoder") == {}


def test_one_stage_for_everything_is_told_too(
    start_gateway: StartGateway, sized: Fakes, urls: dict[str, str]
) -> None:
    gateway = start_gateway(all_in_one_url=urls["all_in_one"])
    assert ask(gateway, "32x128").status_code == 200
    assert told(sized, "all_in_one") == {"height": 128, "width": 32}
    assert refusal(ask(gateway, "32x129")).startswith("size must be a multiple of 32 from 32 to 160")


def test_a_size_chooses_the_window_of_inpainting(fresh_gateway: httpx.Client, sized: Fakes) -> None:
    answer = ask_inpainting(fresh_gateway, "160x96")
    assert answer.status_code == 200, answer.text
    assert told(sized, "inpainting") == told(sized, "decoder") == {"height": 96, "width": 160}
    image, mask = sized["inpainting"].requests[0]["inputs"][2:]
    assert (len(base64.b64decode(image)), len(base64.b64decode(mask))) == (96 * 160 * 3, 96 * 160)
    painted = pixels_of(answer.json()["images"][0]["data"])
    assert painted.shape == (100, 200, 3)
    assert painted[40, 50].tolist() == [PAINTED] * 3


def test_the_window_is_of_the_models_own_size_otherwise(fresh_gateway: httpx.Client, sized: Fakes) -> None:
    assert ask_inpainting(fresh_gateway, None).status_code == 200
    assert told(sized, "inpainting") == {}
    image = base64.b64decode(sized["inpainting"].requests[0]["inputs"][2])
    assert len(image) == SIDE_OF_THE_MODEL**2 * 3


@pytest.mark.parametrize("size", ["100x96", "96x100", "192x96", "96x192", "32x8"])
def test_another_size_is_refused_with_those_that_are_possible(
    fresh_gateway: httpx.Client, sized: Fakes, size: str
) -> None:
    assert refusal(ask(fresh_gateway, size)) == (
        f"size must be a multiple of 32 from 32 to 160 on each side; got {size}."
    )
    assert sized["text_encoder"].requests == []


def test_the_models_own_size_is_possible_beside_the_others(fresh_gateway: httpx.Client, sized: Fakes) -> None:
    for name in ("diffusion", "decoder"):
        sized[name].sizes = {"multiple": 96, "min": 96, "max": 192}
    assert ask(fresh_gateway, "64x64").status_code == 200
    assert refusal(ask(fresh_gateway, "100x96")) == (
        "size must be a multiple of 96 from 96 to 192 on each side or 64x64; got 100x96."
    )


def test_only_what_all_stages_announce_is_possible(fresh_gateway: httpx.Client, sized: Fakes) -> None:
    sized["decoder"].sizes = {"multiple": 48, "min": 8, "max": 400}
    assert ask(fresh_gateway, "96x96").status_code == 200
    assert refusal(ask(fresh_gateway, "128x96")) == (
        "size must be a multiple of 96 from 96 to 96 on each side or 64x64; got 128x96."
    )


def test_stages_that_share_no_size_but_their_own_make_that(fresh_gateway: httpx.Client, sized: Fakes) -> None:
    sized["decoder"].sizes = {"multiple": 64, "min": 512, "max": 1024}
    assert ask(fresh_gateway, None).status_code == 200
    assert refusal(ask(fresh_gateway, "128x96")) == (
        "size must be 64x64, as no other is announced by all stages; got 128x96."
    )


def test_one_stage_with_one_size_decides(fresh_gateway: httpx.Client, sized: Fakes) -> None:
    sized["decoder"].sizes = None
    assert refusal(ask(fresh_gateway, "128x96")) == (
        "size must be 64x64, as no other is announced by the decoder stage; got 128x96."
    )


@pytest.mark.parametrize("plain", ["diffusion", "decoder"])
def test_a_plain_endpoint_is_never_told_of_a_size(
    fresh_gateway: httpx.Client, sized: Fakes, plain: str
) -> None:
    sized[plain].plain = True
    assert f"no other is announced by the {plain} stage" in refusal(ask(fresh_gateway, "128x96"))
    assert ask(fresh_gateway, "64x64").status_code == 200
    assert told(sized, "diffusion") == told(sized, "decoder") == {}


def test_plain_endpoints_are_believed_to_make_what_is_named(
    fresh_gateway: httpx.Client, fakes: Fakes
) -> None:
    fakes["diffusion"].plain = fakes["decoder"].plain = True
    fakes["decoder"].shapes = {"image": (48, 96, 3)}
    assert ask(fresh_gateway, "96x48").json()["parameters"]["size"] == "96x48"
    assert told(fakes, "diffusion") == told(fakes, "decoder") == {}


def test_a_latent_of_another_size_than_asked_for_is_noticed(
    fresh_gateway: httpx.Client, sized: Fakes
) -> None:
    sized["diffusion"].responses["/"] = lambda: JSONResponse(base64_of(np.zeros(LATENT, np.float32)))
    answer = ask(fresh_gateway, "128x96")
    assert (answer.status_code, answer.json()["error"]["stage"]) == (502, "diffusion")
    assert "float32 tensor of shape (1, 12, 16, 4)" in answer.json()["error"]["message"]
    assert sized["decoder"].requests == []


def test_a_stages_own_refusal_is_about_the_size(fresh_gateway: httpx.Client, sized: Fakes) -> None:
    said = {"error": "height must be a multiple of 64 from 64 to 128; got 96"}
    sized["diffusion"].responses["/"] = lambda: JSONResponse(said, 422)
    assert "must be a multiple of 64 from 64 to 128; got 96" in refusal(ask(fresh_gateway, "128x96"))


def test_sizes_in_common_begin_and_end_with_one() -> None:
    several = [Sizes(multiple=64, min=250, max=1000), Sizes(multiple=96, min=100, max=1024)]
    assert common_sizes(several) == Sizes(multiple=192, min=384, max=960)
