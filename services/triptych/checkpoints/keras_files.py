"""Keras' .h5 files, with their tensors where they lie in the file.

A file as Keras 2 wrote it (keras-cv's published ones are such files) has lists of weights, layer by layer in
the model's order. A .weights.h5 file of Keras 3 has a group for every layer, named for its class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import keras
import numpy as np
from keras.src.saving.saving_lib import _walk_saveable
from keras.src.utils.naming import to_snake_case

from .mapped import map_file, refuse_other_content
from .source import Array, CheckpointError, Shape

if TYPE_CHECKING:
    from .naming import NamedVariable

LEGACY_ROOT = "model_weights"
LAYERS = "layers"

Items = dict[str, Any]
"""The groups and datasets of an open file by their paths; the file itself is the empty one."""


class KerasFile:
    """The tensors of a .h5 file; their names are those of the variables that they are for."""

    def __init__(self, path: Path) -> None:
        refuse_other_content(path)
        self.title = path.name
        self._path = path
        self._arrays: dict[str, Array] = {}

    def attach(self, model: keras.Model, part: str) -> None:
        from .naming import named_variables

        named = {id(entry.variable): entry for entry in named_variables(model, part)}
        data = map_file(self._path)
        with open_h5(self._path) as items:
            by_path = LAYERS in items and "layer_names" not in items[""].attrs
            pairs = _by_path(items, model, self.title) if by_path else _by_position(items, model, self.title)
            for variable, dataset in pairs:
                entry = named[id(variable)]
                self._check(entry, dataset)
                self._arrays[entry.name] = entry.from_keras(_array(dataset, data))

    def names(self) -> frozenset[str]:
        return frozenset(self._arrays)

    def shape(self, name: str) -> Shape:
        return self._arrays[name].shape

    def read(self, name: str) -> Array:
        return self._arrays[name]

    def _check(self, entry: NamedVariable, dataset: Any) -> None:
        needed = tuple(entry.variable.shape)
        if dataset.shape != needed:
            raise CheckpointError(
                f"{self.title}: {dataset.name}, which is {entry.name}, has shape {dataset.shape}; "
                f"the model needs {needed}"
            )
        if dataset.dtype.kind != "f" or dataset.is_virtual or dataset.external:
            raise CheckpointError(
                f"{self.title}: {dataset.name} does not have its numbers, in floating point, in this file"
            )


@contextmanager
def open_h5(path: Path) -> Iterator[Items]:
    """What is in the file, which stays open inside; its links to other files are not followed.

    Raises CheckpointError if the file is truncated or something else, also for what h5py finds out later.
    """
    refuse_other_content(path)
    try:
        with h5py.File(path, "r") as file:
            items: Items = {"": file}
            file.visititems(items.__setitem__)
            yield items
    except CheckpointError:
        raise
    except (KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path.name} is truncated, damaged or no .h5 file: {error}. Download it again"
        ) from error


def h5_shapes(path: Path) -> set[Shape]:
    """The shapes of the tensors in the file, in Keras' order of axes."""
    with open_h5(path) as items:
        return {item.shape for item in items.values() if isinstance(item, h5py.Dataset)}


def _by_position(items: Items, model: keras.Model, title: str) -> Iterator[tuple[keras.Variable, Any]]:
    """As Keras' own loader of these files matches them: layers that have weights, one after the other."""
    root = f"{LEGACY_ROOT}/" if LEGACY_ROOT in items else ""
    stored = {
        layer: [items[f"{root}{layer}/{name}"] for name in names]
        for layer in _attribute(items[root.rstrip("/")], "layer_names")
        if (names := _attribute(items[f"{root}{layer}"], "weight_names"))
    }
    needed = {
        layer.name: variables
        for layer in model.layers
        if (variables := layer.trainable_weights + layer.non_trainable_weights)
    }
    _refuse_other_layers(stored, needed, f"{title} has", f"{model.name} has")
    for variables, datasets in zip(needed.values(), stored.values(), strict=True):
        yield from zip(variables, datasets, strict=True)


def _refuse_other_layers(
    stored: Mapping[str, list[Any]], needed: Mapping[str, list[Any]], file: str, model: str
) -> None:
    pairs = zip_longest(stored.items(), needed.items(), fillvalue=("no layer there", ()))
    other = next((pair for pair in pairs if len(pair[0][1]) != len(pair[1][1])), None)
    if other is None:
        return
    (in_file, datasets), (in_model, variables) = other
    raise CheckpointError(
        f"{file} {len(stored)} layers with {sum(map(len, stored.values()))} weights; {model} {len(needed)} "
        f"with {sum(map(len, needed.values()))}: the file is of another part or version. The first that "
        f"differ: {in_file} with {len(datasets)} in the file, {in_model} with {len(variables)} in the model"
    )


def _by_path(items: Items, model: keras.Model, title: str) -> Iterator[tuple[keras.Variable, Any]]:
    for path, variable in _paths(model.layers, LAYERS, set()):
        if path not in items:
            raise CheckpointError(f"{title}: {path} is missing: the file is of another part or version")
        yield variable, items[path]


def _paths(owner: Any, path: str, seen: set[int]) -> Iterator[tuple[str, keras.Variable]]:
    """Where Keras 3 keeps the variables of a layer, or of a list of layers."""
    children = _numbered(owner) if isinstance(owner, list) else _walk_saveable(owner)
    for name, child in children:
        if isinstance(child, keras.Layer) and id(child) not in seen:
            seen.add(id(child))
            own = child._trainable_variables + child._non_trainable_variables
            yield from ((f"{path}/{name}/vars/{index}", variable) for index, variable in enumerate(own))
            yield from _paths(child, f"{path}/{name}", seen)
        elif isinstance(child, list):
            yield from _paths(child, f"{path}/{name}", seen)


def _numbered(layers: list[Any]) -> Iterator[tuple[str, Any]]:
    """Keras' names for the layers in a list: their classes, the second one with _1."""
    counts: Counter[str] = Counter()
    for layer in layers:
        name = to_snake_case(type(layer).__name__)
        yield f"{name}_{counts[name]}" if counts[name] else name, layer
        counts[name] += 1


def _attribute(group: Any, name: str) -> list[str]:
    """A list of names; Keras splits those that are too long for HDF5 into numbered pieces."""
    pieces = [name] if name in group.attrs else []
    while (piece := f"{name}{len(pieces)}") in group.attrs:
        pieces.append(piece)
    values = [value for piece in pieces for value in group.attrs[piece]]
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _array(dataset: Any, data: Array) -> Array:
    """A view of the mapped file where the tensor lies in one piece there, else a copy."""
    start = dataset.id.get_offset()
    if start is None or not dataset.dtype.isnative:
        return np.asarray(dataset)
    stored: Array = data[start : start + dataset.nbytes].view(dataset.dtype)
    return stored.reshape(dataset.shape)
