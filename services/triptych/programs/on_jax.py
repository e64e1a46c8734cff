"""JAX: every program is compiled ahead of its first run; all share the model's arrays."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import numpy.typing as npt

from .layout import Array, Axes, Program, numpy_dtype, reordered

POLICIES: dict[str, str] = {}
SHARES_WEIGHTS = True
KEEPS_PROGRAMS = False


def place(variable: keras.Variable, array: Array, axes: Axes) -> None:
    """On a CPU the array stays where it is, if it is aligned and in Keras' order."""
    variable._initialize(jnp.asarray(reordered(array, axes, numpy_dtype(variable.dtype))))


def compile_program(model: keras.Model, examples: Sequence[Array], dtype: str) -> Program:
    """Lower and compile the model for these shapes."""
    variables = list(model.variables)
    values = [variable.value for variable in variables]

    def call(values: list[Any], *inputs: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            output = model.call(list(inputs) if len(inputs) > 1 else inputs[0])
        return output.astype(jnp.float32)

    compiled = jax.jit(call).lower(values, *examples).compile()

    def program(inputs: Sequence[Array]) -> npt.NDArray[np.float32]:
        return np.asarray(compiled(values, *inputs))

    return program
