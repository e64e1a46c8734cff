import pytest

from triptych.fields import Fields
from triptych.requests import DenoiseSettings
from triptych.samplers import SAMPLERS
from triptych.schedule import make_schedule
from triptych.variants import VARIANTS
from triptych.wire import InvalidField

TINY = VARIANTS["tiny"]


def settings(**data: object) -> DenoiseSettings:
    return DenoiseSettings.read(Fields({"num_steps": 8, **data}), TINY)


def test_denoising_is_keras_cvs_unless_asked_for_otherwise() -> None:
    assert settings().sampler is SAMPLERS["ddim"]
    assert settings().schedule.timesteps.tolist() == make_schedule(8, "keras-cv").timesteps.tolist()


@pytest.mark.parametrize(
    ("sampler", "schedule"), [("dpmpp_2m", "karras"), ("lcm", "lcm"), ("heun", "keras-cv")]
)
def test_a_sampler_brings_its_schedule_unless_another_is_asked_for(sampler: str, schedule: str) -> None:
    own, asked = settings(sampler=sampler), settings(sampler=sampler, schedule="trailing")
    assert own.sampler is asked.sampler is SAMPLERS[sampler]
    assert own.schedule.timesteps.tolist() == make_schedule(8, schedule).timesteps.tolist()
    assert asked.schedule.timesteps.tolist() == make_schedule(8, "trailing").timesteps.tolist()


def test_an_unknown_sampler_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidField, match=r"sampler must be one of ddim, euler, .*; got .*'plms'"):
        settings(sampler="plms")
