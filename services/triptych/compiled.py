"""One part of a variant, with a program for each of the latest sizes that it was asked for."""

import logging
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .programs import backend
from .weights import Report, load_part

if TYPE_CHECKING:
    from .programs.layout import Program
    from .variants import Variant

Array = npt.NDArray[Any]
KEPT_PROGRAMS = 4

logger = logging.getLogger(__name__)


class CompiledPart:
    """A model loaded once, and compiled for each set of input shapes that calls bring.

    Calls take and give numpy arrays. Compiling takes seconds for the tiny model and up to a minute for
    a full one, so callers keep to few shapes; those used latest are kept: `variant.max_compiled_sizes`
    of them, or four where programs share the weights and one where each has its own copy.
    """

    def __init__(self, variant: "Variant", part: str, inputs: Mapping[str, Array], report: Report) -> None:
        self._part, self._dtype = part, variant.dtype
        self._kept = variant.max_compiled_sizes or (KEPT_PROGRAMS if backend().SHARES_WEIGHTS else 1)
        self._programs: OrderedDict[tuple[tuple[int, ...], ...], Program] = OrderedDict()
        self._model = load_part(variant, part, report)
        report("compiling", None)
        self._program(list(inputs.values()))

    def __call__(self, **inputs: Array) -> npt.NDArray[np.float32]:
        arrays = list(inputs.values())
        return self._program(arrays)(arrays)

    def _program(self, arrays: list[Array]) -> "Program":
        shapes = tuple(array.shape for array in arrays)
        if shapes not in self._programs:
            self._compile(shapes, arrays)
        self._programs.move_to_end(shapes)
        return self._programs[shapes]

    def _compile(self, shapes: tuple[tuple[int, ...], ...], arrays: list[Array]) -> None:
        while len(self._programs) >= self._kept:
            self._programs.popitem(last=False)
        logger.info("compiling the %s for inputs of shapes %s", self._part, ", ".join(map(str, shapes)))
        self._programs[shapes] = backend().compile_program(self._model, arrays, self._dtype)
