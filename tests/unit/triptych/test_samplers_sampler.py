from collections.abc import Callable
from math import sqrt

import numpy as np
import numpy.typing as npt
import pytest

from triptych.samplers import SAMPLERS, Denoising, Noise, Sampler
from triptych.schedule import ALPHAS, SCHEDULES, make_schedule

Latent = npt.NDArray[np.float32]
SHAPE = (8, 8, 4)
IMAGE = np.linspace(-1, 1, 256, dtype=np.float32).reshape(SHAPE)
EVERY = pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)


def knows(image: Latent) -> Callable[[Latent, float], Latent]:
    """A perfect model: it finds exactly the noise that hides `image`."""

    def predict(latent: Latent, timestep: float) -> Latent:
        alpha = _alpha(timestep)
        return ((latent - sqrt(alpha) * image) / sqrt(1 - alpha)).astype(np.float32)

    return predict


def _alpha(timestep: float) -> float:
    sigma = np.exp(np.interp(timestep, np.arange(1000), np.log(np.sqrt(1 / ALPHAS - 1))))
    return float(1 / (1 + sigma**2))


def bell(latent: Latent, timestep: float) -> Latent:
    """A perfect model of images whose values are normal, of mean 1 and deviation 0.5."""
    alpha = _alpha(timestep)
    mean = latent - np.float32(sqrt(alpha))
    noise: Latent = np.float32(sqrt(1 - alpha) / (alpha / 4 + 1 - alpha)) * mean
    return noise


def made(sampler: Sampler, steps: int, schedule: str = "keras-cv", seed: int = 7) -> Latent:
    denoising = Denoising(sampler, make_schedule(steps, schedule))
    return denoising.run(denoising.start(Noise.seeded(seed), SHAPE), bell)


@EVERY
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 25])
def test_every_sampler_finds_the_image_that_a_perfect_model_knows(
    sampler: Sampler, schedule: str, steps: int
) -> None:
    denoising = Denoising(sampler, make_schedule(steps, schedule))
    latent = denoising.run(denoising.start(Noise.seeded(7), SHAPE), knows(IMAGE))
    if sampler is not SAMPLERS["lcm"]:
        assert latent == pytest.approx(IMAGE, abs=2e-3)
    elif steps > 1:  # it leaves a latent without noise, which t = 0 is to it, as it is
        assert latent == pytest.approx(IMAGE, abs=0.15)


@EVERY
def test_the_model_is_asked_as_often_as_the_sampler_says(sampler: Sampler) -> None:
    asked: list[float] = []

    def predict(latent: Latent, timestep: float) -> Latent:
        asked.append(timestep)
        return latent

    denoising = Denoising(sampler, make_schedule(10))
    denoising.run(denoising.start(Noise.seeded(7), SHAPE), predict)
    assert len(asked) == sampler.calls(10)
    assert sorted(set(asked)) == sorted(make_schedule(10).timesteps)


def test_heun_asks_twice_a_step_and_once_in_the_last() -> None:
    assert [SAMPLERS["heun"].calls(steps) for steps in (1, 2, 10)] == [1, 3, 19]


def test_euler_is_ddim_in_other_words() -> None:
    assert np.array_equal(made(SAMPLERS["euler"], 10), made(SAMPLERS["ddim"], 10))


@pytest.mark.parametrize(("name", "falls"), [("ddim", 2), ("dpmpp_2m", 4), ("heun", 4)])
def test_twice_the_steps_leave_half_the_error_or_a_quarter_with_second_order(name: str, falls: float) -> None:
    truth = made(SAMPLERS["heun"], 900, "karras")
    coarse, fine = (np.abs(made(SAMPLERS[name], steps, "karras") - truth).mean() for steps in (40, 80))
    assert coarse / fine == pytest.approx(falls, rel=0.1)


@pytest.mark.parametrize("name", ["euler_ancestral", "lcm"])
def test_a_sampler_that_adds_noise_adds_that_of_the_seed(name: str) -> None:
    assert np.array_equal(made(SAMPLERS[name], 8), made(SAMPLERS[name], 8))
    assert not np.array_equal(made(SAMPLERS[name], 8), made(SAMPLERS[name], 8, seed=8))


@pytest.mark.parametrize("name", ["ddim", "dpmpp_2m", "heun", "euler_ancestral"])
def test_latents_are_spread_as_the_images_that_the_model_knows(name: str) -> None:
    latents = np.stack([made(SAMPLERS[name], 50, "karras", seed) for seed in range(16)])
    assert (latents.mean(), latents.std()) == pytest.approx((1, 0.5), abs=0.05)


def test_samplers_that_draw_nothing_leave_the_noise_untouched() -> None:
    for name, draws in {
        "ddim": 0,
        "euler": 0,
        "dpmpp_2m": 0,
        "heun": 0,
        "euler_ancestral": 4,
        "lcm": 4,
    }.items():
        denoising = Denoising(SAMPLERS[name], make_schedule(5))
        state, source = denoising.start(Noise.seeded(7), SHAPE), Noise.seeded(7)
        while not denoising.finished(state):
            state = denoising.step(state, bell(state.latent, denoising.timestep(state)))
        for _ in range(draws + 1):
            _, source = source.draw(SHAPE)
        assert state.noise == source, name


def test_samplers_go_by_the_schedule_of_keras_cv_but_for_two_that_have_their_own() -> None:
    own = {name: sampler.schedule for name, sampler in SAMPLERS.items() if sampler.schedule != "keras-cv"}
    assert own == {"dpmpp_2m": "karras", "lcm": "lcm"}
