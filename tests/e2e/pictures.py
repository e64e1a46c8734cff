"""Asking a gateway for pictures, and looking at them."""

import base64
import io
from typing import Any

import numpy as np
import requests
from PIL import Image

from training.concepts import COLOURS


def picture(url: str, **request: Any) -> Image.Image:
    """The first picture for this request, by a gateway; with seed 1 if it names none."""
    response = requests.post(
        f"{url}/v1/txt2img", json={"seed": 1, **request}, headers={"Accept": "image/png"}, timeout=120
    )
    assert response.status_code == 200, response.text
    return Image.open(io.BytesIO(response.content)).convert("RGB")


def background(image: Image.Image) -> str:
    """The name of the colour that most of the picture's border has."""
    pixels = np.asarray(image.convert("RGB")).astype(int)
    border = np.concatenate(
        [pixels[:6].reshape(-1, 3), pixels[:, :6].reshape(-1, 3), pixels[:, -6:].reshape(-1, 3)]
    )
    median = np.median(border, axis=0)
    return min(COLOURS, key=lambda name: float(np.abs(median - COLOURS[name]).sum()))


def data_of(image: Image.Image) -> str:
    """As a PNG in base64."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def opened(data: str) -> Image.Image:
    """The picture in base64."""
    return Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
