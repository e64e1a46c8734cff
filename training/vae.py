"""The autoencoder: pictures to latents of 16×16×4 and back."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np

from training.layouts import Layouts
from training.paths import RUNS
from training.render import Artwork, render
from training.scale import SCALE
from training.session import Checkpoint, Session, cosine
from training.state import State, fill, muon_of, start
from training.stream import ahead, draw
from triptych.models import kerascv, tiny

PEAK_RATE = 2e-3
KL_WEIGHT = 1e-6
SEED = 1
CHECKPOINT = Checkpoint(RUNS / "vae.npz")


class Autoencoder(NamedTuple):
    """`moments`: images in [-1, 1] to means and log-variances (16, 16, 8). The others are as served."""

    image_encoder: keras.Model
    moments: keras.Model
    decoder: keras.Model


def build() -> Autoencoder:
    """A new autoencoder; residual branches start near nothing, latents with little noise."""
    image_encoder, decoder = tiny.image_encoder(), tiny.decoder()
    for layer in (*image_encoder.layers, *decoder.layers):
        if isinstance(layer, kerascv.ResnetBlock):
            _soften(layer.conv2)
        if isinstance(layer, kerascv.AttentionBlock):
            _soften(layer.proj_out)
    bias = image_encoder.get_layer("quant").conv2d.bias
    bias.assign(np.repeat([0.0, -6.0], 4))
    moments = keras.Model(image_encoder.input, image_encoder.get_layer("quant").output)
    return Autoencoder(image_encoder, moments, decoder)


def train(minutes: float) -> None:
    """Train for so many minutes in all, counting those of earlier runs."""
    # bfloat16 doubles the speed on accelerators and on processors with AMX; the weights stay float32.
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = build()
    keras.config.set_dtype_policy("float32")
    artwork = Artwork.load()
    with ahead(draw, SCALE.vae_batch) as batches:

        def advance(state: State, rate: float) -> tuple[State, jax.Array]:
            moved: tuple[State, jax.Array] = _step(model, artwork, state, next(batches).layouts, rate)
            return moved

        Session(CHECKPOINT, minutes, cosine(PEAK_RATE, flat=0.2)).run(
            start(SEED, model.moments, model.decoder), advance
        )


@partial(jax.jit, static_argnums=0, donate_argnums=2)
def _step(
    model: Autoencoder, artwork: Artwork, state: State, layouts: Layouts, rate: float
) -> tuple[State, jax.Array]:
    noise_key, key = state.keys(2)
    images = render(artwork, layouts)
    loss, gradients = jax.value_and_grad(partial(_loss, model))(state.values, images, noise_key)
    return state.after(gradients, muon_of(model.moments, model.decoder), rate, key), loss


def _loss(model: Autoencoder, values: list[jax.Array], images: jax.Array, key: jax.Array) -> jax.Array:
    split = len(model.moments.trainable_variables)
    moments = _call(model.moments, values[:split], images)
    latent, log_variance = moments[..., :4], jnp.clip(moments[..., 4:], -20.0, 6.0)
    noisy = latent + jnp.exp(log_variance / 2) * jax.random.normal(key, latent.shape)
    rebuilt = _call(model.decoder, values[split:], noisy * tiny.LATENT_SCALE)
    return reconstruction_loss(images, rebuilt) + KL_WEIGHT * divergence(latent, log_variance)


def _call(model: keras.Model, values: list[jax.Array], inputs: Any) -> jax.Array:
    return model.stateless_call(values, [], inputs)[0].astype(jnp.float32)


def reconstruction_loss(true: jax.Array, made: jax.Array) -> jax.Array:
    """Absolute and squared error, errors of 2, 4 and 8 pixel means, and of edges at three scales."""
    error = true - made
    loss = jnp.mean(jnp.abs(error)) + jnp.mean(jnp.square(error))
    pooled = {size: _pooled(error, size) for size in (1, 2, 4, 8)}
    for size in (2, 4, 8):
        loss += 0.5 * jnp.mean(jnp.abs(pooled[size]))
    for size in (1, 2, 4):
        loss += 0.2 * jnp.mean(jnp.abs(jnp.diff(pooled[size], axis=1)))
        loss += 0.2 * jnp.mean(jnp.abs(jnp.diff(pooled[size], axis=2)))
    return loss


def _pooled(error: jax.Array, size: int) -> jax.Array:
    count, height, width, channels = error.shape
    return error.reshape(count, height // size, size, width // size, size, channels).mean((2, 4))


def divergence(mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """Kullback-Leibler divergence of the latents from unit Gaussians, summed over an image."""
    parts = jnp.square(mean) + jnp.exp(log_variance) - 1 - log_variance
    return jnp.mean(jnp.sum(parts, axis=(1, 2, 3))) / 2


def trained() -> Autoencoder:
    """The autoencoder with the average of its weights in float32, its latents not yet normalised."""
    model = build()
    state, seconds = CHECKPOINT.restore(start(SEED, model.moments, model.decoder))
    if not seconds:
        raise FileNotFoundError("there is no autoencoder: run `python -m training vae`")
    fill(state.average, model.moments, model.decoder)
    return model


def _soften(convolution: Any) -> None:
    kernel = convolution.conv2d.kernel
    kernel.assign(kernel * 0.02)
