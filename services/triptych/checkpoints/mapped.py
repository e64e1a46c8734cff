"""Files of weights mapped into memory: tensors are views, and a page is read when it is first used."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from .source import Array, CheckpointError

DTYPES = {
    "F64": np.dtype(np.float64),
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "I64": np.dtype(np.int64),
    "I32": np.dtype(np.int32),
    "I16": np.dtype(np.int16),
    "I8": np.dtype(np.int8),
    "U8": np.dtype(np.uint8),
    "BOOL": np.dtype(np.bool_),
}
MAX_HEADER = 100 * 2**20
SNIFFED = 512


@dataclass(frozen=True)
class StoredTensors:
    """All tensors of a file under the names that it has for them, and its remarks about itself."""

    arrays: dict[str, Array]
    metadata: dict[str, str] = field(default_factory=dict)


def map_file(path: Path) -> Array:
    """The file's bytes, uint8: copy-on-write, as some libraries take no read-only memory."""
    return np.asarray(np.memmap(path, np.uint8, "c"))


def map_safetensors(path: Path) -> StoredTensors:
    """The tensors of a safetensors file, without reading them.

    Raises CheckpointError if the file is truncated, damaged or something else.
    """
    refuse_other_content(path)
    data = map_file(path)
    header, start = _header(data, path)
    try:
        metadata = {name: str(text) for name, text in header.pop("__metadata__", {}).items()}
        arrays = {name: _tensor(data[start:], name, entry, path) for name, entry in header.items()}
    except CheckpointError:
        raise
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path.name} is truncated or damaged: its header does not fit what follows ({error}). "
            "Download it again"
        ) from error
    return StoredTensors(arrays, metadata)


def refuse_other_content(path: Path) -> None:
    """Raise CheckpointError, saying what it is, for a file that is no weights at all."""
    if not path.is_file():
        raise CheckpointError(f"{path} is not there")
    with path.open("rb") as file:
        start = file.read(SNIFFED)
    if found := _other_content(start):
        raise CheckpointError(f"{path.name} is {found}")


def _other_content(start: bytes) -> str | None:
    if not start:
        return "empty: download it again"
    if start.startswith(b"version https://git-lfs"):
        return "a Git LFS pointer, not the weights themselves: run `git lfs pull` where it came from"
    if start.lstrip()[:1] == b"<":
        return "a page of a website, not weights: download the file itself (…/resolve/…, not …/blob/…)"
    if not set(start) - set(range(32, 127)) - set(b"\t\r\n"):
        return "a text file, not weights"
    return None


def _header(data: Array, path: Path) -> tuple[dict[str, Any], int]:
    length = int.from_bytes(data[:8].tobytes(), "little")
    if length > MAX_HEADER or data[8:9].tobytes() != b"{":
        raise CheckpointError(f"{path.name} is not a safetensors file, or damaged")
    if 8 + length > len(data):
        raise CheckpointError(f"{path.name} is truncated: download it again")
    try:
        header: dict[str, Any] = json.loads(data[8 : 8 + length].tobytes())
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path.name} is damaged: its header is no JSON. Download it again") from error
    return header, 8 + length


def _tensor(data: Array, name: str, entry: dict[str, Any], path: Path) -> Array:
    dtype = DTYPES.get(entry["dtype"])
    if dtype is None:
        raise CheckpointError(
            f"{path.name} has {name} in {entry['dtype']}, which is not served: use one in float16 or float32"
        )
    shape = tuple(int(side) for side in entry["shape"])
    begin, end = (int(offset) for offset in entry["data_offsets"])
    if not 0 <= begin <= end <= len(data) or end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{name}, {dtype} of shape {shape}, is at bytes {begin} to {end} of {len(data)}")
    stored: Array = data[begin:end].view(dtype)
    return stored.reshape(shape)
