import numpy as np
import pytest
from PIL import Image

from training.concepts import HUES
from training.sprites import dominant_hue, recoloured

SIDE = 32


def disc(colour: tuple[int, int, int]) -> Image.Image:
    """A square of the colour with a white square in it, on nothing."""
    image = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))
    image.paste((*colour, 255), (4, 4, 28, 28))
    image.paste((255, 255, 255, 255), (12, 12, 16, 16))
    return image


@pytest.mark.parametrize(("colour", "hue"), [((220, 30, 30), 0), ((30, 200, 30), 120), ((40, 80, 220), 227)])
def test_the_dominant_hue_is_found(colour: tuple[int, int, int], hue: float) -> None:
    found, share = dominant_hue(disc(colour))
    assert abs((found - hue + 180) % 360 - 180) <= 15
    assert share > 0.9


def test_a_gray_picture_has_no_dominant_hue() -> None:
    assert dominant_hue(disc((128, 128, 128)))[1] == 0


@pytest.mark.parametrize("colour", HUES)
def test_recolouring_moves_the_hue_to_that_of_the_colour(colour: str) -> None:
    found, _ = dominant_hue(recoloured(disc((220, 30, 30)))[colour])
    assert abs((found - HUES[colour] + 180) % 360 - 180) <= 15


def test_recolouring_leaves_white_shape_and_brightness_alone() -> None:
    before, after = disc((220, 30, 30)), recoloured(disc((220, 30, 30)))["blue"]
    assert (np.asarray(before)[..., 3] == np.asarray(after)[..., 3]).all()
    assert after.getpixel((13, 13)) == (255, 255, 255, 255)
    assert abs(int(np.asarray(before)[..., :3].max()) - int(np.asarray(after)[..., :3].max())) <= 3
