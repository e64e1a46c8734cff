"""From OpenAI's bodies to requests."""

import base64
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gateway.api.openai.schemas import Edit, Generation
from gateway.api.openai.translation import read_edit, read_generation
from gateway.errors import InvalidRequest
from gateway.requests import GenerateRequest
from tests.unit.gateway.pictures import noise, png_header, text_of

IMAGE = noise(40, 30)
LIMIT = 10_000


def with_alpha(alpha: Any) -> Any:
    return np.dstack([IMAGE, np.broadcast_to(np.asarray(alpha, np.uint8), IMAGE.shape[:2])])


HALF = np.where(np.arange(40) < 20, 0, 255)
"""Alpha of a picture whose left half is transparent."""
LEFT = np.broadcast_to(np.arange(40) < 20, (30, 40))


def edit(**fields: Any) -> Any:
    body = Edit.model_validate({"prompt": "a red apple", "image": text_of(IMAGE), **fields})
    return read_edit(body, None, LIMIT)


def test_a_generation_says_what_there_is_a_word_for() -> None:
    body = Generation(
        prompt="a red apple",
        n=3,
        size="512x256",
        negative_prompt="green",
        seed=5,
        steps=9,
        guidance_scale=3,
        sampler="Euler a",
        schedule="Karras",
    )
    order = read_generation(body, "anime")
    assert order.request == GenerateRequest(
        prompt="a red apple",
        negative_prompt="green",
        num_images=3,
        steps=9,
        guidance_scale=3,
        seed=5,
        sampler="euler_ancestral",
        schedule="karras",
        size=(512, 256),
        model="anime",
    )
    assert (order.size, order.warnings) == ((512, 256), [])


@pytest.mark.parametrize("size", [None, "auto"])
def test_what_is_left_open_is_left_to_the_stages(size: str | None) -> None:
    assert read_generation(Generation(prompt="a cat", size=size), None).request == GenerateRequest("a cat")


def test_a_transparent_background_is_not_made_and_that_is_said() -> None:
    (warning,) = read_generation(Generation(prompt="a cat", background="transparent"), None).warnings
    assert "opaque" in warning


def test_what_is_transparent_in_the_mask_is_repainted() -> None:
    order = edit(mask=text_of(with_alpha(HALF)))
    assert np.array_equal(order.request.inpainting.repaint, LEFT)
    assert np.array_equal(order.request.inpainting.picture.pixels, IMAGE)
    assert (order.request.size, order.size) == (None, (40, 30))
    assert order.request.strength is None


def test_without_a_mask_the_pictures_transparent_part_is_repainted() -> None:
    assert np.array_equal(edit(image=text_of(with_alpha(HALF))).request.inpainting.repaint, LEFT)


@pytest.mark.parametrize("image", [IMAGE, with_alpha(255)], ids=["no alpha", "opaque"])
def test_without_anything_transparent_the_picture_is_what_is_begun_with(image: Any) -> None:
    request = edit(image=text_of(image)).request
    assert request.inpainting is None
    assert request.image.size == request.size == (40, 30)
    assert request.strength == 0.75
    assert edit(image=text_of(image), strength=0.5).request.strength == 0.5


def test_an_edit_may_be_of_another_size() -> None:
    assert edit(mask=text_of(with_alpha(HALF)), size="512x512").size == (512, 512)
    assert edit(size="512x512").request.size == (512, 512)


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"mask": text_of(np.zeros((9, 9, 4), np.uint8))}, "mask", "mask must be of the image's size, 40x30"),
        ({"mask": text_of(with_alpha(255))}, "mask", "mask must have something to repaint"),
        ({"mask": text_of(IMAGE)}, "mask", "mask must have an alpha channel"),
        ({"image": text_of(with_alpha(0))}, "image", "image must have a part that is not transparent"),
        ({"image": "bm8gcGljdHVyZQ=="}, "image", "image must be a PNG, JPEG or WebP file"),
        ({"sampler": "nonsense"}, "sampler", "sampler must be one of"),
    ],
)
def test_what_does_not_fit_is_refused(fields: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said) as refused:
        edit(**fields)
    assert refused.value.field == field


def test_a_huge_picture_is_refused_by_its_header() -> None:
    with pytest.raises(InvalidRequest, match="image must be of at most 10000 pixels"):
        edit(image=base64.b64encode(png_header(40_000, 40_000)).decode())


def test_a_grey_picture_is_one_too() -> None:
    assert edit(image=text_of(np.asarray(Image.new("L", (40, 30))))).request.image.size == (40, 30)
