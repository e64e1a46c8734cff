"""How much is done at once: on an accelerator, and on a processor."""

from __future__ import annotations

from typing import NamedTuple

import jax


class Scale(NamedTuple):
    """Pictures or latents in a batch, new pictures for each batch of latents, and latents kept."""

    vae_batch: int
    latent_batch: int
    fresh: int
    pool: int
    probe_batch: int


SCALE = (
    Scale(vae_batch=16, latent_batch=96, fresh=24, pool=6_000, probe_batch=64)
    if jax.default_backend() == "cpu"
    else Scale(vae_batch=256, latent_batch=1024, fresh=256, pool=196_608, probe_batch=512)
)
