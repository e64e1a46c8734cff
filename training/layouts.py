"""Where everything in a picture is, in pixels; drawn at random for a subject."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from training.concepts import COLOURS, SCENES
from training.scenes import VARIANTS
from training.sprites import SIDE
from training.subjects import Subject

_USUAL, _SMALL, _BIG, _ASIDE, _PAIR = (88, 106), (42, 56), (112, 126), (58, 72), (50, 62)
_MIDDLE, _NEAR, _FAR = SIDE / 2, 33.0, 95.0
AWAY = {"left": (0, -1), "right": (0, 1), "top": (-1, 0), "bottom": (1, 0)}
CENTRES = {
    "left": ((_MIDDLE, _NEAR), (_MIDDLE, _FAR)),
    "right": ((_MIDDLE, _FAR), (_MIDDLE, _NEAR)),
    "above": ((_NEAR, _MIDDLE), (_FAR, _MIDDLE)),
    "below": ((_FAR, _MIDDLE), (_NEAR, _MIDDLE)),
}
"""Where the two objects of a relation are, (y, x), give or take 3 pixels."""
Index = Mapping[tuple[str, str, str | None], int]


class Layouts(NamedTuple):
    """Of n pictures: `sprites`, rows of the atlas, int32 (n, 2), 0 for none; their `centres`, float32
    (n, 2, 2), and `sides`, float32 (n, 2), in pixels; the plain background's `colours`, float32 (n, 3),
    0 to 255; `scenes`, int32 (n,), a row of `training.scenes.scenes`, or -1 for the plain one."""

    sprites: np.ndarray
    centres: np.ndarray
    sides: np.ndarray
    colours: np.ndarray
    scenes: np.ndarray


def layouts(subjects: Iterable[Subject], index: Index, rng: random.Random) -> Layouts:
    """A layout of each subject; `index` says which row of the atlas has a sprite."""
    rows = [_layout(subject, index, rng) for subject in subjects]
    kinds = (np.int32, np.float32, np.float32, np.float32, np.int32)
    return Layouts(
        *(np.array(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True))
    )


def _layout(subject: Subject, index: Index, rng: random.Random) -> tuple[object, ...]:
    sprites, centres, sides = [0, 0], [(_MIDDLE, _MIDDLE)] * 2, [1.0, 1.0]
    for i, thing in enumerate(subject.things):
        sprites[i] = index[thing.concept.name, subject.style, thing.colour]
        centres[i], sides[i] = _where(subject, i, rng)
    scene, colour = -1, (0.0, 0.0, 0.0)
    if subject.background in SCENES:
        scene = list(SCENES).index(subject.background) * VARIANTS + rng.randrange(VARIANTS)
    else:
        red, green, blue = (
            min(255.0, max(0.0, value + rng.gauss(0, 4))) for value in COLOURS[subject.background]
        )
        colour = (red, green, blue)
    return sprites, centres, sides, colour, scene


def _where(subject: Subject, number: int, rng: random.Random) -> tuple[tuple[float, float], float]:
    """Centre (y, x) and side."""
    if subject.relation:
        return _jittered(CENTRES[subject.relation][number], 3, rng), rng.uniform(*_PAIR)
    if subject.place:
        down, right = AWAY[subject.place]
        side = rng.uniform(*_ASIDE)
        reach = (SIDE - side) / 2 - 4
        return _jittered((_MIDDLE + down * reach, _MIDDLE + right * reach), 3, rng), side
    if subject.size:
        return _jittered((_MIDDLE, _MIDDLE), 3, rng), rng.uniform(
            *(_SMALL if subject.size == "small" else _BIG)
        )
    lower = 3 if subject.background in SCENES else 0
    return _jittered((_MIDDLE + lower, _MIDDLE), 6, rng), rng.uniform(*_USUAL)


def _jittered(centre: tuple[float, float], reach: float, rng: random.Random) -> tuple[float, float]:
    return centre[0] + rng.uniform(-reach, reach), centre[1] + rng.uniform(-reach, reach)
