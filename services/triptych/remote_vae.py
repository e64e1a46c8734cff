"""diffusers' wire for a VAE elsewhere: what `remote_decode` and `remote_encode` send, and what they expect.

Source: diffusers.utils.remote_utils (0.42). Raw bytes in NCHW with shape and dtype as query parameters, and
back as headers. A stage's tensors are NHWC, its latents those of the VAE times 0.18215.
"""

import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import ml_dtypes
import numpy as np
from PIL import Image

from .wire import Array, InvalidField, Shape, Tensors

MEDIA_TYPE = "tensor/binary"
LATENT_SCALE = 0.18215
LATENT_FACTOR = 8
LATENT_CHANNELS, IMAGE_CHANNELS = 4, 3
DTYPES: dict[str, np.dtype[Any]] = {
    "float16": np.dtype(np.float16),
    "float32": np.dtype(np.float32),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}
FILES = {"png": "PNG", "jpg": "JPEG"}
MEDIA_TYPES = {"png": "image/png", "jpg": "image/jpeg"}
IMAGE_FILES = ("PNG", "JPEG", "WEBP")
QUALITY = 95
MAX_SIDE = 4096
MAX_FACTOR = 1000.0


@dataclass(frozen=True)
class RemoteAnswer:
    """The body of an answer, its media type and its headers."""

    body: bytes
    media_type: str
    headers: Mapping[str, str]


class Parameters:
    """The query parameters, each checked and named when it is wrong; those that are not known are ignored."""

    def __init__(self, items: Iterable[tuple[str, str]]) -> None:
        self._items = list(items)

    def text(self, key: str, default: str, choices: Iterable[str]) -> str:
        """One of the choices; the last one given."""
        value = self.last(key) or default
        if value not in choices:
            raise InvalidField(key, f"one of {', '.join(choices)}", f"{value:.40}")
        return value

    def flag(self, key: str) -> bool:
        """As Python and JSON write them; false where it is not given."""
        return self.text(key, "false", ("True", "true", "False", "false")).lower() == "true"

    def factor(self, key: str, default: float, least: float) -> float:
        """A number from `least` to 1000."""
        text = self.last(key)
        try:
            value = default if text is None else float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= MAX_FACTOR:
            raise InvalidField(key, f"a number from {least:g} to {MAX_FACTOR:g}", f"{text:.40}")
        return value

    def shape(self, channels: int) -> Shape:
        """Four sides, (batch, channels, height, width)."""
        texts = [value for name, value in self._items if name == "shape"]
        sides = tuple(int(text) if text.isdecimal() and len(text) < 6 else 0 for text in texts)
        sound = len(sides) == 4 and sides[1] == channels and all(0 < side <= MAX_SIDE for side in sides)
        if not sound:
            must = f"(batch, {channels}, height, width) in four parameters, at most {MAX_SIDE} each"
            raise InvalidField("shape", must, f"{', '.join(texts) or 'nothing'}"[:80])
        return sides

    def last(self, key: str) -> str | None:
        """The value as it came, None where there is none."""
        return dict(self._items).get(key)


@dataclass(frozen=True)
class RemoteDecode:
    """Latents to decode, float32 (batch, height, width, 4) as a stage takes them, and how to answer.

    `dtype` is that of the latents that came; `image_format` is None where raw values are wanted:
    `unit` from 0 to 1, `is_uint8` from 0 to 255, otherwise from -1 to 1.
    """

    latents: Array
    dtype: str
    image_format: str | None
    unit: bool
    is_uint8: bool

    @classmethod
    def read(
        cls, items: Iterable[tuple[str, str]], accept: str, body: bytes, max_pixels: float = math.inf
    ) -> Self:
        """From query parameters, `Accept` and body of the request, for images of so many pixels together.
        Raises InvalidField."""
        parameters = Parameters(items)
        output = parameters.text("output_type", "pil", ("pil", "pt"))
        partly = output == "pt" and parameters.flag("partial_postprocess")
        # With a processor of its own, diffusers asks for `pil` and accepts raw values alone.
        is_file = output == "pil" and accept.strip().lower() != MEDIA_TYPE
        image_format = parameters.text("image_format", "png", FILES) if is_file else None
        latents, dtype = _read_tensor(parameters, body, LATENT_CHANNELS, LATENT_FACTOR, max_pixels)
        if is_file and len(latents) > 1:
            raise InvalidField("shape", "that of one latent for output_type=pil: use pt", f"{len(latents)}")
        default = LATENT_SCALE if parameters.flag("do_scaling") else 1.0
        scale = LATENT_SCALE / parameters.factor("scaling_factor", default, 1e-3)
        shift = LATENT_SCALE * parameters.factor("shift_factor", 0.0, -MAX_FACTOR)
        scaled = latents * np.float32(scale) + np.float32(shift)
        return cls(scaled, dtype, image_format, output == "pil" and not is_file, is_file or partly)

    @property
    def payload(self) -> dict[str, Any]:
        """The decoder stage's request."""
        batch, height, width, _ = self.latents.shape
        return {
            "inputs": Tensors(latent=self.latents),
            "batch_size": batch,
            "height": LATENT_FACTOR * height,
            "width": LATENT_FACTOR * width,
            "image_dtype": "uint8" if self.is_uint8 else "float32",
        }

    @property
    def shape(self) -> Shape:
        """Of the images, (batch, height, width, 3)."""
        batch, height, width, _ = self.latents.shape
        return batch, LATENT_FACTOR * height, LATENT_FACTOR * width, IMAGE_CHANNELS

    def answer(self, images: Array) -> RemoteAnswer:
        """The answer with the stage's images, (batch, height, width, 3), in the dtype that was asked for."""
        if self.image_format:
            file = io.BytesIO()
            Image.fromarray(images[0]).save(file, FILES[self.image_format], quality=QUALITY)
            return RemoteAnswer(file.getvalue(), MEDIA_TYPES[self.image_format], {})
        if self.is_uint8:
            return _tensor_answer(images, "uint8")
        values = np.clip(images / 2 + 0.5, 0, 1) if self.unit else images
        return _tensor_answer(values.transpose(0, 3, 1, 2), self.dtype)


