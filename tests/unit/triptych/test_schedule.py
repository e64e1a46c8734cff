import numpy as np
import pytest

from triptych.schedule import make_schedule
from triptych.wire import InvalidField


def test_the_schedule_of_keras_cv_spans_the_whole_range() -> None:
    schedule = make_schedule(25)
    expected = (np.arange(25) * 999 / 24).round().astype(int)[::-1]
    assert schedule.timesteps.tolist() == expected.tolist()
    assert (schedule.timesteps[0], schedule.timesteps[-1]) == (999, 0)


def test_the_schedule_of_the_first_handlers_is_a_python_range() -> None:
    assert make_schedule(25, "range").timesteps.tolist() == list(range(1, 1000, 40))[::-1]


@pytest.mark.parametrize("name", ["keras-cv", "range"])
def test_the_last_step_leads_to_an_image_without_noise(name: str) -> None:
    schedule = make_schedule(10, name)
    assert schedule.alphas_prev[-1] == 1
    assert schedule.alphas_prev[:-1].tolist() == schedule.alphas[1:].tolist()


def test_alphas_are_those_of_scaled_linear_betas() -> None:
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2
    products = np.cumprod(1 - betas)
    assert make_schedule(1000).alphas[::-1] == pytest.approx(products, rel=1e-3)


@pytest.mark.parametrize("steps", [1, 2, 250, 1000])
def test_every_number_of_steps_has_a_schedule(steps: int) -> None:
    schedule = make_schedule(steps)
    assert len(schedule) == steps
    assert (np.diff(schedule.timesteps) < 0).all()


def test_an_unknown_schedule_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidField, match="schedule must be one of keras-cv, range; got 'karras'"):
        make_schedule(25, "karras")
