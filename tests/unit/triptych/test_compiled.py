"""One part, compiled for the sizes it is asked for."""

import dataclasses
import logging

import keras
import numpy as np
import pytest

from triptych.compiled import CompiledPart, may_have_many_programs
from triptych.programs import backend
from triptych.skeleton import place
from triptych.variants import VARIANTS, Part
from triptych.weights import Report, unreported

TINY = VARIANTS["tiny"]
RNG = np.random.default_rng(0)
Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


class Ones:
    """Weights that are all 1."""

    def fetch(self, part: str, report: Report) -> None:
        """They are here."""

    def digest(self, part: str) -> str:
        return "1" * 64

    def fill(self, model: keras.Model, part: str, report: Report) -> None:
        for variable in model.weights:
            place(variable, np.ones(variable.shape, np.float32))


def build() -> keras.Model:
    """A 'decoder' for 8 by 8 latents, of a layer that takes any size, as those of the full models do."""
    image = keras.Input((8, 8, 4))
    return keras.Model(image, keras.layers.Conv2D(3, 1, use_bias=False)(image))


def latent(height: int, width: int) -> Array:
    return RNG.standard_normal((1, height, width, 4), np.float32)


def decoder(kept: int) -> CompiledPart:
    variant = dataclasses.replace(TINY, max_compiled_sizes=kept, parts={"decoder": Part(build, Ones())})
    return CompiledPart(variant, "decoder", {"latent": latent(8, 8)}, unreported)


def compiled(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The shapes, in order; stages of other tests may log beside them."""
    own = [record for record in caplog.records if record.name == "triptych.compiled"]
    return [record.getMessage().rpartition("shapes ")[2] for record in own]


def test_one_set_of_weights_serves_every_size() -> None:
    part = decoder(2)
    for size in ((8, 8), (8, 16), (24, 8)):
        seen = latent(*size)
        expected = np.repeat(seen.sum(axis=-1, keepdims=True), 3, axis=-1)
        np.testing.assert_allclose(part(latent=seen), expected, rtol=1e-5, atol=1e-5)


def test_a_size_is_compiled_once_while_it_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "triptych.compiled"):
        part = decoder(2)
        for _ in range(3):
            part(latent=latent(8, 16))
            part(latent=latent(8, 8))
    assert compiled(caplog) == ["(1, 8, 8, 4)", "(1, 8, 16, 4)"]


@pytest.mark.parametrize(("small", "shared", "many"), [(1, 0, 1), (0, 1, 1), (0, 0, 0)])
def test_a_full_model_has_one_program_where_each_would_hold_its_weights(
    small: int, shared: int, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend(), "SHARES_WEIGHTS", bool(shared))
    variant = dataclasses.replace(TINY, is_small=bool(small))
    assert may_have_many_programs(variant) is bool(many)


def test_the_size_used_longest_ago_makes_room_for_a_new_one(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "triptych.compiled"):
        part = decoder(2)
        for size in ((8, 16), (8, 8), (16, 8), (8, 8), (8, 16)):
            part(latent=latent(*size))
    assert compiled(caplog) == ["(1, 8, 8, 4)", "(1, 8, 16, 4)", "(1, 16, 8, 4)", "(1, 8, 16, 4)"]
