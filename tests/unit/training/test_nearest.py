"""In which artwork an object is drawn."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from training import nearest
from training.concepts import CONCEPTS, STYLES
from training.sprites import SIDE
from training.subjects import Thing

THING = Thing(CONCEPTS[0])


def drawn(style: str) -> Image.Image:
    """The same disc with a hole: shaded, flat, or with outlines. None of them is a part of another."""
    image = Image.new("RGBA", (SIDE, SIDE))
    draw = ImageDraw.Draw(image)
    outline = (0, 0, 0, 255) if style == "cartoon" else None
    draw.ellipse((8, 8, 120, 120), fill=(200, 40, 40, 255), outline=outline, width=8)
    draw.ellipse((44, 44, 84, 84), fill=(240, 240, 240, 255), outline=outline, width=8)
    if style == "3d":
        draw.ellipse((20, 24, 50, 54), fill=(250, 150, 150, 255))
    return image


@pytest.fixture(autouse=True)
def artwork(monkeypatch: pytest.MonkeyPatch) -> None:
    sprites = np.stack([np.asarray(drawn(style).convert("RGBa")) for style in STYLES])
    index = {(THING.concept.name, style, None): row for row, style in enumerate(STYLES)}
    monkeypatch.setattr(nearest, "atlas", lambda: (sprites, index))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("side", "left", "top"), [(100, 14, 14), (48, 70, 5), (117, 3, 8)])
def test_a_style_is_known_at_any_place_and_size(style: str, side: int, left: int, top: int) -> None:
    image = Image.new("RGB", (SIDE, SIDE), "steelblue")
    sprite = drawn(style).resize((side, side), Image.Resampling.BICUBIC)
    image.paste(sprite, (left, top), sprite)
    assert nearest.nearest_style(np.asarray(image), THING) == style


@pytest.mark.parametrize("style", STYLES)
def test_a_style_is_known_in_a_picture_that_is_blurred(style: str) -> None:
    image = Image.new("RGB", (SIDE, SIDE), "tan")
    sprite = drawn(style).resize((96, 96), Image.Resampling.BICUBIC)
    image.paste(sprite, (16, 20), sprite)
    blurred = image.resize((64, 64), Image.Resampling.BILINEAR).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    assert nearest.nearest_style(np.asarray(blurred), THING) == style
