"""What inpainting keeps."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from .noise import Latent


@dataclass(frozen=True)
class Known:
    """The image's latent, and a mask (height, width, 1) of 1 = keep, 0 = repaint, and what lies between.

    It is put back after every step (RePaint, arXiv:2201.09865; early keras-cv). With `resamples` above 1
    every step but the last is done that many times, noised again in between, which lets the new part settle
    with what surrounds it.
    """

    latent: Latent
    keep: npt.NDArray[np.float32]
    resamples: int = 1

    def restored(self, latent: Latent, alpha: float, noise: Latent) -> Latent:
        """`latent` with the kept region replaced by the known one, as noisy as `alpha` says."""
        known = mixed(self.latent, noise, alpha)
        return self.keep * known + (1 - self.keep) * latent


def mixed(image: Latent, noise: Latent, alpha: float) -> Latent:
    """The image under so much noise as cumulative alpha `alpha` says."""
    return sqrt(alpha) * image + sqrt(1 - alpha) * noise


def noised_again(latent: Latent, ratio: float, noise: Latent) -> Latent:
    """The latent as it was a step before, whose cumulative alpha was `ratio` of its own."""
    return mixed(latent, noise, ratio)
