"""Keras models that take no memory until their weights are there.

Keras draws a random value for each of a model's variables when it is built, only for the file of
weights to replace it: for a Stable Diffusion UNet 860 million numbers, most of the time that
building it takes, and twice its memory. Models built inside `unfilled()` have variables with a
shape and a dtype and nothing else; `place` gives each its value.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras.src.backend.common import global_state
from keras.src.utils.python_utils import is_default

from .programs import backend
from .programs.layout import Array, Axes


@contextmanager
def unfilled(dtype: str = "float32") -> Iterator[None]:
    """Models built inside have variables without values, of the dtype that the backend keeps for `dtype`.

    `dtype` is float32, bfloat16 or float16: what the model computes in.
    """
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(backend().POLICIES.get(dtype, dtype))
    try:
        with _free_initializers(), _built_by_calls(), keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        keras.config.set_dtype_policy(policy)
        # Keras lists them for the next scope to initialise; place() does that here.
        global_state.set_global_attribute("uninitialized_variables", [])


def place(variable: keras.Variable, array: Array, axes: Axes | None = None) -> None:
    """Give a variable its value: `array` as it is stored, its axes permuted to Keras' order first.

    It is cast to the variable's dtype, and kept where it is (mapped from a file) where the backend can.
    Raises ValueError if the shapes differ.
    """
    shape = array.shape if axes is None else tuple(array.shape[axis] for axis in axes)
    if shape != tuple(variable.shape):
        raise ValueError(f"{variable.path} has shape {tuple(variable.shape)}; got {shape}")
    backend().place(variable, array, axes or tuple(range(array.ndim)))


@contextmanager
def _free_initializers() -> Iterator[None]:
    """While shapes are inferred the initialisers run; zeros cost least, on OpenVINO by a factor of 17."""
    add_weight = keras.layers.Layer.add_weight

    def add_zeros(self: Any, shape: Any = None, initializer: Any = None, **options: Any) -> Any:
        return add_weight(self, shape, "zeros", **options)

    keras.layers.Layer.add_weight = add_zeros
    try:
        yield
    finally:
        keras.layers.Layer.add_weight = add_weight


@contextmanager
def _built_by_calls() -> Iterator[None]:
    """Layers that have no `build` are built by their first call.

    Keras traces such a layer once to build what is in it and once more to call it, and so does each layer in
    it: what is four layers deep is traced sixteen times.
    """
    maybe_build = keras.layers.Layer._maybe_build

    def build_unless_the_call_does(self: Any, call_spec: Any) -> None:
        called = is_default(self.build) and is_default(self.compute_output_shape)
        if self.built or not called or all(layer.built for layer in self._layers):
            maybe_build(self, call_spec)

    keras.layers.Layer._maybe_build = build_unless_the_call_does
    try:
        yield
    finally:
        keras.layers.Layer._maybe_build = maybe_build
