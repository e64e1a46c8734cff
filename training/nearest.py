"""In which style an object is drawn: that of the artwork which the picture lies nearest to.

The object's sprite in each style is laid over the picture at every place, in the sizes that pictures have,
and what differs is counted where the sprite is. It needs no training, and knows which object to look for.
A drawing that is a part of another would lie as near as that one; of real pictures 0.99 are judged right.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from training.concepts import STYLES
from training.sprites import SIDE, atlas
from training.subjects import Thing

SIDES = (44, 50, 56, 62, 70, 78, 86, 94, 102, 112, 122)
"""Of the sprites, in pixels."""


def nearest_style(image: np.ndarray, thing: Thing) -> str:
    """The style, one of `STYLES`, in which this thing is in the picture, uint8 (128, 128, 3)."""
    sprites, index = atlas()
    spectra = _spectra(image)
    return min(
        STYLES, key=lambda style: _least(spectra, sprites[index[thing.concept.name, style, thing.colour]])
    )


def _spectra(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the picture and of its square."""
    values = image.astype(np.float32) / 255
    return np.fft.rfft2(values, axes=(0, 1)), np.fft.rfft2(values**2, axes=(0, 1))


def _least(spectra: tuple[np.ndarray, np.ndarray], sprite: np.ndarray) -> float:
    """The least squared difference of any size and place, a mean over what the sprite covers."""
    return min(_at_best(spectra, sprite, side) for side in SIDES)


def _at_best(spectra: tuple[np.ndarray, np.ndarray], sprite: np.ndarray, side: int) -> float:
    """In one size: of the sum over alpha × (picture - colour)², each term is a correlation."""
    resized = Image.fromarray(sprite, "RGBa").resize((side, side), Image.Resampling.BICUBIC)
    values = np.asarray(resized).astype(np.float32) / 255
    premultiplied, alpha = values[..., :3], values[..., 3:]
    colour = np.where(alpha > 0.05, premultiplied / np.maximum(alpha, 1e-3), 0)
    picture, square = spectra
    terms = square * _laid(alpha) - 2 * picture * _laid(premultiplied)
    found = np.fft.irfft2(terms.sum(-1), s=(SIDE, SIDE))[: SIDE - side + 1, : SIDE - side + 1]
    return float((found.min() + (alpha * colour**2).sum()) / alpha.sum())


def _laid(part: np.ndarray) -> np.ndarray:
    """The spectrum that correlates a picture with it."""
    return np.conj(np.fft.rfft2(part, s=(SIDE, SIDE), axes=(0, 1)))
