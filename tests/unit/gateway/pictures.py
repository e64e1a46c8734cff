"""Pictures as clients send and get them."""

import base64
import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]


def noise(width: int, height: int, channels: int = 3) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


def file_of(picture: Image.Image | Pixels, kind: str = "PNG", **options: Any) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def text_of(pixels: Pixels, kind: str = "PNG", **options: Any) -> str:
    return base64.b64encode(file_of(pixels, kind, **options)).decode()


def opened(data: bytes | str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(data) if isinstance(data, str) else data))


def pixels_of(data: bytes | str) -> Pixels:
    return np.asarray(opened(data))


def white_box(width: int, height: int, left: int, top: int, right: int, bottom: int) -> Pixels:
    """A mask that is white in a box."""
    mask = np.zeros((height, width), np.uint8)
    mask[top:bottom, left:right] = 255
    return mask


def png_header(width: int, height: int) -> bytes:
    """A PNG of this size that ends where its pixels begin."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + header
        + struct.pack(">I", zlib.crc32(header))
        + b"\0\0\0\4IDAT"
    )
