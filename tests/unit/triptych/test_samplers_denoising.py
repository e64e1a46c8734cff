from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from math import sqrt

import numpy as np
import numpy.typing as npt
import pytest

from triptych.samplers import SAMPLERS, Denoising, Known, Noise, Predict, noise_of_velocity
from triptych.schedule import ALPHAS, Schedule, make_schedule

Latent = npt.NDArray[np.float32]
SHAPE = (8, 8, 4)
RNG = np.random.default_rng(0)
DDIM = SAMPLERS["ddim"]
RESAMPLING = [name for name, sampler in SAMPLERS.items() if sampler.resamples]


def found(latent: Latent, timestep: float) -> Latent:
    """What a model might predict."""
    predicted: Latent = np.tanh(latent) * np.float32(0.8) + np.float32(timestep / 2000)
    return predicted


def latents(denoising: Denoising, predict: Predict, seed: int = 7) -> Iterator[Latent]:
    """The latent after each call of the model."""
    state = denoising.start(Noise.seeded(seed), SHAPE)
    while not denoising.finished(state):
        state = denoising.step(state, predict(state.latent, denoising.timestep(state)))
        yield state.latent


def as_keras_cv(schedule: Schedule, known: Known | None = None, seed: int = 7) -> Latent:
    """The loops of keras-cv 0.9 and of its early inpainting, written out."""
    rng = np.random.Generator(np.random.PCG64(seed))
    latent = rng.standard_normal(SHAPE, np.float32)
    for timestep, a, previous in zip(schedule.timesteps, schedule.alphas, schedule.alphas_prev, strict=True):
        alpha, alpha_prev = float(a), float(previous)
        repeats = known.resamples if known and alpha_prev < 1 else 1
        for left in reversed(range(repeats)):
            noise = found(latent, timestep)
            image = latent - sqrt(1 - alpha) * noise
            image /= sqrt(alpha)
            latent = sqrt(alpha_prev) * image + sqrt(1 - alpha_prev) * noise
            if known:
                fresh = rng.standard_normal(SHAPE, np.float32)
                kept = sqrt(alpha_prev) * known.latent + sqrt(1 - alpha_prev) * fresh
                latent = known.keep * kept + (1 - known.keep) * latent
            if left:
                ratio = alpha / alpha_prev
                latent = sqrt(ratio) * latent + sqrt(1 - ratio) * rng.standard_normal(SHAPE, np.float32)
    return latent


def half(resamples: int = 1) -> Known:
    keep = np.zeros((8, 8, 1), np.float32)
    keep[:, :4] = 1
    return Known(np.full(SHAPE, 0.5, np.float32), keep, resamples)


@pytest.mark.parametrize("schedule", ["keras-cv", "range"])
@pytest.mark.parametrize("steps", [1, 2, 7, 25])
@pytest.mark.parametrize("known", [None, half(), half(3)], ids=["text", "inpainting", "resampling"])
def test_ddim_is_keras_cvs_to_the_bit(known: Known | None, steps: int, schedule: str) -> None:
    *_, latent = latents(Denoising(DDIM, make_schedule(steps, schedule), known=known), found)
    assert latent.tobytes() == as_keras_cv(make_schedule(steps, schedule), known).tobytes()


def test_a_denoising_can_be_left_at_any_step() -> None:
    asked: list[float] = []

    def predict(latent: Latent, timestep: float) -> Latent:
        asked.append(timestep)
        return latent

    schedule = make_schedule(10)
    assert len(list(islice(latents(Denoising(DDIM, schedule), predict), 3))) == 3
    assert asked == schedule.timesteps[:3].tolist()


@pytest.mark.parametrize("name", SAMPLERS)
def test_velocity_leads_where_the_noise_does(name: str) -> None:
    schedule = make_schedule(10, "karras")

    def velocity(latent: Latent, timestep: float) -> Latent:
        alpha = float(schedule.alphas[np.argmin(np.abs(schedule.timesteps - timestep))])
        predicted = found(latent, timestep) - sqrt(1 - alpha) * latent
        predicted /= sqrt(alpha)
        return predicted

    *_, by_noise = latents(Denoising(SAMPLERS[name], schedule), found)
    *_, by_velocity = latents(Denoising(SAMPLERS[name], schedule, "v_prediction"), velocity)
    np.testing.assert_allclose(by_velocity, by_noise, rtol=1e-3, atol=1e-3)


