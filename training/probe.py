"""A small classifier of object, background, object colour and style: the eye of the measurements.

It is trained by Keras alone, on whichever backend is fastest there, at half the size: more does not help to
tell objects apart.
"""

from __future__ import annotations

import random
from typing import NamedTuple

import keras
import numpy as np
from keras import layers
from PIL import Image

from training.concepts import BACKGROUNDS, COLOURS, CONCEPTS, HUES, SCENES, STYLES
from training.paths import RUNS
from training.scenes import VARIANTS, scenes
from training.session import Checkpoint, Session, cosine
from training.sprites import SIDE, atlas, recolourable
from training.stream import ahead
from training.subjects import Subject, random_thing

BATCH = 64
HALF = SIDE // 2
SIDES = (25, 63)
CHECKPOINT = Checkpoint(RUNS / "probe.npz")
OUTPUTS = {
    "concept": len(CONCEPTS),
    "background": len(BACKGROUNDS),
    "colour": len(HUES),
    "style": len(STYLES),
}
_IMPORTANCE = {"concept": 1.0, "background": 0.3, "colour": 0.5, "style": 2.0}


Weights = list[np.ndarray]


class Labelled(NamedTuple):
    """Pictures of n single objects, uint8 (n, 64, 64, 3), and their labels int32 (n, 4): see `labels_of`."""

    images: np.ndarray
    labels: np.ndarray


def labels_of(subject: Subject) -> list[int]:
    """Indices of the first object, the background, its colour and the style; -1 where there is none."""
    if not subject.things:
        return [-1, BACKGROUNDS.index(subject.background), -1, -1]
    thing = subject.things[0]
    return [
        CONCEPTS.index(thing.concept),
        BACKGROUNDS.index(subject.background),
        list(HUES).index(thing.colour) if thing.colour else -1,
        list(STYLES).index(subject.style),
    ]


def draw(count: int, seed: int) -> Labelled:
    """So many single objects of all sizes; one in fifty pictures has none.

    Of all combinations: a judge must know what the model was never shown.
    """
    rng = random.Random(seed)
    colourable = recolourable()
    subjects = []
    for _ in range(count):
        things = () if rng.random() < 0.02 else (random_thing(rng, colourable, 0.4),)
        subjects.append(Subject(things, rng.choice(BACKGROUNDS), rng.choice(list(STYLES))))
    images = np.stack([_picture(subject, rng) for subject in subjects])
    return Labelled(images, np.array([labels_of(subject) for subject in subjects], np.int32))


def _picture(subject: Subject, rng: random.Random) -> np.ndarray:
    """At any place and size; one in three as blurred as a model may make it, and all with a little noise."""
    image = _backdrop(subject.background, rng)
    for thing in subject.things:
        sprites, index = atlas()
        side = rng.randint(*SIDES)
        row = sprites[index[thing.concept.name, subject.style, thing.colour]]
        sprite = Image.fromarray(row, "RGBa").convert("RGBA").resize((side, side), Image.Resampling.BICUBIC)
        reach = max(2, (HALF - side) // 3)
        left, top = ((HALF - side) // 2 + rng.randint(-reach, reach) for _ in range(2))
        image.paste(sprite, (left, top), sprite)
    if rng.random() < 0.33:
        less = rng.randint(HALF // 2, HALF - 8)
        image = image.resize((less, less), Image.Resampling.BILINEAR).resize(
            (HALF, HALF), Image.Resampling.BICUBIC
        )
    noise = np.random.default_rng(rng.randrange(2**32)).normal(0, 3, (HALF, HALF, 3))
    return (np.asarray(image) + noise).clip(0, 255).astype(np.uint8)


def _backdrop(background: str, rng: random.Random) -> Image.Image:
    if background in SCENES:
        row = list(SCENES).index(background) * VARIANTS + rng.randrange(VARIANTS)
        return Image.fromarray(scenes()[row]).resize((HALF, HALF), Image.Resampling.BOX)
    shade = tuple(int(min(255, max(0, value + rng.gauss(0, 4)))) for value in COLOURS[background])
    return Image.new("RGB", (HALF, HALF), shade)


def build() -> keras.Model:
    """Images (64, 64, 3) in [-1, 1] to logits of what `OUTPUTS` names; compiled."""
    image = keras.Input((HALF, HALF, 3))
    x = image
    for filters, stride in ((32, 2), (64, 1), (96, 2), (128, 1), (192, 2), (256, 1)):
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
    optimizer = keras.optimizers.AdamW(
        weight_decay=0.02, use_ema=True, ema_momentum=0.99, global_clipnorm=1.0
    )
    model.compile(optimizer=optimizer, loss=losses, loss_weights=_IMPORTANCE)
    return model


def train(minutes: float) -> None:
    """Train for so many minutes in all, counting those of earlier runs."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = build()
    keras.config.set_dtype_policy("float32")
    _restore(model)
    with ahead(draw, BATCH) as batches:

        def advance(_: Weights, rate: float) -> tuple[Weights, float]:
            model.optimizer.learning_rate = rate
            batch = next(batches)
            labels = dict(zip(OUTPUTS, batch.labels.T, strict=True))
            losses = model.train_on_batch(_scaled(batch.images), labels)
            return model.get_weights(), losses[0]

        Session(CHECKPOINT, minutes, cosine(1.5e-3, flat=0.2)).run(model.get_weights(), advance)
    if int(model.optimizer.iterations):
        model.optimizer.finalize_variable_values(model.trainable_variables)
        CHECKPOINT.save(model.get_weights(), minutes * 60)


def _restore(model: keras.Model) -> None:
    """Give the model the kept weights, if there are any."""
    weights, _ = CHECKPOINT.restore(model.get_weights())
    model.set_weights([np.asarray(weight) for weight in weights])


def trained() -> keras.Model:
    """The probe with the average of its weights. Raises FileNotFoundError where none was trained."""
    if not CHECKPOINT.path.is_file():
        raise FileNotFoundError("there is no probe: run `python -m training data`, then `… probe`")
    model = build()
    _restore(model)
    return model


def guesses(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """What the probe sees in uint8 images (n, 128, 128, 3): indices (n, 4) in the order of `OUTPUTS`."""
    count = len(images)
    small = images.reshape(count, HALF, 2, HALF, 2, 3).astype(np.float32).mean((2, 4))
    return _seen(model, small)


def guesses_around(model: keras.Model, images: np.ndarray, centre: tuple[float, float]) -> np.ndarray:
    """What it sees in the 64×64 pixels around a place (y, x) of such images."""
    top, left = (round(min(max(place - HALF / 2, 0), SIDE - HALF)) for place in centre)
    return _seen(model, images[:, top : top + HALF, left : left + HALF])


def _seen(model: keras.Model, images: np.ndarray) -> np.ndarray:
    logits = model.predict(images / 127.5 - 1, batch_size=64, verbose=0)
    return np.stack([logits[name].argmax(1) for name in OUTPUTS], axis=1)


def _scaled(images: np.ndarray) -> np.ndarray:
    return images.astype(np.float32) / 127.5 - 1
