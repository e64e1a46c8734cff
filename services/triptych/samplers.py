"""From noise to a latent, one step at a time.

A sampler is a generator of latents, one after each step, so that whoever drives it can show
progress, stop, or go on later. Latents here are one image's: float32 (height, width, 4).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt

from .schedule import Schedule

Latent = npt.NDArray[np.float32]
PredictNoise = Callable[[Latent, int], Latent]


@dataclass(frozen=True)
class Known:
    """What inpainting keeps: the image's latent, and a mask (height, width, 1) of 1 = keep, 0 = repaint."""

    latent: Latent
    keep: npt.NDArray[np.float32]
    resamples: int = 1

    def restored(self, latent: Latent, alpha: float, noise: Latent) -> Latent:
        """`latent` with the kept region replaced by the known one, as noisy as `alpha` says."""
        known = sqrt(alpha) * self.latent + sqrt(1 - alpha) * noise
        return self.keep * known + (1 - self.keep) * latent


def initial_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Latent:
    """Standard normal noise that depends on the generator alone."""
    return rng.standard_normal(shape, np.float32)


def ddim(predict: PredictNoise, latent: Latent, schedule: Schedule) -> Iterator[Latent]:
    """Denoise deterministically (DDIM with eta 0, arXiv:2010.02502; keras-cv's only sampler)."""
    for timestep, alpha, previous in _steps(schedule):
        latent = ddim_step(latent, predict(latent, timestep), alpha, previous)
        yield latent


def inpaint(
    predict: PredictNoise, latent: Latent, schedule: Schedule, known: Known, rng: np.random.Generator
) -> Iterator[Latent]:
    """DDIM with the kept region put back after every step (RePaint, arXiv:2201.09865; early keras-cv).

    With `known.resamples` above 1 every step but the last is repeated that many times, noised again
    in between, which lets the new part settle with what surrounds it.
    """
    for timestep, alpha, previous in _steps(schedule):
        repeats = known.resamples if previous < 1 else 1
        for left in reversed(range(repeats)):
            latent = ddim_step(latent, predict(latent, timestep), alpha, previous)
            latent = known.restored(latent, previous, initial_noise(rng, latent.shape))
            if left:
                latent = _noised_again(latent, alpha / previous, rng)
        yield latent


def ddim_step(latent: Latent, noise: Latent, alpha: float, previous: float) -> Latent:
    """The latent at cumulative alpha `previous`, from the one at `alpha` and the noise found in it."""
    image = (latent - sqrt(1 - alpha) * noise) / sqrt(alpha)
    return sqrt(previous) * image + sqrt(1 - previous) * noise


def _noised_again(latent: Latent, ratio: float, rng: np.random.Generator) -> Latent:
    return sqrt(ratio) * latent + sqrt(1 - ratio) * initial_noise(rng, latent.shape)


def _steps(schedule: Schedule) -> Iterator[tuple[int, float, float]]:
    columns = zip(schedule.timesteps, schedule.alphas, schedule.alphas_prev, strict=True)
    return ((int(timestep), float(alpha), float(previous)) for timestep, alpha, previous in columns)
