"""Image to image, and what else is said of how much may change: strength, soft masks, guidance."""

import base64
from typing import Any

import httpx
import numpy as np
import pytest

from tests.unit.gateway.conftest import Fakes, StartGateway
from tests.unit.gateway.fakes import IMAGE, LATENT, MASK, PAINTED, FakeStage, serving
from tests.unit.gateway.pictures import Pixels, file_of, noise, pixels_of, text_of, white_box


def made(gateway: httpx.Client, path: str = "/v1/img2img", **request: Any) -> dict[str, Any]:
    answer = gateway.post(path, json={"prompt": "a red apple", **request})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def refused(gateway: httpx.Client, path: str = "/v1/img2img", **request: Any) -> dict[str, Any]:
    answer = gateway.post(path, json={"prompt": "a red apple", **request})
    return {"status": answer.status_code, **answer.json()["error"]}


def decoded(text: str, dtype: type, shape: tuple[int, ...]) -> Any:
    return np.frombuffer(base64.b64decode(text), dtype).reshape(shape)


def test_a_picture_is_encoded_changed_and_decoded(able: httpx.Client, fakes: Fakes) -> None:
    image = noise(64, 64)
    answer = made(able, image=text_of(image), strength=0.5, num_images=2)
    encoding, decoding = fakes["decoder"].requests
    assert set(encoding) == {"inputs", "batch_size", "task"}
    assert (encoding["task"], encoding["batch_size"]) == ("encode", 1)
    assert np.array_equal(decoded(encoding["inputs"], np.uint8, IMAGE), image)
    (denoising,) = fakes["diffusion"].requests
    assert (denoising["strength"], denoising["batch_size"]) == (0.5, 2)
    assert len(denoising["inputs"]) == 3
    assert (decoded(denoising["inputs"][2], np.float32, (2, *LATENT)) == 1).all()
    assert "task" not in decoding
    assert [call["stage"] for call in answer["stages"]] == [
        "text_encoder",
        "decoder",
        "diffusion",
        "decoder",
    ]
    assert answer["parameters"]["strength"] == 0.5
    assert answer["warnings"] == []
    assert (pixels_of(answer["images"][0]["data"]) == PAINTED).all()


def test_three_quarters_of_the_steps_are_done_unless_given(able: httpx.Client, fakes: Fakes) -> None:
    assert made(able, image=text_of(noise(64, 64)))["parameters"]["strength"] == 0.75
    assert fakes["diffusion"].requests[0]["strength"] == 0.75


def test_the_middle_of_a_picture_is_seen_in_the_models_size(able: httpx.Client, fakes: Fakes) -> None:
    image = np.zeros((128, 512, 3), np.uint8)
    image[:, 192:320] = (200, 100, 50)
    answer = made(able, image=text_of(image))
    seen = decoded(fakes["decoder"].requests[0]["inputs"], np.uint8, IMAGE)
    assert (seen[:, 8:-8] == (200, 100, 50)).all()
    assert answer["parameters"]["size"] == "64x64"


def test_what_is_transparent_is_seen_over_white(able: httpx.Client, fakes: Fakes) -> None:
    made(able, image=text_of(np.zeros((64, 64, 4), np.uint8)))
    assert (decoded(fakes["decoder"].requests[0]["inputs"], np.uint8, IMAGE) == 255).all()


def test_another_size_is_told_to_the_encoder_too(able: httpx.Client, fakes: Fakes) -> None:
    for name in ("diffusion", "decoder"):
        fakes[name].sizes = {"multiple": 64, "min": 64, "max": 256}
    answer = made(able, image=text_of(noise(64, 64)), size="128x64")
    encoding = fakes["decoder"].requests[0]
    assert (encoding["height"], encoding["width"]) == (64, 128)
    assert (answer["images"][0]["width"], answer["images"][0]["height"]) == (128, 64)


