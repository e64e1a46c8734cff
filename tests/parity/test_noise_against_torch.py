"""Noise of other programs' seeds: numbers as PyTorch's CPU generator draws them."""

import numpy as np
import pytest
import torch

from triptych.samplers import Noise


@pytest.mark.parametrize("seed", [0, 42, 2**31 + 7, 2**32 + 5])
@pytest.mark.parametrize("size", [(8, 8), (64, 64), (96, 64)])
def test_latents_are_torchs(seed: int, size: tuple[int, int]) -> None:
    generator, noise = torch.Generator("cpu").manual_seed(seed), Noise.named("torch-cpu", seed)
    for _ in range(3):
        drawn, noise = noise.draw((*size, 4))
        expected = torch.randn((4, *size), generator=generator).numpy().transpose(1, 2, 0)
        np.testing.assert_allclose(drawn, expected, atol=2e-6)
