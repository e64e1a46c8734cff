"""Small classifiers of object, background, object colour and style: the eyes of the measurements.

They are trained by Keras alone, on whichever backend is fastest there: one at half the size, as more does not
help to tell objects apart, and one at the full size for the style, which is in the fine shading.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
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
SIZES = (0.39, 0.99)
"""An object's share of the picture's side."""
OUTPUTS = {
    "concept": len(CONCEPTS),
    "background": len(BACKGROUNDS),
    "colour": len(HUES),
    "style": len(STYLES),
}


Weights = list[np.ndarray]


class Labelled(NamedTuple):
    """Pictures of n single objects, uint8 (n, side, side, 3), and labels int32 (n, 4): see `labels_of`."""

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


def draw(count: int, seed: int, side: int = HALF) -> Labelled:
    """So many single objects of all sizes; one in fifty pictures has none.

    Of all combinations: a judge must know what the model was never shown.
    """
    rng = random.Random(seed)
    colourable = recolourable()
    subjects = []
    for _ in range(count):
        things = () if rng.random() < 0.02 else (random_thing(rng, colourable, 0.4),)
        subjects.append(Subject(things, rng.choice(BACKGROUNDS), rng.choice(list(STYLES))))
    images = np.stack([_picture(subject, rng, side) for subject in subjects])
    return Labelled(images, np.array([labels_of(subject) for subject in subjects], np.int32))


def _picture(subject: Subject, rng: random.Random, side: int) -> np.ndarray:
    """At any place and size; one in three as blurred as a model may make it, and all with a little noise."""
    image = _backdrop(subject.background, rng, side)
    for thing in subject.things:
        sprites, index = atlas()
        size = round(rng.uniform(*SIZES) * side)
        row = sprites[index[thing.concept.name, subject.style, thing.colour]]
        sprite = Image.fromarray(row, "RGBa").convert("RGBA").resize((size, size), Image.Resampling.BICUBIC)
        reach = max(2, (side - size) // 3)
        left, top = ((side - size) // 2 + rng.randint(-reach, reach) for _ in range(2))
        image.paste(sprite, (left, top), sprite)
    if rng.random() < 0.33:
        less = rng.randint(side // 2, side * 7 // 8)
        image = image.resize((less, less), Image.Resampling.BILINEAR).resize(
            (side, side), Image.Resampling.BICUBIC
        )
    noise = np.random.default_rng(rng.randrange(2**32)).normal(0, 3, (side, side, 3))
    return (np.asarray(image) + noise).clip(0, 255).astype(np.uint8)


def _backdrop(background: str, rng: random.Random, side: int) -> Image.Image:
    if background in SCENES:
        row = list(SCENES).index(background) * VARIANTS + rng.randrange(VARIANTS)
        return Image.fromarray(scenes()[row]).resize((side, side), Image.Resampling.BOX)
    shade = tuple(int(min(255, max(0, value + rng.gauss(0, 4)))) for value in COLOURS[background])
    return Image.new("RGB", (side, side), shade)


@dataclass(frozen=True)
class Eye:
    """A classifier of pictures of this side, by 3×3 convolutions of (filters, stride)."""

    side: int
    importance: Mapping[str, float]
    """What it tells, of `OUTPUTS`, and how much each counts when it is trained."""
    convolutions: tuple[tuple[int, int], ...]
    checkpoint: Checkpoint

    def build(self) -> keras.Model:
        """Images (side, side, 3) in [-1, 1] to logits of what it tells, by name; compiled."""
        image = keras.Input((self.side, self.side, 3))
        x = image
        for filters, stride in self.convolutions:
            x = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
            x = layers.BatchNormalization(momentum=0.95)(x)
            x = layers.Activation("relu")(x)
        x = layers.Dropout(0.2)(layers.Flatten()(layers.AveragePooling2D(2)(x)))
        outputs = {name: layers.Dense(OUTPUTS[name], name=name)(x) for name in self.importance}
        model = keras.Model(image, outputs)
        # Pictures without an object, or in its own colour, have label -1 there and don't count.
        losses = {
            name: keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
            for name in outputs
        }
        optimizer = keras.optimizers.AdamW(
            weight_decay=0.02, use_ema=True, ema_momentum=0.99, global_clipnorm=1.0
        )
        model.compile(optimizer=optimizer, loss=losses, loss_weights=dict(self.importance))
        return model

    def train(self, minutes: float) -> None:
        """Train for so many minutes in all, counting those of earlier runs."""
        keras.config.set_dtype_policy("mixed_bfloat16")
        model = self.build()
        keras.config.set_dtype_policy("float32")
        self._restore(model)
        with ahead(partial(draw, side=self.side), BATCH) as batches:

            def advance(_: Weights, rate: float) -> tuple[Weights, float]:
                model.optimizer.learning_rate = rate
                batch = next(batches)
                labels = dict(zip(OUTPUTS, batch.labels.T, strict=True))
                told = {name: labels[name] for name in self.importance}
                losses = model.train_on_batch(batch.images.astype(np.float32) / 127.5 - 1, told)
                return model.get_weights(), np.ravel(losses)[0]

            session = Session(self.checkpoint, minutes, cosine(1.5e-3, flat=0.2))
            session.run(model.get_weights(), advance)
        if int(model.optimizer.iterations):
            model.optimizer.finalize_variable_values(model.trainable_variables)
            self.checkpoint.save(model.get_weights(), minutes * 60)

    def _restore(self, model: keras.Model) -> None:
        """Give the model the kept weights, if there are any."""
        weights, _ = self.checkpoint.restore(model.get_weights())
        model.set_weights([np.asarray(weight) for weight in weights])

    def trained(self) -> keras.Model:
        """The model with the average of its weights. Raises FileNotFoundError where none was trained."""
        if not self.checkpoint.path.is_file():
            name = self.checkpoint.path.stem
            raise FileNotFoundError(
                f"there is no probe {name}.npz: run `python -m training data`, then `… {name}`"
            )
        model = self.build()
        self._restore(model)
        return model


OBJECT_EYE = Eye(
    HALF,
    {"concept": 1.0, "background": 0.3, "colour": 0.5, "style": 2.0},
    ((32, 2), (64, 1), (96, 2), (128, 1), (192, 2), (256, 1)),
    Checkpoint(RUNS / "probe.npz"),
)
STYLE_EYE = Eye(
    SIDE,
    {"style": 1.0},
    ((24, 2), (48, 2), (64, 1), (96, 2), (128, 2)),
    Checkpoint(RUNS / "style-probe.npz"),
)


class Probe(NamedTuple):
    """Both eyes, trained."""

    objects: keras.Model
    style: keras.Model

    @classmethod
    def trained(cls) -> Probe:
        """Raises FileNotFoundError where one of them was not trained."""
        return cls(OBJECT_EYE.trained(), STYLE_EYE.trained())

    def guesses(self, images: np.ndarray) -> np.ndarray:
        """What it sees in uint8 images (n, 128, 128, 3): indices (n, 4) in the order of `OUTPUTS`."""
        count = len(images)
        small = images.reshape(count, HALF, 2, HALF, 2, 3).astype(np.float32).mean((2, 4))
        logits = {**_logits(self.objects, small), **_logits(self.style, images)}
        return np.stack([logits[name].argmax(1) for name in OUTPUTS], axis=1)

    def concepts_around(self, images: np.ndarray, centre: tuple[float, float]) -> np.ndarray:
        """The objects (n,) that it sees in the 64×64 pixels around a place (y, x) of such images."""
        top, left = (round(min(max(place - HALF / 2, 0), SIDE - HALF)) for place in centre)
        part = images[:, top : top + HALF, left : left + HALF]
        found: np.ndarray = _logits(self.objects, part)["concept"].argmax(1)
        return found


def _logits(model: keras.Model, images: np.ndarray) -> dict[str, np.ndarray]:
    told: dict[str, np.ndarray] = model.predict(images / 127.5 - 1, batch_size=64, verbose=0)
    return told
