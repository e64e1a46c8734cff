"""Pictures: an object on a plain background or in a drawn scene, with small variations."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw

from training.captions import Subject, pairs, varied_caption
from training.concepts import BACKGROUNDS, COLOURS, HUES, SCENES, Concept
from training.sprites import recolourable, sprite

SIZE = 64
SCENE_VARIANTS = 24
_CANVAS = 128
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Example:
    """One training example: uint8 (64, 64, 3), what it shows, and a caption for it."""

    image: np.ndarray
    subject: Subject
    caption: str


def example(rng: random.Random) -> Example:
    """A random example of the pairs that are trained."""
    subject = random_subject(rng, trained_pairs())
    return Example(compose(subject, rng), subject, varied_caption(subject, rng))


@cache
def trained_pairs() -> list[tuple[Concept, str]]:
    return pairs(held=False)


def random_subject(rng: random.Random, among: list[tuple[Concept, str]], empty: float = 0.02) -> Subject:
    """One of the pairs, recoloured two times in five where it can be, or now and then only a background."""
    if rng.random() < empty:
        return Subject(None, rng.choice(BACKGROUNDS))
    concept, background = rng.choice(among)
    if concept.name not in recolourable() or rng.random() > 0.4:
        return Subject(concept, background)
    return Subject(concept, background, rng.choice([hue for hue in HUES if hue != background]))


def compose(subject: Subject, rng: random.Random) -> np.ndarray:
    """The picture, uint8 (64, 64, 3): the object 45 to 53 pixels wide, at most 3 from the middle."""
    image = _backdrop(subject.background, rng)
    if subject.concept is not None:
        size = rng.randint(45, 53)
        figure = sprite(subject.concept, subject.colour).resize((size, size), Image.Resampling.BICUBIC)
        lower = 2 if subject.background in SCENES else 0
        left, top = ((SIZE - size) // 2 + rng.randint(-3, 3) for _ in range(2))
        image.paste(figure, (left, top + lower), figure)
    return np.asarray(image)


def _backdrop(background: str, rng: random.Random) -> Image.Image:
    if background in SCENES:
        return scene(background, rng.randrange(SCENE_VARIANTS)).copy()
    shade = tuple(int(min(255, max(0, value + rng.gauss(0, 4)))) for value in COLOURS[background])
    return Image.new("RGB", (SIZE, SIZE), shade)


@cache
def scene(name: str, variant: int) -> Image.Image:
    """A drawn scene, RGB 64×64, the same for the same name and variant."""
    return _SCENES[name](random.Random(variant)).resize((SIZE, SIZE), Image.Resampling.BOX)


def _sky(top: Colour, bottom: Colour) -> Image.Image:
    mix = np.linspace(0, 1, _CANVAS)[:, None, None]
    rows = (1 - mix) * np.array(top) + mix * np.array(bottom)
    return Image.fromarray(np.broadcast_to(rows, (_CANVAS, _CANVAS, 3)).astype(np.uint8).copy())


def _hill(image: Image.Image, left: float, right: float, top: float, colour: Colour) -> None:
    ImageDraw.Draw(image).ellipse((left, top, right, top + 180), fill=colour)


def _ground(image: Image.Image, left: float, right: float, colour: Colour) -> None:
    corners = [(0, left), (_CANVAS, right), (_CANVAS, _CANVAS), (0, _CANVAS)]
    ImageDraw.Draw(image).polygon(corners, fill=colour)


def _meadow(rng: random.Random) -> Image.Image:
    image = _sky((120, 190, 250), (215, 238, 255))
    _hill(image, -70, 110, rng.uniform(72, 84), (112, 192, 82))
    _hill(image, 30, 230, rng.uniform(80, 92), (90, 170, 70))
    return image


def _beach(rng: random.Random) -> Image.Image:
    image = _sky((112, 196, 250), (222, 240, 255))
    horizon = rng.uniform(56, 68)
    _ground(image, horizon, horizon, (42, 142, 202))
    shore = rng.uniform(86, 94)
    _ground(image, shore + 6, shore, (240, 216, 150))
    return image


def _night(rng: random.Random) -> Image.Image:
    image = _sky((12, 14, 50), (50, 46, 112))
    draw = ImageDraw.Draw(image)
    for _ in range(24):
        x, y = rng.uniform(0, _CANVAS), rng.uniform(0, _CANVAS)
        draw.ellipse((x - 1.3, y - 1.3, x + 1.3, y + 1.3), fill=(255, 250, 212))
    return image


def _snow(rng: random.Random) -> Image.Image:
    image = _sky((166, 200, 235), (226, 236, 248))
    _hill(image, -60, 190, rng.uniform(78, 90), (250, 252, 255))
    return image


def _sunset(rng: random.Random) -> Image.Image:
    image = _sky((92, 50, 130), (255, 152, 80))
    horizon = rng.uniform(96, 104)
    _ground(image, horizon, horizon, (52, 40, 70))
    return image


_SCENES = {"meadow": _meadow, "beach": _beach, "night": _night, "snow": _snow, "sunset": _sunset}
