"""Where a denoising is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .noise import Latent, Noise


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
        (2,): step and repeat, `noise` uint64 (6,).
        """
        return {
            "latent": self.latent,
            "memory": np.array(self.memory, np.float32).reshape(-1, *self.latent.shape),
            "position": np.array([self.step, self.repeat], np.int64),
            "noise": np.array(self.noise.words, np.uint64),
        }

    @classmethod
    def of(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> "State":
        """The state that gave these arrays."""
        step, repeat = arrays["position"].tolist()
        noise = Noise(tuple(arrays["noise"].tolist()))
        return cls(arrays["latent"], noise, step, repeat, tuple(arrays["memory"]))
