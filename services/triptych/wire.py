"""How tensors travel: base64 text, as the stage contract has it, or safetensors between our own services.

The contract's text is C-order bytes without dtype or shape. Safetensors (MEDIA_TYPE) say both, under the
names that `/info` uses (context, unconditional_context, image, mask, latent); a request's other fields are
a JSON object in the metadata, under FIELDS. Gateway and stages share this module, which therefore needs
numpy and safetensors and nothing else.
"""

import base64
import binascii
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
from safetensors.numpy import load, save

MEDIA_TYPE = "application/vnd.safetensors"
FIELDS = "fields"
"""The metadata key of a request's other fields."""
IMAGE_FORMAT = "image_format"
"""The metadata key, and the parameter of `Accept`, for pictures that travel as files."""
FLOATS = ("float32", "float16")
"""The dtypes that a float32 tensor may travel in."""
TRAVELLING = (*FLOATS, "uint8")
MAX_HEADER = 64 * 1024
MAX_TENSORS = 64

Array = npt.NDArray[Any]
Shape = tuple[int, ...]


class Tensors(dict[str, Array]):
    """Tensors by name; a type of its own, as nothing that came as JSON may be taken for them."""


class InvalidField(ValueError):
    """A request that names something the receiver cannot take; the sender can mend it."""

    def __init__(self, field: str, must: str, got: object) -> None:
        super().__init__(f"{field} must be {must}; got {got}")
        self.field = field
        self.must = must
        self.got = got


class Cancelled(Exception):
    """The request was cancelled before it was finished."""

    def __init__(self, sentence: str = "the request was cancelled") -> None:
        super().__init__(sentence)


def encode_tensor(tensor: Array) -> str:
    """The tensor's C-order bytes as base64."""
    return base64.b64encode(np.ascontiguousarray(tensor).tobytes()).decode("ascii")


def decode_tensor(field: str, value: object, dtype: npt.DTypeLike, shape: Shape) -> Array:
    """The tensor of this dtype and shape in `value`: a base64 string, or an array out of safetensors.

    Where float32 is expected, an array may be float16, and is given as float32. Raises InvalidField for
    another type, dtype, shape, length or alphabet, and for a value that is not finite.
    """
    expected = np.dtype(dtype)
    if isinstance(value, np.ndarray):
        tensor = _as_expected(field, value, expected, shape)
    else:
        tensor = _from_text(field, value, expected, shape)
    if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
        must = f"a {expected.name} tensor of shape {shape} with finite values"
        raise InvalidField(field, must, "NaN or infinite values")
    return tensor


def _as_expected(field: str, array: Array, expected: np.dtype[Any], shape: Shape) -> Array:
    narrowed = expected.name in FLOATS and array.dtype.name in FLOATS
    if array.shape != shape or not (narrowed or array.dtype == expected):
        must = f"a {expected.name} tensor of shape {shape}"
        raise InvalidField(field, must, f"{array.dtype.name} of shape {array.shape!s:.60}")
    return array.astype(expected, copy=False)


def _from_text(field: str, value: object, expected: np.dtype[Any], shape: Shape) -> Array:
    """Quotes and white space around the string are ignored: clients of the contract send on a JSON
    string as it came."""
    must = f"base64 of a {expected.name} tensor of shape {shape}"
    if not isinstance(value, str):
        raise InvalidField(field, must, describe(value))
    text = value.strip().strip('"')
    size = math.prod(shape) * expected.itemsize
    characters = 4 * math.ceil(size / 3)
    if len(text) != characters:
        raise InvalidField(
            field, f"{must} ({size} bytes, {characters} characters)", f"{len(text)} characters"
        )
    data = decode_text(field, must, text)
    if len(data) != size:
        raise InvalidField(field, f"{must} ({size} bytes)", f"{len(data)} bytes")
    return np.frombuffer(data, expected).reshape(shape)


def decode_text(field: str, must: str, text: str) -> bytes:
    """The bytes of base64, strictly read; InvalidField saying what the field `must` be."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidField(field, must, f"text that is not base64 ({error})") from None


def pack(tensors: Mapping[str, Array], metadata: Mapping[str, str], floats: str = "float32") -> bytes:
    """The tensors as safetensors, those of floating point in the dtype `floats`.

    They are copied into C order where they are not in it: the library writes memory as it lies.
    """
    laid = {
        name: np.ascontiguousarray(tensor, floats if tensor.dtype.kind == "f" else None)
        for name, tensor in tensors.items()
    }
    body: bytes = save(laid, dict(metadata))
    return body


def unpack(field: str, body: bytes) -> tuple[Tensors, dict[str, str]]:
    """The tensors in safetensors, and the metadata.

    Raises InvalidField, with `field` as the body's name, for a header of more than 64 KiB, more than 64
    tensors, a dtype other than float32, float16 and uint8, and whatever else is not sound.
    """
    length = int.from_bytes(body[:8], "little")
    if length > min(MAX_HEADER, len(body) - 8):
        must = f"safetensors with a header of at most {MAX_HEADER} bytes"
        raise InvalidField(field, must, f"{len(body)} bytes that begin with {body[:8]!r}")
    try:
        found = load(body)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise InvalidField(field, "safetensors", f"something else ({error})"[:300]) from None
    dtypes = {array.dtype.name for array in found.values()}
    if len(found) > MAX_TENSORS or not dtypes <= set(TRAVELLING):
        must = f"safetensors of at most {MAX_TENSORS} tensors, each {', '.join(TRAVELLING)}"
        raise InvalidField(field, must, f"{len(found)} tensors, {', '.join(sorted(dtypes))}")
    return Tensors(found), _metadata(body[8 : 8 + length])


def _metadata(header: bytes) -> dict[str, str]:
    """Of a header that the library has found sound."""
    return json.loads(header).get("__metadata__") or {}


def describe(value: object) -> str:
    """A short, safe wording of a value for an error text."""
    if value is None:
        return "nothing"
    if isinstance(value, str | list | tuple | dict):
        kind = {str: "a string", dict: "an object"}.get(type(value), "a list")
        unit = {str: "characters", dict: "keys"}.get(type(value), "items")
        shown = f" {value!r}" if isinstance(value, str) and len(value) <= 40 else ""
        return f"{kind} of {len(value)} {unit}{shown}"
    return repr(value) if isinstance(value, bool) else f"{value!r:.60}"
