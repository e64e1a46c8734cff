"""How requests and answers of the stage contract are written and read: safetensors, or base64 in JSON.

A stage that announces safetensors in `/info` gets and gives them; everything else, a Hugging Face Endpoint
above all, gets the contract's base64. An answer is read as what its Content-Type says that it is.
"""

import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from triptych.wire import (
    FIELDS,
    IMAGE_FORMAT,
    MEDIA_TYPE,
    Array,
    InvalidField,
    Shape,
    Tensors,
    decode_tensor,
    decode_text,
    describe,
    encode_tensor,
    pack,
    unpack,
)

from .events import MEDIA_TYPE as EVENT_STREAM
from .info import Info, Size

JSON = "application/json"
ANYTHING = "*/*"
"""An endpoint's server looks media types up exactly, and takes this for JSON."""
RESUME = "resume"
"""The field of a state to go on from."""
CONTEXTS = ("context", "unconditional_context")
IMAGE = "image"
CHANNELS = 3
RAW = "raw"


@dataclass(frozen=True)
class WireChoice:
    """What the settings want of stages that offer it: safetensors or not, the dtype of floats, and
    pictures `raw` or as files of a format."""

    safetensors: bool = True
    dtype: str = "float32"
    images: str = RAW


@dataclass(frozen=True)
class Body:
    """A request's body and what its headers say of it and of the answer."""

    content: bytes
    content_type: str = JSON
    accept: str = ANYTHING


class Answer(Protocol):
    """A stage's answer. Both methods raise InvalidField for what is not there or not as it must be."""

    @property
    def is_raw(self) -> bool:
        """Whether all of it is there as it is, and nothing is to be decoded."""

    def tensor(self, name: str, dtype: npt.DTypeLike, shape: Shape | None) -> Array:
        """The tensor of this name, flat where neither its shape is known nor the answer says it."""

    def images(self, batch: int, size: Size | None) -> Array:
        """The pictures, uint8 (batch, height, width, 3); squares are supposed where no size is known."""


def encode(payload: Mapping[str, Any], info: Info | None, choice: WireChoice, streams: bool = False) -> Body:
    """The request for a stage that announces this; its `inputs` are a prompt or Tensors. With `streams` the
    answer comes at the end of events.

    A state to go on from is too long for the header of safetensors, so that such a request is JSON.
    """
    wire = info.wire if info else None
    if wire is None or MEDIA_TYPE not in wire.content_types or not choice.safetensors:
        return Body(_json(payload))
    dtype = choice.dtype if choice.dtype in wire.dtypes else "float32"
    files = f";{IMAGE_FORMAT}={choice.images}" if choice.images in wire.image_formats else ""
    accept = f"{EVENT_STREAM if streams else MEDIA_TYPE};dtype={dtype}{files}"
    inputs = payload["inputs"]
    if not isinstance(inputs, Tensors) or RESUME in payload:
        return Body(_json(payload), accept=accept)
    fields = {name: value for name, value in payload.items() if name != "inputs"}
    return Body(pack(inputs, {FIELDS: json.dumps(fields)}, dtype), MEDIA_TYPE, accept)


def _json(payload: Mapping[str, Any]) -> bytes:
    """By the contract: one tensor is a string, several are a list."""
    inputs = payload["inputs"]
    if isinstance(inputs, Tensors):
        texts = [encode_tensor(tensor) for tensor in inputs.values()]
        inputs = texts if len(texts) > 1 else texts[0]
    return json.dumps({**payload, "inputs": inputs}).encode()


def decode(content_type: str, body: bytes) -> Answer:
    """The answer in the body. Raises InvalidField for broken safetensors, ValueError for what is not JSON."""
    if content_type.partition(";")[0].strip().lower() == MEDIA_TYPE:
        return TensorAnswer(*unpack("the answer", body))
    try:
        return ContractAnswer(json.loads(body))
    except RecursionError:
        raise ValueError("nested too deeply") from None


class ContractAnswer:
    """A JSON value by the stage contract."""

    is_raw = False

    def __init__(self, value: Any) -> None:
        self._value = value

    def tensor(self, name: str, dtype: npt.DTypeLike, shape: Shape | None) -> Array:
        text = self._context(name) if name in CONTEXTS else self._value
        if shape is not None:
            return decode_tensor(name, text, dtype, shape)
        data = _decoded(name, text)
        return decode_tensor(name, text, dtype, (len(data) // np.dtype(dtype).itemsize,))

    def images(self, batch: int, size: Size | None) -> Array:
        width, height = size or _square(len(_decoded("images", self._value)), batch)
        return decode_tensor("images", self._value, np.uint8, (batch, height, width, CHANNELS))

    def _context(self, name: str) -> Any:
        if not isinstance(self._value, dict):
            must = f"an object with {' and '.join(f'{context}_b64str' for context in CONTEXTS)}"
            raise InvalidField("the answer", must, describe(self._value))
        return self._value.get(f"{name}_b64str")


class TensorAnswer:
    """Safetensors, with the pictures as they are or as files."""

    def __init__(self, tensors: Tensors, metadata: Mapping[str, str]) -> None:
        self._tensors = tensors
        self._image_format = metadata.get(IMAGE_FORMAT)

    @property
    def is_raw(self) -> bool:
        return self._image_format is None

    def tensor(self, name: str, dtype: npt.DTypeLike, shape: Shape | None) -> Array:
        array = self._named(name)
        return decode_tensor(name, array, dtype, array.shape if shape is None else shape)

    def images(self, batch: int, size: Size | None) -> Array:
        if self._image_format:
            return np.stack([self._file(f"{IMAGE}.{index}", size) for index in range(batch)])
        if size is None:
            return self.tensor(IMAGE, np.uint8, None)
        width, height = size
        return self.tensor(IMAGE, np.uint8, (batch, height, width, CHANNELS))

    def _named(self, name: str) -> Array:
        if name not in self._tensors:
            raise InvalidField("the answer", f"one with {name}", ", ".join(self._tensors)[:100] or "nothing")
        return self._tensors[name]

    def _file(self, name: str, size: Size | None) -> Array:
        """Its size is checked before it is decoded, and must be known for that."""
        must = f"a {self._image_format} file of {size} pixels"
        try:
            image = Image.open(io.BytesIO(self._named(name).tobytes()), formats=[str(self._image_format)])
            if image.size == size:
                return np.asarray(image.convert("RGB"))
        except Exception as error:  # Pillow's parsers raise whatever broken bytes lead them to
            raise InvalidField(name, must, f"one that cannot be decoded ({error})"[:200]) from None
        raise InvalidField(name, must, f"one of {image.size}")


def _decoded(name: str, text: object) -> bytes:
    """The bytes of base64, of whatever length."""
    must = f"{name} in base64"
    if not isinstance(text, str):
        raise InvalidField(name, must, describe(text))
    return decode_text(name, must, text.strip().strip('"'))


def _square(size: int, batch: int) -> Size:
    side = math.isqrt(size // (batch * CHANNELS))
    if side == 0 or side * side * batch * CHANNELS != size:
        must = f"{batch} square pictures (if the model's are not square, give their size)"
        raise InvalidField("images", must, f"{size} bytes")
    return side, side
