"""The text encoder and the UNet, trained together on the latents of ever new pictures."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np

from training import latents
from training.paths import RUNS
from training.render import Artwork, render
from training.scale import SCALE
from training.session import Checkpoint, Session, cosine
from training.state import State, fill, muon_of, start, values_of
from training.stream import WORDINGS, Examples, ahead, draw
from training.vocabulary import compact, used_tokens, whole_table
from triptych.engine.unet import timestep_embedding
from triptych.models import kerascv, tiny
from triptych.tokenizer import encode

PEAK_RATE = 2e-3
SEED = 2
WEIGHT_DECAY = 0.01
DROPPED = 0.1
UNKNOWN_TOKENS = 0.01
SNR_GAMMA = 5.0
CHECKPOINT = Checkpoint(RUNS / "diffusion.npz")


class Models(NamedTuple):
    """What is trained."""

    text_encoder: keras.Model
    diffusion: keras.Model


class Pool(NamedTuple):
    """Latents, float16 (n, 16, 16, 4), and captions, int16 (n, 2, 77), of the newest pictures; `drawn` is
    how many were drawn so far. The oldest make room."""

    latents: jax.Array
    tokens: jax.Array
    drawn: jax.Array


class Tables(NamedTuple):
    """By timestep: alpha products, sinusoidal embeddings and loss weights; and the empty caption."""

    alphas: jax.Array
    embeddings: jax.Array
    weights: jax.Array
    empty: jax.Array


def tables() -> Tables:
    """Those of Stable Diffusion's schedule, for steps of `min_snr_weights`."""
    alphas = np.array(kerascv.ALPHAS_CUMPROD, np.float32)
    embeddings = np.concatenate([timestep_embedding(t) for t in range(len(alphas))])
    parts = (alphas, embeddings, min_snr_weights(alphas), compact(encode("")))
    return Tables(*(jax.device_put(part) for part in parts))


def min_snr_weights(alphas: np.ndarray) -> np.ndarray:
    """Loss weights for predicting epsilon, mean 1: min(SNR, 5) / SNR (Hang et al., arXiv:2303.09556)."""
    snr = alphas / (1 - alphas)
    weights = np.minimum(snr, SNR_GAMMA) / snr
    normalised: np.ndarray = (weights / weights.mean()).astype(np.float32)
    return normalised


def build() -> Models:
    """New models; each residual branch of the UNet starts as nothing."""
    models = Models(tiny.text_encoder(len(used_tokens()) + 1), tiny.diffusion_model())
    for layer in models.diffusion.layers:
        if isinstance(layer, kerascv.ResBlock):
            _silence(layer.exit_flow[-1])
        if isinstance(layer, kerascv.SpatialTransformer):
            _silence(layer.proj2)
    _silence(models.diffusion.get_layer("exit"))
    table = models.text_encoder.get_layer("embedding").token_embedding.embeddings
    table.assign(keras.random.normal(table.shape, stddev=0.3, seed=1))
    return models


