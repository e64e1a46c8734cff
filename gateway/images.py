"""Pictures and masks in and out: bounded before they are decoded, encoded with their parameters.

Inside there is one mask convention: bool (height, width), True where the picture may be repainted, or uint8
of how much.
"""

import base64
import binascii
import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, PngImagePlugin

from triptych.wire import describe

from .errors import InvalidRequest

FORMATS = ("PNG", "JPEG", "WEBP")
MEDIA_TYPES = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg"}
LOSSY_QUALITY = 95
PNG_OPTIONS = {"compress_level": 1, "compress_type": zlib.Z_RLE}
"""zlib's strategy of run lengths: about a third of the time of its default, for files 1 % (the built-in
model's) to 11 % (a photograph) larger."""
MAX_SIDE = 16_384
OPAQUE = 255

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Picture:
    """Pixels uint8 (height, width, 3), or 4 with alpha; `profile` is the colour profile that came along."""

    pixels: Pixels
    profile: bytes | None = None

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)"""
        return self.width, self.height


def decode_base64(field: str, text: str) -> bytes:
    """The bytes of base64 or of a `data:` URL of base64."""
    head, comma, tail = text.partition(",")
    data = tail if comma and head.startswith("data:") and head.endswith(";base64") else text
    try:
        return base64.b64decode(data.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(
            f"{field} must be base64 of a PNG, JPEG or WebP file, or a data: URL of it; "
            f"got {describe(text)} ({error}).",
            field=field,
        ) from None


def decode_picture(field: str, data: bytes, max_pixels: int) -> Picture:
    """The picture in a PNG, JPEG or WebP file, turned upright, in RGB or RGBA."""
    image = _open(field, data, max_pixels)
    has_alpha = image.has_transparency_data
    profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA", "P") else None
    return Picture(np.asarray(image.convert("RGBA" if has_alpha else "RGB")), profile)


def decode_greys(field: str, data: bytes, max_pixels: int, convention: str) -> Pixels:
    """How much to repaint, uint8 (height, width), 255 being wholly, from a mask file in one of
    MASK_CONVENTIONS."""
    image = _open(field, data, max_pixels)
    if convention == "transparent-is-repaint" and not image.has_transparency_data:
        raise InvalidRequest(
            f"{field} must have an alpha channel, 0 where to repaint, as mask_convention is {convention}; "
            f"got a picture without one.",
            field=field,
        )
    return MASK_CONVENTIONS[convention].greys(image)


def decode_mask(field: str, data: bytes, max_pixels: int, convention: str) -> Mask:
    """Where to repaint, from such a file: every grey counts as the one or the other."""
    greys = decode_greys(field, data, max_pixels, convention)
    area: Mask = greys >= MASK_CONVENTIONS[convention].least
    return area


def _white_is_repaint(image: Image.Image) -> Pixels:
    black = Image.new("RGBA", image.size, (0, 0, 0, 255))
    return np.asarray(Image.alpha_composite(black, image.convert("RGBA")).convert("L"))


def _transparent_is_repaint(image: Image.Image) -> Pixels:
    return 255 - np.asarray(image.convert("RGBA"))[..., 3]


def _nonzero_is_keep(image: Image.Image) -> Pixels:
    brightest: Pixels = np.asarray(image.convert("RGB")).max(axis=-1)
    return 255 - brightest


class Convention(NamedTuple):
    """How much of a mask's pixel is to repaint, 0 to 255, and from how much on one is repainted wholly."""

    greys: Callable[[Image.Image], Pixels]
    least: int


MASK_CONVENTIONS = {
    "white-is-repaint": Convention(_white_is_repaint, 128),
    "transparent-is-repaint": Convention(_transparent_is_repaint, 128),
    "nonzero-is-keep": Convention(_nonzero_is_keep, 255),
}


