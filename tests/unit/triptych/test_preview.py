"""Small pictures of latents."""

import numpy as np

from tests.tiny import IMAGE, SIDE
from triptych.encode import ImageEncoder
from triptych.preview import STABLE_DIFFUSION, TINY_PREVIEW
from triptych.variants import VARIANTS
from triptych.weights import unreported


def test_a_preview_has_a_pixel_for_each_position_of_the_latent() -> None:
    latent = np.random.default_rng(0).standard_normal((8, 12, 4)).astype(np.float32) * 9
    preview = STABLE_DIFFUSION(latent)
    assert (preview.shape, preview.dtype.name) == ((8, 12, 3), "uint8")
    assert (preview.min(), preview.max()) == (0, 255)


def test_the_built_in_models_preview_shows_the_colours_of_the_picture() -> None:
    image = np.zeros(IMAGE, np.uint8)
    image[: SIDE // 2], image[SIDE // 2 :] = (220, 40, 40), (40, 60, 200)
    preview = TINY_PREVIEW(ImageEncoder(VARIANTS["tiny"], unreported).latent(image)).astype(int)
    upper, lower = preview[:6].mean((0, 1)), preview[10:].mean((0, 1))
    assert upper[0] - upper[2] > 50
    assert lower[2] - lower[0] > 50


def test_versions_1_and_2_have_one_preview() -> None:
    assert VARIANTS["1.4"].preview is VARIANTS["2"].preview is STABLE_DIFFUSION
