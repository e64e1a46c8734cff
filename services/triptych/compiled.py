"""One part of a variant, with programs for each of the latest sizes that it was asked for."""

import hashlib
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from copy import copy
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .digests import code_digest
from .evidence import evidence_of
from .memory import is_exhausted
from .programs import backend
from .selection import weights_dir
from .weights import Report, load_part, unreported

if TYPE_CHECKING:
    import keras

    from .programs.layout import Program
    from .variants import Variant

Array = npt.NDArray[Any]
Shapes = tuple[tuple[int, ...], ...]
KEPT_SIZES = 4
LIBRARIES = ("keras", "keras-cv", "openvino")
"""What a graph depends on beside the weights and our own code."""

logger = logging.getLogger(__name__)


class CompiledPart:
    """A model loaded once, and compiled for each set of input shapes that calls bring.

    Calls take and give numpy arrays. Compiling takes seconds for the tiny model and up to a minute for
    a full one, so callers keep to few shapes. A size is what the shapes are without the batch axis; the sizes
    used latest are kept: `variant.max_compiled_sizes` of them, or four where programs share the
    weights and one where each has its own copy. Another thread may compile while programs run.
    """

    def __init__(self, variant: "Variant", part: str, inputs: Mapping[str, Array], report: Report) -> None:
        self._part, self._dtype = part, variant.dtype
        self._evidence = evidence_of(report)
        self._limit = variant.max_compiled_sizes or (KEPT_SIZES if may_have_many_programs(variant) else 1)
        self._sizes: OrderedDict[Shapes, dict[Shapes, Program]] = OrderedDict()
        self._changing = threading.Lock()
        self._load: Callable[[Report], keras.Model] = partial(load_part, variant, part)
        self._model: keras.Model | None = None
        arrays = list(inputs.values())
        if backend().KEEPS_PROGRAMS:
            self._put(arrays, self._kept_program(variant, arrays, report))
        else:
            self._program(arrays, report)

    def __call__(self, **inputs: Array) -> npt.NDArray[np.float32]:
        arrays = list(inputs.values())
        program = self._program(arrays, unreported)
        try:
            return program(arrays)
        except Exception as error:
            if is_exhausted(error):
                self._evidence.exhausted()
            raise

    def prepare(self, **inputs: Array) -> None:
        """Have a program for inputs of these shapes, and do not run it: one may run only once at a time."""
        self._program(list(inputs.values()), unreported)

    def seen_as(self, view: "Callable[[keras.Model], keras.Model]") -> "CompiledPart":
        """The same model, changed: with the same weights, and programs of its own, none of them yet."""
        other = copy(self)
        other._sizes, other._changing, other._model = OrderedDict(), threading.Lock(), None
        other._load = lambda report: view(self.model(report))
        return other

    def model(self, report: Report = unreported) -> "keras.Model":
        """The model itself, which is loaded if it has not been."""
        if self._model is None:
            self._model = self._load(report)
        return self._model

    @property
    def has_room(self) -> bool:
        """Whether another size can be compiled and none goes for it."""
        return len(self._sizes) < self._limit

    def has(self, shapes: Shapes) -> bool:
        """Whether there is a program for inputs of these shapes."""
        return shapes in self._sizes.get(_size(shapes), {})

    def make_room(self, shapes: Shapes) -> None:
        """Let the sizes go that are in the way of these shapes. None may be called meanwhile."""
        with self._changing:
            self._make_room(_size(shapes))

    def drop_batches(self, rows: int) -> None:
        """Let the programs for so many rows or more go."""
        with self._changing:
            for programs in self._sizes.values():
                for shapes in [shapes for shapes in programs if shapes[0][0] >= rows]:
                    del programs[shapes]

    def _kept_program(self, variant: "Variant", arrays: list[Array], report: Report) -> "Program":
        """The program as an earlier start has kept it; else compiled, and kept for later ones."""
        variant.parts[self._part].weights.fetch(self._part, report)
        report("verifying", None)
        folder = kept_folder(variant, self._part, _shapes(arrays))
        if folder.is_dir():
            report("compiling", None)
            program: Program | None = backend().kept_program(folder, self._dtype)
            if program is not None:
                return program
        program = self._compiled(arrays, report)
        backend().keep_program(self._model, arrays, folder)
        return program

    def _program(self, arrays: list[Array], report: Report) -> "Program":
        shapes = _shapes(arrays)
        size = _size(shapes)
        with self._changing:
            found = self._sizes.get(size, {}).get(shapes)
            if found is not None:
                self._sizes.move_to_end(size)
                return found
            self._make_room(size)
        return self._put(arrays, self._compiled(arrays, report))

    def _make_room(self, size: Shapes) -> None:
        while size not in self._sizes and len(self._sizes) >= self._limit:
            self._sizes.popitem(last=False)

    def _put(self, arrays: list[Array], program: "Program") -> "Program":
        shapes = _shapes(arrays)
        with self._changing:
            self._sizes.setdefault(_size(shapes), {})[shapes] = program
        return program

    def _compiled(self, arrays: list[Array], report: Report) -> "Program":
        model = self.model(report)
        report("compiling", None)
        shapes = ", ".join(map(str, _shapes(arrays)))
        logger.info("compiling the %s for inputs of shapes %s", self._part, shapes)
        began = time.monotonic()
        program: Program = backend().compile_program(model, arrays, self._dtype)
        self._evidence.compiled(self._part, time.monotonic() - began)
        return program


def may_have_many_programs(variant: "Variant") -> bool:
    """Whether a part's programs share its weights, or copies of these are small."""
    return variant.is_small or backend().SHARES_WEIGHTS


def kept_folder(variant: "Variant", part: str, shapes: Shapes) -> Path:
    """Where the part's graph for these shapes is kept: whatever changes the graph changes the name."""
    made_of = (
        variant.parts[part].weights.digest(part),
        part,
        shapes,
        code_digest(),
        [version(library) for library in LIBRARIES],
    )
    return weights_dir() / "programs" / hashlib.sha256(repr(made_of).encode()).hexdigest()[:32]


def _shapes(arrays: list[Array]) -> Shapes:
    return tuple(array.shape for array in arrays)


def _size(shapes: Shapes) -> Shapes:
    return tuple(shape[1:] for shape in shapes)
