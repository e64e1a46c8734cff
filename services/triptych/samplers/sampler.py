"""How a step is made of what the model found.

All samplers here are one formula, DDIM's (arXiv:2010.02502): a latent is an image and noise, mixed by the
cumulative alpha; a step takes both apart and mixes them by the next alpha. They differ in which noise or
image they take for the truth. In Karras' notation, which k-diffusion and diffusers write most in, a latent is
`x / sqrt(alpha)` and sigma is `sqrt(1 / alpha - 1)`; in this one every sampler starts from the same noise,
shows the model its latent as it is, and lets inpainting put back what it keeps in the same way.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from math import log, sqrt

from ..schedule import DEFAULT_SCHEDULE, Schedule
from .noise import Latent
from .state import State

SIGMA_DATA = 0.5
TIMESTEP_SCALING = 10


@dataclass(frozen=True)
class Sampler(ABC):
    """Pure functions of a state: nothing is kept here.

    `schedule` names the one that is taken where none is asked for; `resamples` says whether a step can be
    repeated. `remembers` is how many latents a state's memory has where it is not empty.
    """

    schedule: str = DEFAULT_SCHEDULE
    resamples: bool = True
    remembers: int = 0

    @abstractmethod
    def advance(self, schedule: Schedule, state: State, noise: Latent) -> State:
        """The state after the model found this noise in the state's latent."""

    def level(self, state: State) -> int:
        """Which of the schedule's timesteps the state's latent lies at."""
        return state.step

    def calls(self, steps: int) -> int:
        """How often a schedule of so many steps asks the model."""
        return steps


@dataclass(frozen=True)
class Ddim(Sampler):
    """DDIM, which with `eta` 0 draws nothing and is Euler's method in Karras' notation (arXiv:2206.00364).

    With `eta` 1 it renews as much noise as DDPM does, and is k-diffusion's ancestral Euler.
    """

    eta: float = 0.0

    def advance(self, schedule: Schedule, state: State, noise: Latent) -> State:
        alpha, previous = schedule.alpha_steps(state.step)
        spread = self.eta * sqrt((1 - previous) / (1 - alpha) * (1 - alpha / previous))
        image = image_in(state.latent, noise, alpha)
        latent = sqrt(previous) * image + sqrt(1 - previous - spread**2) * noise
        if not spread:
            return _after_step(state, latent)
        fresh, source = state.noise.draw(latent.shape)
        return replace(_after_step(state, latent + spread * fresh), noise=source)


@dataclass(frozen=True)
class Multistep(Sampler):
    """DPM-Solver++ of second order, multistep, midpoint (arXiv:2211.01095): "DPM++ 2M".

    The image is taken to go on changing as it did in the step before, which it therefore remembers; the first
    step has none before it, and the last goes to the image itself: both are DDIM's.
    """

    schedule: str = "karras"
    resamples: bool = False
    remembers: int = 1

    def advance(self, schedule: Schedule, state: State, noise: Latent) -> State:
        alpha, previous = schedule.alpha_steps(state.step)
        image = image_in(state.latent, noise, alpha)
        if state.memory and previous < 1:
            before, _ = schedule.alpha_steps(state.step - 1)
            (image_before,) = state.memory
            share = _span(alpha, previous) / _span(before, alpha) / 2
            noise = noise_in(state.latent, image + share * (image - image_before), alpha)
        latent = ddim_step(state.latent, noise, alpha, previous)
        return replace(_after_step(state, latent), memory=(image,))


@dataclass(frozen=True)
class Heun(Sampler):
    """Heun's method (arXiv:2206.00364, algorithm 1): a step with the mean of the noise at both its ends.

    Two calls of the model a step, and one in the last. Between the two it remembers where the step began
    and the noise found there.
    """

    remembers: int = 2

    def advance(self, schedule: Schedule, state: State, noise: Latent) -> State:
        alpha, previous = schedule.alpha_steps(state.step)
        if state.memory:
            begin, first = state.memory
            return _after_step(state, ddim_step(begin, 0.5 * (first + noise), alpha, previous))
        latent = ddim_step(state.latent, noise, alpha, previous)
        if previous == 1:
            return _after_step(state, latent)
        return replace(state, latent=latent, memory=(state.latent, noise))

    def level(self, state: State) -> int:
        return state.step + bool(state.memory)

    def calls(self, steps: int) -> int:
        return 2 * steps - 1


@dataclass(frozen=True)
class Lcm(Sampler):
    """For models distilled to find the image in a step (latent consistency, arXiv:2310.04378).

    Each step but the last hides the image found under new noise.
    """

    schedule: str = "lcm"

    def advance(self, schedule: Schedule, state: State, noise: Latent) -> State:
        alpha, previous = schedule.alpha_steps(state.step)
        time = TIMESTEP_SCALING * float(schedule.timesteps[state.step])
        total = time**2 + SIGMA_DATA**2
        image = (time / sqrt(total)) * image_in(state.latent, noise, alpha)
        image += (SIGMA_DATA**2 / total) * state.latent
        if previous == 1:
            return _after_step(state, image)
        fresh, source = state.noise.draw(image.shape)
        latent = sqrt(previous) * image + sqrt(1 - previous) * fresh
        return replace(_after_step(state, latent), noise=source)


SAMPLERS: dict[str, Sampler] = {
    "ddim": Ddim(),
    "euler": Ddim(),
    "euler_ancestral": Ddim(eta=1.0),
    "dpmpp_2m": Multistep(),
    "heun": Heun(),
    "lcm": Lcm(),
}
"""By ComfyUI's names."""
DEFAULT_SAMPLER = "ddim"


def image_in(latent: Latent, noise: Latent, alpha: float) -> Latent:
    """The image that is left of a latent at cumulative alpha `alpha` without this noise."""
    image = latent - sqrt(1 - alpha) * noise
    image /= sqrt(alpha)
    return image


def noise_in(latent: Latent, image: Latent, alpha: float) -> Latent:
    """The noise that hides this image in a latent at cumulative alpha `alpha`."""
    noise = latent - sqrt(alpha) * image
    noise /= sqrt(1 - alpha)
    return noise


def ddim_step(latent: Latent, noise: Latent, alpha: float, previous: float) -> Latent:
    """The latent at cumulative alpha `previous`, from the one at `alpha` and the noise found in it."""
    return sqrt(previous) * image_in(latent, noise, alpha) + sqrt(1 - previous) * noise


def _after_step(state: State, latent: Latent) -> State:
    return State(latent, state.noise, state.step + 1)


def _span(alpha: float, previous: float) -> float:
    """How far a step goes in half the logarithm of the signal-to-noise ratio."""
    return (log(previous / (1 - previous)) - log(alpha / (1 - alpha))) / 2
