"""PyTorch's zip files, read without PyTorch and without running what is in them.

A pickle can call any function. Here it gets at tensors, dictionaries and a few classes that training
programs leave behind, these as empty shells; anything else is refused by name.
"""

from __future__ import annotations

import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from .mapped import StoredTensors, map_file, refuse_other_content
from .source import Array, CheckpointError

ADVICE = (
    "A .ckpt or .bin file is a pickle, which can hold a program. Use a .safetensors file of the same "
    "weights, or set ALLOW_PICKLE=true if you trust where it comes from (only tensors are read from it)"
)
STORAGES = {
    "DoubleStorage": np.dtype(np.float64),
    "FloatStorage": np.dtype(np.float32),
    "HalfStorage": np.dtype(np.float16),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype(np.int64),
    "IntStorage": np.dtype(np.int32),
    "ShortStorage": np.dtype(np.int16),
    "CharStorage": np.dtype(np.int8),
    "ByteStorage": np.dtype(np.uint8),
    "BoolStorage": np.dtype(np.bool_),
}
LOCAL_HEADER = 30
"""Bytes of a zip entry's own header; the last four are the lengths of the name and extra field after it."""


class Leftover:
    """In the place of an object of a training program: takes everything and does nothing."""

    def __init__(self, *arguments: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


class Storage(NamedTuple):
    """Memory that tensors share: the name of its entry in the zip, and how many numbers it has."""

    dtype: np.dtype[Any]
    key: str
    length: int


class Described(NamedTuple):
    """A tensor as the pickle has it: where it starts in its storage, shape and strides, in numbers."""

    storage: Storage
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild_tensor(storage: Storage, start: int, shape: Any, strides: Any, *_: Any) -> Described:
    return Described(storage, int(start), tuple(map(int, shape)), tuple(map(int, strides)))


def _rebuild_parameter(tensor: Any, *_: Any) -> Any:
    return tensor


ADMITTED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    **{("torch", name): dtype for name, dtype in STORAGES.items()},
    **dict.fromkeys(
        (
            ("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint"),
            ("pytorch_lightning.utilities.parsing", "AttributeDict"),
            ("torch.nn.modules.container", "ParameterDict"),
            ("numpy.core.multiarray", "scalar"),
            ("numpy._core.multiarray", "scalar"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
            ("builtins", "set"),
            ("__builtin__", "set"),
        ),
        Leftover,
    ),
}


class TensorUnpickler(pickle.Unpickler):
    """Gives descriptions of tensors; raises CheckpointError for every class and function not ADMITTED."""

    def __init__(self, file: Any, title: str) -> None:
        super().__init__(file, encoding="latin-1")
        self._title = title

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ADMITTED:
            raise CheckpointError(
                f"{self._title} wants {module}.{name}, which tensors do not need: it is refused. "
                "Use a .safetensors file of the same weights"
            )
        return ADMITTED[module, name]

    def persistent_load(self, pid: Any) -> Storage:
        kind, dtype, key, _, count = pid
        if kind != "storage" or not isinstance(dtype, np.dtype):
            raise pickle.UnpicklingError(f"{kind} in the place of a tensor's numbers")
        return Storage(dtype, str(key), int(count))


@dataclass(frozen=True)
class Archive:
    """An open zip file, and its bytes mapped."""

    file: zipfile.ZipFile
    data: Array
    root: str

    def tensor(self, described: Described) -> Array:
        """A view of the mapped file."""
        numbers = self._numbers(described.storage)[described.start :]
        steps = zip(described.shape, described.strides, strict=True)
        last = sum((side - 1) * stride for side, stride in steps)
        # With strides of zero a few numbers could stand for a tensor of any size.
        size = max(last + 1, math.prod(described.shape))
        if min((0, described.start, *described.shape, *described.strides)) < 0 or size > len(numbers):
            raise ValueError(f"shape {described.shape} from {described.start} of {described.storage.length}")
        strides = [stride * numbers.itemsize for stride in described.strides]
        return np.lib.stride_tricks.as_strided(numbers, described.shape, strides)

    def _numbers(self, storage: Storage) -> Array:
        entry = _stored(self.file, f"{self.root}data/{storage.key}")
        lengths = self.data[entry.header_offset + LOCAL_HEADER - 4 :][:4].view("<u2")
        start = entry.header_offset + LOCAL_HEADER + int(lengths.sum())
        stored = self.data[start : start + entry.file_size]
        if len(stored) != storage.length * storage.dtype.itemsize:
            raise ValueError(f"{entry.filename} has {len(stored)} bytes for {storage.length} numbers")
        return stored.view(storage.dtype)


def map_pickle(path: Path, allowed: bool) -> StoredTensors:
    """The tensors of a file that torch.save has written, without reading them.

    Raises CheckpointError if pickles are not allowed, or if the file is truncated, older than PyTorch 1.6
    or holds more than tensors.
    """
    refuse_other_content(path)
    if not allowed:
        raise CheckpointError(f"{path.name}: {ADVICE}")
    try:
        with zipfile.ZipFile(path) as file:
            return StoredTensors(_tensors(file, path))
    except zipfile.BadZipFile as error:
        raise CheckpointError(
            f"{path.name} is truncated, or was written by PyTorch before 1.6: download it again, or use a "
            ".safetensors file of the same weights"
        ) from error
    except CheckpointError:
        raise
    except Exception as error:  # whatever the bytes of a damaged pickle come to
        raise CheckpointError(f"{path.name} is damaged or not a checkpoint ({error})") from error


def _tensors(file: zipfile.ZipFile, path: Path) -> dict[str, Array]:
    names = [name for name in file.namelist() if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(names) != 1:
        raise CheckpointError(f"{path.name} is a zip file, but not one of PyTorch's")
    with file.open(_stored(file, names[0])) as stream:
        content = TensorUnpickler(stream, path.name).load()
    archive = Archive(file, map_file(path), names[0].removesuffix("data.pkl"))
    return {name: archive.tensor(described) for name, described in _described(content)}


def _stored(file: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """An entry of the zip; PyTorch compresses none, and what is compressed can be of any size."""
    entry = file.getinfo(name)
    if entry.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    return entry


def _described(content: Any) -> Iterator[tuple[str, Described]]:
    """The tensors of a state dict, or of the one that a checkpoint of a training program has inside."""
    if not isinstance(content, dict):
        raise ValueError(f"it holds a {type(content).__name__}, not tensors by name")
    tensors = content.get("state_dict", content)
    for name, value in tensors.items():
        if isinstance(value, Described):
            yield str(name), value
