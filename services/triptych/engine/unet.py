"""The diffusion model for any number of rows, in programs of few batch shapes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..compiled import Array, CompiledPart, Shapes, may_have_many_programs
from ..evidence import evidence_of
from ..memory import is_exhausted
from ..models import deep
from ..samplers import Latent
from ..selection import batch_rows
from ..variants import LATENT_CHANNELS, Variant
from ..weights import Report

TIMESTEP_WIDTH = 320
MAX_PERIOD = 10_000
GAIN = 0.9
"""A larger batch is worth it where a row takes at most this share of its time in the smaller one."""
SMOOTHING = 0.2
LONG_SECONDS = 0.5
TRIALS = 3

Shape = tuple[int, ...]
WHOLE, KEEPING, SHALLOW = "whole", "keeping", "shallow"
"""How much of the model is run: all, all with what its deep layers find kept, or without them."""
VIEWS = {KEEPING: deep.keeping, SHALLOW: deep.shallow}


class Form(NamedTuple):
    """What rows that share a call have in common: the latent's shape, and how much of the model is run."""

    shape: Shape
    run: str = WHOLE


@dataclass(frozen=True)
class Row:
    """What the model is shown of one picture: `latent` float32 (height, width, channels), `context` float32
    (77, width). `deep`, float32 (height, width, features), is what the deep layers found before."""

    latent: Latent
    timestep: float
    context: npt.NDArray[np.float32]
    run: str = WHOLE
    deep: Latent | None = None

    @property
    def form(self) -> Form:
        return Form(self.latent.shape, self.run)


@dataclass(frozen=True)
class Found:
    """What the model finds in a row: `noise` float32 (height, width, 4), and what it is to keep, if asked."""

    noise: Latent
    deep: Latent | None = None


