"""Where a denoising is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .noise import Latent, Noise

FLOATS = ("latent", "memory")
MOST_MEMORY = 2
MOST_POSITION = 1000


@dataclass(frozen=True)
class State:
    """All that the rest of a denoising needs of what was before: kept or sent elsewhere, it goes on there.

    `latent`, float32 (height, width, 4), is what the model is shown next, whichever the sampler. `noise` is
    what is drawn from. `step` counts the schedule's steps, `repeat` how often this one has been done already.
    `memory` is what the sampler itself keeps from one call of the model to the next, latents all.
    """

    latent: Latent
    noise: Noise
    step: int = 0
    repeat: int = 0
    memory: tuple[Latent, ...] = ()

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The state as arrays alone.

        `latent` float32 (height, width, 4), `memory` float32 (0 to 2, height, width, 4), `position` int64
        (2,): step and repeat, `noise` uint64 (6,) or (2,).
        """
        return {
            "latent": self.latent,
            "memory": np.array(self.memory, np.float32).reshape(-1, *self.latent.shape),
            "position": np.array([self.step, self.repeat], np.int64),
            "noise": np.array(self.noise.words, np.uint64),
        }

    def travelling(self) -> dict[str, npt.NDArray[Any]]:
        """The same as float32 and uint8 alone, without what is empty, as the wire takes them."""
        arrays = {name: array for name, array in self.arrays().items() if array.size}
        return {name: array if name in FLOATS else array.view(np.uint8) for name, array in arrays.items()}

    @classmethod
    def of_travelled(cls, arrays: Mapping[str, npt.NDArray[Any]], shape: tuple[int, ...]) -> "State":
        """The state that gave these; `shape` is the latent's. Raises ValueError for what gives none."""
        latent = arrays["latent"]
        memory = arrays.get("memory", np.zeros((0, *shape), np.float32))
        position, noise = (np.frombuffer(arrays[name].tobytes(), np.uint64) for name in ("position", "noise"))
        floats = {array.dtype.name for array in (latent, memory)} == {"float32"}
        if not floats or latent.shape != shape or memory.shape[1:] != shape or len(memory) > MOST_MEMORY:
            raise ValueError(f"a latent of shape {latent.shape} and a memory of shape {memory.shape}")
        if position.shape != (2,) or position.max() > MOST_POSITION:
            raise ValueError(f"position {position.tolist()[:4]}")
        return cls.of({"latent": latent, "memory": memory, "position": position, "noise": noise})

    @classmethod
    def of(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> "State":
        """The state that gave these arrays."""
        step, repeat = arrays["position"].tolist()
        noise = Noise.of(tuple(arrays["noise"].tolist()))
        return cls(arrays["latent"], noise, step, repeat, tuple(arrays["memory"]))
