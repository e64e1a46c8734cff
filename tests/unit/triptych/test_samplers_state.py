import io
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from triptych.samplers import SAMPLERS, Denoising, Known, Noise, Sampler, State
from triptych.schedule import make_schedule

Latent = npt.NDArray[np.float32]
SHAPE = (8, 8, 4)
EVERY = pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)


def predict(latent: Latent, timestep: float) -> Latent:
    predicted: Latent = np.tanh(latent) + np.float32(timestep / 4000)
    return predicted


def sent(state: State) -> State:
    """The state after a way through a file."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **state.arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        return State.of(dict(arrays))


@EVERY
@pytest.mark.parametrize("painting", [False, True])
def test_a_denoising_goes_on_elsewhere_after_any_call_as_if_nothing_had_been(
    sampler: Sampler, painting: bool
) -> None:
    keep = np.zeros((8, 8, 1), np.float32)
    keep[:4] = 1
    known = Known(np.ones(SHAPE, np.float32), keep, 2 if sampler.resamples else 1) if painting else None
    denoising = Denoising(sampler, make_schedule(5), known=known)
    state = denoising.start(Noise.seeded(3), SHAPE)
    undisturbed = denoising.run(state, predict)
    while not denoising.finished(state):
        state = sent(denoising.step(state, predict(state.latent, denoising.timestep(state))))
        assert denoising.run(state, predict).tobytes() == undisturbed.tobytes()


@EVERY
def test_a_step_leaves_the_state_before_it_as_it_was(sampler: Sampler) -> None:
    denoising = Denoising(sampler, make_schedule(5))
    before = denoising.start(Noise.seeded(3), SHAPE)
    copy = replace(before, latent=before.latent.copy())
    first = denoising.step(before, predict(before.latent, denoising.timestep(before)))
    assert np.array_equal(before.latent, copy.latent)
    again = denoising.step(before, predict(before.latent, denoising.timestep(before)))
    assert np.array_equal(first.latent, again.latent)


def test_a_state_is_four_arrays() -> None:
    latent = np.zeros(SHAPE, np.float32)
    arrays = State(latent, Noise.seeded(1), 3, 1, (latent, latent)).arrays()
    assert {name: (array.dtype.name, array.shape) for name, array in arrays.items()} == {
        "latent": ("float32", SHAPE),
        "memory": ("float32", (2, *SHAPE)),
        "position": ("int64", (2,)),
        "noise": ("uint64", (6,)),
    }
    assert State(latent, Noise.seeded(1)).arrays()["memory"].shape == (0, *SHAPE)
