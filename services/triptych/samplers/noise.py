"""Noise that is the same on every machine and backend, and goes on where it was stopped."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

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

TORCH_NOISE = "torch-cpu"
NOISES = (NOISE, TORCH_NOISE)
"""All that a request may name; the second is the noise of programs that run on PyTorch."""

PCG64_WORDS, TORCH_WORDS = 6, 2
MOST_DRAWN = 2**28
BLOCK = 16
SKIP = 2**20
"""Words of a Mersenne Twister that are passed over at a time."""
KEPT_TWISTERS = 256
_LOW = 2**64 - 1
_left: OrderedDict[tuple[int, int], Any] = OrderedDict()
"""The states in which Mersenne Twisters were left, by seed and words drawn."""
_changing = threading.Lock()


@dataclass(frozen=True)
class Noise:
    """A generator between two draws, as six numbers below 2^64: state and increment of PCG64, each its high
    and its low half, whether half a word is left from the last draw, and that half."""

    words: tuple[int, ...]

    @staticmethod
    def named(name: str, seed: int) -> "Noise":
        """The noise of this name and seed, from its beginning."""
        return TorchNoise.seeded(seed) if name == TORCH_NOISE else Noise.seeded(seed)

    @staticmethod
    def of(words: tuple[int, ...]) -> "Noise":
        """The generator that these numbers describe; ValueError if they describe none."""
        if len(words) == TORCH_WORDS and words[0] < 2**32 and words[1] <= MOST_DRAWN:
            return TorchNoise(words)
        if len(words) != PCG64_WORDS or words[-2] > 1 or words[-1] >= 2**32:
            raise ValueError(f"noise of {len(words)} numbers that end in {words[-2:]}")
        return Noise(words)

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


@dataclass(frozen=True)
class TorchNoise(Noise):
    """What `torch.randn` gives for a latent (4, height, width) with a CPU generator of this seed, but for the
    last of float32's bits: for pictures by the seeds of other programs. `words` are the seed's low 32 bits
    and how many numbers have been drawn. A latent must have a multiple of 16 of them.

    Source: PyTorch's `normal_fill`: Mersenne Twister, 24 bits of each word, Box and Muller's transform in
    blocks of sixteen.
    """

    @classmethod
    def seeded(cls, seed: int) -> "Noise":
        """The noise of this seed, from its beginning."""
        return cls((seed & 0xFFFFFFFF, 0))

    def draw(self, shape: tuple[int, ...]) -> "tuple[Latent, Noise]":
        """Standard normal noise, float32 of this shape, and the generator after it."""
        seed, drawn = self.words
        height, width, channels = shape
        count = height * width * channels
        words = np.frombuffer(_twisted(seed, drawn, count), "<u4")
        uniform = ((words & 0xFFFFFF).astype(np.float32) / np.float32(2**24)).reshape(-1, 2, BLOCK // 2)
        radius = np.sqrt(-2 * np.log(1 - uniform[:, :1]))
        angle = np.float32(2 * np.pi) * uniform[:, 1:]
        normal = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        latent = normal.reshape(channels, height, width).transpose(1, 2, 0)
        return np.ascontiguousarray(latent), TorchNoise((seed, drawn + count))


def _twisted(seed: int, drawn: int, count: int) -> bytes:
    """So many words of the seed's Mersenne Twister after those that were drawn. It goes on where it was left,
    if that is kept, else from its beginning."""
    twister = np.random.RandomState(seed)
    with _changing:
        left = _left.get((seed, drawn))
    if left is not None:
        twister.set_state(left)
    else:
        for skipped in range(0, drawn, SKIP):
            twister.bytes(4 * min(SKIP, drawn - skipped))
    words = twister.bytes(4 * count)
    with _changing:
        _left[seed, drawn + count] = twister.get_state(legacy=False)
        while len(_left) > KEPT_TWISTERS:
            _left.popitem(last=False)
    return words


def _halves(number: int) -> tuple[int, int]:
    return number >> 64, number & _LOW
