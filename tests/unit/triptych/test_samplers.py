from collections.abc import Callable
from itertools import islice
from math import sqrt

import numpy as np
import numpy.typing as npt
import pytest

from triptych.models.kerascv import ALPHAS_CUMPROD
from triptych.samplers import Known, ddim, initial_noise, inpaint
from triptych.schedule import make_schedule

Latent = npt.NDArray[np.float32]
SHAPE = (8, 8, 4)
IMAGE = np.linspace(-1, 1, 256, dtype=np.float32).reshape(SHAPE)


def generator(seed: int = 7) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def knows(image: Latent) -> Callable[[Latent, int], Latent]:
    """A perfect model: it finds exactly the noise that hides `image`."""

    def predict(latent: Latent, timestep: int) -> Latent:
        alpha = ALPHAS_CUMPROD[timestep]
        return ((latent - sqrt(alpha) * image) / sqrt(1 - alpha)).astype(np.float32)

    return predict


def test_ddim_finds_the_image_that_a_perfect_model_knows() -> None:
    *_, latent = ddim(knows(IMAGE), initial_noise(generator(), SHAPE), make_schedule(25))
    assert latent == pytest.approx(IMAGE, abs=1e-3)


def test_a_sampler_gives_a_latent_a_step_and_can_be_left_at_any() -> None:
    calls: list[int] = []

    def predict(latent: Latent, timestep: int) -> Latent:
        calls.append(timestep)
        return latent

    schedule = make_schedule(10)
    assert len(list(islice(ddim(predict, initial_noise(generator(), SHAPE), schedule), 3))) == 3
    assert calls == schedule.timesteps[:3].tolist()


def test_noise_depends_on_the_seed_alone() -> None:
    assert np.array_equal(initial_noise(generator(3), SHAPE), initial_noise(generator(3), SHAPE))
    assert not np.array_equal(initial_noise(generator(3), SHAPE), initial_noise(generator(4), SHAPE))


def test_inpainting_ends_with_the_kept_region_as_it_was() -> None:
    keep = np.zeros((8, 8, 1), np.float32)
    keep[:, :4] = 1
    known = Known(np.full(SHAPE, 0.5, np.float32), keep)
    rng = generator()
    *_, latent = inpaint(knows(IMAGE), initial_noise(rng, SHAPE), make_schedule(25), known, rng)
    assert np.array_equal(latent[:, :4], known.latent[:, :4])
    assert latent[:, 4:] == pytest.approx(IMAGE[:, 4:], abs=1e-3)


def test_what_is_kept_is_as_noisy_as_the_rest_while_denoising() -> None:
    known = Known(np.zeros(SHAPE, np.float32), np.ones((8, 8, 1), np.float32))
    rng = generator()
    first = next(inpaint(knows(IMAGE), initial_noise(rng, SHAPE), make_schedule(25), known, rng))
    assert first.std() == pytest.approx(np.sqrt(1 - make_schedule(25).alphas_prev[0]), rel=0.15)


def test_resampling_repeats_every_step_but_the_last() -> None:
    calls: list[int] = []

    def predict(latent: Latent, timestep: int) -> Latent:
        calls.append(timestep)
        return latent

    known = Known(IMAGE, np.zeros((8, 8, 1), np.float32), resamples=3)
    rng = generator()
    list(inpaint(predict, initial_noise(rng, SHAPE), make_schedule(4), known, rng))
    assert calls == [999] * 3 + [666] * 3 + [333] * 3 + [0]


def test_resampling_noises_a_latent_again_to_where_the_step_began() -> None:
    known = Known(IMAGE, np.ones((8, 8, 1), np.float32), resamples=2)
    seen: list[float] = []

    def predict(latent: Latent, timestep: int) -> Latent:
        alpha = ALPHAS_CUMPROD[timestep]
        seen.append(float(np.std((latent - np.sqrt(alpha) * IMAGE) / np.sqrt(1 - alpha))))
        return np.zeros_like(latent)

    rng = generator()
    list(inpaint(predict, initial_noise(rng, SHAPE), make_schedule(4), known, rng))
    assert seen[1::2][:3] == pytest.approx([1, 1, 1], abs=0.15)
