"""What the masked part begins with, as `inpainting_fill` says."""

import numpy as np
from PIL import Image, ImageFilter

from ...images import Mask, Picture, Pixels, flatten

SURROUNDINGS, ORIGINAL, NOISE, NOTHING = range(4)
GREY = 127
"""What a latent of zeros shows, more or less."""
RADII = (256, 64, 16, 4, 1)
"""Of the blurs that surroundings reach inwards by, in pixels: the nearest of them last."""
LEAST = 64
"""Of 255: a blur that has seen less of the surroundings says nothing."""


def fill(picture: Picture, masked: Mask, how: int) -> Picture:
    """The picture with its masked part so, RGB where it changes; with noise it does not matter."""
    if how in (ORIGINAL, NOISE) or masked.all():
        return picture
    pixels = flatten(picture.pixels).copy()
    pixels[masked] = GREY if how == NOTHING else _surroundings(pixels, masked)[masked]
    return Picture(pixels, picture.profile)


def _surroundings(pixels: Pixels, masked: Mask) -> Pixels:
    """The colours around the masked part, blurred into it."""
    known = np.where(masked, np.uint8(0), np.uint8(255))
    seen = np.where(masked[..., None], np.uint8(0), pixels)
    filled = np.broadcast_to(pixels[~masked].mean(axis=0), pixels.shape).copy()
    for radius in RADII:
        weights, colours = _blur(known, radius), _blur(seen, radius)
        told = weights >= LEAST
        filled[told] = colours[told] * 255.0 / weights[told, None]
    rounded: Pixels = np.clip(filled, 0, 255).astype(np.uint8)
    return rounded


def _blur(pixels: Pixels, radius: int) -> Pixels:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))
