"""webuiapi, the Python client of AUTOMATIC1111's web UI."""

import base64
import json
import threading
import time
from typing import Any

import pytest
import requests
import webuiapi
from PIL import Image, ImageOps

from tests.clients.pictures import (
    HEIGHT,
    WIDTH,
    assert_painted_in_the_box,
    distance,
    huge_file,
    is_same,
    noise,
    opened,
    redness,
    text_file,
    text_of,
    white_mask,
)
from tests.tiny import PICTURE, SIDE, SIZE

BLUR_MARGIN = 14
"""Pixels around the mask that `mask_blur=4` reaches."""


@pytest.fixture(scope="module")
def api(gateway_url: str) -> webuiapi.WebUIApi:
    return webuiapi.WebUIApi(baseurl=f"{gateway_url}/sdapi/v1", steps=8)


def heart(api: webuiapi.WebUIApi, **request: Any) -> Any:
    return api.txt2img(**{"prompt": "a heart", "seed": 1, "width": SIDE, "height": SIDE, **request})


def painted(api: webuiapi.WebUIApi, **request: Any) -> Image.Image:
    """By default in the mode that follows the mask to the pixel."""
    sharp = {"images": [noise()], "mask_image": white_mask(), "mask_blur": 0, "prompt": "a red apple"}
    size = {"width": WIDTH, "height": HEIGHT}
    image: Image.Image = api.img2img(**{**sharp, **size, **request}).image
    return image


def refused(response: requests.Response, status: int = 422) -> str:
    assert response.status_code == status, response.text
    error = response.json()
    assert set(error) == {"error", "detail", "body", "errors"}
    return str(error["detail"])


def test_a_picture_has_the_size_that_was_asked_for(api: webuiapi.WebUIApi) -> None:
    made = api.txt2img(prompt="a heart")
    assert made.image.size == (made.info["width"], made.info["height"]) == (512, 512)
    assert made.info["warnings"] == [f"The picture was made at {SIZE} and scaled to 512x512."]
    assert heart(api).info["warnings"] == []


def test_the_second_pass_makes_it_larger(api: webuiapi.WebUIApi) -> None:
    assert heart(api, enable_hr=True, hr_scale=2).image.size == (2 * SIDE, 2 * SIDE)
    assert heart(api, enable_hr=True, hr_resize_x=96, hr_resize_y=100).image.size == (96, 100)


def test_the_same_seed_makes_the_same_picture(api: webuiapi.WebUIApi) -> None:
    assert is_same(heart(api).image, heart(api).image)
    assert not is_same(heart(api).image, heart(api, seed=2).image)


def test_a_random_seed_is_told(api: webuiapi.WebUIApi) -> None:
    made = heart(api, seed=-1)
    assert is_same(made.image, heart(api, seed=made.info["seed"]).image)


def test_every_picture_of_several_batches_can_be_made_alone(api: webuiapi.WebUIApi) -> None:
    made = heart(api, batch_size=10, n_iter=2)
    assert made.info["all_seeds"] == list(range(1, 21))
    assert len(made.images) == len(made.info["infotexts"]) == 20
    assert is_same(made.images[19], heart(api, seed=20).image)


def test_a_negative_prompt_drives_a_colour_out(api: webuiapi.WebUIApi) -> None:
    plain = sum(redness(heart(api, seed=seed, cfg_scale=4).image) for seed in range(4))
    driven = sum(
        redness(heart(api, seed=seed, cfg_scale=4, negative_prompt="a red background").image)
        for seed in range(4)
    )
    assert driven < plain


@pytest.mark.parametrize(
    ("asked", "scheduler", "used", "schedule"),
    [
        ("Euler a", "automatic", "Euler a", "Automatic"),
        ("DPM++ 2M Karras", "automatic", "DPM++ 2M", "Karras"),
        ("DPM++ 2M", "Karras", "DPM++ 2M", "Karras"),
        ("DPM++ 2M SDE", "Karras", "DPM++ 2M", "Karras"),
        ("UniPC", "SGM Uniform", "DPM++ 2M", "SGM Uniform"),
    ],
)
def test_a_sampler_is_the_one_or_the_nearest_and_told(
    api: webuiapi.WebUIApi, asked: str, scheduler: str, used: str, schedule: str
) -> None:
    info = heart(api, sampler_name=asked, scheduler=scheduler).info
    assert info["sampler_name"] == used
    assert info["extra_generation_params"]["Schedule type"] == schedule
    assert f"Sampler: {used}" in info["infotexts"][0]
    assert ("nearest" in " ".join(info["warnings"])) == (not asked.startswith(used) or "SDE" in asked)


