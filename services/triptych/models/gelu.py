"""The gated feed-forward layer as Stable Diffusion's checkpoints were trained with it."""

from typing import Any

import keras
from keras_cv.src.models.stable_diffusion.diffusion_model import GEGLU


class ErfGEGLU(GEGLU):
    """GEGLU with the error function; keras-cv approximates it with tanh."""

    def call(self, inputs: Any) -> Any:
        x = self.dense(inputs)
        values, gate = x[..., : self.output_dim], x[..., self.output_dim :]
        return values * keras.activations.gelu(gate, approximate=False)
