"""Each sampler against diffusers' scheduler, on the same noise, with the same model in the UNet's place."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
    LCMScheduler,
)

from triptych.samplers import SAMPLERS, Denoising, Noise, State
from triptych.schedule import make_schedule

# diffusers makes arrays of tensors in a way that NumPy 2 asks to be changed.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Latent = npt.NDArray[np.float32]
Model = Callable[[Latent, float], Latent]
STABLE_DIFFUSION = {
    "num_train_timesteps": 1000,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "steps_offset": 1,
    "timestep_spacing": "leading",
}
SHAPE = (8, 8, 4)
PREDICTIONS = ("epsilon", "v_prediction")
STEPS = (1, 2, 3, 4, 7, 10, 20, 25, 50)
_RNG = np.random.default_rng(3)
NOISE = _RNG.standard_normal(SHAPE).astype(np.float32)
_INWARD = _RNG.standard_normal((4, 8)).astype(np.float32)
_OUTWARD = _RNG.standard_normal((8, 4)).astype(np.float32) / np.float32(3)


def model(latent: Latent, timestep: float) -> Latent:
    """Not linear in the latent, and another at every timestep, as a UNet is."""
    hidden = np.tanh(latent @ _INWARD + np.float32(np.sin(timestep / 150)))
    predicted: Latent = (hidden @ _OUTWARD + np.float32(0.3) * latent).astype(np.float32)
    return predicted


@dataclass
class TorchNoise:
    """PyTorch's noise, which diffusers draws, in the place of ours."""

    generator: torch.Generator

    def draw(self, shape: tuple[int, ...]) -> "tuple[Latent, TorchNoise]":
        return torch.randn(shape, generator=self.generator).numpy(), self


def theirs(scheduler: Any, model: Model, scale: float | None = None) -> Latent:
    """What diffusers makes of NOISE, which it scales itself unless it is told by how much."""
    generator = torch.Generator().manual_seed(5)
    latent = torch.from_numpy(NOISE) * float(scale or scheduler.init_noise_sigma)
    draws = {} if isinstance(scheduler, DPMSolverMultistepScheduler) else {"generator": generator}
    if isinstance(scheduler, HeunDiscreteScheduler):
        draws = {}
    for timestep in scheduler.timesteps:
        seen = scheduler.scale_model_input(latent, timestep)
        predicted = torch.from_numpy(model(seen.numpy(), float(timestep)))
        latent = scheduler.step(predicted, timestep, latent, **draws).prev_sample
    result: Latent = latent.numpy()
    return result


def ours(sampler: str, schedule: str, steps: int, prediction: str, model: Model) -> Latent:
    denoising = Denoising(SAMPLERS[sampler], make_schedule(steps, schedule), prediction)
    source = cast(Noise, TorchNoise(torch.Generator().manual_seed(5)))
    return denoising.run(State(NOISE, source), model)


def assert_alike(mine: Latent, other: Latent) -> None:
    assert np.abs(mine - other).max() <= 1e-4 * np.abs(other).max()


def leading(scheduler: Any, steps: int) -> Any:
    scheduler.set_timesteps(steps)
    return scheduler


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize(
    ("sampler", "scheduler", "more"),
    [
        ("ddim", DDIMScheduler, {"clip_sample": False, "set_alpha_to_one": True}),
        ("euler", EulerDiscreteScheduler, {}),
        ("euler_ancestral", EulerAncestralDiscreteScheduler, {}),
        ("heun", HeunDiscreteScheduler, {}),
    ],
)
def test_a_sampler_does_as_diffusers_configured_for_stable_diffusion(
    sampler: str, scheduler: Any, more: dict[str, Any], steps: int, prediction: str
) -> None:
    other = leading(scheduler(**STABLE_DIFFUSION, prediction_type=prediction, **more), steps)
    assert_alike(ours(sampler, "leading", steps, prediction, model), theirs(other, model))


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("schedule", ["keras-cv", "leading", "trailing"])
@pytest.mark.parametrize("steps", STEPS[1:])
def test_dpmpp_2m_does_as_diffusers_at_the_same_timesteps(steps: int, schedule: str, prediction: str) -> None:
    other = DPMSolverMultistepScheduler(**STABLE_DIFFUSION, prediction_type=prediction)
    other.set_timesteps(timesteps=make_schedule(steps, schedule).timesteps.tolist())
    assert_alike(ours("dpmpp_2m", schedule, steps, prediction, model), theirs(other, model))


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("steps", STEPS)
def test_dpmpp_2m_does_as_diffusers_over_karras_sigmas(steps: int, prediction: str) -> None:
    def rounding(latent: Latent, timestep: float) -> Latent:
        return model(latent, round(timestep))  # as this scheduler alone does, after the sigmas

    other = DPMSolverMultistepScheduler(
        **STABLE_DIFFUSION, prediction_type=prediction, use_karras_sigmas=True
    )
    other.set_timesteps(steps)
    assert_alike(ours("dpmpp_2m", "karras", steps, prediction, rounding), theirs(other, rounding))


@pytest.mark.parametrize("sampler", ["euler", "heun"])
@pytest.mark.parametrize("steps", STEPS[1:])
def test_a_sampler_does_as_diffusers_over_karras_sigmas(steps: int, sampler: str) -> None:
    """Theirs are within what the spacing leaves, which is all of the training for linspace alone."""
    kind = {"euler": EulerDiscreteScheduler, "heun": HeunDiscreteScheduler}[sampler]
    other = kind(**STABLE_DIFFUSION | {"timestep_spacing": "linspace"}, use_karras_sigmas=True)
    other.set_timesteps(steps)
    scale = float((other.sigmas[0] ** 2 + 1) ** 0.5)
    assert_alike(ours(sampler, "karras", steps, "epsilon", model), theirs(other, model, scale))


@pytest.mark.parametrize("prediction", PREDICTIONS)
@pytest.mark.parametrize("steps", STEPS)
def test_lcm_does_as_diffusers_at_the_timesteps_of_the_distillation(steps: int, prediction: str) -> None:
    other = LCMScheduler(num_train_timesteps=1000, beta_schedule="scaled_linear", prediction_type=prediction)
    other.set_timesteps(steps)
    assert other.timesteps.tolist() == make_schedule(steps, "lcm").timesteps.tolist()
    assert_alike(ours("lcm", "lcm", steps, prediction, model), theirs(other, model))


@pytest.mark.parametrize("steps", STEPS)
def test_spacings_of_the_same_name_visit_the_same_timesteps(steps: int) -> None:
    for name in ("leading", "trailing"):
        other = EulerDiscreteScheduler(**STABLE_DIFFUSION | {"timestep_spacing": name})
        other.set_timesteps(steps)
        assert other.timesteps.tolist() == make_schedule(steps, name).timesteps.tolist()