def test_a_picture_says_how_it_was_made(api: webuiapi.WebUIApi) -> None:
    made = heart(api, negative_prompt="green", sampler_name="DPM++ 2M", scheduler="Karras")
    said = api.png_info(made.image)
    assert said.info == made.info["infotexts"][0] == made.image.info["parameters"]
    assert said.parameters["Prompt"] == "a heart"
    assert said.parameters["Negative prompt"] == "green"
    assert said.parameters["Seed"] == "1"
    assert said.parameters["Schedule type"] == "Karras"


@pytest.mark.parametrize("fill", [0, 2, 3])
@pytest.mark.parametrize("only_masked", [True, False])
def test_what_is_white_in_the_mask_is_repainted_and_nothing_else(
    api: webuiapi.WebUIApi, fill: int, only_masked: bool
) -> None:
    assert_painted_in_the_box(painted(api, inpainting_fill=fill, inpaint_full_res=only_masked))


@pytest.mark.parametrize("padding", [0, 16, 200])
def test_surroundings_may_be_shown_to_the_model(api: webuiapi.WebUIApi, padding: int) -> None:
    assert_painted_in_the_box(painted(api, inpaint_full_res_padding=padding))


def test_a_blurred_mask_has_a_soft_edge(api: webuiapi.WebUIApi) -> None:
    blurred = painted(api, mask_blur=4)
    assert_painted_in_the_box(blurred, BLUR_MARGIN)
    with pytest.raises(AssertionError):
        assert_painted_in_the_box(blurred)


def test_a_mask_may_be_turned_round(api: webuiapi.WebUIApi) -> None:
    black = ImageOps.invert(white_mask())
    assert_painted_in_the_box(painted(api, mask_image=black, inpainting_mask_invert=1))


def test_a_mask_may_be_what_is_opaque(api: webuiapi.WebUIApi) -> None:
    mask = Image.new("RGBA", (WIDTH, HEIGHT))
    mask.putalpha(white_mask())
    assert_painted_in_the_box(painted(api, mask_image=mask))


def test_only_the_masked_part_is_made_however_large_the_picture(api: webuiapi.WebUIApi) -> None:
    assert painted(api, width=SIDE, height=SIDE).size == (WIDTH, HEIGHT)


@pytest.mark.parametrize("resize_mode", [0, 1, 2, 3])
def test_a_whole_picture_is_made_of_the_size_that_was_asked_for(
    api: webuiapi.WebUIApi, resize_mode: int
) -> None:
    made = painted(api, inpaint_full_res=False, width=160, height=64, resize_mode=resize_mode)
    assert made.size == (160, 64)


def test_the_same_seed_paints_the_same(api: webuiapi.WebUIApi) -> None:
    assert is_same(painted(api, seed=3), painted(api, seed=3))
    assert not is_same(painted(api, seed=3), painted(api, seed=4))


def test_without_a_mask_the_whole_picture_is_made_anew_by_so_much(api: webuiapi.WebUIApi) -> None:
    image = heart(api, seed=3).image
    whole = {"images": [image], "mask_image": None, "width": SIDE, "height": SIDE, "prompt": "a cat"}
    little, much = (painted(api, **whole, seed=4, denoising_strength=strength) for strength in (0.3, 0.9))
    assert distance(little, image) < distance(much, image)


def test_a_whole_picture_made_anew_says_how(api: webuiapi.WebUIApi) -> None:
    asked = {"images": [noise()], "prompt": "a cat", "width": 256, "height": 192, "denoising_strength": 0.4}
    made = api.img2img(**asked)
    assert made.image.size == (256, 192)
    assert api.png_info(made.image).parameters["Denoising strength"] == "0.4"
    assert made.info["warnings"] == [f"The picture was made at {SIZE} and scaled to 256x192."]


def test_what_is_under_way_can_be_watched_and_interrupted(api: webuiapi.WebUIApi) -> None:
    made: list[Any] = []
    slow = {"steps": 50, "n_iter": 4, "seed": 1}
    drawing = threading.Thread(target=lambda: made.append(heart(api, **slow)))
    drawing.start()
    until = time.monotonic() + 60
    while not (shown := api.get_progress())["current_image"]:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert opened(shown["current_image"]).size == PICTURE
    assert (shown["state"]["job_count"], shown["state"]["sampling_steps"]) == (4, 50)
    assert 0 < shown["progress"] < 1
    assert shown["eta_relative"] > 0
    api.interrupt()
    drawing.join(60)
    assert [image.size for image in made[0].images] == [PICTURE] * 4
    assert "It was interrupted" in " ".join(made[0].info["warnings"])
    assert api.get_progress()["state"]["job_count"] == 0