def test_a_form_sends_the_picture_as_a_file(able: httpx.Client, fakes: Fakes) -> None:
    form = {"prompt": "a cat", "strength": "0.25"}
    answer = able.post(
        "/v1/img2img", data=form, files={"image": file_of(noise(64, 64))}, headers={"Accept": "image/png"}
    )
    assert answer.status_code == 200, answer.text
    assert fakes["diffusion"].requests[0]["strength"] == 0.25


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"image": "AAAA"}, "image"),
        ({"strength": 1.5}, "strength"),
        ({"strength": -0.1}, "strength"),
        ({"mask": "AAAA"}, "mask"),
    ],
)
def test_what_is_at_fault_is_named(able: httpx.Client, request_: dict[str, Any], field: str) -> None:
    error = refused(able, **{"image": text_of(noise(8, 8)), **request_})
    assert (error["status"], error["field"]) == (422, field)


@pytest.mark.parametrize(
    ("lacking", "extra", "said"),
    [
        ("decoder", "task", "encodes images"),
        ("diffusion", "strength", "starts from a picture"),
    ],
)
def test_a_stage_that_cannot_is_told_with_what_to_do(
    able: httpx.Client, fakes: Fakes, lacking: str, extra: str, said: str
) -> None:
    fakes[lacking].extras.remove(extra)
    error = refused(able, image=text_of(noise(64, 64)))
    assert (error["status"], error["type"], error["stage"]) == (503, "StageUnavailable", lacking)
    assert f"does not announce that it {said}" in error["message"]
    assert f"Set {lacking.upper()}_URL to the {lacking} stage of this project" in error["message"]
    assert all(fake.requests == [] for fake in fakes.values())


def test_a_place_that_cannot_is_passed_over_for_one_that_can(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str]
) -> None:
    fakes["decoder"].extras = ["task"]
    able = FakeStage("diffusion", extras=["strength"])
    with serving(able.app()) as url:
        gateway = start_gateway(diffusion_url="", diffusion_urls=f"{urls['diffusion']};{url}")
        answer = made(gateway, image=text_of(noise(64, 64)))
    assert answer["stages"][2]["replica"] == url
    assert fakes["diffusion"].requests == []


def test_the_stage_for_everything_does_not_do_it(
    start_gateway: StartGateway, fakes: Fakes, urls: dict[str, str]
) -> None:
    fakes["decoder"].extras, fakes["diffusion"].extras = ["task"], ["strength"]
    made(start_gateway(all_in_one_url=urls["all_in_one"]), image=text_of(noise(64, 64)))
    assert fakes["all_in_one"].requests == []


@pytest.mark.parametrize("path", ["/v1/txt2img", "/v1/img2img"])
def test_guidance_may_be_for_a_part_of_the_steps(able: httpx.Client, fakes: Fakes, path: str) -> None:
    image = {"image": text_of(noise(64, 64))} if path == "/v1/img2img" else {}
    answer = made(able, path, guidance_start=0.0, guidance_end=0.8, **image)
    sent = fakes["diffusion"].requests[0]
    assert (sent["guidance_start"], sent["guidance_end"]) == (0.0, 0.8)
    assert answer["warnings"] == []


@pytest.mark.parametrize("path", ["/v1/txt2img", "/v1/img2img"])
def test_noise_and_reuse_of_deep_features_are_asked_of_the_stage(
    able: httpx.Client, fakes: Fakes, path: str
) -> None:
    image = {"image": text_of(noise(64, 64))} if path == "/v1/img2img" else {}
    answer = made(able, path, noise="torch-cpu", deep_interval=3, **image)
    sent = fakes["diffusion"].requests[0]
    assert (sent["noise"], sent["deep_interval"]) == ("torch-cpu", 3)
    assert [warning.split()[0] for warning in answer["warnings"]] == ["noise", "deep_interval"]


def test_a_stage_that_guides_always_is_warned_of(gateway: httpx.Client) -> None:
    warnings = made(gateway, "/v1/txt2img", guidance_end=0.8)["warnings"]
    assert [warning.split()[0] for warning in warnings] == ["guidance_end"]


