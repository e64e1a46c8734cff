"""From noise to a latent: which samplers there are, and where one is between two calls of the model."""

from .denoising import Denoising, Predict, noise_of_velocity
from .known import Known
from .noise import NOISE, NOISES, Latent, Noise
from .sampler import DEFAULT_SAMPLER, SAMPLERS, Sampler
from .state import State

__all__ = [
    "DEFAULT_SAMPLER",
    "NOISE",
    "NOISES",
    "SAMPLERS",
    "Denoising",
    "Known",
    "Latent",
    "Noise",
    "Predict",
    "Sampler",
    "State",
    "noise_of_velocity",
]
