"""PyTorch, eagerly: a program is the model itself, whatever the shapes."""

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt
import torch
from keras.src.backend.torch.core import get_device

from .layout import Array, Axes, Program, numpy_dtype, reordered

POLICIES: dict[str, str] = {}
SHARES_WEIGHTS = True
KEEPS_PROGRAMS = False


def place(variable: keras.Variable, array: Array, axes: Axes) -> None:
    """Make the variable, with a copy of the array as its value."""
    variable._initialize(reordered(array, axes, numpy_dtype(variable.dtype)))
    variable.value.requires_grad_(False)


def compile_program(model: keras.Model, examples: Sequence[Array], dtype: str) -> Program:
    """Nothing is compiled; the shapes are not fixed."""

    def program(inputs: Sequence[Array]) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            tensors = [torch.from_numpy(np.array(array)).to(get_device()) for array in inputs]
            output = model.call(tensors if len(tensors) > 1 else tensors[0])
            result: npt.NDArray[np.float32] = output.float().cpu().numpy()
            return result

    return program
