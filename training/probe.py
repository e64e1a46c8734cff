"""A small classifier of object, background, object colour and style: the eye of the measurements."""

from __future__ import annotations

import random
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np
from keras import layers

from training import optimizer
from training.concepts import BACKGROUNDS, CONCEPTS, HUES, STYLES
from training.export import shipped
from training.layouts import SIZE, Layouts, layouts
from training.paths import RUNS
from training.render import Artwork, render
from training.scale import SCALE
from training.session import Checkpoint, Session, cosine, fill, values_of
from training.sprites import atlas, recolourable
from training.stream import ahead
from training.subjects import Subject, is_held_out, random_thing

AVERAGING = 0.995
SIDES = (52.0, 126.0)
CHECKPOINT = Checkpoint(RUNS / "probe.npz")
OUTPUTS = {
    "concept": len(CONCEPTS),
    "background": len(BACKGROUNDS),
    "colour": len(HUES),
    "style": len(STYLES),
}
_IMPORTANCE = {"concept": 1.0, "background": 0.3, "colour": 0.5, "style": 0.5}


class Labelled(NamedTuple):
    """Layouts of n single objects, and their labels int32 (n, 4): see `labels_of`."""

    layouts: Layouts
    labels: np.ndarray


class State(NamedTuple):
    """What a step changes."""

    values: list[jax.Array]
    average: list[jax.Array]
    optimizer: optimizer.State
    key: jax.Array


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
    """So many single objects of all sizes, of trained combinations; one in fifty pictures has none."""
    rng = random.Random(seed)
    colourable = recolourable()
    subjects: list[Subject] = []
    while len(subjects) < count:
        things = () if rng.random() < 0.02 else (random_thing(rng, colourable, 0.4),)
        subject = Subject(things, rng.choice(BACKGROUNDS), rng.choice(list(STYLES)))
        if not is_held_out(subject):
            subjects.append(subject)
    drawn = layouts(subjects, atlas()[1], rng)
    sides = np.array([rng.uniform(*SIDES) for _ in subjects], np.float32)
    free = np.maximum(4, (SIZE - sides) / 3)
    away = np.array([(rng.uniform(-1, 1), rng.uniform(-1, 1)) for _ in subjects], np.float32) * free[:, None]
    moved = drawn._replace(
        sides=np.stack([sides, sides], 1), centres=np.stack([SIZE / 2 + away] * 2, 1).astype(np.float32)
    )
    return Labelled(moved, np.array([labels_of(subject) for subject in subjects], np.int32))


def build() -> keras.Model:
    """Images in [-1, 1] to logits of the object, the background, the colour and the style."""
    image = keras.Input((SIZE, SIZE, 3))
    x = image
    for filters, stride in ((32, 2), (64, 2), (96, 1), (128, 2), (192, 1), (256, 2), (256, 1)):
        x = layers.Conv2D(filters, 3, strides=stride, padding="same")(x)
        x = layers.GroupNormalization(16)(x)
        x = layers.Activation("swish")(x)
    x = layers.Flatten()(layers.AveragePooling2D(2)(x))
    return keras.Model(image, {name: layers.Dense(n, name=f"{name}_exit")(x) for name, n in OUTPUTS.items()})


def train(minutes: float) -> None:
    """Train for so many minutes in all, counting those of earlier runs."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = build()
    keras.config.set_dtype_policy("float32")
    codec = shipped().codec
    artwork = Artwork.load()
    with ahead(draw, SCALE.probe_batch) as batches:

        def advance(state: State, rate: float) -> tuple[State, jax.Array]:
            return _step(model, codec.image_encoder, codec.decoder, artwork, state, next(batches), rate)

        Session(CHECKPOINT, minutes, cosine(2e-3, flat=0.2)).run(start(model), advance)


def start(model: keras.Model) -> State:
    """The state before the first step."""
    values = values_of(model)
    average = [jnp.array(value) for value in values]
    return State(
        values, average, optimizer.start(values, _muon(model)), jax.random.key_data(jax.random.key(3))
    )


@partial(jax.jit, static_argnums=(0, 1, 2), donate_argnums=4)
def _step(
    model: keras.Model,
    image_encoder: keras.Model,
    decoder: keras.Model,
    artwork: Artwork,
    state: State,
    batch: Labelled,
    rate: float,
) -> tuple[State, jax.Array]:
    key, *keys = jax.random.split(jax.random.wrap_key_data(state.key), 3)
    images = render(artwork, batch.layouts)
    quarter = len(images) // 4
    latents = image_encoder.stateless_call(values_of(image_encoder), [], images[:quarter])[0]
    rebuilt = decoder.stateless_call(values_of(decoder), [], latents)[0]
    images = jnp.concatenate([rebuilt, _blurred(images[quarter : 2 * quarter]), images[2 * quarter :]])
    images += 0.03 * jax.random.normal(keys[0], images.shape)
    loss, gradients = jax.value_and_grad(partial(_loss, model))(state.values, images, batch.labels)
    values, moved = optimizer.step(state.values, gradients, state.optimizer, _muon(model), rate, 0.02)
    share = jnp.minimum(AVERAGING, (1 + moved.steps) / (10 + moved.steps))
    average = [share * a + (1 - share) * v for a, v in zip(state.average, values, strict=True)]
    return State(values, average, moved, jax.random.key_data(key)), loss


def _blurred(images: jax.Array) -> jax.Array:
    """As `half` makes them: of half the pixels."""
    count, side, _, channels = images.shape
    small = images.reshape(count, side // 2, 2, side // 2, 2, channels).mean((2, 4))
    return jax.image.resize(small, images.shape, "cubic")


def _loss(model: keras.Model, values: list[jax.Array], images: jax.Array, labels: jax.Array) -> jax.Array:
    logits, _ = model.stateless_call(values, [], images)
    loss = jnp.zeros(())
    for i, (name, importance) in enumerate(_IMPORTANCE.items()):
        known = labels[:, i] >= 0
        chances = jax.nn.log_softmax(logits[name].astype(jnp.float32))
        right = jnp.take_along_axis(chances, jnp.maximum(labels[:, i : i + 1], 0), 1)[:, 0]
        loss -= importance * jnp.sum(right * known) / jnp.maximum(1, known.sum())
    return loss


def _muon(model: keras.Model) -> tuple[bool, ...]:
    return tuple(optimizer.uses_muon(variable.path, variable.shape) for variable in model.trainable_variables)


def trained() -> keras.Model:
    """The probe with the average of its weights. Raises FileNotFoundError where none was trained."""
    model = build()
    state, seconds = CHECKPOINT.restore(start(model))
    if not seconds:
        raise FileNotFoundError("there is no probe: run `python -m training data`, then `… probe`")
    fill(state.average, model)
    return model


def guesses(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """What the probe sees in uint8 images: indices (n, 4) of object, background, colour and style."""
    logits = model.predict(images.astype(np.float32) / 127.5 - 1, batch_size=64, verbose=0)
    return np.stack([logits[name].argmax(1) for name in OUTPUTS], axis=1)


def half(images: np.ndarray, centre: tuple[float, float]) -> np.ndarray:
    """The 64×64 pixels of uint8 images (n, 128, 128, 3) around a place (y, x), at twice their size."""
    top, left = (round(min(max(place - SIZE / 4, 0), SIZE / 2)) for place in centre)
    part = images[:, top : top + SIZE // 2, left : left + SIZE // 2].astype(np.float32)
    large = jax.image.resize(part, (len(part), SIZE, SIZE, 3), "cubic")
    return np.asarray(jnp.clip(large, 0, 255)).round().astype(np.uint8)
