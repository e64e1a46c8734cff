"""The middle panel: guidance, velocity, and the UNet that was trained for inpainting."""

import dataclasses
from math import sqrt
from typing import Any

import keras
import numpy as np
import pytest

from tests.tiny import IMAGE, LATENT, MASK, PICTURE
from triptych.denoise import Denoiser
from triptych.encode import ImageEncoder
from triptych.models.kerascv import ALPHAS_CUMPROD
from triptych.requests import DenoiseSettings
from triptych.schedule import make_schedule
from triptych.skeleton import place
from triptych.variants import VARIANTS, Part, Variant
from triptych.weights import Report, unreported

TINY = VARIANTS["tiny"]
RNG = np.random.default_rng(0)
CONTEXT = np.zeros((1, *TINY.context), np.float32)


class SecondMaskChannel:
    """Weights of a 'UNet' whose noise is one channel of what it sees beside the latent."""

    def fetch(self, part: str, report: Report) -> None:
        """They are here."""

    def digest(self, part: str) -> str:
        return "0" * 64

    def fill(self, model: keras.Model, part: str, report: Report) -> None:
        kernel = np.zeros((1, 1, 9, 4), np.float32)
        kernel[0, 0, 4] = 1
        place(model.weights[0], kernel)


def unet_for_inpainting() -> keras.Model:
    latent = keras.Input((*LATENT[:2], 9), name="latent")
    others = [keras.Input((320,), name="timestep_embedding"), keras.Input((77, 128), name="context")]
    return keras.Model([latent, *others], keras.layers.Conv2D(4, 1, use_bias=False)(latent))


def for_inpainting(**changes: Any) -> Variant:
    parts = TINY.parts | {"diffusion": Part(unet_for_inpainting, SecondMaskChannel())}
    return dataclasses.replace(TINY, title="Painter", unet_channels=9, parts=parts, **changes)


def settings(steps: int = 1) -> DenoiseSettings:
    return DenoiseSettings([5], make_schedule(steps), 4.0, PICTURE)


def test_a_unet_for_inpainting_sees_mask_and_masked_image_beside_the_latent() -> None:
    seen = RNG.standard_normal((*LATENT[:2], 5)).astype(np.float32)
    denoiser = Denoiser(for_inpainting(), unreported, inpaints=True)
    painted = denoiser.latents(CONTEXT, CONTEXT, settings(), conditioning=seen)[0]
    noise = np.random.Generator(np.random.PCG64(5)).standard_normal(LATENT, np.float32)
    alpha = ALPHAS_CUMPROD[int(make_schedule(1).timesteps[0])]
    expected = (noise - sqrt(1 - alpha) * seen[..., :1]) / sqrt(alpha)
    np.testing.assert_allclose(painted, expected, rtol=1e-4, atol=1e-4)


def test_a_unet_for_inpainting_is_refused_where_nothing_is_painted_around() -> None:
    with pytest.raises(ValueError, match="Painter is made for inpainting: its UNet takes 9 channels"):
        Denoiser(for_inpainting(), unreported)


def test_a_model_that_predicts_velocity_is_read_as_one() -> None:
    latents = {
        prediction: Denoiser(dataclasses.replace(TINY, prediction=prediction), unreported).latents(
            CONTEXT, CONTEXT, settings(2)
        )
        for prediction in ("epsilon", "v_prediction")
    }
    assert np.abs(latents["epsilon"] - latents["v_prediction"]).max() > 0.1


def test_the_conditioning_is_the_repainted_cells_and_the_latent_of_what_is_kept() -> None:
    encoder = ImageEncoder(TINY, unreported)
    image = RNG.integers(0, 256, IMAGE, np.uint8)
    keep = np.ones(MASK, np.uint8)
    keep[16:24, 30:33] = 0
    seen = encoder.conditioning(image, keep)
    assert seen.shape == (*LATENT[:2], 5)
    repainted = np.argwhere(seen[..., 0] == 1).tolist()
    assert repainted == [[2, 3], [2, 4]]
    grey = image.copy()
    grey[16:24, 30:33] = 127
    np.testing.assert_allclose(seen[..., 1:], encoder.latent(grey), atol=0.02)
