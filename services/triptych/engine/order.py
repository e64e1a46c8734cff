"""What is to be denoised."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ..samplers import Denoising, Latent, State
from .guidance import Guidance


@dataclass(frozen=True)
class Order:
    """One picture: from which state, how, and towards what.

    `context` and `unconditional` are float32 (77, width). `conditioning`, float32 (height, width, 5), is
    what a UNet trained for inpainting is shown beside the latent. In one call of `deep_interval` the whole
    model is run, in the others its shallow layers.
    """

    denoising: Denoising
    start: State
    context: npt.NDArray[np.float32]
    unconditional: npt.NDArray[np.float32]
    guidance: Guidance
    conditioning: Latent | None = None
    deep_interval: int = 1

    @property
    def steps(self) -> int:
        return len(self.denoising.schedule)

    @cached_property
    def digest(self) -> bytes:
        """The same for orders that come to the same latent."""
        known = self.denoising.known
        whole = hashlib.blake2b(digest_size=16)
        for array in (
            self.context,
            self.unconditional,
            self.denoising.schedule.timesteps,
            self.denoising.schedule.alphas,
            *self.start.arrays().values(),
            *((known.latent, known.keep) if known else ()),
            *(() if self.conditioning is None else (self.conditioning,)),
        ):
            whole.update(repr(array.shape).encode())
            whole.update(np.ascontiguousarray(array).data)
        said = (
            *(self.denoising.sampler, self.denoising.prediction, self.guidance, self.deep_interval),
            known and known.resamples,
        )
        whole.update(repr(said).encode())
        return whole.digest()
