"""Drawn scenes, in variants."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from training.concepts import SCENES
from training.sprites import SIDE

VARIANTS = 32
_CANVAS = 256
Colour = tuple[int, int, int]


@cache
def scenes() -> np.ndarray:
    """All variants of all scenes, uint8 (7 · 32, 128, 128, 3), in the order of `SCENES`."""
    return np.stack([np.asarray(scene(name, variant)) for name in SCENES for variant in range(VARIANTS)])


def scene(name: str, variant: int) -> Image.Image:
    """A scene, RGB 128×128, the same for the same name and variant."""
    return _SCENES[name](random.Random(variant)).resize((SIDE, SIDE), Image.Resampling.BOX)


def _sky(top: Colour, bottom: Colour) -> Image.Image:
    mix = np.linspace(0, 1, _CANVAS)[:, None, None]
    rows = (1 - mix) * np.array(top) + mix * np.array(bottom)
    return Image.fromarray(np.broadcast_to(rows, (_CANVAS, _CANVAS, 3)).astype(np.uint8).copy())


def _hill(image: Image.Image, left: float, right: float, top: float, colour: Colour) -> None:
    ImageDraw.Draw(image).ellipse((left, top, right, top + 360), fill=colour)


def _ground(image: Image.Image, left: float, right: float, colour: Colour) -> None:
    corners = [(0, left), (_CANVAS, right), (_CANVAS, _CANVAS), (0, _CANVAS)]
    ImageDraw.Draw(image).polygon(corners, fill=colour)


def _dot(image: Image.Image, x: float, y: float, radius: float, colour: Colour) -> None:
    ImageDraw.Draw(image).ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _meadow(rng: random.Random) -> Image.Image:
    image = _sky((120, 190, 250), (215, 238, 255))
    _hill(image, -140, 220, rng.uniform(144, 168), (112, 192, 82))
    _hill(image, 60, 460, rng.uniform(160, 184), (90, 170, 70))
    return image


def _beach(rng: random.Random) -> Image.Image:
    image = _sky((112, 196, 250), (222, 240, 255))
    horizon = rng.uniform(112, 136)
    _ground(image, horizon, horizon, (42, 142, 202))
    shore = rng.uniform(172, 188)
    _ground(image, shore + 12, shore, (240, 216, 150))
    return image


def _night(rng: random.Random) -> Image.Image:
    image = _sky((12, 14, 50), (50, 46, 112))
    for _ in range(26):
        _dot(image, rng.uniform(0, _CANVAS), rng.uniform(0, _CANVAS), rng.uniform(1.8, 3.2), (255, 250, 212))
    return image


def _snow(rng: random.Random) -> Image.Image:
    image = _sky((166, 200, 235), (226, 236, 248))
    _hill(image, -120, 380, rng.uniform(156, 180), (250, 252, 255))
    return image


def _underwater(rng: random.Random) -> Image.Image:
    image = _sky((70, 185, 215), (12, 62, 132))
    _hill(image, -150, 330, rng.uniform(204, 222), (196, 178, 130))
    for _ in range(12):
        _dot(image, rng.uniform(0, _CANVAS), rng.uniform(0, 200), rng.uniform(3, 6), (176, 226, 240))
    return image


def _desert(rng: random.Random) -> Image.Image:
    image = _sky((250, 205, 140), (255, 240, 208))
    _hill(image, -180, 240, rng.uniform(146, 166), (228, 174, 100))
    _hill(image, 30, 500, rng.uniform(164, 186), (212, 150, 80))
    return image


def _sunset(rng: random.Random) -> Image.Image:
    image = _sky((92, 50, 130), (255, 152, 80))
    horizon = rng.uniform(192, 208)
    _ground(image, horizon, horizon, (52, 40, 70))
    return image


_SCENES = {
    "meadow": _meadow,
    "beach": _beach,
    "night": _night,
    "snow": _snow,
    "underwater": _underwater,
    "desert": _desert,
    "sunset": _sunset,
}
