"""Pictures and masks of AUTOMATIC1111's clients, before and after they are repainted."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from gateway.api.a1111.canvas import box_around, contain, read_canvas
from gateway.api.a1111.fill import GREY, NOTHING, ORIGINAL, SURROUNDINGS, fill
from gateway.api.a1111.schemas import Img2Img
from gateway.errors import InvalidRequest
from gateway.images import Picture
from gateway.requests import GenerateRequest
from tests.unit.gateway.pictures import noise, text_of, white_box

WIDTH, HEIGHT = 100, 60
IMAGE = noise(WIDTH, HEIGHT)
BOX = (30, 20, 50, 40)
MASK = white_box(WIDTH, HEIGHT, *BOX)
ASKED = GenerateRequest("a red apple", size=(512, 512))
LIMIT = 20_000


def body(**fields: Any) -> Img2Img:
    sharp = {"init_images": [text_of(IMAGE)], "mask": text_of(MASK), "mask_blur": 0}
    return Img2Img.model_validate({**sharp, **fields})


def prepared(**fields: Any) -> GenerateRequest:
    asked = body(**fields)
    return read_canvas(asked, LIMIT).prepare(ASKED, asked)


def repainted(colour: int = 77, **fields: Any) -> Any:
    """What comes of it where the model paints everything that it sees in one colour."""
    asked = body(**fields)
    canvas = read_canvas(asked, LIMIT)
    request = canvas.prepare(ASKED, asked)
    seen = request.inpainting.picture if request.inpainting else request.image
    assert seen is not None
    return canvas.finish(Picture(np.full((seen.height, seen.width, 3), colour, np.uint8))).pixels


def test_without_a_mask_the_whole_picture_is_begun_with() -> None:
    request = prepared(mask=None, denoising_strength=0.4, width=64, height=32)
    assert request.image is not None
    assert request.image.size == (64, 32)
    assert (request.strength, request.inpainting) == (0.4, None)


@pytest.mark.parametrize("only_masked", [True, False])
def test_what_is_white_is_repainted_and_nothing_else(only_masked: bool) -> None:
    result = repainted(inpaint_full_res=only_masked, width=WIDTH, height=HEIGHT)
    assert (result[MASK > 0] == 77).all()
    assert np.array_equal(result[MASK == 0], IMAGE[MASK == 0])


def test_a_blurred_mask_blends_over_its_edge() -> None:
    result = repainted(mask_blur=4)
    assert (np.abs(result[30, 40].astype(int) - 77) < 6).all()
    assert not np.array_equal(result[30, 27], IMAGE[30, 27])
    assert np.array_equal(result[:, 75:], IMAGE[:, 75:])


def test_the_model_sees_the_masked_part_with_its_padding() -> None:
    request = prepared(inpaint_full_res_padding=5)
    assert request.inpainting is not None
    assert request.inpainting.whole
    assert request.inpainting.picture.size == (30, 30)
    assert np.array_equal(request.inpainting.repaint, MASK[15:45, 25:55] > 0)


def test_the_model_sees_everything_where_not_only_the_masked_part_is_asked_for() -> None:
    request = prepared(inpaint_full_res=False, width=50, height=30)
    assert request.inpainting is not None
    assert request.inpainting.picture.size == (50, 30)


@pytest.mark.parametrize(
    ("padding", "size", "box"),
    [
        (0, (64, 64), (30, 20, 50, 40)),
        (10, (64, 64), (20, 10, 60, 50)),
        (0, (128, 64), (20, 20, 60, 40)),
        (0, (64, 128), (30, 10, 50, 50)),
        (500, (64, 64), (0, 0, 100, 60)),
        (0, (640, 64), (0, 20, 100, 40)),
    ],
)
def test_the_box_has_the_proportions_that_are_asked_for_where_there_is_room(
    padding: int, size: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    assert box_around(MASK, padding, size) == box


def test_a_mask_may_be_turned_round() -> None:
    result = repainted(mask=text_of(255 - MASK), inpainting_mask_invert=1)
    assert np.array_equal(result[MASK == 0], IMAGE[MASK == 0])


def test_what_is_opaque_is_repainted_where_alpha_says_something() -> None:
    alpha = np.dstack([np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.where(MASK, np.uint8(129), np.uint8(128))])
    result = repainted(mask=text_of(alpha))
    assert (result[MASK > 0] == 77).all()
    assert np.array_equal(result[MASK == 0], IMAGE[MASK == 0])


def test_alpha_that_is_opaque_everywhere_says_nothing() -> None:
    opaque = np.dstack([MASK, MASK, MASK, np.full_like(MASK, 255)])
    assert np.array_equal(repainted(mask=text_of(opaque))[MASK == 0], IMAGE[MASK == 0])


@pytest.mark.parametrize(
    ("fill_", "strength", "expected"),
    [(0, 0.75, 0.75), (1, 0.4, 0.4), (2, 0.75, None), (3, 0.75, 0.75), (1, 1, None)],
)
def test_noise_is_made_anew_and_the_rest_as_far_as_the_strength_says(
    fill_: int, strength: float, expected: float | None
) -> None:
    assert prepared(inpainting_fill=fill_, denoising_strength=strength).strength == expected


def test_the_masked_part_begins_as_it_is_said() -> None:
    plain = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    plain[MASK > 0] = 10
    picture, masked = Picture(plain), MASK > 0
    assert np.array_equal(fill(picture, masked, ORIGINAL).pixels, plain)
    assert (fill(picture, masked, NOTHING).pixels[masked] == GREY).all()
    assert (np.abs(fill(picture, masked, SURROUNDINGS).pixels.astype(int) - 200) <= 4).all()


def test_surroundings_reach_inwards_from_every_side() -> None:
    sides = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    sides[:, 40:] = 255
    filled = fill(Picture(sides), MASK > 0, SURROUNDINGS).pixels
    assert filled[30, 31].mean() < filled[30, 40].mean() < filled[30, 48].mean()
    assert np.array_equal(filled[MASK == 0], sides[MASK == 0])


def test_a_mask_of_everything_has_no_surroundings() -> None:
    everything = np.ones((HEIGHT, WIDTH), bool)
    assert np.array_equal(fill(Picture(IMAGE), everything, SURROUNDINGS).pixels, IMAGE)


def test_transparency_outside_the_mask_stays() -> None:
    image = np.dstack([IMAGE, np.full((HEIGHT, WIDTH), 50, np.uint8)])
    result = repainted(init_images=[text_of(image)])
    assert np.array_equal(result[MASK == 0], image[MASK == 0])


def test_a_picture_is_resized_as_it_is_said() -> None:
    square = np.zeros((10, 40, 3), np.uint8)
    square[:, 20:] = 255
    picture = text_of(square)
    stretched, cropped, contained = (
        prepared(init_images=[picture], mask=None, width=40, height=40, resize_mode=mode).image
        for mode in (0, 1, 2)
    )
    assert stretched is not None and cropped is not None and contained is not None
    assert stretched.size == cropped.size == contained.size == (40, 40)
    assert (stretched.pixels[:, 25:] == 255).all()
    assert (cropped.pixels[:, 30:] == 255).all()
    assert np.array_equal(contained.pixels[15:25], square)


def test_the_edges_of_what_is_contained_are_repeated() -> None:
    picture = Picture(noise(40, 10))
    filled = contain(picture, (40, 40)).pixels
    assert np.array_equal(filled[0], picture.pixels[0])
    assert np.array_equal(filled[-1], picture.pixels[-1])


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"mask": text_of(white_box(50, 50, *BOX))}, "mask", "mask must be of the image's size, 100x60"),
        ({"mask": text_of(np.zeros_like(MASK))}, "mask", "something to repaint; white where to repaint"),
        ({"init_images": [text_of(IMAGE)] * 2}, "init_images", "must hold one picture; got 2"),
        ({"init_images": ["bm8gcGljdHVyZQ=="]}, "init_images", "must be a PNG, JPEG or WebP file"),
        ({"init_images": [text_of(noise(200, 101))]}, "init_images", "must be of at most 20000 pixels"),
        ({"mask": "?"}, "mask", "mask must be base64"),
    ],
)
def test_what_does_not_fit_is_refused(fields: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said) as refused:
        prepared(**fields)
    assert refused.value.field == field


def test_a_data_url_is_a_picture_too() -> None:
    url = f"data:image/png;base64,{text_of(np.asarray(Image.new('RGB', (WIDTH, HEIGHT))))}"
    assert prepared(init_images=[url]).inpainting is not None
