"""From a prompt to a picture that shows it, through real processes."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import requests
from httpx_sse import connect_sse
from PIL import Image, ImageDraw

from tests.conftest import StageUrl
from tests.e2e.pictures import background, data_of, picture
from tests.running import running_gateway, running_stage
from tests.tiny import PICTURE
from training.concepts import COLOURS


@pytest.mark.parametrize("colour", COLOURS)
def test_a_picture_has_the_background_that_the_prompt_names(gateway_url: str, colour: str) -> None:
    assert background(picture(gateway_url, prompt=f"a cat on a {colour} background")) == colour


def test_a_picture_shows_the_colour_of_the_thing(gateway_url: str) -> None:
    pixels = np.asarray(picture(gateway_url, prompt="a blue heart on a white background").convert("RGB"))
    red, _, blue = pixels[48:80, 48:80].reshape(-1, 3).mean(axis=0)
    assert blue > red + 40


def test_a_negative_prompt_drives_a_colour_out(gateway_url: str) -> None:
    def redness(**request: Any) -> float:
        pixels = np.asarray(picture(gateway_url, prompt="a heart", **request).convert("RGB")).astype(float)
        return float((pixels[..., 0] - pixels[..., 1:].mean(axis=-1)).mean())

    plain = np.mean([redness(seed=seed) for seed in range(4)])
    driven = np.mean([redness(seed=seed, negative_prompt="a red background") for seed in range(4)])
    assert driven < plain


def test_the_same_seed_makes_the_same_picture(gateway_url: str) -> None:
    first, again, other = (
        np.asarray(picture(gateway_url, prompt="a dog", seed=seed, steps=5)) for seed in (5, 5, 6)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_every_picture_of_a_batch_can_be_made_alone_from_its_seed(gateway_url: str) -> None:
    request = {"prompt": "a dog", "num_images": 3, "seed": 40, "steps": 5}
    answer = requests.post(f"{gateway_url}/v1/txt2img", json=request, timeout=60).json()
    assert [image["seed"] for image in answer["images"]] == [40, 41, 42]
    last = Image.open(io.BytesIO(base64.b64decode(answer["images"][2]["data"])))
    assert np.array_equal(
        np.asarray(last), np.asarray(picture(gateway_url, prompt="a dog", seed=42, steps=5))
    )


def test_an_answer_tells_where_each_stage_ran_and_how_long(gateway_url: str) -> None:
    answer = requests.post(
        f"{gateway_url}/v1/txt2img", json={"prompt": "a dog", "steps": 2}, timeout=60
    ).json()
    assert [stage["stage"] for stage in answer["stages"]] == ["text_encoder", "diffusion", "decoder"]
    assert all(stage["seconds"] > 0 and stage["bytes_received"] > 0 for stage in answer["stages"])


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_an_answer_tells_what_each_stage_had_kept(gateway_url: str, accept: str) -> None:
    def lookups() -> dict[str, tuple[int, int]]:
        request = {"prompt": f"a dog, {accept}", "negative_prompt": f"snow, {accept}", "steps": 2, "seed": 77}
        with httpx.stream(
            "POST", f"{gateway_url}/v1/txt2img", json=request, headers={"accept": accept}, timeout=60
        ) as answer:
            answer.read()
        text = answer.text.rpartition("data: ")[2] if "event: " in answer.text else answer.text
        stages = json.loads(text.strip())["stages"]
        return {stage["stage"]: (stage["cache_hits"], stage["cache_misses"]) for stage in stages}

    first, again = lookups(), lookups()
    assert (first["text_encoder"], first["diffusion"]) == ((0, 2), (0, 1))
    assert (again["text_encoder"], again["diffusion"]) == ((2, 0), (1, 0))


def test_a_picture_that_is_watched_is_the_same(gateway_url: str) -> None:
    request = {"prompt": "a dog", "seed": 5, "steps": 5}
    with (
        httpx.Client(base_url=gateway_url, timeout=60) as client,
        connect_sse(client, "POST", "/v1/txt2img", json=request) as source,
    ):
        events = [(event.event, json.loads(event.data)) for event in source.iter_sse()]
    stages = list(dict.fromkeys(data["stage"] for name, data in events if name == "progress"))
    assert stages[-1] == "decoder"
    name, result = events[-1]
    watched = Image.open(io.BytesIO(base64.b64decode(result["images"][0]["data"])))
    assert name == "result"
    assert np.array_equal(np.asarray(watched), np.asarray(picture(gateway_url, **request)))


def test_inpainting_paints_inside_the_mask_and_leaves_the_rest_as_it_was(gateway_url: str) -> None:
    image = Image.new("RGB", (301, 199), COLOURS["yellow"])
    draw = ImageDraw.Draw(image)
    draw.line((0, 0, 301, 199), fill=(10, 20, 30), width=3)
    mask = Image.new("L", image.size, 0)
    ImageDraw.Draw(mask).rectangle((100, 40, 219, 159), fill=255)
    request = {"prompt": "a red apple on a yellow background", "image": data_of(image), "mask": data_of(mask)}
    response = requests.post(
        f"{gateway_url}/v1/inpaint", json={**request, "seed": 3}, headers={"Accept": "image/png"}, timeout=120
    )
    assert response.status_code == 200, response.text
    before, after = np.asarray(image), np.asarray(Image.open(io.BytesIO(response.content)).convert("RGB"))
    painted = np.asarray(mask) > 0
    assert np.array_equal(after[~painted], before[~painted])
    red, green, _ = after[80:120, 140:180].reshape(-1, 3).mean(axis=0)
    assert red > green + 40


def test_a_prompt_that_is_too_long_is_the_users_to_mend(gateway_url: str) -> None:
    response = requests.post(f"{gateway_url}/v1/txt2img", json={"prompt": "word " * 80}, timeout=60)
    assert response.status_code == 422
    assert "77 tokens" in response.json()["error"]["message"]


def test_words_that_the_model_does_not_know_still_make_a_picture(gateway_url: str) -> None:
    image = picture(gateway_url, prompt="ein großer Schmetterling, zwzwzw 🦋 on a green background", steps=5)
    assert image.size == PICTURE


def test_a_stage_is_used_where_its_variable_points_and_by_those_who_know_its_secret(
    gateway_url: str, stage_url: StageUrl, tmp_path: Path
) -> None:
    secret = {"STAGE_SECRET": "not-to-be-guessed"}
    with running_stage("decoder", tmp_path / "decoder.log", **secret) as decoder:
        assert requests.post(decoder.url, json={"inputs": ""}, timeout=10).status_code == 401
        urls = {
            f"{name.upper()}_URL": stage_url(name) for name in ("text_encoder", "diffusion", "inpainting")
        }
        with running_gateway(tmp_path / "gateway.log", **urls, **secret, DECODER_URL=decoder.url) as gateway:
            answer = requests.post(
                f"{gateway.url}/v1/txt2img", json={"prompt": "a dog", "steps": 2}, timeout=60
            )
    assert answer.json()["stages"][-1]["replica"] == decoder.url


def test_everything_can_be_in_one_endpoint(stage_url: StageUrl, tmp_path: Path) -> None:
    off = {f"{name}_URL": "" for name in ("TEXT_ENCODER", "DIFFUSION", "INPAINTING", "DECODER")}
    with running_gateway(tmp_path / "log", **off, ALL_IN_ONE_URL=stage_url("all_in_one")) as gateway:
        image = picture(gateway.url, prompt="a cat on a purple background")
    assert background(image) == "purple"
