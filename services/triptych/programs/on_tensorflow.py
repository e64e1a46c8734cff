"""TensorFlow: every program is one XLA computation; all share the model's variables."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from .layout import Array, Axes, Program, numpy_dtype, reordered

POLICIES: dict[str, str] = {}
SHARES_WEIGHTS = True
KEEPS_PROGRAMS = False


def place(variable: keras.Variable, array: Array, axes: Axes) -> None:
    """Make the variable, with the array as its first value."""
    variable._initialize(tf.convert_to_tensor(reordered(array, axes, numpy_dtype(variable.dtype))))


def compile_program(model: keras.Model, examples: Sequence[Array], dtype: str) -> Program:
    """Trace the model for these shapes, and run it once: XLA compiles at the first run."""

    def call(*inputs: Any) -> Any:
        return model.call(list(inputs) if len(inputs) > 1 else inputs[0])

    signature = [tf.TensorSpec(example.shape, example.dtype) for example in examples]
    function = tf.function(call, jit_compile=True, autograph=False).get_concrete_function(*signature)

    def program(inputs: Sequence[Array]) -> npt.NDArray[np.float32]:
        return np.asarray(tf.cast(function(*map(tf.constant, inputs)), tf.float32))

    program(examples)
    return program
