"""The built-in model's weights, in one safetensors file in float16.

A tensor is named `part/layer/index`: the layer's own name, and which of its weights it is. A table
of which few rows are used is kept as `…/rows`, the `…/ids` of these, and `…/other`, the one row that
all others share.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from ..skeleton import place
from .source import Array, CheckpointError

if TYPE_CHECKING:
    import keras

ROWS, IDS, OTHER = "/rows", "/ids", "/other"


def load_safetensors(model: keras.Model, path: Path, prefix: str) -> None:
    """Fill the model with the tensors under `prefix/`, reading no others.

    Raises CheckpointError if one is missing, left over, or of another shape.
    """
    weights = _named_weights(model, prefix)
    with safe_open(str(path), framework="numpy") as file:
        stored = {name for name in file.keys() if name.startswith(f"{prefix}/")}  # noqa: SIM118
        for name, weight in weights.items():
            place(weight, _read(file, stored, name, tuple(weight.shape), path))
    if stored:
        raise CheckpointError(f"{path.name}: {sorted(stored)[0]} is not in the model {model.name}")


def save_safetensors(
    path: Path, models: Mapping[str, keras.Model], rows: Mapping[str, Array], metadata: Mapping[str, str]
) -> None:
    """Write the models' weights under their prefixes as float16, replacing the file in one step.

    `rows` has, for the names of tables of which few rows are used, the int32 indices of those; of
    all the others the first is kept.
    """
    tensors: dict[str, Array] = {}
    for prefix, model in models.items():
        for name, weight in _named_weights(model, prefix).items():
            array = np.asarray(weight.value, np.float16)
            tensors |= _sparse(name, array, rows[name]) if name in rows else {name: array}
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, dict(metadata))
    # safetensors lets only the owner read; the stages run as another user.
    partial.chmod(0o644)
    os.replace(partial, path)


def _named_weights(model: keras.Model, prefix: str) -> dict[str, Any]:
    return {
        f"{prefix}/{layer.name}/{index}": weight
        for layer in model.layers
        for index, weight in enumerate(layer.weights)
    }


def _read(file: Any, stored: set[str], name: str, shape: tuple[int, ...], path: Path) -> Array:
    if name + ROWS in stored:
        rows, ids, other = (_take(file, stored, name + part, path) for part in (ROWS, IDS, OTHER))
        return _expanded(rows, ids, other, name, shape)
    array = _take(file, stored, name, path, shape)
    if array.shape != shape:
        raise CheckpointError(f"{path.name}: {name} has shape {array.shape}, the model needs {shape}")
    return array.astype(np.float32)


def _take(file: Any, stored: set[str], name: str, path: Path, shape: Iterable[int] | None = None) -> Array:
    if name not in stored:
        needs = f" of shape {tuple(shape)}" if shape is not None else ""
        raise CheckpointError(f"{path.name}: {name}{needs} is missing (shape in the file: none)")
    stored.remove(name)
    array: Array = file.get_tensor(name)
    return array


def _expanded(rows: Array, ids: Array, other: Array, name: str, shape: tuple[int, ...]) -> Array:
    if rows.shape[1:] != shape[1:] or len(ids) != len(rows) or ids.max(initial=0) >= shape[0]:
        raise CheckpointError(f"{name} has rows of shape {rows.shape}, the model needs {shape}")
    table = np.broadcast_to(other.astype(np.float32), shape).copy()
    table[ids] = rows
    return table


def _sparse(name: str, table: Array, ids: Array) -> dict[str, Array]:
    unused = np.setdiff1d(np.arange(len(table)), ids)
    return {name + ROWS: table[ids], name + IDS: ids.astype(np.int32), name + OTHER: table[unused[0]]}