@dataclass(frozen=True)
class RemoteEncode:
    """Images to encode, (batch, height, width, 3), uint8 from 0 to 255 or float32 from -1 to 1.

    `dtype` is that of the images that came, and of the answer; float32 for a file.
    """

    images: Array
    dtype: str
    scale: float
    shift: float

    @classmethod
    def read(cls, items: Iterable[tuple[str, str]], body: bytes, max_pixels: float = math.inf) -> Self:
        """From query parameters and body of the request, for images of so many pixels together. Raises
        InvalidField."""
        parameters = Parameters(items)
        if parameters.last("shape") is None:
            images, dtype = _read_file(body, max_pixels)[None], "float32"
        else:
            images, dtype = _read_tensor(parameters, body, IMAGE_CHANNELS, 1, max_pixels)
        scale = parameters.factor("scaling_factor", 1.0, 1e-3)
        return cls(images, dtype, scale, parameters.factor("shift_factor", 0.0, -MAX_FACTOR))

    @property
    def payload(self) -> dict[str, Any]:
        """The decoder stage's request."""
        batch, height, width, _ = self.images.shape
        return {
            "inputs": Tensors(image=self.images),
            "batch_size": batch,
            "height": height,
            "width": width,
            "task": "encode",
            "image_dtype": self.images.dtype.name,
        }

    @property
    def shape(self) -> Shape:
        """Of the latents, (batch, height, width, 4)."""
        batch, height, width, _ = self.images.shape
        return batch, height // LATENT_FACTOR, width // LATENT_FACTOR, LATENT_CHANNELS

    def answer(self, latents: Array) -> RemoteAnswer:
        """The answer with the stage's latents, (batch, height, width, 4)."""
        values = latents * np.float32(self.scale / LATENT_SCALE) - np.float32(self.scale * self.shift)
        return _tensor_answer(values.transpose(0, 3, 1, 2), self.dtype)


def _read_tensor(
    parameters: Parameters, body: bytes, channels: int, factor: int, max_pixels: float
) -> tuple[Array, str]:
    """float32 (batch, height, width, channels) of the body, of images whose sides are so many times as long,
    and the dtype that it came in."""
    shape = parameters.shape(channels)
    batch, _, height, width = shape
    _check_pixels("shape", (batch, factor * height, factor * width), max_pixels)
    dtype = parameters.text("dtype", "", DTYPES)
    size = math.prod(shape) * DTYPES[dtype].itemsize
    if len(body) != size:
        raise InvalidField("body", f"{size} bytes, a {dtype} tensor of shape {shape}", f"{len(body)} bytes")
    values = np.frombuffer(body, DTYPES[dtype]).reshape(shape).astype(np.float32)
    if not np.isfinite(values).all():
        raise InvalidField("body", "finite values", "NaN or infinite values")
    return np.ascontiguousarray(values.transpose(0, 2, 3, 1)), dtype


def _check_pixels(field: str, shape: Shape, max_pixels: float) -> None:
    """Of images, (batch, height, width)."""
    if math.prod(shape) > max_pixels:
        must = f"of images of at most {max_pixels} pixels together"
        raise InvalidField(field, must, " x ".join(map(str, shape)))


def _read_file(body: bytes, max_pixels: float) -> Array:
    """uint8 (height, width, 3); the size that the file names is checked before it is decoded."""
    must = f"a PNG, JPEG or WebP file of at most {MAX_SIDE} x {MAX_SIDE} pixels, or a tensor with its shape"
    try:
        image = Image.open(io.BytesIO(body), formats=IMAGE_FILES)
        if max(image.size) > MAX_SIDE:
            raise InvalidField("body", must, f"one of {image.width} x {image.height}")
        _check_pixels("body", (1, image.height, image.width), max_pixels)
        return np.asarray(image.convert("RGB"))
    except InvalidField:
        raise
    except Exception as error:  # Pillow's parsers raise whatever broken bytes lead them to
        raise InvalidField("body", must, f"{len(body)} bytes of something else ({error})"[:200]) from None


def _tensor_answer(values: Array, dtype: str) -> RemoteAnswer:
    laid = np.ascontiguousarray(values, DTYPES.get(dtype, np.uint8))
    return RemoteAnswer(laid.tobytes(), MEDIA_TYPE, {"shape": str(list(laid.shape)), "dtype": dtype})
