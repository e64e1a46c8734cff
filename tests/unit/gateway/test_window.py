"""The part of a picture that inpainting sees, and the way back."""

from typing import Any

import numpy as np
import pytest

from gateway.images import Mask, Picture, Pixels
from gateway.window import BLOCK, Window, edge_weights
from tests.unit.gateway.pictures import noise, white_box

MODEL = (64, 64)


def area(width: int, height: int, left: int, top: int, right: int, bottom: int) -> Mask:
    return white_box(width, height, left, top, right, bottom) > 0


def plain(colour: int, size: tuple[int, int] = MODEL) -> Pixels:
    return np.full((size[1], size[0], 3), colour, np.uint8)


CASES: list[Any] = [
    pytest.param((64, 64), (16, 16, 48, 48), MODEL, id="the model's own size"),
    pytest.param((1200, 800), (700, 300, 760, 350), MODEL, id="a photo and a small area"),
    pytest.param((1200, 800), (0, 0, 1200, 800), MODEL, id="a photo as a whole"),
    pytest.param((301, 199), (100, 40, 220, 160), MODEL, id="odd sides"),
    pytest.param((33, 17), (3, 3, 9, 5), MODEL, id="smaller than the model"),
    pytest.param((500, 60), (480, 50, 500, 60), MODEL, id="a corner of a wide strip"),
    pytest.param((7, 900), (0, 100, 7, 700), MODEL, id="a tall thin strip"),
    pytest.param((1, 1), (0, 0, 1, 1), MODEL, id="a single pixel"),
    pytest.param((400, 300), (10, 10, 50, 290), (96, 64), id="a model that is not square"),
]


@pytest.mark.parametrize(("size", "box", "model"), CASES)
def test_only_pixels_of_the_area_change(
    size: tuple[int, int], box: tuple[int, int, int, int], model: tuple[int, int]
) -> None:
    picture, repaint = Picture(noise(*size)), area(*size, *box)
    window = Window.around(repaint, model)
    result = window.paste(picture, repaint, plain(0, model)).pixels
    assert np.array_equal(result[~repaint], picture.pixels[~repaint])
    assert result[repaint].mean() < picture.pixels[repaint].mean() * 0.6


@pytest.mark.parametrize(("size", "box", "model"), CASES)
def test_the_model_gets_its_own_size(
    size: tuple[int, int], box: tuple[int, int, int, int], model: tuple[int, int]
) -> None:
    repaint = area(*size, *box)
    window = Window.around(repaint, model)
    assert window.picture_for_model(Picture(noise(*size))).shape == (model[1], model[0], 3)
    keep = window.keep_for_model(repaint)
    assert keep.shape == (model[1], model[0], 1)
    assert keep.dtype == np.uint8
    assert set(np.unique(keep)) <= {0, 1}


