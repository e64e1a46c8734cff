"""The autoencoder whose latents have unit variance, and what it does to pictures."""

from __future__ import annotations

import random
from dataclasses import dataclass

import keras
import numpy as np

from training import vae
from training.paths import RUNS
from training.render import Artwork, pictures
from training.stream import draw
from triptych.models.tiny import LATENT_SCALE

COUNT = 2_048
_FILE = RUNS / "normal.npz"


@dataclass(frozen=True)
class Codec:
    """The image encoder and decoder as they are shipped: latents are about unit Gaussian."""

    image_encoder: keras.Model
    decoder: keras.Model

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Latents, float32 (n, 16, 16, 4), of uint8 images (n, 128, 128, 3)."""
        parts = [
            self.image_encoder.predict_on_batch(images[i : i + 64].astype(np.float32) / 127.5 - 1)
            for i in range(0, len(images), 64)
        ]
        return np.concatenate(parts)

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Images, uint8 (n, 128, 128, 3), of latents."""
        parts = [self.decoder.predict_on_batch(latents[i : i + 64]) for i in range(0, len(latents), 64)]
        images: np.ndarray = ((np.clip(np.concatenate(parts), -1, 1) + 1) * 127.5).round().astype(np.uint8)
        return images


def prepare() -> None:
    """Measure the latents of the trained autoencoder, unless that is done."""
    if _FILE.is_file():
        return
    model = vae.trained()
    images = pictures(Artwork.load(), draw(COUNT, random.randrange(2**32)).layouts)
    raw = Codec(model.image_encoder, model.decoder).encode(images) / LATENT_SCALE
    partial = _FILE.with_suffix(".partial.npz")
    np.savez(partial, mean=raw.mean((0, 1, 2)), deviation=raw.std((0, 1, 2)))
    partial.replace(_FILE)


def codec() -> Codec:
    """The trained autoencoder, its 1×1 convolutions changed so that latents have unit variance."""
    model = vae.trained()
    with np.load(_FILE) as file:
        normalise(model, file["mean"], file["deviation"])
    return Codec(model.image_encoder, model.decoder)


def normalise(model: vae.Autoencoder, mean: np.ndarray, deviation: np.ndarray) -> None:
    """Fold (latent - mean) / deviation into the quant and post-quant convolutions, per channel.

    After the scale factor of 0.18215 the encoder's latents then have that mean and deviation taken off.
    """
    unit = deviation * LATENT_SCALE
    quant = model.image_encoder.get_layer("quant").conv2d
    kernel, bias = (np.array(weight) for weight in (quant.kernel, quant.bias))
    kernel[..., :4] /= unit
    bias[:4] = (bias[:4] - mean) / unit
    quant.set_weights([kernel, bias])
    post_quant = model.decoder.get_layer("post_quant").conv2d
    kernel, bias = (np.array(weight) for weight in (post_quant.kernel, post_quant.bias))
    post_quant.set_weights([kernel * unit[:, None], bias + mean @ kernel[0, 0]])
