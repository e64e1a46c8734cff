"""A model compiled for one batch shape, so that no request ever waits for a compiler."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .weights import Report, load_part

if TYPE_CHECKING:
    from .variants import Variant

Array = npt.NDArray[Any]


class CompiledPart:
    """One part of a variant, loaded, compiled with XLA and run once.

    Calls take and give numpy arrays with `rows` rows, no more and no fewer: XLA compiles anew
    for each shape, which takes seconds for the tiny model and minutes for the full ones.
    """

    def __init__(self, variant: "Variant", part: str, inputs: Mapping[str, Array], report: Report) -> None:
        self._model = load_part(variant, part, report)
        self._model.compile(jit_compile="auto")
        report("compiling", None)
        self(**inputs)

    def __call__(self, **inputs: Array) -> npt.NDArray[np.float32]:
        values = list(inputs.values()) if len(inputs) > 1 else next(iter(inputs.values()))
        return np.asarray(self._model.predict_on_batch(values), np.float32)
