"""Latents become images, each once."""

from typing import Any

import numpy as np
import pytest

from triptych.decode import LatentDecoder
from triptych.variants import VARIANTS
from triptych.weights import unreported

TINY = VARIANTS["tiny"]
LATENTS = np.random.default_rng(0).standard_normal((3, *TINY.latent)).astype(np.float32)


def test_a_latent_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = LatentDecoder(TINY, unreported)
    calls: list[Any] = []
    decoded = decoder._decoded

    def counted(latent: Any) -> Any:
        calls.append(latent)
        return decoded(latent)

    monkeypatch.setattr(decoder, "_decoded", counted)
    first = decoder.images(LATENTS)
    again = decoder.images(LATENTS[::-1])
    np.testing.assert_array_equal(first, again[::-1])
    assert len(calls) == 3
    decoder.images(LATENTS[:1] + np.float32(0.5))
    assert len(calls) == 4


def test_what_was_given_out_can_be_changed_without_changing_what_is_kept() -> None:
    decoder = LatentDecoder(TINY, unreported)
    first = decoder.images(LATENTS[:1])
    before = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(decoder.images(LATENTS[:1]), before)
