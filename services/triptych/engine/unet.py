"""The diffusion model for any number of rows, in programs of few batch shapes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ..compiled import Array, CompiledPart
from ..programs import backend
from ..samplers import Latent
from ..selection import batch_rows
from ..variants import Variant
from ..weights import Report
from .memory import is_exhausted

TIMESTEP_WIDTH = 320
MAX_PERIOD = 10_000
GAIN = 0.9
"""A larger batch is worth it where a row takes at most this share of its time in the smaller one."""
SMOOTHING = 0.2
LONG_SECONDS = 0.5
TRIALS = 3

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """What the model is shown of one picture: `latent` float32 (height, width, channels), `context` float32
    (77, width)."""

    latent: Latent
    timestep: float
    context: npt.NDArray[np.float32]


class Unet:
    """Predictions for rows of one shape, in as few calls as is fastest.

    Batch sizes are 2 (a guided picture), 1, 4, 8 and so on. The first is compiled here, the others by whoever
    calls `compile`. Where each program would hold the weights once more, 1 is the only one: there two rows
    take as long as twice one.
    """

    def __init__(self, variant: Variant, report: Report) -> None:
        most = batch_rows()
        doublings = [2**power for power in range(2, most.bit_length()) if 2**power <= most]
        first = [rows for rows in (2, 1) if rows <= most]
        self.sizes: list[int] = [*first, *doublings] if backend().SHARES_WEIGHTS else [1]
        self.native: Shape = (*variant.latent[:2], variant.unet_channels)
        self._context = variant.context
        self._part = CompiledPart(variant, "diffusion", self._example(self.native, self.sizes[0]), report)
        self._seconds: dict[tuple[Shape, int], float] = {}

    def ready(self, shape: Shape) -> bool:
        """Whether rows of this shape can be predicted without compiling first."""
        return any(self._part.has(**self._example(shape, rows)) for rows in self.sizes)

    @property
    def has_room(self) -> bool:
        """Whether another shape can be compiled and none goes for it."""
        return self._part.has_room

    def compile(self, shape: Shape, rows: int) -> None:
        """Have a program for so many rows of this shape."""
        self._part(**self._example(shape, rows))

    def measure(self, shape: Shape, rows: int) -> None:
        """Find out how long its call takes: the best of a few, as others may use the machine as well."""
        example = self._example(shape, rows)
        self._seconds[shape, rows] = min(
            self._timed(example) for _ in range(1 if self.is_long(shape, max(1, rows // 2)) else TRIALS)
        )

    def is_long(self, shape: Shape, rows: int) -> bool:
        """Whether a call of so many rows is known to take long: then it fills the machine by itself."""
        return self._seconds.get((shape, rows), 0.0) > LONG_SECONDS

    def warm_sizes(self, shape: Shape) -> list[int]:
        """The batch sizes that there is a program for, smallest first."""
        return sorted(rows for rows in self.sizes if self._part.has(**self._example(shape, rows)))

    def capacity(self, shape: Shape) -> int:
        """How many rows a call should have: a larger batch only where it makes each row cheaper."""
        warm = self.warm_sizes(shape)
        best = warm[0]
        for rows in warm[1:]:
            if self.gains(shape, rows, best):
                best = rows
        return best

    def gains(self, shape: Shape, rows: int, smaller: int) -> bool:
        """Whether each row is cheaper in the larger batch, as far as both have been measured."""
        one, other = self._seconds.get((shape, rows)), self._seconds.get((shape, smaller))
        return one is not None and other is not None and one / rows <= GAIN * other / smaller

    def predict(self, rows: Sequence[Row]) -> list[Latent]:
        """What the model finds in each of the rows, which have one shape. Raises what the backend raises.

        A batch size that memory does not suffice for is given up, and the rows go on in smaller ones.
        """
        done: list[Latent] = []
        while len(done) < len(rows):
            shape = rows[0].latent.shape
            size = self._size(shape, len(rows) - len(done))
            try:
                done += self._call(rows[len(done) : len(done) + size], shape, size)
            except Exception as error:
                if size == 1 or not is_exhausted(error):
                    raise
                self.give_up(size)
        return done

    def _size(self, shape: Shape, count: int) -> int:
        """The batch size for the next of so many rows: without padding where that is as fast."""
        warm = self.warm_sizes(shape) or self.sizes[:1]
        enough = min((rows for rows in warm if rows >= count), default=warm[-1])
        below = max((rows for rows in warm if rows <= count), default=enough)
        padded, whole = self._seconds.get((shape, enough)), self._seconds.get((shape, below))
        if padded is None or whole is None or enough == below:
            return enough
        rest = self._seconds.get((shape, min(warm, key=lambda rows: abs(rows - (count - below)))), whole)
        return enough if padded <= whole + rest else below

    def _call(self, rows: Sequence[Row], shape: Shape, size: int) -> list[Latent]:
        padded = [*rows, *[rows[-1]] * (size - len(rows))]
        began = time.perf_counter()
        predictions = self._part(
            latent=np.stack([row.latent for row in padded]),
            timestep_embedding=np.concatenate([timestep_embedding(row.timestep) for row in padded]),
            context=np.stack([row.context for row in padded]),
        )
        self._note(shape, size, time.perf_counter() - began)
        return list(predictions[: len(rows)])

    def _timed(self, example: dict[str, Array]) -> float:
        began = time.perf_counter()
        self._part(**example)
        return time.perf_counter() - began

    def _note(self, shape: Shape, size: int, seconds: float) -> None:
        before = self._seconds.get((shape, size), seconds)
        self._seconds[shape, size] = (1 - SMOOTHING) * before + SMOOTHING * seconds

    def give_up(self, size: int) -> None:
        """Have no batches of so many rows or more."""
        self.sizes = [rows for rows in self.sizes if rows < size]
        self._part.drop_batches(size)

    def _example(self, shape: Shape, rows: int) -> dict[str, Array]:
        return {
            "latent": np.zeros((rows, *shape), np.float32),
            "timestep_embedding": np.zeros((rows, TIMESTEP_WIDTH), np.float32),
            "context": np.zeros((rows, *self._context), np.float32),
        }


@lru_cache(4096)
def timestep_embedding(timestep: float) -> npt.NDArray[np.float32]:
    """The sinusoidal embedding, float32 (1, 320): cosines, then sines (as in keras-cv)."""
    half = TIMESTEP_WIDTH // 2
    frequencies = np.exp(-np.log(MAX_PERIOD) * np.arange(half, dtype=np.float32) / half)
    angles = np.float32(timestep) * frequencies
    return np.concatenate([np.cos(angles), np.sin(angles)])[None].astype(np.float32)
