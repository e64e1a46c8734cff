"""Pictures as other programs' clients are given them, and what is looked for in those that come back."""

import base64
import io
import struct
import zlib
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
WIDTH, HEIGHT = 96, 80
LEFT, TOP, RIGHT, BOTTOM = 32, 24, 64, 56
"""Of the box that masks open in the picture."""


def noise() -> Image.Image:
    """A picture of which no pixel comes back by chance."""
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return Image.fromarray(pixels)


def box() -> npt.NDArray[np.bool_]:
    """(height, width): True in the box."""
    area = np.zeros((HEIGHT, WIDTH), bool)
    area[TOP:BOTTOM, LEFT:RIGHT] = True
    return area


def white_mask(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """White in the box."""
    return Image.fromarray(np.where(box(), np.uint8(255), np.uint8(0))).resize((width, height))


def transparent_mask(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Transparent in the box, and black."""
    mask = Image.new("RGBA", (WIDTH, HEIGHT))
    mask.putalpha(Image.fromarray(np.where(box(), np.uint8(0), np.uint8(255))))
    return mask.resize((width, height))


def file_of(image: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def text_of(image: Image.Image) -> str:
    return base64.b64encode(file_of(image)).decode()


def opened(data: bytes | str) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(data) if isinstance(data, str) else data))
    image.load()
    return image


def pixels(image: Image.Image) -> Pixels:
    return np.asarray(image.convert("RGB"))


def is_same(one: Image.Image, other: Image.Image) -> bool:
    return np.array_equal(pixels(one), pixels(other))


def distance(one: Image.Image, other: Image.Image) -> float:
    """How far a pixel's channel is from the other's, of 255, on average."""
    return float(np.abs(pixels(one).astype(float) - pixels(other)).mean())


def assert_painted_in_the_box(result: Image.Image, margin: int = 0) -> None:
    """Every pixel of the noise is there outside of the box and a margin, and hardly one inside."""
    around = np.ones((HEIGHT, WIDTH), bool)
    around[TOP - margin : BOTTOM + margin, LEFT - margin : RIGHT + margin] = False
    same = (pixels(result) == pixels(noise())).all(axis=-1)
    assert same[around].all()
    assert same[box()].mean() < 0.1


def redness(image: Image.Image) -> float:
    """How much more red than green and blue there is, on average."""
    values = pixels(image).astype(float)
    return float((values[..., 0] - values[..., 1:].mean(axis=-1)).mean())


@cache
def huge_file(side: int = 40_000) -> bytes:
    """A whole PNG file of side × side black pixels, 200 MB when it is decoded and 0.2 MB as it is."""
    packer = zlib.compressobj(1)
    row = bytes(1 + side // 8)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def text_file() -> bytes:
    return b"This is no picture, whatever its name says.\n"
