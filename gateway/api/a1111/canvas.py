"""What a picture becomes before it is repainted, and how the new part gets back into it."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFilter

from ...errors import InvalidRequest
from ...images import (
    Picture,
    Pixels,
    check_mask,
    cover,
    decode_base64,
    decode_picture,
    decode_weights,
    stretch,
)
from ...requests import GenerateRequest, Inpainting
from .fill import NOISE, fill
from .schemas import Img2Img

CROP, CONTAIN = 1, 2
"""Of `resize_mode`."""

Box = tuple[int, int, int, int]
"""(left, top, right, bottom)"""


@dataclass(frozen=True)
class Canvas:
    """The picture as the answer has it outside of what is repainted; `weights` say how much of each pixel is
    new, 0 to 255 (height, width), None for all of it. The model sees the `box`."""

    picture: Picture
    weights: Pixels | None
    box: Box

    def prepare(self, request: GenerateRequest, body: Img2Img) -> GenerateRequest:
        """The request with the picture, or its part in the box."""
        seen, strength = Picture(self._crop(self.picture.pixels)), body.denoising_strength
        if self.weights is None:
            return replace(request, image=seen, strength=strength)
        repaint = self._crop(self.weights) > 0
        filled = fill(seen, repaint, body.inpainting_fill)
        anew = strength == 1 or body.inpainting_fill == NOISE
        inpainting = Inpainting(filled, repaint, whole=True)
        return replace(request, inpainting=inpainting, strength=None if anew else strength)

    def finish(self, painted: Picture) -> Picture:
        """The picture with what was made inside the box, by the weights."""
        if self.weights is None:
            return painted
        left, top, right, bottom = self.box
        part = Image.fromarray(stretch(painted, (right - left, bottom - top)).pixels)
        whole = Image.fromarray(self.picture.pixels)
        whole.paste(part.convert(whole.mode), (left, top), Image.fromarray(self._crop(self.weights)))
        return Picture(np.asarray(whole), self.picture.profile)

    def _crop(self, pixels: Pixels) -> Pixels:
        left, top, right, bottom = self.box
        return np.ascontiguousarray(pixels[top:bottom, left:right])


def read_canvas(body: Img2Img, max_pixels: int) -> Canvas:
    """Raises InvalidRequest for files that are no pictures, are too large or do not fit together."""
    if len(body.init_images) != 1:
        raise InvalidRequest(
            f"init_images must hold one picture; got {len(body.init_images)}.", field="init_images"
        )
    picture = decode_picture("init_images", decode_base64("init_images", body.init_images[0]), max_pixels)
    if body.mask is None:
        return Canvas(resize(picture, body), None, (0, 0, *body.size))
    weights = decode_weights("mask", decode_base64("mask", body.mask), max_pixels)
    if body.inpainting_mask_invert:
        weights = 255 - weights
    check_mask(picture, weights > 0, "white where to repaint, it")
    weights = np.asarray(Image.fromarray(weights).filter(ImageFilter.GaussianBlur(body.mask_blur)))
    if body.inpaint_full_res:
        box = box_around(weights, body.inpaint_full_res_padding, body.size)
        return Canvas(picture, weights, box)
    resized = resize(Picture(weights), body).pixels
    return Canvas(resize(picture, body), resized, (0, 0, *body.size))


def resize(picture: Picture, body: Img2Img) -> Picture:
    """As `resize_mode` says."""
    if body.resize_mode == CROP:
        return cover(picture, body.size)
    if body.resize_mode == CONTAIN:
        return contain(picture, body.size)
    return stretch(picture, body.size)


def contain(picture: Picture, size: tuple[int, int]) -> Picture:
    """All of the picture in the middle, undistorted; its edges are repeated to the borders."""
    width, height = size
    scale = min(width / picture.width, height / picture.height)
    inner = stretch(picture, (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    left, top = (width - inner.width) // 2, (height - inner.height) // 2
    around = [(top, height - inner.height - top), (left, width - inner.width - left), (0, 0)]
    return Picture(np.pad(inner.pixels, around[: inner.pixels.ndim], mode="edge"), picture.profile)


def box_around(weights: Pixels, padding: int, size: tuple[int, int]) -> Box:
    """What is repainted with so many pixels around it, in the proportions of the size where the picture has
    room for them."""
    height, width = weights.shape
    rows, columns = (np.flatnonzero((weights > 0).any(axis=axis)) for axis in (1, 0))
    wide = int(columns[-1] - columns[0]) + 1 + 2 * padding
    high = int(rows[-1] - rows[0]) + 1 + 2 * padding
    left, right = _span(columns, max(wide, round(high * size[0] / size[1])), width)
    top, bottom = _span(rows, max(high, round(wide * size[1] / size[0])), height)
    return left, top, right, bottom


def _span(used: np.ndarray[tuple[int], np.dtype[np.intp]], length: int, available: int) -> tuple[int, int]:
    length = min(length, available)
    middle = (int(used[0]) + int(used[-1]) + 1) // 2
    start = min(max(middle - length // 2, 0), available - length)
    return start, start + length
