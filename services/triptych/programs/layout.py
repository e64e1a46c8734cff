"""Arrays as files keep them, and as models take them."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Axes = tuple[int, ...]
Program = Callable[[Sequence[Array]], npt.NDArray[np.float32]]
"""Inputs in the model's order, of exactly the shapes that it was compiled for, to its output."""

BLOCK_BYTES = 2**22
THREADS = 4


def numpy_dtype(name: str) -> np.dtype[Any]:
    """numpy's dtype of this name, bfloat16 included."""
    return np.dtype(ml_dtypes.bfloat16) if name == "bfloat16" else np.dtype(name)


def reordered(array: Array, axes: Axes, dtype: np.dtype[Any]) -> Array:
    """The array with its axes permuted, contiguous and of this dtype: itself where it is already."""
    view = array.transpose(axes)
    if view.dtype == dtype and view.flags.c_contiguous:
        return view
    out = np.empty(view.shape, dtype)
    copy_into(out, view)
    return out


def copy_into(out: Array, view: Array) -> None:
    """Copy `view` into `out`, by several threads: numpy alone moves a transposed kernel at 0.5 GB/s."""
    rows = max(1, BLOCK_BYTES * len(view) // max(1, view.nbytes)) if view.ndim else 1
    if view.ndim == 0 or rows >= len(view):
        out[...] = view
        return
    starts = range(0, len(view), rows)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda start: _copy_rows(out, view, slice(start, start + rows)), starts))


def _copy_rows(out: Array, view: Array, rows: slice) -> None:
    out[rows] = view[rows]
