"""From noise to a latent, a call of the model at a time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from ..schedule import Schedule
from .known import Known, mixed, noised_again
from .noise import Latent, Noise
from .sampler import Sampler, image_in
from .state import State

Predict = Callable[[Latent, float], Latent]
"""What a model predicts from a latent and a timestep."""


@dataclass(frozen=True)
class Denoising:
    """How an image is denoised: all that stays the same from the first state to the last.

    There is no model in it. Whoever has one shows it `state.latent` at `timestep(state)`, hands what it
    predicts, guided, to `step`, and has the next state; it can stop at any, and go on from it, or from its
    arrays, anywhere. `prediction` is "epsilon" or "v_prediction"; with `known`, what is kept of an image is
    put back after every step.
    """

    sampler: Sampler
    schedule: Schedule
    prediction: str = "epsilon"
    known: Known | None = None

    def __post_init__(self) -> None:
        if self.known and self.known.resamples > 1 and not self.sampler.resamples:
            raise ValueError("a sampler that goes by the step before cannot repeat a step")

    def start(self, noise: Noise, shape: tuple[int, ...]) -> State:
        """The first state: nothing but noise of the latent's shape."""
        return State(*noise.draw(shape))

    def start_from(self, latent: Latent, noise: Noise, strength: float) -> State:
        """The first state of image to image: the latent of an image, as noisy as `strength` says.

        The last `strength` (0 to 1) of the steps are done, at 1 all of them (arXiv:2108.01073).
        """
        steps = len(self.schedule)
        step = steps - round(strength * steps)
        fresh, source = noise.draw(latent.shape)
        alpha = float(self.schedule.alphas[step]) if step < steps else 1.0
        return State(mixed(latent, fresh, alpha), source, step)

    def image(self, state: State, prediction: Latent) -> Latent:
        """What the model takes for the image in the state's latent, by what it predicted there."""
        alpha = float(self.schedule.alphas[self.sampler.level(state)])
        return image_in(state.latent, self._found(state, prediction), alpha)

    def finished(self, state: State) -> bool:
        """Whether the state's latent is the result."""
        return state.step == len(self.schedule)

    def timestep(self, state: State) -> float:
        """Where in the model's training, 0 to 999, the state's latent lies."""
        return float(self.schedule.timesteps[self.sampler.level(state)])

    def step(self, state: State, prediction: Latent) -> State:
        """The state after this one, for which the model predicted this."""
        after = self.sampler.advance(self.schedule, state, self._found(state, prediction))
        if self.known is None or after.step == state.step:
            return after
        return self._put_back(self.known, state, after)

    def run(self, state: State, predict: Predict) -> Latent:
        """The result, from this state on, with a model for this one alone."""
        while not self.finished(state):
            state = self.step(state, predict(state.latent, self.timestep(state)))
        return state.latent

    def _found(self, state: State, prediction: Latent) -> Latent:
        if self.prediction == "epsilon":
            return prediction
        alpha = float(self.schedule.alphas[self.sampler.level(state)])
        return noise_of_velocity(prediction, state.latent, alpha)

    def _put_back(self, known: Known, before: State, after: State) -> State:
        alpha, previous = self.schedule.alpha_steps(before.step)
        noise, source = after.noise.draw(after.latent.shape)
        latent = known.restored(after.latent, previous, noise)
        if previous == 1 or before.repeat + 1 >= known.resamples:
            return replace(after, latent=latent, noise=source)
        noise, source = source.draw(latent.shape)
        latent = noised_again(latent, alpha / previous, noise)
        return State(latent, source, before.step, before.repeat + 1)


def noise_of_velocity(velocity: Latent, latent: Latent, alpha: float) -> Latent:
    """The noise in a latent at this cumulative alpha, from the velocity that v-prediction finds.

    Source: arXiv:2202.00512, appendix D.
    """
    return np.float32(sqrt(alpha)) * velocity + np.float32(sqrt(1 - alpha)) * latent
