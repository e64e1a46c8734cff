import numpy as np
import pytest

from triptych.schedule import ALPHAS, SCHEDULES, make_schedule
from triptych.wire import InvalidField


def test_the_schedule_of_keras_cv_spans_the_whole_range() -> None:
    schedule = make_schedule(25)
    expected = (np.arange(25) * 999 / 24).round().astype(int)[::-1]
    assert schedule.timesteps.tolist() == expected.tolist()
    assert (schedule.timesteps[0], schedule.timesteps[-1]) == (999, 0)


def test_the_schedule_of_the_first_handlers_is_a_python_range() -> None:
    assert make_schedule(25, "range").timesteps.tolist() == list(range(1, 1000, 40))[::-1]


def test_the_schedule_of_diffusers_for_stable_diffusion_leads_from_1() -> None:
    assert make_schedule(20, "leading").timesteps.tolist() == list(range(1, 1000, 50))[::-1]


def test_the_trailing_schedule_begins_with_nothing_but_noise() -> None:
    assert make_schedule(4, "trailing").timesteps.tolist() == [999, 749, 499, 249]


def test_the_schedule_of_latent_consistency_visits_what_was_distilled() -> None:
    assert make_schedule(4, "lcm").timesteps.tolist() == [999, 759, 499, 259]
    assert make_schedule(50, "lcm").timesteps.tolist() == list(range(19, 1000, 20))[::-1]


def test_karras_sigmas_are_even_in_their_seventh_root() -> None:
    schedule = make_schedule(25, "karras")
    sigmas = np.sqrt(1 / schedule.alphas.astype(float) - 1)
    assert (sigmas[0], sigmas[-1]) == pytest.approx((14.6146, 0.0291672), rel=1e-4)
    assert np.diff(sigmas ** (1 / 7)) == pytest.approx(np.full(24, -0.0355), rel=0.02)
    assert (schedule.timesteps[0], schedule.timesteps[-1]) == pytest.approx((999, 0))


def test_karras_timesteps_lie_between_those_whose_noise_is_just_less_and_just_more() -> None:
    schedule = make_schedule(10, "karras")
    for timestep, alpha in zip(schedule.timesteps[1:-1], schedule.alphas[1:-1], strict=True):
        assert ALPHAS[int(timestep) + 1] <= alpha <= ALPHAS[int(timestep)]


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_last_step_leads_to_an_image_without_noise(name: str) -> None:
    schedule = make_schedule(10, name)
    assert schedule.alphas_prev[-1] == 1
    assert schedule.alphas_prev[:-1].tolist() == schedule.alphas[1:].tolist()


def test_alphas_are_those_of_scaled_linear_betas() -> None:
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    products = np.cumprod(1 - betas)
    assert make_schedule(1000).alphas[::-1] == pytest.approx(products, rel=1e-3)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 7, 48, 51, 250, 999])
def test_every_number_of_steps_has_a_schedule(steps: int, name: str) -> None:
    schedule = make_schedule(steps, name)
    assert len(schedule) == steps or (name == "range" and len(schedule) > steps)
    assert (schedule.timesteps >= 0).all() and (schedule.timesteps <= 999).all()
    assert (np.diff(schedule.timesteps) < 0).all()


def test_an_unknown_schedule_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidField, match=r"schedule must be one of keras-cv, range, .*; got 'even'"):
        make_schedule(25, "even")
