"""OpenVINO on Intel's and other x86 and Arm CPUs.

Keras' own OpenVINO backend holds a UNet three times: the values of its variables, OpenVINO's constants
with the transposed kernels folded in, and the blocked copy that its kernels run on. Here constants
are views of a mapped file in the order that OpenVINO wants, so that only the last is in memory;
the mapped pages are the kernel's to drop.
"""

import math
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import openvino as ov
import openvino.opset13 as ops
from keras.src.backend.openvino.core import OpenVINOKerasTensor

from ..selection import weights_dir
from . import channels, kept
from .layout import Array, Axes, Program, copy_into

POLICIES = {"bfloat16": "float32", "float16": "float32"}
SHARES_WEIGHTS = False
KEEPS_PROGRAMS = True
KERNEL_TO_OIHW = (3, 2, 0, 1)
OIHW_TO_KERNEL = (2, 3, 1, 0)
PRECISIONS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
SPILLED_FROM = 2**20

channels.use_own_norms()


def place(variable: keras.Variable, array: Array, axes: Axes) -> None:
    """Make the variable a constant over the array, or over a mapped copy in the order that it needs."""
    kernel = len(axes) == 4
    order = tuple(axes[axis] for axis in KERNEL_TO_OIHW) if kernel else axes
    stored = _mapped(array.transpose(order), np.dtype(variable.dtype))
    value = ops.constant(stored, shared_memory=True)
    if kernel:
        value = ops.transpose(value, list(OIHW_TO_KERNEL))
    variable._initialize(OpenVINOKerasTensor(value.output(0)))


def compile_program(model: keras.Model, examples: Sequence[Array], dtype: str) -> Program:
    """Trace the model for these shapes and compile it, computing in `dtype`."""
    return _compiled(_traced(model, examples), dtype)


def kept_program(folder: Path, dtype: str) -> Program | None:
    """The program of the graph that an earlier start has kept in the folder, or None."""
    graph = kept.load(folder)
    return None if graph is None else _compiled(graph, dtype)


def keep_program(model: keras.Model, examples: Sequence[Array], folder: Path) -> None:
    """Keep the model's graph for these shapes in the folder, in the background, where that is worth it."""
    kept.keep_in_background(_traced(model, examples), folder)


def _traced(model: keras.Model, examples: Sequence[Array]) -> ov.Model:
    parameters = [ops.parameter(list(example.shape), example.dtype) for example in examples]
    inputs = [OpenVINOKerasTensor(parameter.output(0)) for parameter in parameters]
    output = model.call(inputs if len(inputs) > 1 else inputs[0])
    graph = ov.Model([ops.result(output.output)], parameters)
    channels.put_channels_first(graph)
    return graph


def _compiled(graph: ov.Model, dtype: str) -> Program:
    compiled = ov.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": PRECISIONS[dtype]})

    def program(inputs: Sequence[Array]) -> npt.NDArray[np.float32]:
        return np.array(compiled(list(inputs))[0], np.float32)

    return program


def _mapped(view: Array, dtype: np.dtype[Any]) -> Array:
    """The view itself if it is contiguous and of this dtype, else a copy: a large one in a nameless file."""
    if view.dtype == dtype and view.flags.c_contiguous and view.flags.writeable:
        return view
    if view.size * dtype.itemsize < SPILLED_FROM:
        return np.array(view, dtype, order="C")
    out = _spilled(view.shape, dtype)
    copy_into(out, view)
    return out


def _spilled(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array in a nameless file beside the weights, as /tmp is often memory; it goes with the process."""
    folder = weights_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            # Without this a full disk is found out by a write to the mapped memory, which ends the process.
            os.posix_fallocate(file.fileno(), 0, math.prod(shape) * dtype.itemsize)
            return np.asarray(np.memmap(file, dtype, "r+", shape=shape))
    except OSError as error:
        raise OSError(
            f"OpenVINO needs these weights once more on the disk, and {folder} cannot take them ({error}): "
            "make room there, set WEIGHTS_DIR to another folder, or use a float32 safetensors file"
        ) from error
