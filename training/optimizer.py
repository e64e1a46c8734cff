"""Keras' Muon, for convolutions too."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

# First and last layers, embeddings, and what mixes the latent's channels are left to AdamW.
ADAM_LAYERS = ["entry", "exit/", "rgb", "quant", "embedding", "downsample_0"]


class Muon(keras.optimizers.Muon):
    """Muon on kernels of any rank: a convolution's is a matrix from its window to its filters."""

    def _should_use_adamw(self, variable: Any) -> bool:
        flat = len(variable.shape) < 2
        return flat or any(name in variable.path for name in ADAM_LAYERS)

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        matrix = ops.cast(ops.reshape(x, (-1, x.shape[-1])), "bfloat16")
        update = super().zeropower_via_newtonschulz5(matrix, steps)
        return ops.reshape(ops.cast(update, "float32"), x.shape)

    def lr_adjust(self, x: Any) -> Any:
        rows = 1
        for extent in x.shape[:-1]:
            rows *= extent
        return x * (self.rms_rate * max(rows, x.shape[-1]) ** 0.5)


def muon(ema_momentum: float, weight_decay: float = 0.0) -> Muon:
    """The optimizer of both trainings; its learning rate is set by the session at every step."""
    return Muon(
        learning_rate=1e-3,
        adam_beta_2=0.99,
        weight_decay=weight_decay,
        adam_weight_decay=0.0,
        global_clipnorm=1.0,
        use_ema=True,
        ema_momentum=ema_momentum,
    )
