import base64

import numpy as np
import pytest

from triptych.fields import Fields
from triptych.requests import MAX_STATE_BYTES, DenoiseSettings
from triptych.samplers import SAMPLERS, Noise, State
from triptych.schedule import make_schedule
from triptych.variants import VARIANTS
from triptych.wire import InvalidField, pack

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


def test_a_state_of_another_sampler_is_refused() -> None:
    latent = np.zeros(TINY.latent, np.float32)
    state = State(latent, Noise.seeded(1), 1, 0, (latent, latent))
    packed = pack({f"0.{name}": array for name, array in state.travelling().items()}, {})
    resume = base64.b64encode(packed).decode()
    assert settings(sampler="heun", resume=resume).resumed
    with pytest.raises(InvalidField, match="a memory of 2 latents, where this sampler has 1"):
        settings(sampler="dpmpp_2m", resume=resume)


def test_a_state_of_three_latents_of_1024_pixels_is_within_the_limit() -> None:
    latent = np.zeros((128, 128, 4), np.float32)
    state = State(latent, Noise.seeded(1), 1, 0, (latent, latent))
    packed = pack({f"0.{name}": array for name, array in state.travelling().items()}, {})
    assert len(base64.b64encode(packed)) <= MAX_STATE_BYTES
