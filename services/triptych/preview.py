"""A small picture of a latent, without the decoder."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Latent = npt.NDArray[np.float32]


@dataclass(frozen=True)
class LinearPreview:
    """Red, green and blue as sums of a latent's channels, `factors` for each, and `bias`: -1 to 1."""

    factors: tuple[tuple[float, float, float], ...]
    bias: tuple[float, float, float]

    def __call__(self, latent: Latent) -> npt.NDArray[np.uint8]:
        """uint8 (height, width, 3) of a latent (height, width, 4), eight times smaller than its image."""
        image = latent @ np.array(self.factors, np.float32) + np.array(self.bias, np.float32)
        preview: npt.NDArray[np.uint8] = np.clip((image + 1) * 127.5, 0, 255).round().astype(np.uint8)
        return preview


STABLE_DIFFUSION = LinearPreview(
    factors=(
        (0.3512, 0.2297, 0.3227),
        (0.3250, 0.4974, 0.2350),
        (-0.2829, 0.1762, 0.2721),
        (-0.2120, -0.2616, -0.7177),
    ),
    bias=(0.0, 0.0, 0.0),
)
"""Of versions 1 and 2, whose decoder is the same: a least-squares fit that Kevin Turner (keturn) published in
"Decoding latents to RGB without upscaling", discuss.huggingface.co/t/23204. Not measured here, as the
published weights are needed for it."""

TINY_PREVIEW = LinearPreview(
    factors=(
        (-0.0497, 0.1630, 0.3356),
        (0.0796, 0.0218, 0.2469),
        (0.1286, 0.3436, 0.0940),
        (-0.4674, -0.0971, -0.0352),
    ),
    bias=(0.2677, 0.1180, 0.1164),
)
"""Of the built-in model, as `python -m training preview` fits it: on average 21 of 255 off the picture."""
