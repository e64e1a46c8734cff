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
        (0.2069, 0.4200, 0.4323),
        (0.3661, 0.1393, -0.2942),
        (-0.1991, 0.0917, -0.0703),
        (-0.0945, 0.0311, -0.0843),
    ),
    bias=(0.2444, 0.1489, 0.1343),
)
"""Of the built-in model, as `python -m training preview` fits it: on average 21 of 255 off the picture."""