def test_guidance_must_not_end_before_it_begins(gateway: httpx.Client) -> None:
    error = refused(gateway, "/v1/txt2img", guidance_start=0.5, guidance_end=0.25)
    assert (error["status"], error["field"]) == (422, "guidance_end")
    assert error["message"] == "guidance_end must be at least guidance_start, 0.5; got 0.25."


def masked(mask: Pixels, **more: Any) -> dict[str, Any]:
    height, width = mask.shape
    return {"image": text_of(noise(width, height)), "mask": text_of(mask), **more}


def test_strength_is_for_inpainting_too(able: httpx.Client, fakes: Fakes) -> None:
    box = white_box(64, 64, 8, 8, 32, 32)
    assert made(able, "/v1/inpaint", **masked(box, strength=0.5))["warnings"] == []
    made(able, "/v1/inpaint", **masked(box))
    changed, anew = fakes["inpainting"].requests
    assert changed["strength"] == 0.5
    assert "strength" not in anew


def test_a_stage_that_always_begins_with_noise_is_warned_of(gateway: httpx.Client) -> None:
    request = masked(white_box(64, 64, 8, 8, 32, 32), strength=0.5)
    warnings = made(gateway, "/v1/inpaint", **request)["warnings"]
    assert [warning.split()[0] for warning in warnings] == ["strength"]


def ramp() -> Pixels:
    """A mask of every grey, from what is kept on the left to what is repainted on the right."""
    return np.linspace(0, 255, 64).astype(np.uint8)[None].repeat(64, axis=0)


def test_a_soft_mask_is_sent_with_its_greys(able: httpx.Client, fakes: Fakes) -> None:
    made(able, "/v1/inpaint", **masked(ramp(), soft_mask=True))
    (sent,) = fakes["inpainting"].requests
    keep = decoded(sent["inputs"][3], np.uint8, MASK)[..., 0]
    assert sent["soft_mask"] is True
    assert np.array_equal(keep, 255 - ramp())


def test_a_soft_mask_is_pasted_by_its_greys(able: httpx.Client) -> None:
    answer = made(able, "/v1/inpaint", **masked(ramp(), soft_mask=True))
    painted = pixels_of(answer["images"][0]["data"]).astype(float)
    weights = ramp()[..., None] / 255
    assert np.abs(painted - (noise(64, 64) * (1 - weights) + PAINTED * weights)).max() <= 1


def test_the_picture_around_the_window_of_a_soft_mask_stays(able: httpx.Client, fakes: Fakes) -> None:
    mask = white_box(200, 160, 80, 60, 120, 100) // 2
    answer = made(able, "/v1/inpaint", **masked(mask, soft_mask=True))
    painted, image = pixels_of(answer["images"][0]["data"]), noise(200, 160)
    assert np.array_equal(painted[mask == 0], image[mask == 0])
    assert (painted[mask > 0] != image[mask > 0]).any()


@pytest.mark.parametrize("convention", ["white-is-repaint", "transparent-is-repaint", "nonzero-is-keep"])
def test_every_convention_has_greys(able: httpx.Client, fakes: Fakes, convention: str) -> None:
    black = np.zeros((64, 64, 3), np.uint8)
    grey = {
        "white-is-repaint": ramp(),
        "transparent-is-repaint": np.dstack([black, 255 - ramp()]),
        "nonzero-is-keep": 255 - ramp(),
    }[convention]
    request = {"image": text_of(noise(64, 64)), "mask": text_of(grey), "mask_convention": convention}
    made(able, "/v1/inpaint", **request, soft_mask=True)
    keep = decoded(fakes["inpainting"].requests[0]["inputs"][3], np.uint8, MASK)[..., 0]
    assert np.array_equal(keep, 255 - ramp())


def test_a_stage_that_would_take_greys_for_something_else_is_not_asked(
    gateway: httpx.Client, fakes: Fakes
) -> None:
    error = refused(gateway, "/v1/inpaint", **masked(ramp(), soft_mask=True))
    assert (error["status"], error["type"], error["stage"]) == (503, "StageUnavailable", "inpainting")
    assert "takes masks of greys" in error["message"]
    assert fakes["text_encoder"].requests == []