def _open(field: str, data: bytes, max_pixels: int) -> Image.Image:
    """The decoded file; everything that its header can tell is checked before its pixels are read.

    A telephone's JPEG may be an MPO, with a preview behind the picture proper, which is the first.
    """

    def refuse(must: str, got: str) -> InvalidRequest:
        return InvalidRequest(f"{field} must be {must}; got {got}.", field=field)

    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise refuse(f"of at most {max_pixels} pixels", "a header that names far more") from None
    except Exception:  # Pillow's parsers raise whatever broken bytes lead them to
        raise refuse("a PNG, JPEG or WebP file", f"{len(data)} bytes of something else") from None
    width, height = image.size
    if width * height > max_pixels:
        raise refuse(f"of at most {max_pixels} pixels", f"{width}x{height} = {width * height}")
    if max(width, height) > MAX_SIDE:
        raise refuse(f"at most {MAX_SIDE} pixels wide and high", f"{width}x{height}")
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise refuse("a picture of one frame", "an animation")
    if image.mode.startswith(("I", "F")):
        raise refuse("of 8 bits a channel", f"mode {image.mode}")
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:  # as above
        raise refuse(f"a whole {image.format} file", f"one that cannot be decoded: {error}") from None


def encode_picture(
    picture: Picture, output_format: str, text: dict[str, str], quality: int = LOSSY_QUALITY
) -> bytes:
    """The file's bytes. `text` becomes PNG text chunks; the other formats have no place for it, and a
    `quality` from 0 to 100."""
    image = Image.fromarray(picture.pixels)
    file = io.BytesIO()
    if output_format == "png":
        chunks = _text_chunks(text)
        image.save(file, "PNG", pnginfo=chunks, icc_profile=picture.profile, **PNG_OPTIONS)
    elif output_format == "webp":
        image.save(file, "WEBP", quality=quality, icc_profile=picture.profile)
    else:
        opaque = Image.fromarray(flatten(picture.pixels))
        opaque.save(file, "JPEG", quality=quality, icc_profile=picture.profile)
    return file.getvalue()


def flatten(pixels: Pixels) -> Pixels:
    """RGB over white, for what cannot hold alpha."""
    if pixels.shape[-1] == 3:
        return pixels
    alpha = pixels[..., 3:].astype(np.uint16)
    blend = pixels[..., :3] * alpha + np.uint16(255) * (255 - alpha)
    return ((blend + 127) // 255).astype(np.uint8)


def _text_chunks(text: dict[str, str]) -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    for key, value in text.items():
        chunks.add_text(key, value)
    return chunks


def decode_weights(field: str, data: bytes, max_pixels: int) -> Pixels:
    """How much of each pixel may be repainted, 0 to 255 (height, width): its brightness, or, where the file
    has an alpha channel that says something, all or nothing by that."""
    image = _open(field, data, max_pixels)
    alpha = np.asarray(image.convert("RGBA"))[..., 3]
    if image.has_transparency_data and alpha.min() < OPAQUE:
        return np.where(alpha > OPAQUE // 2 + 1, np.uint8(OPAQUE), np.uint8(0))
    return np.asarray(image.convert("L"))


def check_mask(picture: Picture, repaint: Mask, reading: str) -> None:
    """InvalidRequest where the mask is not of the picture's size, or repaints nothing, `reading` it so."""
    height, width = repaint.shape
    if (width, height) != picture.size:
        raise InvalidRequest(
            f"mask must be of the image's size, {picture.width}x{picture.height}; got {width}x{height}.",
            field="mask",
        )
    if not repaint.any():
        raise InvalidRequest(f"mask must have something to repaint; {reading} got nothing.", field="mask")


def read_texts(field: str, data: bytes, max_pixels: int) -> dict[str, str]:
    """The texts that came in the file of a picture."""
    image = _open(field, data, max_pixels)
    return {str(key): value for key, value in image.info.items() if isinstance(value, str)}


def stretch(picture: Picture, size: tuple[int, int]) -> Picture:
    """All of the picture at this (width, height)."""
    image = Image.fromarray(picture.pixels)
    return Picture(np.asarray(image.resize(size, Image.Resampling.LANCZOS)), picture.profile)


def cover(picture: Picture, size: tuple[int, int]) -> Picture:
    """The middle of the picture at this (width, height), undistorted."""
    image = ImageOps.fit(Image.fromarray(picture.pixels), size, Image.Resampling.LANCZOS)
    return Picture(np.asarray(image), picture.profile)