class Unet:
    """Predictions for rows of one form, in as few calls as is fastest.

    Batch sizes are 2 (a guided picture), 1, 4, 8 and so on. The first is compiled here, the others by whoever
    calls `compile`. Where each program would hold a full model's weights once more, 1 is the only one: there
    two rows take as long as twice one.
    """

    def __init__(self, variant: Variant, report: Report) -> None:
        most = batch_rows()
        doublings = [2**power for power in range(2, most.bit_length()) if 2**power <= most]
        first = [rows for rows in (2, 1) if rows <= most]
        self.sizes: list[int] = [*first, *doublings] if may_have_many_programs(variant) else [1]
        self._lacking: list[int] = []
        self.native = Form((*variant.latent[:2], variant.unet_channels))
        self._context = variant.context
        whole = CompiledPart(variant, "diffusion", self.example(self.native, self.sizes[0]), report)
        self._parts = {WHOLE: whole, **{run: whole.seen_as(view) for run, view in VIEWS.items()}}
        self._seconds: dict[tuple[Form, int], float] = {}
        self.evidence = evidence_of(report)

    def ready(self, form: Form) -> bool:
        """Whether rows of this form can be predicted without compiling first."""
        return any(self._has(form, rows) for rows in self.sizes)

    def has_room(self, form: Form) -> bool:
        """Whether a size of this form can be compiled and none goes for it."""
        return self._parts[form.run].has_room

    def make_room(self, form: Form) -> None:
        """Let the programs go that are in the way of this form's; to be called between two calls of any."""
        self._parts[form.run].make_room(self._shapes(form, self.sizes[0]))

    def compile(self, form: Form, rows: int) -> None:
        """Have a program for so many rows of this form."""
        self._parts[form.run].prepare(**self.example(form, rows))

    def run(self, form: Form, inputs: dict[str, Array]) -> Array:
        """One call for rows of this form."""
        return self._parts[form.run](**inputs)

    def measure(self, form: Form, rows: int) -> None:
        """Find out how long its call takes: the best of a few, as others may use the machine as well."""
        example = self.example(form, rows)
        self._seconds[form, rows] = min(
            self._timed(form, example) for _ in range(1 if self.is_long(form, max(1, rows // 2)) else TRIALS)
        )

    def is_long(self, form: Form, rows: int) -> bool:
        """Whether a call of so many rows is known to take long: then it fills the machine by itself."""
        return self._seconds.get((form, rows), 0.0) > LONG_SECONDS

    def warm_sizes(self, form: Form) -> list[int]:
        """The batch sizes that there is a program for, smallest first."""
        return sorted(rows for rows in self.sizes if self._has(form, rows))

    def capacity(self, form: Form) -> int:
        """How many rows a call should have: a larger batch only where it makes each row cheaper."""
        warm = self.warm_sizes(form) or self.sizes[:1]
        best = warm[0]
        for rows in warm[1:]:
            if self.gains(form, rows, best):
                best = rows
        return best

    def gains(self, form: Form, rows: int, smaller: int) -> bool:
        """Whether each row is cheaper in the larger batch, as far as both have been measured."""
        one, other = self._seconds.get((form, rows)), self._seconds.get((form, smaller))
        return one is not None and other is not None and one / rows <= GAIN * other / smaller

    def predict(self, rows: Sequence[Row]) -> list[Found]:
        """What the model finds in each of the rows, which have one form. Raises what the backend raises.

        A batch size that memory does not suffice for is given up for now, and the rows go on in smaller ones.
        """
        done: list[Found] = []
        while len(done) < len(rows):
            form = rows[0].form
            size = self._size(form, len(rows) - len(done))
            try:
                done += self._call(rows[len(done) : len(done) + size], form, size)
            except Exception as error:
                if size == min(self.sizes) or not is_exhausted(error):
                    raise
                self.give_up(size, for_now=True)
        return done

    def _size(self, form: Form, count: int) -> int:
        """The batch size for the next of so many rows: without padding where that is as fast."""
        warm = self.warm_sizes(form) or self.sizes[:1]
        enough = min((rows for rows in warm if rows >= count), default=warm[-1])
        below = max((rows for rows in warm if rows <= count), default=enough)
        padded, whole = self._seconds.get((form, enough)), self._seconds.get((form, below))
        if padded is None or whole is None or enough == below:
            return enough
        rest = self._seconds.get((form, min(warm, key=lambda rows: abs(rows - (count - below)))), whole)
        return enough if padded <= whole + rest else below

    def _call(self, rows: Sequence[Row], form: Form, size: int) -> list[Found]:
        padded = [*rows, *[rows[-1]] * (size - len(rows))]
        inputs = {
            "latent": np.stack([row.latent for row in padded]),
            "timestep_embedding": np.concatenate([timestep_embedding(row.timestep) for row in padded]),
            "context": np.stack([row.context for row in padded]),
        }
        if form.run == SHALLOW:
            inputs["deep"] = np.stack([row.deep for row in padded if row.deep is not None])
        began = time.perf_counter()
        found = self.run(form, inputs)
        seconds = time.perf_counter() - began
        self._note(form, size, seconds)
        self.evidence.called(len(rows), seconds)
        return [_found(one, form) for one in found[: len(rows)]]

    def _timed(self, form: Form, example: dict[str, Array]) -> float:
        began = time.perf_counter()
        self.run(form, example)
        return time.perf_counter() - began

    def _note(self, form: Form, size: int, seconds: float) -> None:
        before = self._seconds.get((form, size), seconds)
        self._seconds[form, size] = (1 - SMOOTHING) * before + SMOOTHING * seconds

    def give_up(self, size: int, for_now: bool) -> None:
        """Have no batches of so many rows or more, for good or until `take_back`; one size is always left."""
        smaller = [rows for rows in self.sizes if rows < size]
        kept = smaller or self.warm_sizes(self.native)[:1] or self.sizes[:1]
        if for_now:
            self._lacking += [rows for rows in self.sizes if rows not in kept]
        self.sizes = kept
        for part in self._parts.values():
            part.drop_batches(max(kept) + 1)

    def take_back(self) -> None:
        """Have the sizes again that were given up for now, none of them compiled."""
        self.sizes, self._lacking = [*self.sizes, *self._lacking], []

    def example(self, form: Form, rows: int) -> dict[str, Array]:
        """Inputs for so many rows of this form, all zero."""
        names = ("latent", "timestep_embedding", "context", "deep")
        return {
            name: np.zeros(shape, np.float32)
            for name, shape in zip(names, self._shapes(form, rows), strict=False)
        }

    def _has(self, form: Form, rows: int) -> bool:
        return self._parts[form.run].has(self._shapes(form, rows))

    def _shapes(self, form: Form, rows: int) -> Shapes:
        """Of the inputs for so many rows of this form."""
        deep_one = [(rows, *form.shape[:2], self._deep_width)] if form.run == SHALLOW else []
        return ((rows, *form.shape), (rows, TIMESTEP_WIDTH), (rows, *self._context), *deep_one)

    @cached_property
    def _deep_width(self) -> int:
        return deep.deep_width(self._parts[WHOLE].model())


def _found(output: Array, form: Form) -> Found:
    if form.run != KEEPING:
        return Found(output)
    height, width = form.shape[:2]
    noise, features = np.split(output, [height * width * LATENT_CHANNELS])
    return Found(noise.reshape(height, width, -1), features.reshape(height, width, -1))


@lru_cache(4096)
def timestep_embedding(timestep: float) -> npt.NDArray[np.float32]:
    """The sinusoidal embedding, float32 (1, 320): cosines, then sines (as in keras-cv)."""
    half = TIMESTEP_WIDTH // 2
    frequencies = np.exp(-np.log(MAX_PERIOD) * np.arange(half, dtype=np.float32) / half)
    angles = np.float32(timestep) * frequencies
    return np.concatenate([np.cos(angles), np.sin(angles)])[None].astype(np.float32)
