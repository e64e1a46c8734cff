"""The stage contract's tensors: C-order bytes in base64, with no dtype or shape on the wire.

The one module that the gateway and the stages share, so it needs numpy and nothing else.
"""

import base64
import binascii
import math
from typing import Any

import numpy as np
import numpy.typing as npt

Shape = tuple[int, ...]


class InvalidField(ValueError):
    """A request that names something the receiver cannot take; the sender can mend it."""

    def __init__(self, field: str, must: str, got: object) -> None:
        super().__init__(f"{field} must be {must}; got {got}")
        self.field = field
        self.must = must
        self.got = got


def encode_tensor(tensor: npt.NDArray[Any]) -> str:
    """The tensor's C-order bytes as base64."""
    return base64.b64encode(np.ascontiguousarray(tensor).tobytes()).decode("ascii")


def decode_tensor(field: str, value: object, dtype: npt.DTypeLike, shape: Shape) -> npt.NDArray[Any]:
    """The read-only tensor of this dtype and shape in `value`, a base64 string.

    Quotes and white space around the string are ignored: clients of the contract send on a JSON
    string as it came. Raises InvalidField for another type, length or alphabet, and for a value
    that is not finite.
    """
    expected = f"base64 of a {np.dtype(dtype).name} tensor of shape {shape}"
    if not isinstance(value, str):
        raise InvalidField(field, expected, describe(value))
    text = value.strip().strip('"')
    size = math.prod(shape) * np.dtype(dtype).itemsize
    characters = 4 * math.ceil(size / 3)
    if len(text) != characters:
        raise InvalidField(
            field, f"{expected} ({size} bytes, {characters} characters)", f"{len(text)} characters"
        )
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidField(field, expected, f"text that is not base64 ({error})") from None
    if len(data) != size:
        raise InvalidField(field, f"{expected} ({size} bytes)", f"{len(data)} bytes")
    tensor = np.frombuffer(data, dtype).reshape(shape)
    if tensor.dtype.kind == "f" and not np.isfinite(tensor).all():
        raise InvalidField(field, f"{expected} with finite values", "NaN or infinite values")
    return tensor


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
