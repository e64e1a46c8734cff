"""How much is done at once: on an accelerator, and on a processor."""

from __future__ import annotations

from typing import NamedTuple

import jax


class Scale(NamedTuple):
    """Pictures or latents in a batch, new pictures for each batch of latents, latents kept, and minutes."""

    vae_batch: int
    latent_batch: int
    fresh: int
    pool: int
    vae_minutes: float
    diffusion_minutes: float
    probe_minutes: float


ACCELERATOR = Scale(
    vae_batch=256,
    latent_batch=1024,
    fresh=256,
    pool=196_608,
    vae_minutes=3.3,
    diffusion_minutes=5.6,
    probe_minutes=1.0,
)
PROCESSOR = Scale(
    vae_batch=16,
    latent_batch=96,
    fresh=24,
    pool=6_000,
    vae_minutes=240.0,
    diffusion_minutes=900.0,
    probe_minutes=120.0,
)
SCALE = PROCESSOR if jax.default_backend() == "cpu" else ACCELERATOR
