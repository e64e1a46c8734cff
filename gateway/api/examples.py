"""Requests of the native dialect that run, for the pages that describe it."""

import base64
from typing import Any

import numpy as np

from ..images import Picture, encode_picture


def _sample(ground: int, square: int) -> str:
    """A small picture for the examples: a square in the middle of a ground, each of one brightness."""
    pixels = np.full((128, 128, 3), ground, np.uint8)
    pixels[32:96, 32:96] = square
    return base64.b64encode(encode_picture(Picture(pixels), "png", {})).decode()


TEXT_TO_IMAGE_EXAMPLES: dict[str, Any] = {
    "the least": {"value": {"prompt": "a red apple"}},
    "everything": {
        "value": {
            "prompt": "a red apple on a yellow background",
            "negative_prompt": "green",
            "num_images": 2,
            "steps": 20,
            "guidance_scale": 4.0,
            "seed": 42,
            "sampler": "ddim",
            "schedule": "keras-cv",
            "output_format": "png",
        }
    },
}
IMAGE_TO_IMAGE_EXAMPLES: dict[str, Any] = {
    "a square in the middle": {
        "value": {"prompt": "a red apple", "seed": 42, "strength": 0.8, "image": _sample(200, 160)}
    }
}
INPAINT_EXAMPLES: dict[str, Any] = {
    "a square in the middle": {
        "value": {"prompt": "a red apple", "seed": 42, "image": _sample(200, 160), "mask": _sample(0, 255)}
    }
}
