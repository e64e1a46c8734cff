"""The fields of one stage request, each checked and named when it is wrong.

The request object itself is only read: a handler that changed it would surprise whoever sent it.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from .wire import InvalidField, Shape, Tensors, decode_tensor, describe

MAX_SEED = 2**63 - 1
MAX_TEXT = 4000


class Fields:
    """Typed reading of a request's keys; every method raises InvalidField naming the key."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        if not isinstance(data, Mapping):
            raise InvalidField("the request", "a JSON object", describe(data))
        self._data = data

    def has(self, key: str) -> bool:
        """Whether the request says anything of it."""
        return self._data.get(key) is not None

    def flag(self, key: str) -> bool:
        """true or false, which is also what nothing stands for."""
        value = self._data.get(key, False)
        if not isinstance(value, bool):
            raise InvalidField(key, "true or false", describe(value))
        return value

    def text(self, key: str, default: str | None = None, longest: int = MAX_TEXT) -> str:
        """A string of at most so many characters; required unless there is a default."""
        must = f"a string of at most {longest} characters"
        value = self._data.get(key, default)
        if not isinstance(value, str) or len(value) > longest:
            raise InvalidField(key, must, describe(value))
        return value

    def integer(self, key: str, default: int, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self._data.get(key, default)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise InvalidField(key, f"a whole number from {low} to {high}", describe(value))
        return value

    def number(self, key: str, default: float, low: float, high: float) -> float:
        """A number from `low` to `high`."""
        value = self._data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise InvalidField(key, f"a number from {low:g} to {high:g}", describe(value))
        return float(value)

    def choice(self, key: str, default: str, choices: Sequence[str]) -> str:
        """One of the strings in `choices`."""
        value = self._data.get(key, default)
        if value not in choices:
            raise InvalidField(key, f"one of {', '.join(choices)}", describe(value))
        return str(value)

    def seeds(self, key: str, batch_size: int) -> list[int]:
        """One seed an image: those given, counted up from the one given, or random ones."""
        value = self._data.get(key)
        if value is None:
            return [secrets.randbelow(2**32) for _ in range(batch_size)]
        seeds = [value + image for image in range(batch_size)] if type(value) is int else value
        if not isinstance(seeds, list) or len(seeds) != batch_size or not all(map(_is_seed, seeds)):
            must = f"a whole number from 0 to 2^63 - 1, or a list of {batch_size} (one an image)"
            raise InvalidField(key, must, describe(value))
        return seeds

    def tensors(self, key: str, parts: Mapping[str, tuple[npt.DTypeLike, Shape]]) -> list[npt.NDArray[Any]]:
        """One tensor for each of the named parts, in their order: of a list in base64, or by their names."""
        value = self._data.get(key)
        if isinstance(value, Tensors):
            value = _by_name(key, value, list(parts))
        if not isinstance(value, list) or len(value) != len(parts):
            raise InvalidField(
                key, f"a list of {len(parts)} base64 tensors: {', '.join(parts)}", describe(value)
            )
        return [
            decode_tensor(f"{key}[{index}] ({name})", value[index], *parts[name])
            for index, name in enumerate(parts)
        ]

    def tensor(self, key: str, name: str, dtype: npt.DTypeLike, shape: Shape) -> npt.NDArray[Any]:
        """One tensor: in base64, or by its name."""
        value = self._data.get(key)
        if isinstance(value, Tensors):
            (value,) = _by_name(key, value, [name])
        return decode_tensor(key, value, dtype, shape)


def _by_name(key: str, tensors: Tensors, names: list[str]) -> list[npt.NDArray[Any]]:
    if set(tensors) != set(names):
        raise InvalidField(key, f"the tensors {', '.join(names)}", f"{', '.join(tensors) or 'none'}"[:100])
    return [tensors[name] for name in names]


def _is_seed(value: object) -> bool:
    return type(value) is int and 0 <= value <= MAX_SEED