def train(minutes: float) -> None:
    """Train for so many minutes in all, counting those of earlier runs."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    models = build()
    keras.config.set_dtype_policy("float32")
    image_encoder = latents.codec().image_encoder
    artwork, table = Artwork.load(), tables()
    with ahead(draw, SCALE.fresh) as batches:
        pool = _filled(image_encoder, artwork, batches)

        def advance(state: State, rate: float) -> tuple[State, jax.Array]:
            nonlocal pool
            state, pool, loss = _step(models, image_encoder, artwork, table, state, pool, next(batches), rate)
            return state, loss

        Session(CHECKPOINT, minutes, cosine(PEAK_RATE, flat=0.4)).run(start(SEED, *models), advance)


def _filled(image_encoder: keras.Model, artwork: Artwork, batches: Any) -> Pool:
    """A pool with its first quarter drawn: the rest comes while training."""
    shape = (SCALE.pool, *tiny.LATENT_SHAPE)
    tokens = jnp.zeros((SCALE.pool, WORDINGS, tiny.MAX_TOKENS), jnp.int16)
    pool = Pool(jnp.zeros(shape, jnp.float16), tokens, jnp.zeros((), jnp.int32))
    add = jax.jit(partial(_added, image_encoder), donate_argnums=1)
    for _ in range(SCALE.pool // SCALE.fresh // 4):
        pool = add(artwork, pool, next(batches))
    return pool


def _added(image_encoder: keras.Model, artwork: Artwork, pool: Pool, new: Examples) -> Pool:
    moments = image_encoder.stateless_call(values_of(image_encoder), [], render(artwork, new.layouts))[0]
    at = pool.drawn % len(pool.latents)
    put = jax.lax.dynamic_update_slice_in_dim
    return Pool(
        put(pool.latents, moments.astype(jnp.float16), at, 0),
        put(pool.tokens, jnp.asarray(new.tokens), at, 0),
        pool.drawn + len(new.tokens),
    )


@partial(jax.jit, static_argnums=(0, 1), donate_argnums=(4, 5))
def _step(
    models: Models,
    image_encoder: keras.Model,
    artwork: Artwork,
    table: Tables,
    state: State,
    pool: Pool,
    new: Examples,
    rate: float,
) -> tuple[State, Pool, jax.Array]:
    pool = _added(image_encoder, artwork, pool, new)
    batch_key, key = state.keys(2)
    batch = _batch(table, pool, batch_key)
    loss, gradients = jax.value_and_grad(partial(_loss, models))(state.values, batch)
    return state.after(gradients, muon_of(*models), rate, key, decay=WEIGHT_DECAY), pool, loss


class Batch(NamedTuple):
    """Captions, noisy latents, timestep embeddings, the noise and the weights of its error."""

    tokens: jax.Array
    noisy: jax.Array
    embeddings: jax.Array
    noise: jax.Array
    weights: jax.Array


def _batch(table: Tables, pool: Pool, key: jax.Array) -> Batch:
    count = SCALE.latent_batch
    keys = jax.random.split(key, 6)
    chosen = jax.random.randint(keys[0], (count,), 0, jnp.minimum(pool.drawn, len(pool.latents)))
    wording = jax.random.randint(keys[1], (count,), 0, WORDINGS)
    tokens = pool.tokens[chosen, wording].astype(jnp.int32)
    words = (tokens != table.empty[0]) & (tokens != table.empty[1])
    unknown = words & (jax.random.uniform(keys[2], tokens.shape) < UNKNOWN_TOKENS)
    tokens = jnp.where(unknown, len(used_tokens()), tokens)
    dropped = jax.random.uniform(keys[3], (count, 1)) < DROPPED
    tokens = jnp.where(dropped, table.empty.astype(jnp.int32), tokens)
    # One timestep from each of as many equal parts of the range: less chance in a batch.
    spread = (jnp.arange(count) + jax.random.uniform(keys[4], (count,))) / count
    steps = (spread * len(table.alphas)).astype(jnp.int32)
    alpha = table.alphas[steps][:, None, None, None]
    noise = jax.random.normal(keys[5], (count, *tiny.LATENT_SHAPE))
    noisy = jnp.sqrt(alpha) * pool.latents[chosen].astype(jnp.float32) + jnp.sqrt(1 - alpha) * noise
    return Batch(tokens, noisy, table.embeddings[steps], noise, table.weights[steps])


def _loss(models: Models, values: list[jax.Array], batch: Batch) -> jax.Array:
    split = len(models.text_encoder.trainable_variables)
    positions = jnp.broadcast_to(jnp.arange(tiny.MAX_TOKENS), batch.tokens.shape)
    context, _ = models.text_encoder.stateless_call(values[:split], [], [batch.tokens, positions])
    inputs = [batch.noisy, batch.embeddings, context]
    made, _ = models.diffusion.stateless_call(values[split:], [], inputs)
    errors = jnp.square(made.astype(jnp.float32) - batch.noise).mean((1, 2, 3))
    return jnp.mean(errors * batch.weights)


def trained() -> Models:
    """The text encoder with CLIP's whole vocabulary, and the UNet, with the average of their weights."""
    models = build()
    state, seconds = CHECKPOINT.restore(start(SEED, *models))
    if not seconds:
        raise FileNotFoundError("there is no UNet: run `python -m training diffusion`")
    fill(state.average, *models)
    text = tiny.text_encoder()
    weights = models.text_encoder.get_weights()
    text.set_weights([whole_table(weights[0], tiny.VOCABULARY_SIZE), *weights[1:]])
    return Models(text, models.diffusion)


def _silence(convolution: Any) -> None:
    for weight in convolution.conv2d.weights:
        weight.assign(np.zeros(weight.shape))
