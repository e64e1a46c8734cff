"""A small classifier of concept, background and object colour: the eye of the measurements."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from training.concepts import BACKGROUNDS, CONCEPTS, HUES
from training.data import load
from training.export import shipped
from training.optimizer import muon
from training.paths import RUNS
from training.session import Checkpoint, Session, cosine, run

BATCH = 64
RECONSTRUCTIONS = 4000
CHECKPOINT = Checkpoint(RUNS / "probe.npz")
OUTPUTS = {"concept": len(CONCEPTS), "background": len(BACKGROUNDS), "colour": len(HUES)}
_IMPORTANCE = {"concept": 1.0, "background": 0.3, "colour": 0.5}


def build() -> keras.Model:
    """Images in [-1, 1] to logits of the concept, the background and the colour; compiled."""
    image = keras.Input((64, 64, 3))
    x = image
    for filters, stride in ((24, 2), (48, 2), (96, 2), (128, 1), (192, 2)):
        x = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.95)(x)
        x = layers.Activation("relu")(x)
    x = layers.Dropout(0.2)(layers.Flatten()(layers.AveragePooling2D(2)(x)))
    model = keras.Model(image, {name: layers.Dense(n, name=name)(x) for name, n in OUTPUTS.items()})
    # Pictures without an object, or in its own colour, have label -1 there and don't count.
    losses = {
        name: keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
        for name in OUTPUTS
    }
    model.compile(optimizer=muon(ema_momentum=0.99, weight_decay=0.02), loss=losses, loss_weights=_IMPORTANCE)
    return model


class Batches(keras.utils.PyDataset):
    """Three real pictures to one that went through the autoencoder, moved and noised a little."""

    def __init__(self, images: np.ndarray, rebuilt: np.ndarray, labels: np.ndarray) -> None:
        super().__init__()
        self.images, self.rebuilt, self.labels = images, rebuilt, labels
        self.rng = np.random.default_rng()

    def __len__(self) -> int:
        return 200

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict[str, Any]]:
        real = np.sort(self.rng.integers(0, len(self.images), BATCH * 3 // 4))
        rebuilt = self.rng.integers(0, len(self.rebuilt), BATCH // 4)
        images = scaled(np.concatenate([self.images[real], self.rebuilt[rebuilt]]))
        images = np.roll(images, tuple(self.rng.integers(-3, 4, 2)), (1, 2))
        images += 0.03 * self.rng.standard_normal(images.shape, np.float32)
        labels = self.labels[np.concatenate([real, rebuilt])]
        return images, dict(zip(OUTPUTS, labels.T, strict=True))


def train(minutes: float) -> None:
    """Train for so many minutes in all, counting those of earlier runs."""
    pictures = load()
    codec = shipped().codec
    rebuilt = codec.decode(codec.encode(pictures.images[:RECONSTRUCTIONS]))
    batches = Batches(pictures.images, rebuilt, pictures.labels)
    run(build(), batches, Session(CHECKPOINT, minutes, cosine(2e-3)))


def trained() -> keras.Model:
    """The probe with the average of its weights. Raises FileNotFoundError where none was trained."""
    model = build()
    if not CHECKPOINT.restore_average(model):
        raise FileNotFoundError("there is no probe: run `python -m training data`, then `… probe`")
    return model


def scaled(images: np.ndarray) -> np.ndarray:
    """uint8 images as float32 in [-1, 1]."""
    return images.astype(np.float32) / 127.5 - 1


def guesses(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """What the probe sees in uint8 images: indices (n, 3) of concept, background and colour."""
    logits = model.predict(scaled(images), batch_size=64, verbose=0)
    return np.stack([logits[name].argmax(1) for name in OUTPUTS], axis=1)
