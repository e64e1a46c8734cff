"""Noise that is the same on every machine and backend, and goes on where it was stopped."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Latent = npt.NDArray[np.float32]

NOISE = "pcg64-v1"
"""What the noise is called on `GET /info`: the same name is the same noise for a seed.

Version 1 is NumPy's PCG64 with the image's seed, and `standard_normal` in float32 of the latent's shape
(height, width, 4). It is drawn in this order: what a denoising starts from; then at the end of each step, as
far as there is need of it, the sampler's own (euler_ancestral and lcm, not in the last step), the one over
what inpainting keeps (in the last step too, where it weighs nothing), and the one that takes a latent back
for a step to be repeated.
"""

_LOW = 2**64 - 1


@dataclass(frozen=True)
class Noise:
    """A generator between two draws, as six numbers below 2^64: state and increment of PCG64, each its high
    and its low half, whether half a word is left from the last draw, and that half."""

    words: tuple[int, ...]

    @classmethod
    def seeded(cls, seed: int) -> "Noise":
        """The noise of this seed, from its beginning."""
        return cls._after(np.random.PCG64(seed))

    def draw(self, shape: tuple[int, ...]) -> "tuple[Latent, Noise]":
        """Standard normal noise, float32 of this shape, and the generator after it."""
        bits = self._generator()
        return np.random.Generator(bits).standard_normal(shape, np.float32), self._after(bits)

    def _generator(self) -> np.random.PCG64:
        high, low, increment_high, increment_low, halved, half = self.words
        bits = np.random.PCG64(0)
        bits.state = {
            "bit_generator": "PCG64",
            "state": {"state": high << 64 | low, "inc": increment_high << 64 | increment_low},
            "has_uint32": halved,
            "uinteger": half,
        }
        return bits

    @classmethod
    def _after(cls, bits: np.random.PCG64) -> "Noise":
        state = bits.state
        numbers = [half for key in ("state", "inc") for half in _halves(state["state"][key])]
        return cls((*numbers, state["has_uint32"], state["uinteger"]))


def _halves(number: int) -> tuple[int, int]:
    return number >> 64, number & _LOW
