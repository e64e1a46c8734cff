"""Samplers by the names of other programs."""

import pytest

from gateway.api.samplers import find_sampler, find_schedule, label_of, read_sampling
from gateway.errors import InvalidRequest
from gateway.infotext import SAMPLERS


@pytest.mark.parametrize(
    ("name", "sampler", "schedule"),
    [
        ("Euler a", "euler_ancestral", None),
        ("k_euler_a", "euler_ancestral", None),
        ("EulerAncestralDiscreteScheduler", "euler_ancestral", None),
        ("DPM++ 2M Karras", "dpmpp_2m", "karras"),
        ("DPMSolverMultistepScheduler", "dpmpp_2m", None),
        ("ddim", "ddim", None),
        ("LCM", "lcm", None),
    ],
)
def test_a_sampler_is_known_by_many_names(name: str, sampler: str, schedule: str | None) -> None:
    assert find_sampler(name) == (sampler, schedule, False)


@pytest.mark.parametrize(
    ("name", "sampler"),
    [
        ("DPM++ 2M SDE", "dpmpp_2m"),
        ("DPM++ 2S a Karras", "euler_ancestral"),
        ("DPM2", "heun"),
        ("UniPC", "dpmpp_2m"),
        ("UniPCMultistepScheduler", "dpmpp_2m"),
        ("PNDMScheduler", "ddim"),
        ("DPM++2M", "dpmpp_2m"),
        ("LMS Karras", "euler"),
    ],
)
def test_another_sampler_is_the_nearest(name: str, sampler: str) -> None:
    found = find_sampler(name)
    assert found is not None
    assert (found.sampler, found.near) == (sampler, True)


@pytest.mark.parametrize("label", SAMPLERS.values())
def test_every_sampler_is_found_by_the_name_that_it_is_listed_by(label: str) -> None:
    found = find_sampler(label)
    assert found is not None
    assert (SAMPLERS[found.sampler], found.near) == (label, False)


@pytest.mark.parametrize(
    ("name", "schedule"),
    [
        (None, None),
        ("automatic", None),
        ("Karras", "karras"),
        ("SGM Uniform", "trailing"),
        ("sgm_uniform", "trailing"),
        ("Uniform", "keras-cv"),
        ("keras-cv", "keras-cv"),
        ("nonsense", None),
    ],
)
def test_a_schedule_is_known_by_its_names(name: str | None, schedule: str | None) -> None:
    assert find_schedule(name) == schedule


@pytest.mark.parametrize("schedule", ["keras-cv", "range", "leading", "trailing", "karras", "lcm"])
def test_every_schedule_is_found_by_its_label(schedule: str) -> None:
    assert find_schedule(label_of(schedule)) == schedule
    assert read_sampling(None, schedule).warnings == []


def test_what_is_not_quite_as_asked_is_said() -> None:
    sampling = read_sampling("UniPC", "Exponential")
    assert (sampling.sampler, sampling.schedule) == ("dpmpp_2m", "karras")
    assert sampling.warnings == [
        "The sampler is DPM++ 2M, the nearest to 'UniPC'.",
        "The schedule is Karras, the nearest to 'Exponential'.",
    ]


def test_what_is_not_said_is_left_to_the_stages() -> None:
    assert read_sampling(None, None) == read_sampling("", "automatic")
    assert read_sampling(None, None).sampler is None


def test_a_sampler_that_nothing_is_near_to_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"sampler must be one of DDIM, .* LCM; got 'nonsense'"):
        read_sampling("nonsense", None)