def test_the_lists_are_of_what_there_is(api: webuiapi.WebUIApi) -> None:
    assert "Euler a" in [one["name"] for one in api.get_samplers()]
    assert "karras" in [one["name"] for one in api.get_schedulers()]
    (model,) = api.get_sd_models()
    assert api.util_get_current_model() == model["title"] == f"Triptych tiny [{model['hash']}]"
    api.util_set_model("Triptych tiny")
    for name in (
        "sd_vae",
        "latent_upscale_modes",
        "prompt_styles",
        "loras",
        "hypernetworks",
        "face_restorers",
    ):
        assert getattr(api, f"get_{name}")() == []
    assert api.get_embeddings()["loaded"] == {}
    assert api.get_scripts() == {"txt2img": [], "img2img": []}
    assert api.get_cmd_flags() == {}
    assert "cuda" in api.get_memory()
    assert api.refresh_checkpoints() is None


@pytest.mark.parametrize("path", ["/sdapi/v1/upscalers", "/sdapi/v1/sd-modules", "/queue/status"])
def test_what_other_programs_ask_first_is_answered(gateway_url: str, path: str) -> None:
    assert requests.get(f"{gateway_url}{path}", timeout=30).status_code == 200


@pytest.mark.parametrize(
    ("request_", "status", "said"),
    [
        ({"sampler_name": "nonsense"}, 400, "Sampler not found"),
        ({"batch_size": 1000}, 422, "batch_size must be a whole number from 1 to 100; got 1000."),
        ({"width": 40_000}, 422, "width must be a whole number from 1 to 8192"),
        ({"batch_size": 100, "width": 4096, "height": 4096}, 422, "MAX_IMAGE_PIXELS"),
        ({"override_settings": {"sd_model_checkpoint": "x"}}, 422, "sd_model_checkpoint must be triptych"),
        ({"script_name": "x/y/z plot"}, 422, "no script runs here"),
        ({"steps": 900}, 422, "steps must be 1 to"),
    ],
)
def test_what_cannot_be_made_is_an_error(
    api: webuiapi.WebUIApi, request_: dict[str, Any], status: int, said: str
) -> None:
    with pytest.raises(RuntimeError) as refused:
        heart(api, **request_)
    got, text = refused.value.args
    assert got == status
    assert said in json.loads(text)["detail"]


def test_files_that_are_of_no_use_are_errors(gateway_url: str) -> None:
    def ask(**request: Any) -> requests.Response:
        body = {"init_images": [text_of(noise())], "mask": text_of(white_mask()), **request}
        return requests.post(f"{gateway_url}/sdapi/v1/img2img", json=body, timeout=60)

    text, huge = (base64.b64encode(data).decode() for data in (text_file(), huge_file()))
    assert "mask must be of the image's size, 96x80" in refused(ask(mask=text_of(white_mask(50, 50))))
    assert "init_images must be a PNG, JPEG or WebP" in refused(ask(init_images=[text]))
    assert "init_images must be of at most" in refused(ask(init_images=[huge]))
    assert "mask must be of at most" in refused(ask(mask=huge))
    assert "Init image not found" in refused(ask(init_images=None), 404)
    assert "must hold one picture" in refused(ask(init_images=[text, text]))
    assert "something to repaint" in refused(ask(mask=text_of(Image.new("L", (WIDTH, HEIGHT)))))


def test_a_client_that_leaves_ends_what_it_asked_for(api: webuiapi.WebUIApi, gateway_url: str) -> None:
    body = {"prompt": "a heart", "steps": 100, "batch_size": 4}
    with pytest.raises(requests.Timeout):
        requests.post(f"{gateway_url}/sdapi/v1/txt2img", json=body, timeout=0.5)
    until = time.monotonic() + 30
    while api.get_progress()["state"]["job_count"]:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_picture_comes_as_base64_alone(gateway_url: str) -> None:
    body = {"prompt": "a heart", "steps": 4, "seed": None}
    answer = requests.post(f"{gateway_url}/sdapi/v1/txt2img", json=body, timeout=60).json()
    assert set(answer) == {"images", "parameters", "info"}
    assert opened(answer["images"][0]).size == (512, 512)
    assert answer["parameters"]["sampler_index"] == "Euler"