@pytest.mark.parametrize(("size", "box", "model"), CASES)
def test_every_pixel_of_the_area_is_in_a_block_that_the_stage_repaints(
    size: tuple[int, int], box: tuple[int, int, int, int], model: tuple[int, int]
) -> None:
    repaint = area(*size, *box)
    window = Window.around(repaint, model)
    keep = window.keep_for_model(repaint)[..., 0]
    pooled = keep.reshape(model[1] // BLOCK, BLOCK, model[0] // BLOCK, BLOCK).max(axis=(1, 3))
    painted = np.where(pooled.repeat(BLOCK, 0).repeat(BLOCK, 1)[..., None] == 0, 255, 0).astype(np.uint8)
    black = Picture(np.zeros((size[1], size[0], 3), np.uint8))
    result = window.paste(black, repaint, np.broadcast_to(painted, (model[1], model[0], 3)).copy()).pixels
    assert (result[repaint] > 0).all()


def test_a_pixel_that_the_model_sees_as_several_blocks_opens_all_of_them_and_no_other() -> None:
    repaint = area(4, 4, 1, 2, 2, 3)
    keep = Window.around(repaint, MODEL).keep_for_model(repaint)[..., 0]
    assert (keep[32:48, 16:32] == 0).all()
    assert keep.sum() == 64 * 64 - 16 * 16


def test_a_pixel_on_the_border_of_two_blocks_opens_both() -> None:
    repaint = area(180, 180, 22, 40, 23, 41)
    repaint[100:, 100:] = True
    keep = Window.around(repaint, MODEL).keep_for_model(repaint)[..., 0]
    assert keep[14].tolist() == [0] * 16 + [1] * 48


def test_an_area_in_a_large_picture_is_shown_at_the_models_own_resolution() -> None:
    picture, repaint = Picture(noise(1200, 800)), area(1200, 800, 700, 300, 730, 320)
    seen = Window.around(repaint, MODEL).picture_for_model(picture)
    assert np.array_equal(seen, picture.pixels[310 - 32 : 310 + 32, 715 - 32 : 715 + 32])


def test_a_large_area_is_shown_with_its_surroundings() -> None:
    repaint = area(1200, 800, 400, 200, 700, 500)
    window = Window.around(repaint, MODEL)
    assert (window.rows.picture.length, window.columns.picture.length) == (450, 450)
    assert window.rows.picture.start <= 200
    assert window.columns.picture.end >= 700


def test_an_area_in_a_corner_is_shown_with_a_window_that_stays_within_the_picture() -> None:
    window = Window.around(area(1200, 800, 1190, 790, 1200, 800), MODEL)
    assert window.columns.picture == (1136, 1200)
    assert window.rows.picture == (736, 800)


def test_beyond_the_edges_of_a_wide_picture_the_model_sees_the_edge_repeated() -> None:
    pixels = np.zeros((30, 120, 3), np.uint8)
    pixels[0], pixels[-1] = 50, 200
    repaint = area(120, 30, 0, 0, 120, 30)
    seen = Window.around(repaint, MODEL).picture_for_model(Picture(pixels))
    assert (seen[:24] == seen[24]).all()
    assert (seen[40:] == seen[39]).all()
    assert not Window.around(repaint, MODEL).keep_for_model(repaint)[24:40].any()


def test_the_picture_is_not_distorted() -> None:
    repaint = area(300, 200, 0, 0, 300, 200)
    window = Window.around(repaint, MODEL)
    assert window.columns.model.length == 64
    assert window.rows.model.length == round(64 * 200 / 300)


def test_what_was_transparent_is_opaque_where_it_was_painted() -> None:
    picture, repaint = Picture(noise(64, 64, 4)), area(64, 64, 16, 16, 48, 48)
    result = Window.around(repaint, MODEL).paste(picture, repaint, plain(9)).pixels
    assert np.array_equal(result[~repaint], picture.pixels[~repaint])
    assert result[32, 32].tolist() == [9, 9, 9, 255]


def test_a_wide_area_has_a_soft_edge_inside() -> None:
    weights = edge_weights(area(64, 64, 16, 16, 48, 48), 4)
    assert weights[32, 14:22].tolist() == [0, 0, 63, 127, 191, 255, 255, 255]
    assert weights[32, 32] == 255


def test_a_soft_edge_has_no_place_at_the_pictures_own_border() -> None:
    assert (edge_weights(np.ones((20, 20), bool), 4) == 255).all()


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_a_thin_stroke_does_not_fade_away(width: int) -> None:
    stroke = area(64, 64, 10, 20, 54, 20 + width)
    assert (edge_weights(stroke, 16)[stroke] == 255).all()


def test_the_model_may_see_the_whole_picture() -> None:
    repaint = area(400, 300, 10, 10, 20, 20)
    window = Window.around(repaint, MODEL, whole=True)
    assert (window.columns.picture, window.rows.picture) == ((0, 400), (0, 300))
    assert Window.around(repaint, MODEL).columns.picture != (0, 400)