def test_velocity_and_noise_say_the_same_about_a_latent() -> None:
    image, noise = RNG.standard_normal((2, *SHAPE)).astype(np.float32)
    for timestep in (1, 500, 999):
        alpha = ALPHAS[timestep]
        latent = np.float32(sqrt(alpha)) * image + np.float32(sqrt(1 - alpha)) * noise
        velocity = np.float32(sqrt(alpha)) * noise - np.float32(sqrt(1 - alpha)) * image
        np.testing.assert_allclose(noise_of_velocity(velocity, latent, alpha), noise, atol=1e-5)


@pytest.mark.parametrize("name", SAMPLERS)
def test_inpainting_ends_with_the_kept_region_as_it_was(name: str) -> None:
    known = half()
    *_, latent = latents(Denoising(SAMPLERS[name], make_schedule(25), known=known), found)
    assert np.array_equal(latent[:, :4], known.latent[:, :4])
    assert not np.isclose(latent[:, 4:], known.latent[:, 4:]).all()


@pytest.mark.parametrize("name", SAMPLERS)
def test_what_is_kept_is_as_noisy_as_the_rest_after_every_step(name: str) -> None:
    known = Known(np.zeros(SHAPE, np.float32), np.ones((8, 8, 1), np.float32))
    schedule = make_schedule(5)
    denoising = Denoising(SAMPLERS[name], schedule, known=known)
    state = denoising.start(Noise.seeded(7), SHAPE)
    while not denoising.finished(state):
        after = denoising.step(state, found(state.latent, denoising.timestep(state)))
        if after.step > state.step:
            noisy = np.sqrt(1 - schedule.alphas_prev[state.step])
            assert after.latent.std() == pytest.approx(noisy, rel=0.15)
        state = after


@pytest.mark.parametrize("name", RESAMPLING)
def test_resampling_repeats_every_step_but_the_last(name: str) -> None:
    asked: list[float] = []

    def predict(latent: Latent, timestep: float) -> Latent:
        asked.append(timestep)
        return latent

    known = replace(half(3), keep=np.zeros((8, 8, 1), np.float32))
    list(latents(Denoising(SAMPLERS[name], make_schedule(4), known=known), predict))
    once = [999] * 3 + [666] * 3 + [333] * 3 + [0]
    twice = [999, 666] * 3 + [666, 333] * 3 + [333, 0] * 3 + [0]
    assert asked == (twice if name == "heun" else once)


def test_resampling_noises_a_latent_again_to_where_the_step_began() -> None:
    image = np.linspace(-1, 1, 256, dtype=np.float32).reshape(SHAPE)
    known = Known(image, np.ones((8, 8, 1), np.float32), resamples=2)
    seen: list[float] = []

    def predict(latent: Latent, timestep: float) -> Latent:
        alpha = ALPHAS[int(timestep)]
        seen.append(float(np.std((latent - np.sqrt(alpha) * image) / np.sqrt(1 - alpha))))
        return np.zeros_like(latent)

    list(latents(Denoising(DDIM, make_schedule(4), known=known), predict))
    assert seen[1::2][:3] == pytest.approx([1, 1, 1], abs=0.15)


def test_a_sampler_that_goes_by_the_step_before_repeats_none() -> None:
    assert "dpmpp_2m" not in RESAMPLING
    with pytest.raises(ValueError, match="cannot repeat a step"):
        Denoising(SAMPLERS["dpmpp_2m"], make_schedule(4), known=half(2))


def test_a_state_that_has_repeated_more_than_is_asked_for_goes_on() -> None:
    denoising = Denoising(DDIM, make_schedule(4), known=half(2))
    state = replace(denoising.start(Noise.seeded(1), SHAPE), repeat=7)
    assert denoising.step(state, np.zeros(SHAPE, np.float32)).step == 1
