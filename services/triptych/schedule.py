"""Which timesteps a denoising visits, and how much noise each leaves.

Source: Stable Diffusion's scaled-linear betas (0.00085 to 0.012 over 1000 steps), as keras-cv has them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .models.kerascv import ALPHAS_CUMPROD
from .wire import InvalidField

TRAINING_STEPS = len(ALPHAS_CUMPROD)


@dataclass(frozen=True)
class Schedule:
    """The timesteps of one denoising, first step first.

    `timesteps` int64 (steps,) from high noise to low; `alphas` and `alphas_prev` float32 (steps,):
    the cumulative product of 1 - beta at each timestep and at the one it leads to.
    """

    timesteps: npt.NDArray[np.int64]
    alphas: npt.NDArray[np.float32]
    alphas_prev: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.timesteps)


def _keras_cv(steps: int) -> npt.NDArray[np.int64]:
    """keras-cv 0.9.0: evenly spread over the whole range, both ends included."""
    ratio = (TRAINING_STEPS - 1) / (steps - 1) if steps > 1 else TRAINING_STEPS
    return (np.arange(steps) * ratio).round().astype(np.int64)


def _range(steps: int) -> npt.NDArray[np.int64]:
    """The first Hugging Face handlers: `range(1, 1000, 1000 // steps)`, which may hold more than `steps`."""
    return np.arange(1, TRAINING_STEPS, TRAINING_STEPS // steps)


SCHEDULES: dict[str, Callable[[int], npt.NDArray[np.int64]]] = {"keras-cv": _keras_cv, "range": _range}
DEFAULT_SCHEDULE = "keras-cv"


def make_schedule(steps: int, name: str = DEFAULT_SCHEDULE) -> Schedule:
    """The schedule of this name for `steps` steps, 1 to 1000."""
    if name not in SCHEDULES:
        raise InvalidField("schedule", f"one of {', '.join(SCHEDULES)}", repr(name)[:60])
    timesteps = SCHEDULES[name](steps)
    alphas = np.asarray(ALPHAS_CUMPROD, np.float32)[timesteps]
    previous = np.concatenate([np.ones(1, np.float32), alphas[:-1]])
    return Schedule(timesteps[::-1], alphas[::-1], previous[::-1])
