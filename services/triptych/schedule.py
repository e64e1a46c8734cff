"""Which timesteps a denoising visits, and how much noise each leaves.

Source: Stable Diffusion's scaled-linear betas (0.00085 to 0.012 over 1000 steps), as keras-cv has them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .models.kerascv import ALPHAS_CUMPROD
from .wire import InvalidField

TRAINING_STEPS = len(ALPHAS_CUMPROD)
LCM_STEPS = 50
KARRAS_RHO = 7

Floats = npt.NDArray[np.float64]
Levels = tuple[Floats, Floats]
"""Timesteps, and the cumulative product of 1 - beta at each; low noise first."""

ALPHAS: Floats = np.array(ALPHAS_CUMPROD)


@dataclass(frozen=True)
class Schedule:
    """The timesteps of one denoising, first step first.

    `timesteps` float64 (steps,) from high noise to low, whole numbers in all schedules but karras; `alphas`
    and `alphas_prev` float32 (steps,): the cumulative product of 1 - beta at each timestep and at the one it
    leads to.
    """

    timesteps: Floats
    alphas: npt.NDArray[np.float32]
    alphas_prev: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.timesteps)

    def alpha_steps(self, step: int) -> tuple[float, float]:
        """From which cumulative alpha to which this step leads; 1 is an image without noise."""
        return float(self.alphas[step]), float(self.alphas_prev[step])


def _keras_cv(steps: int) -> Levels:
    """keras-cv 0.9.0: evenly spread over the whole range, both ends included."""
    ratio = (TRAINING_STEPS - 1) / (steps - 1) if steps > 1 else TRAINING_STEPS
    return _levels((np.arange(steps) * ratio).round())


def _range(steps: int) -> Levels:
    """The first Hugging Face handlers: `range(1, 1000, 1000 // steps)`, which may hold more than `steps`."""
    return _levels(np.arange(1, TRAINING_STEPS, TRAINING_STEPS // steps))


def _leading(steps: int) -> Levels:
    """What diffusers takes for Stable Diffusion: whole strides from 1, so that the noisiest are left out."""
    return _levels(np.arange(steps) * (TRAINING_STEPS // steps) + 1)


def _trailing(steps: int) -> Levels:
    """Even strides that end at 999 (arXiv:2305.08891, table 2), and so begin with nothing but noise."""
    return _levels((TRAINING_STEPS - np.arange(steps) * (TRAINING_STEPS / steps)).round()[::-1] - 1)


def _lcm(steps: int) -> Levels:
    """Even strides over the timesteps that latent consistency models are distilled at, of which there are 50.

    For more steps than these, over so many timesteps.
    """
    count = max(LCM_STEPS, steps)
    distilled = (np.arange(count) + 1) * (TRAINING_STEPS // count) - 1
    return _levels(distilled[::-1][np.linspace(0, count, steps, endpoint=False).astype(int)][::-1])


def _karras(steps: int) -> Levels:
    """Sigmas that crowd where there is little noise (arXiv:2206.00364, equation 5), between timesteps too."""
    sigmas = np.sqrt(1 / ALPHAS - 1)
    low, high = sigmas[[0, -1]] ** (1 / KARRAS_RHO)
    chosen = np.linspace(high, low, steps)[::-1] ** KARRAS_RHO
    timesteps = np.interp(np.log(chosen), np.log(sigmas), np.arange(TRAINING_STEPS))
    return timesteps, 1 / (1 + chosen**2)


def _levels(timesteps: npt.NDArray[Any]) -> Levels:
    return timesteps.astype(np.float64), ALPHAS[timesteps.astype(int)]


SCHEDULES: dict[str, Callable[[int], Levels]] = {
    "keras-cv": _keras_cv,
    "range": _range,
    "leading": _leading,
    "trailing": _trailing,
    "karras": _karras,
    "lcm": _lcm,
}
DEFAULT_SCHEDULE = "keras-cv"


def make_schedule(steps: int, name: str = DEFAULT_SCHEDULE) -> Schedule:
    """The schedule of this name for `steps` steps, 1 to 999."""
    if name not in SCHEDULES:
        raise InvalidField("schedule", f"one of {', '.join(SCHEDULES)}", repr(name)[:60])
    timesteps, cumulative = SCHEDULES[name](steps)
    alphas = cumulative.astype(np.float32)
    previous = np.concatenate([np.ones(1, np.float32), alphas[:-1]])
    return Schedule(timesteps[::-1], alphas[::-1], previous[::-1])
