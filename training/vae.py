"""The autoencoder: pictures to latents of 8×8×4 and back."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from training.data import load
from training.optimizer import muon
from training.paths import RUNS
from training.session import Checkpoint, Session, cosine, run
from triptych.models import kerascv, tiny

BATCH = 16
PEAK_RATE = 2e-3
KL_WEIGHT = 1e-6
CHECKPOINT = Checkpoint(RUNS / "vae.npz")


class Autoencoder(keras.Model):
    """Image in [-1, 1] to its reconstruction and the moments (8, 8, 8) of its latent."""

    def __init__(self) -> None:
        super().__init__()
        self.image_encoder = tiny.image_encoder()
        self.decoder = tiny.decoder()
        self.moments = keras.Model(self.image_encoder.input, self.image_encoder.get_layer("quant").output)
        self.noise = keras.random.SeedGenerator(1)

    def call(self, image: Any, training: bool = False) -> tuple[Any, Any]:
        moments = ops.cast(self.moments(image), "float32")
        latent, log_variance = moments[..., :4], ops.clip(moments[..., 4:], -20.0, 6.0)
        if training:
            draw = keras.random.normal(ops.shape(latent), seed=self.noise)
            latent = latent + ops.exp(log_variance / 2) * draw
        return ops.cast(self.decoder(latent * tiny.LATENT_SCALE), "float32"), moments

    def compute_loss(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None, training: bool = True
    ) -> Any:
        image, moments = y_pred
        return reconstruction_loss(y, image) + KL_WEIGHT * divergence(moments)


def reconstruction_loss(true: Any, made: Any) -> Any:
    """Absolute and squared error, errors of 2, 4 and 8 pixel means, and of edges at three scales."""
    error = true - made
    loss = ops.mean(ops.abs(error)) + ops.mean(ops.square(error))
    for size in (2, 4, 8):
        loss += 0.5 * ops.mean(ops.abs(ops.average_pool(error, size, size)))
    for size in (1, 2, 4):
        part = ops.average_pool(error, size, size) if size > 1 else error
        loss += 0.2 * ops.mean(ops.abs(part[:, 1:] - part[:, :-1]))
        loss += 0.2 * ops.mean(ops.abs(part[:, :, 1:] - part[:, :, :-1]))
    return loss


def divergence(moments: Any) -> Any:
    """Kullback-Leibler divergence of the latents from unit Gaussians, summed over an image."""
    mean, log_variance = moments[..., :4], ops.clip(moments[..., 4:], -20.0, 6.0)
    parts = ops.square(mean) + ops.exp(log_variance) - 1 - log_variance
    return ops.mean(ops.sum(parts, axis=(1, 2, 3))) / 2


class Batches(keras.utils.PyDataset):
    """Random batches of pictures in [-1, 1]; 500 to an epoch."""

    def __init__(self, images: np.ndarray, batch: int = BATCH) -> None:
        super().__init__()
        self.images = images
        self.batch = batch
        self.rng = np.random.default_rng()

    def __len__(self) -> int:
        return 500

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self.rng.integers(0, len(self.images), self.batch)
        images = self.images[np.sort(chosen)].astype(np.float32) / 127.5 - 1
        return images, images


def build() -> Autoencoder:
    """A new autoencoder, compiled; residual branches start near nothing, latents with little noise."""
    model = Autoencoder()
    for layer in (*model.image_encoder.layers, *model.decoder.layers):
        if isinstance(layer, kerascv.ResnetBlock):
            _soften(layer.conv2)
        if isinstance(layer, kerascv.AttentionBlock):
            _soften(layer.proj_out)
    bias = model.image_encoder.get_layer("quant").conv2d.bias
    bias.assign(np.repeat([0.0, -6.0], 4))
    model.compile(optimizer=muon(ema_momentum=0.998), jit_compile=False)
    return model


def train(minutes: float) -> None:
    """Train for so many minutes in all, counting those of earlier runs."""
    # bfloat16 doubles the speed on processors with AMX; the weights stay float32.
    keras.config.set_dtype_policy("mixed_bfloat16")
    run(build(), Batches(load().images), Session(CHECKPOINT, minutes, cosine(PEAK_RATE)))
    keras.config.set_dtype_policy("float32")


def trained() -> Autoencoder:
    """The autoencoder with the average of its weights in float32, its latents not yet normalised."""
    model = build()
    CHECKPOINT.restore_average(model)
    return model


def _soften(convolution: Any) -> None:
    kernel = convolution.conv2d.kernel
    kernel.assign(kernel * 0.02)
